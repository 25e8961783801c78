"""How many items go through a network at once: as asked for, or as many as are worth while; fewer where memory ends.

    batcher = Batcher(task, net, "auto", notes.append)
    raws = batcher.run(items)          # items of equal shape, any number; one raw output each, in order
    batcher.size                       # what `run` is best given at a time

What is found depends on the machine, and changes only how sums are rounded: predictions of a batch of 1 and of 16 are
the same but for that.
"""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import psutil

from hrbench.contracts import Network, Task
from hrbench.errors import EntryError, HrbenchError
from hrbench.types import Item

MOST = 256
"""Beyond it no batch is tried."""
GAIN = 1.05
"""What doubling a batch must bring in pixels a second, or it was not worth while."""
TRIES = 2
"""Passes at each size before it is judged: the first of them also pays for its memory."""
SPARE = 1 << 30
"""Bytes that a larger batch leaves free on the processor's side, where running out of memory is no error but a kill."""


class Batcher:
    """Runs a task's network over items, in batches that fit.

    batch: items at a time, or "auto" to begin with one and double it while that pays. note: is told when a batch was
    halved for want of memory, and which one was found.
    """

    def __init__(
        self, task: Task, net: Network, batch: int | Literal["auto"], note: Callable[[str], object] = lambda text: None
    ) -> None:
        self.task, self.net, self.note = task, net, note
        self.growing = batch == "auto"
        self.size = 1 if batch == "auto" else batch
        self._before = self._here = 0.0  # best rates at half this size and at this one, pixels a second
        self._tries = 0
        self._peak = _peak_bytes()

    def run(self, items: Sequence[Item]) -> list[Any]:
        """One raw output for each item of equal shape. Raises EntryError where not even one fits into memory."""
        raws: list[Any] = []
        while len(raws) < len(items):
            part = items[len(raws) : len(raws) + self.size]
            started = time.perf_counter()
            try:
                found = self.task.forward(self.net, part)
            except Exception as error:
                if isinstance(error, HrbenchError) or not _out_of_memory(error):
                    raise
                found = None
            if found is None:  # outside of `except`, whose traceback holds what takes up the memory
                self._halve(part)
                continue
            raws += found
            if self.growing and len(part) == self.size:
                pixels = sum(item.image.shape[0] * item.image.shape[1] for item in part)
                self._judge(pixels / max(time.perf_counter() - started, 1e-9))
        return raws

    def _halve(self, part: Sequence[Item]) -> None:
        _free()
        height, width = part[0].image.shape[:2]
        if len(part) == 1:
            raise EntryError(
                f"memory ran out on one image of {width}x{height} ({part[0].sample}): choose a smaller input or "
                "network, or another --device"
            )
        self.size, self.growing = len(part) // 2, False
        self.note(f"batch halved to {self.size}: {len(part)} images of {width}x{height} did not fit into memory")

    def _judge(self, rate: float) -> None:
        """Notes the rate of a full batch, and doubles the size, or settles for the one that was best."""
        self._here, self._tries = max(self._here, rate), self._tries + 1
        if self._tries < TRIES:
            return
        if self._here < GAIN * self._before:
            self._settle(self.size // 2)
        elif 2 * self.size > MOST or not self._room():
            self._settle(self.size)
        else:
            self._before, self._here, self._tries = self._here, 0.0, 0
            self.size *= 2

    def _settle(self, size: int) -> None:
        self.size, self.growing = size, False
        self.note(f"batch {size} was found to be the best")

    def _room(self) -> bool:
        """Whether the processor's memory takes what twice the batch needs: as much again as this one has taken."""
        taken = _peak_bytes() - self._peak
        return psutil.virtual_memory().available > 2 * taken + SPARE


def _out_of_memory(error: Exception) -> bool:
    """What torch and NumPy raise where memory ends; torch's processor allocator has no kind of its own."""
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


PROCESS_STATUS = Path("/proc/self/status")


def _peak_bytes(status: Path = PROCESS_STATUS) -> int:
    """The most memory that this process has held at once, as the kernel counted it.

    `ru_maxrss` is asked only if the kernel does not tell VmHWM: after a vfork, which is how many launchers start
    processes, it begins at the launcher's own peak, and hides what this process takes.
    """
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    found = next((line.split() for line in lines if line.startswith("VmHWM:")), [])
    if len(found) == 3 and found[1].isdigit():
        return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
