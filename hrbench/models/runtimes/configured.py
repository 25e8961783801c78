"""A runtime with its settings: what is done to a network before it is prepared, and the flags that are in force."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hrbench.contracts import CountsCompilations, HasNotes, Runtime
from hrbench.errors import UnavailableError
from hrbench.models.runtimes.availability import (
    check_available,
    threads_in_words,
    too_many_threads,
    unavailable,
)
from hrbench.types import RuntimeSettings

if TYPE_CHECKING:
    from torch import nn


@dataclass(slots=True)
class Configured:
    """A runtime as an entry asks for it (contracts.Runtime, HasSettings, HasNotes, CountsCompilations,
    Foresees).

    inner: the runtime itself.
    settings: what is applied before it prepares a network.
    """

    inner: Runtime
    settings: RuntimeSettings
    name: str = field(init=False)
    version: int = field(init=False)
    takes: tuple[str, ...] = field(init=False)
    checked: float = field(init=False, default=0.0)
    """Seconds that preparing the last network spent on checking its outputs."""
    _said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name, self.version, self.takes = self.inner.name, self.inner.version, self.inner.takes

    def prepare(self, net: nn.Module, input: Any) -> Callable[..., Any]:
        """The network on the device and in the dtype of an input, changed as the settings say, ready to be called.

        net: a torch module, which is moved and changed.
        input: (N, 3, H, W), or a list of images (3, H, W).
        Raises UnavailableError, with the reason, if this machine or this network cannot be run so.
        """
        import torch

        image = input[0] if isinstance(input, list) else input
        check_available(self, input)
        self._said.clear()
        if said := threads_in_words(self.settings.threads):
            self._said.append(said)
        net = net.to(image.device).eval()
        self.checked = 0.0
        reference = self._reference(net, input)
        if self.settings.fused_bn and isinstance(input, list):
            self._fold_detector(net, input)
        elif self.settings.fused_bn:
            self._fold(net, input)
        net = net.to(image.dtype)
        if self.settings.channels_last:
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # modules take it alone
        if self.settings.fused_bn:  # before it is compiled, which other batches than those to be timed would change
            self._check(net, reference)
        call = self.inner.prepare(net, input)
        if isinstance(input, list) and self.name not in ("eager", "own"):
            self._said.append("what the runtime makes of a detector is not held to the network's own outputs")
        if self._converts:
            self._check(call, reference)
        return call

    def unavailable(self, device: str, dtype: str, is_detector: bool) -> str:
        """Why this machine cannot run a network so; "" if it may (contracts.Foresees)."""
        if self.settings.tf32 is not None and device != "cuda":
            return "tf32 is a mode of NVIDIA GPUs, and this is a CPU: leave it out"
        few = too_many_threads(self.settings.threads)
        return few or unavailable(self.inner, device, dtype, is_detector)

    @property
    def _converts(self) -> bool:
        """Whether the runtime runs something else than the network's own code, which a compiler keeps."""
        return self.name not in ("eager", "own", "compile")

    def _reference(self, net: nn.Module, input: Any) -> Any:
        """What the network itself makes of a batch of 1 and of 3; None if nothing is held to it, or for a detector."""
        if isinstance(input, list) or not (self.settings.fused_bn or self._converts):
            return None
        from hrbench.models.runtimes.agreement import reference

        began = time.perf_counter()
        found = reference(net, input)
        self.checked += time.perf_counter() - began
        return found

    def _check(self, call: Callable[..., Any], reference: Any) -> None:
        """Raises UnavailableError if something gives other outputs than the network itself."""
        if reference is None:
            return
        from hrbench.models.runtimes.agreement import check

        began = time.perf_counter()
        check(call, reference, str(self.settings))
        self.checked += time.perf_counter() - began

    def compilations(self) -> int:
        """How often the runtime has compiled; 0 for one that compiles nothing while it is called."""
        return self.inner.compilations() if isinstance(self.inner, CountsCompilations) else 0

    def notes(self) -> list[str]:
        """What became of the network, in words."""
        return [*self._said, *(map(str, self.inner.notes()) if isinstance(self.inner, HasNotes) else ())]

    def _fold_detector(self, net: nn.Module, input: list[Any]) -> None:
        """Folds norms, and holds the detector to what it found before, in its own dtype: a lower one moves boxes."""
        from hrbench.models.runtimes import detections

        began = time.perf_counter()
        expected = detections.reference(net, input)
        self.checked += time.perf_counter() - began
        self._fold(net, input)
        began = time.perf_counter()
        if said := detections.check(net, expected, str(self.settings)):
            self._said.append(said)
        self.checked += time.perf_counter() - began

    def _fold(self, net: nn.Module, input: Any) -> None:
        import torch

        from hrbench.models.runtimes.norms import fold_norms

        own = next((value.dtype for value in net.parameters() if value.is_floating_point()), torch.float32)
        image = input[0] if isinstance(input, list) else input[:1]
        # in the network's own dtype, since bfloat16 would round twice
        example = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)).to(image.device, own)
        folded, norms = fold_norms(net, [example] if isinstance(input, list) else torch.cat([example, example]))
        if not folded:
            why = "it has none" if not norms else f"none of its {norms} follows a layer alone"
            raise UnavailableError(f"fused_bn: no batch norm of the network can be folded: {why}")
        self._said.append(f"{folded} of {norms} batch norms folded")


@contextmanager
def in_force(settings: RuntimeSettings) -> Iterator[None]:
    """Sets threads and TF32 as the settings say, and back again. Loads torch only if there is anything to set."""
    if settings.threads is None and settings.tf32 is None:
        yield
        return
    import torch

    with ExitStack() as undo:  # what is not set is not touched: torch refuses some mixtures of its flags
        if settings.threads is not None:
            undo.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(settings.threads)
        if settings.tf32 is not None:
            places: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
            for place in places:
                undo.callback(setattr, place, "allow_tf32", place.allow_tf32)
                place.allow_tf32 = settings.tf32
        yield
