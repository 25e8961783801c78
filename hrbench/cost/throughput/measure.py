"""Times a network at one batch after the other, while the machine is watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from hrbench.contracts import Runtime
from hrbench.core.environment import torch_flags
from hrbench.core.process_memory import resident
from hrbench.cost.forward import device_name, dtype_named, emulated, first_line, ready, reason_without_value, run_as
from hrbench.cost.latency.clocks import Clock, clock_for, gpu_uuid
from hrbench.cost.latency.marks import Marks
from hrbench.cost.latency.pace import Pace
from hrbench.cost.latency.passes import Passes, time_passes
from hrbench.cost.telemetry.seen import between
from hrbench.cost.telemetry.stability import all_settled, judged, together, worst_seen, worst_verdict
from hrbench.cost.telemetry.watch import Nobody, Record, Watch, watching
from hrbench.cost.throughput.pace import SMOKE_BATCHES, pace_of_batch
from hrbench.cost.throughput.summary import THROUGHPUT, at_knee
from hrbench.cost.throughput.sweep import batch_time, sweep
from hrbench.errors import EntryError, HrbenchError, UsageError
from hrbench.statistics.percentiles import median_interval
from hrbench.types import BatchTime, Conditions, Measurement, Reason

SPARE = 1 << 30
"""Bytes of main memory that a larger batch must leave free: without them the system ends the process."""


def measure_throughput(
    net: nn.Module,
    size: tuple[int, int],
    *,
    runtime: Runtime,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | str = "float32",
    first: int = 1,
    largest: int = 256,
    mode: str = "quick",
    budget: float | None = None,
    cap: float | None = None,
    clock: Clock | None = None,
    progress: Callable[[int, int], None] | None = None,
    as_input: Callable[[Tensor], Any] | None = None,
    watch: Callable[[str], AbstractContextManager[Watch]] | None = watching,
    room: Callable[[int], Reason | None] | None = None,
) -> Measurement:
    """Images per second of a network at the knee of a sweep over batches, in this process.

    net: on any device, in any dtype; copied if they are not the requested ones.
    size: (height, width) of the images.
    runtime: turns the network into the callable that is timed.
    dtype: "float32", "bfloat16", ...
    first, largest: the first batch, and the largest that may be tried; batches double.
    mode: "quick", "gate" (one of its processes) or "smoke".
    budget, cap: seconds, as `pace.pace_of_batch` takes them.
    clock: for tests.
    progress: called before each batch as `progress(batches done, batches at most)`.
    as_input: converts the (N, C, H, W) tensor to the network's input, e.g. `list` for a detector.
    watch: watches the machine, called with the UUID of the GPU or ""; None for nobody.
    room: for tests: why a batch would not fit into memory, None if it may.

    Returns the throughput with its curve among the conditions, or a Measurement without a value but with a reason. A
    batch that runs out of memory or time ends the sweep. Raises UsageError for a missing device or invalid settings;
    EntryError if the network fails at the first batch.
    """
    device, dtype = torch.device(device), dtype_named(dtype)
    pace = pace_of_batch(mode, budget, cap)
    clock = clock or clock_for(device)
    conditions = _conditions(size, device, dtype, pace)
    if why := emulated(net, runtime, device, dtype):
        return Measurement(THROUGHPUT, None, conditions=conditions, reason=why)
    if mode == "smoke":
        largest = min(largest, first * 2 ** (SMOKE_BATCHES - 1))
    room = room or (MainMemory().lacks if device.type == "cpu" else _always)
    with nullcontext(Nobody()) if watch is None else watch(gpu_uuid(device)) as watched:
        timer = _Batches(net, size, runtime, device, dtype, pace, clock, as_input, watched, room, first)
        every = max(1, (largest // first).bit_length())
        found = sweep(first, largest, lambda batch: timer.time(batch, lambda done: _tell(progress, done, every)))
    conditions = replace(
        conditions,
        compile=timer.prepared or None,
        first_pass=timer.done[0].first if timer.done else None,
        warm_up_passes=sum(one.warm_up for one in timer.done) or None,
        warm_up_settled=all_settled([one.settled for one in timer.done]) if timer.done else None,
        passes=sum(len(one.samples) for one in timer.done) or None,
        threads=torch.get_num_threads(),  # read now: a network may have set it in its first pass
        flags=torch_flags(),
        ended=found.ended,
        **run_as(runtime, device, dtype)._asdict(),
    )
    if found.reason is not None:
        return Measurement(THROUGHPUT, None, conditions=conditions, reason=found.reason)
    if pace.mode != "smoke" and watch is not None:
        conditions = _with_stability(conditions, watched.record, timer)
    one = at_knee(found.curve, conditions)
    seconds = median_interval(timer.seconds[one.conditions.knee or 0])
    if seconds is None:
        return one
    assert one.conditions.knee is not None
    return replace(one, interval=(one.conditions.knee / seconds[1], one.conditions.knee / seconds[0]))


@dataclass(slots=True)
class _Batches:
    """Times batches, and keeps what is told of all of them. marks: begin and end of each batch's samples."""

    net: nn.Module
    size: tuple[int, int]
    runtime: Runtime
    device: torch.device
    dtype: torch.dtype
    pace: Pace
    clock: Clock
    as_input: Callable[[Tensor], Any] | None
    watched: Watch
    room: Callable[[int], Reason | None]
    first: int
    prepared: float = 0.0
    done: list[Passes] = field(default_factory=list)
    marks: list[tuple[float, float]] = field(default_factory=list)
    seconds: dict[int, Sequence[float]] = field(default_factory=dict)

    def time(self, batch: int, tell: Callable[[int], None]) -> BatchTime | Reason:
        """One batch, or why it has no time. Raises EntryError if the network fails at the first batch."""
        tell(len(self.done))
        if batch > self.first and (reason := self.room(batch)):
            return reason
        marks = Marks(self.watched, self.runtime)
        shape = (batch, 3, *self.size)
        try:
            with ready(self.net, shape, self.device, self.dtype, self.runtime, self.as_input) as passing:
                passes = time_passes(passing.work, self.clock, self.pace, None, marks)
        except HrbenchError as error:
            if batch == self.first or isinstance(error, UsageError):
                raise
            return Reason(str(error))
        except Exception as error:
            reason = reason_without_value(error, self.device, self.dtype)
            if reason is None and batch == self.first:
                told = first_line(error)
                raise EntryError(f"a forward pass failed while throughput was measured: {told}") from error
            return reason or Reason(f"a forward pass failed ({first_line(error)})")
        if (reason := passes.reason or marks.fault) is not None:
            return reason
        self.prepared += passing.prepared or 0.0
        self.done.append(passes)
        self.marks.append((marks.times[0], marks.times[-1]))
        self.seconds[batch] = [one.seconds for one in passes.samples]
        return batch_time(batch, self.seconds[batch])


