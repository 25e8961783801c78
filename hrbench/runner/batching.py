"""Runs a network over items in batches of the requested or the fastest size; halves them on out-of-memory errors.

    batcher = Batcher(task, net, "auto", notes.append)
    raws = batcher.run(items)          # items of equal shape, any number; one raw output each, in order
    batcher.size                       # the best number of items for one call of `run`

The size that is found depends on the machine. It changes only how sums are rounded: otherwise predictions of a batch
of 1 and of 16 are the same. A given size stays: into which parts items are cut that do not fit into memory depends on
their number and shape alone, not on what came before, so that parts of a data set are predicted as the whole is.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import psutil

from hrbench.contracts import ForwardsAhead, Network, Task
from hrbench.core import process_memory
from hrbench.errors import EntryError, HrbenchError
from hrbench.types import Item

MAX_BATCH = 256
"""No larger batch is tried."""
MIN_SPEEDUP = 1.05
"""By how much a doubled batch must raise the pixels per second to be kept."""
TRIAL_PASSES = 2
"""Passes at each size before it is compared: the first of them also allocates its memory."""
SPARE_BYTES = 1 << 30
"""Main memory that a larger batch must leave free: a process that exceeds main memory is killed without an error."""


class Batcher:
    """Runs a task's network over items, in batches that fit.

    batch: items in a forward pass, or "auto" to begin with one and double it while that is faster.
    note: called with a sentence when a batch was halved because memory ran out, and when the best size was found.
    """

    def __init__(
        self, task: Task, net: Network, batch: int | Literal["auto"], note: Callable[[str], object] = lambda text: None
    ) -> None:
        self.task, self.net, self.note = task, net, note
        self.growing = batch == "auto"
        self.size = 1 if batch == "auto" else batch
        self._rate_at_half = self._rate = 0.0  # best rates at half this size and at this size, pixels per second
        self._passes = 0
        self._too_many: dict[tuple[int, ...], int] = {}  # shape -> the smallest number of items that did not fit
        self._peak = process_memory.peak()

    def launch(self, items: Sequence[Item]) -> Callable[[], list[Any]]:
        """Sends a batch to the device, if the task can and the size is found; returns what waits for its outputs.

        A batch that does not fit beside the one before it is run when it is waited for, by itself.
        """
        at_once = len(items) <= min(self.size, self._most(items[0]))
        if not isinstance(self.task, ForwardsAhead) or self.growing or not at_once:
            outputs = self.run(items)
            return lambda: outputs
        collect: Callable[[], list[Any]] | None = None
        try:
            collect = self.task.launch(self.net, items)
        except Exception as error:
            if isinstance(error, HrbenchError) or not _out_of_memory(error):
                raise
        return lambda: self._collected(items, collect)

    def _collected(self, items: Sequence[Item], collect: Callable[[], list[Any]] | None) -> list[Any]:
        try:
            if collect is not None:
                return collect()
        except Exception as error:
            if isinstance(error, HrbenchError) or not _out_of_memory(error):
                raise
        _free()
        return self.run(items)

    def run(self, items: Sequence[Item]) -> list[Any]:
        """One raw output for each item of equal shape. Raises EntryError if not even one fits into memory."""
        raws: list[Any] = []
        most = self.size
        while len(raws) < len(items):
            part = items[len(raws) : len(raws) + min(most, self.size)]
            if len(part) > self._most(part[0]):
                most = len(part) // 2
                continue
            started = time.perf_counter()
            try:
                outputs = self.task.forward(self.net, part)
            except Exception as error:
                if isinstance(error, HrbenchError) or not _out_of_memory(error):
                    raise
                outputs = None
            if outputs is None:  # outside of `except`, whose traceback keeps the memory in use
                self._halve(part)
                most = len(part) // 2
                continue
            raws += outputs
            if self.growing and len(part) == self.size:
                pixels = sum(item.image.shape[0] * item.image.shape[1] for item in part)
                self._compare(pixels / max(time.perf_counter() - started, 1e-9))
        return raws

    def _most(self, item: Item) -> int:
        """How many items of a shape may fit: fewer than ever did not."""
        return self._too_many.get(item.image.shape, sys.maxsize) - 1

    def _halve(self, part: Sequence[Item]) -> None:
        """Remembers that so many items do not fit. Raises EntryError for one."""
        _free()
        height, width = part[0].image.shape[:2]
        if len(part) == 1:
            raise EntryError(
                f"memory ran out on one image of {width}x{height} ({part[0].sample}): choose a smaller input or "
                "network, or another --device"
            )
        half, before = len(part) // 2, min(self._too_many.values(), default=sys.maxsize)
        self._too_many[part[0].image.shape] = len(part)
        if self.growing:
            self.size, self.growing = half, False
        if len(part) < before:
            self.note(f"batch halved to {half}: {len(part)} images of {width}x{height} did not fit into memory")

    def _compare(self, rate: float) -> None:
        """Records the rate of a full batch; then doubles the size, or settles for the best one."""
        self._rate, self._passes = max(self._rate, rate), self._passes + 1
        if self._passes < TRIAL_PASSES:
            return
        if self._rate < MIN_SPEEDUP * self._rate_at_half:
            self._settle(self.size // 2)
        elif 2 * self.size > MAX_BATCH or not self._has_room():
            self._settle(self.size)
        else:
            self._rate_at_half, self._rate, self._passes = self._rate, 0.0, 0
            self.size *= 2

    def _settle(self, size: int) -> None:
        self.size, self.growing = size, False
        self.note(f"batch {size} was found to be the best")

    def _has_room(self) -> bool:
        """Whether main memory is enough for twice the batch, which needs as much again as this one has taken."""
        taken = process_memory.peak() - self._peak
        return psutil.virtual_memory().available > 2 * taken + SPARE_BYTES


def _out_of_memory(error: Exception) -> bool:
    """Whether torch or NumPy ran out of memory; torch's CPU allocator raises a plain RuntimeError."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text))
    )


def _free() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
