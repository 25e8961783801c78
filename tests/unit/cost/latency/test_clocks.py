"""Clocks: the CPU's over a counter set by hand, and the CUDA protocol over something that notes what it is asked."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from hrbench.cost.latency import clocks
from hrbench.cost.latency.clocks import CpuClock, CudaClock, clock_for, gpu_uuid
from hrbench.errors import UsageError


class Gpu:
    """Stands in for `torch.cuda`: a GPU whose time passes only where the test says so."""

    def __init__(self) -> None:
        self.milliseconds = 0.0
        self.log: list[str] = []

    @contextmanager
    def device(self, device):
        self.log.append(f"enter {device}")
        yield
        self.log.append("leave")

    def Event(self, enable_timing: bool):
        assert enable_timing
        return Mark(self)

    def synchronize(self, device):
        self.log.append(f"synchronize {device}")

    def current_stream(self, device):
        return f"stream of {device}"


class Mark:
    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self.at: float | None = None

    def record(self, stream):
        self.at = self.gpu.milliseconds
        self.gpu.log.append(f"record on {stream}")

    def elapsed_time(self, end: Mark) -> float:
        assert self.at is not None and end.at is not None
        assert self.gpu.log[-2] == "synchronize cuda:1", "read before the work was done"
        return end.at - self.at


class Wall:
    """Stands in for the module `time`: seconds pass only if the test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def perf_counter(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    wall = Wall()
    monkeypatch.setattr(clocks, "time", wall)
    return wall


def test_events_enclose_the_work_on_its_stream_after_the_device_is_idle(wall):
    gpu = Gpu()

    def work():
        gpu.log.append("work")
        gpu.milliseconds += 12.5
        wall.sleep(0.004)  # to ask for it

    gpu.synchronize = lambda device: (gpu.log.append(f"synchronize {device}"), wall.sleep(0.01))
    timed = CudaClock("cuda:1", gpu).time(work)
    assert timed.device == 0.0125
    assert (timed.launched, timed.seconds) == (pytest.approx(0.004), pytest.approx(0.014))
    assert gpu.log == [
        "enter cuda:1",
        "synchronize cuda:1",
        "record on stream of cuda:1",
        "work",
        "record on stream of cuda:1",
        "synchronize cuda:1",
        "leave",
    ]


def test_both_clocks_tell_wall_time_in_seconds(wall):
    for clock in (CpuClock(), CudaClock("cuda:1", Gpu())):
        start = clock.now()
        wall.sleep(0.25)
        assert clock.now() - start == 0.25
        assert clock.time(lambda: wall.sleep(0.5)).seconds == 0.5


def test_time_outside_the_events_is_not_the_gpus(wall):
    gpu = Gpu()
    gpu.milliseconds = 7.0
    assert CudaClock("cuda:1", gpu).time(lambda: wall.sleep(1)).device == 0


def test_a_cpu_has_no_time_of_its_own(wall):
    assert CpuClock().time(lambda: wall.sleep(0.25)) == (0.25, None, None)


def test_each_device_has_its_clock(monkeypatch):
    assert isinstance(clock_for(torch.device("cpu")), CpuClock)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert isinstance(clock_for(torch.device("cuda")), CudaClock)
    assert isinstance(clock_for(torch.device("cuda:0")), CudaClock)
    with pytest.raises(UsageError, match=r"cuda:1 was asked for, but there are only 1"):
        clock_for(torch.device("cuda:1"))


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no CUDA device here"):
        clock_for(torch.device("cuda"))
    with pytest.raises(UsageError, match="not on meta"):
        clock_for(torch.device("meta"))


def test_a_gpu_is_known_by_its_uuid(monkeypatch):
    tell = SimpleNamespace(uuid="6f1e0c2a-0000-0000-0000-000000000000")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: tell)
    assert gpu_uuid("cuda:1") == "GPU-6f1e0c2a-0000-0000-0000-000000000000"
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace())
    assert gpu_uuid("cuda:1") == gpu_uuid("cpu") == ""
