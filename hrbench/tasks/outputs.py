"""A network's outputs: taken off the device, checked; values that are refused, and suspicious ones that are noted.

torch is used through the tensors that are handed in, and imported only where a GPU computed them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hrbench.core.stages import stage
from hrbench.errors import EntryError
from hrbench.types import Note

if TYPE_CHECKING:
    from torch import Tensor


def real(output: Tensor, wanted: str) -> Tensor:
    """The output, if it holds real numbers. Raises EntryError for booleans and complex numbers.

    wanted: what the task expects, in words, for the error.
    """
    dtype = str(output.dtype).removeprefix("torch.")
    if output.is_complex() or dtype == "bool":
        raise EntryError(f"the network returned values of type {dtype}; {wanted}, of real numbers")
    return output


def fetched(value: Tensor) -> Callable[[], np.ndarray]:
    """The values in main memory, when what is returned is called. The copy is asked for now: it follows what the device
    has to do by now, and what it is told to do afterwards is not waited for.
    """
    with stage("transfer"):
        if value.device.type != "cuda":
            here = value.cpu()
            return here.numpy
        import torch

        copy = value.to("cpu", non_blocking=True)  # to page-locked memory
        done = torch.cuda.Event()
        done.record(torch.cuda.current_stream(value.device))

    def wait() -> np.ndarray:
        with stage("transfer"):
            done.synchronize()
        return copy.numpy()

    return wait


@dataclass(slots=True)
class OutputMonitor:
    """Notes degenerate outputs, with equal values everywhere; each output counts once, even if a batch is repeated.

    unit: what one output is of, in the plural ("images").
    tied_message: what it means that all numbers of an output are equal; {} stands for the number of such outputs.
    counted: outputs in all, and tied ones, that other monitors have seen (`add_tally`).
    """

    unit: str
    tied_message: str
    seen: set[Any] = field(default_factory=set)
    tied: set[Any] = field(default_factory=set)
    whole: str = ""
    first: np.ndarray | None = None
    varied: bool = False
    counted: tuple[int, int] = (0, 0)

    def note_dtype(self, output: Tensor) -> None:
        """Notes the type of an output of whole numbers."""
        if not output.is_floating_point():
            self.whole = str(output.dtype).removeprefix("torch.")

    def note_vector(self, key: Any, numbers: np.ndarray) -> None:
        """Notes an output (C,), whose numbers should differ from one another and between outputs."""
        self._see(key, len(numbers) > 1 and bool((numbers == numbers[0]).all()))
        if self.first is None:
            self.first = numbers.copy()
        self.varied = self.varied or not np.array_equal(numbers, self.first)

    def note_classes(self, key: Any, scores: Tensor) -> Callable[[], None]:
        """Notes scores (C, H, W) whose C maps may all be equal, when what is returned is called.

        All are compared only if the first two are equal, or if the answer would have to be waited for.
        """
        if scores.device.type == "cuda":
            all_alike = fetched((scores == scores[0]).all())
            return lambda: self._see(key, len(scores) > 1 and bool(all_alike()))
        alike = len(scores) > 1 and bool((scores[0] == scores[1]).all())
        tied = alike and bool((scores == scores[0]).all())
        return lambda: self._see(key, tied)

    def note_maps(self, key: Any, maps: np.ndarray) -> None:
        """Notes maps (K, h, w), each of which may have one value everywhere."""
        flat = maps.reshape(len(maps), -1)
        alike = flat.size > len(flat) and bool((flat[0] == flat[0, 0]).all())
        self._see(key, alike and bool((flat == flat[:, :1]).all()))

    def _see(self, key: Any, tied: bool) -> None:
        self.seen.add(key)
        if tied:
            self.tied.add(key)

    def tally(self) -> dict[str, Any]:
        """What was seen, for `add_tally` of another monitor."""
        seen, tied = self.counted[0] + len(self.seen), self.counted[1] + len(self.tied)
        return {"seen": seen, "tied": tied, "whole": self.whole, "first": self.first, "varied": self.varied}

    def add_tally(self, tally: Mapping[str, Any]) -> None:
        """Adds what another monitor has seen, of other outputs."""
        seen, tied = self.counted
        self.counted = seen + tally["seen"], tied + tally["tied"]
        self.whole = tally["whole"] or self.whole
        first = tally["first"]
        differs = self.first is not None and first is not None and not np.array_equal(first, self.first)
        self.varied = self.varied or tally["varied"] or differs
        self.first = first if self.first is None else self.first

    def notes(self) -> list[Note]:
        """Notes to print with a score, once all images are finished."""
        said = []
        if self.whole:
            what = f"the network returned whole numbers ({self.whole})"
            said.append(Note("whole_numbers", what, effect="many of them may be equal"))
        seen, tied = self.counted[0] + len(self.seen), self.counted[1] + len(self.tied)
        if tied:
            counted = f"{tied} of {seen} {self.unit}"
            what = self.tied_message.format(counted)
            said.append(Note("tied_outputs", what, effect="are the weights the right ones?"))
        elif self.first is not None and seen > 1 and not self.varied:
            what = f"the network returned the same numbers for all {seen} {self.unit}"
            said.append(Note("same_outputs", what, effect="are the weights the right ones?"))
        return said
