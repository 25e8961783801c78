"""Clocks: the CPU's counter, or events on a GPU's stream. Tests use a fake clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import torch

from hrbench.core.environment import processor
from hrbench.errors import UsageError


class Clock(Protocol):
    """Measures latency. All times are in seconds."""

    def now(self) -> float:
        """Wall time from any origin, for budgets."""
        ...

    def time(self, work: Callable[[], object]) -> float:
        """Runs `work` once, until its device has finished it, and returns how long it took there."""
        ...


class CpuClock:
    """`time.perf_counter` around the work, which is finished on a CPU when it returns."""

    def now(self) -> float:
        return time.perf_counter()

    def time(self, work: Callable[[], object]) -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start


class CudaClock:
    """Two events on the stream of the work; the time between them is the time on the GPU.

    The device is idle before the first event, so that no earlier work is timed.

    cuda: `torch.cuda`, or a fake in tests.
    """

    def __init__(self, device: torch.device | str, cuda: Any = torch.cuda) -> None:
        self._device = torch.device(device)
        self._cuda = cuda

    def now(self) -> float:
        return time.perf_counter()

    def time(self, work: Callable[[], object]) -> float:
        cuda = self._cuda
        with cuda.device(self._device):
            start, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
            cuda.synchronize(self._device)
            start.record(cuda.current_stream(self._device))
            work()
            end.record(cuda.current_stream(self._device))
            end.synchronize()
        return start.elapsed_time(end) / 1000  # elapsed_time is in milliseconds


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


def device_name(device: torch.device | str) -> str:
    """A GPU's product name, or the CPU's model name; the machine's architecture if the system gives no model."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor() if device.type == "cpu" else str(device)