def _with_stability(conditions: Conditions, record: Record, timer: _Batches) -> Conditions:
    """The verdict on a whole sweep: every batch decides where the knee is, so it is as bad as the worst of them."""
    seen = [between(record, *marks) for marks in timer.marks]
    found = [
        judged(one, samples, passes.settled, record.missing)
        for one, samples, passes in zip(seen, timer.seconds.values(), timer.done, strict=True)
    ]
    verdict = worst_verdict([one.verdict for one in found])
    reasons = together([one.reasons if one.verdict == verdict else () for one in found], "batches")
    return replace(conditions, seen=worst_seen(seen), stability=verdict, stability_reasons=reasons)


class MainMemory:
    """Whether main memory is enough for a larger batch: a process that exceeds it is ended without an error.

    of: sizes of this process in bytes by name (`resident`); available: bytes of main memory that are free. For
    tests.
    """

    def __init__(
        self,
        of: Callable[[str], int | None] = resident,
        available: Callable[[], int] = lambda: psutil.virtual_memory().available,
    ) -> None:
        self.of, self.available = of, available
        self.before = of("VmRSS")

    def lacks(self, batch: int) -> Reason | None:
        """Why a batch does not fit that is twice as large as the one before, which took the peak so far."""
        peak, now = self.of("VmHWM"), self.of("VmRSS")
        if peak is None or now is None or self.before is None:
            return None  # this system does not tell
        need, free = 2 * max(0, peak - self.before), self.available() + max(0, now - self.before)
        if need + SPARE <= free:
            return None
        return Reason(
            f"it would take about {need / 2**30:.1f} GiB of the {free / 2**30:.1f} GiB of memory that are free"
        )


def _always(batch: int) -> None:
    """Every batch is tried: a GPU that has no memory left says so."""


def _tell(progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _conditions(size: tuple[int, int], device: torch.device, dtype: torch.dtype, pace: Pace) -> Conditions:
    return Conditions(
        input=size,
        dtype=str(dtype).removeprefix("torch."),
        device=device_name(device),
        device_type=device.type,
        mode=pace.mode,
        budget=None if pace.mode == "smoke" else pace.budget,
        threads=torch.get_num_threads(),
        torch=str(torch.__version__),
        channels_last=False,
        flags=torch_flags(),
        timed="forward passes of the network one after the other, input already on the device",
    )
