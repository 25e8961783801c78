"""Clocks: wall time until the device has finished, on a GPU with its own time beside it. Tests use a fake clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch

from hrbench.errors import UsageError


class Timed(NamedTuple):
    """One pass.

    seconds: wall time until the device had finished.
    device: seconds on the GPU from its first to its last work; None on a CPU.
    launched: seconds of wall time after which the host had asked the GPU for all work; None on a CPU.
    """

    seconds: float
    device: float | None = None
    launched: float | None = None


class Clock(Protocol):
    """Measures latency. All times are in seconds."""

    def now(self) -> float:
        """Wall time from any origin, for budgets."""
        ...

    def time(self, work: Callable[[], object]) -> Timed:
        """Runs `work` once, until its device has finished it, and returns how long it took."""
        ...


class CpuClock:
    """`time.perf_counter` around the work, which is finished on a CPU when it returns."""

    def now(self) -> float:
        return time.perf_counter()

    def time(self, work: Callable[[], object]) -> Timed:
        start = time.perf_counter()
        work()
        return Timed(time.perf_counter() - start)


class CudaClock:
    """Wall time from an idle device until it is idle again, with two events on the stream of the work.

    The device is idle before, so that no earlier work is timed. The time between the events is that of the device, and
    how long the host took to ask for all work tells how far it holds the device up.

    cuda: `torch.cuda`, or a fake in tests.
    """

    def __init__(self, device: torch.device | str, cuda: Any = torch.cuda) -> None:
        self._device = torch.device(device)
        self._cuda = cuda

    def now(self) -> float:
        return time.perf_counter()

    def time(self, work: Callable[[], object]) -> Timed:
        cuda = self._cuda
        with cuda.device(self._device):
            first, last = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
            stream = cuda.current_stream(self._device)
            cuda.synchronize(self._device)
            start = time.perf_counter()
            first.record(stream)
            work()
            last.record(stream)
            launched = time.perf_counter() - start
            cuda.synchronize(self._device)
            seconds = time.perf_counter() - start
        return Timed(seconds, first.elapsed_time(last) / 1000, launched)  # elapsed_time is in milliseconds


def clock_for(device: torch.device) -> Clock:
    """The clock of a device. Raises UsageError if the device cannot be timed or does not exist."""
    if device.type == "cpu":
        return CpuClock()
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise UsageError(f"device {device} was asked for, but torch sees no CUDA device here; use --device cpu")
        if (device.index or 0) >= torch.cuda.device_count():
            raise UsageError(f"device {device} was asked for, but there are only {torch.cuda.device_count()} (from 0)")
        return CudaClock(device)
    raise UsageError(f"latency is measured on cpu and cuda devices, not on {device}")


def gpu_uuid(device: torch.device | str) -> str:
    """The UUID of a GPU as NVML takes it; "" for other devices, and for a torch that does not tell it."""
    device = torch.device(device)
    if device.type != "cuda":
        return ""
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return "" if uuid is None else f"GPU-{uuid}"
