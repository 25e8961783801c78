"""How long one forward pass takes, network only: no data, no transfer, nothing before or after it.

`passes.py` says how many passes warm up and how many are measured; a cell without a number has a reason. Meanwhile the
machine is watched (`cost.telemetry`), and what was seen says whether the number is stable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from statistics import fmean, median
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.contracts import Runtime
from hrbench.core.environment import torch_flags
from hrbench.core.units import amount
from hrbench.cost.forward import (
    device_name,
    dtype_named,
    emulated,
    first_line,
    ready,
    reason_without_value,
    run_as,
)
from hrbench.cost.latency.caches import flusher
from hrbench.cost.latency.clocks import Clock, Timed, clock_for, gpu_uuid
from hrbench.cost.latency.looks import confidence_of
from hrbench.cost.latency.marks import Marks
from hrbench.cost.latency.pace import Pace, pace_of
from hrbench.cost.latency.passes import Progress, time_passes
from hrbench.cost.latency.summary import LATENCY, bounds
from hrbench.cost.telemetry.seen import between
from hrbench.cost.telemetry.stability import judged
from hrbench.cost.telemetry.watch import Nobody, Record, Watch, watching
from hrbench.errors import EntryError, HrbenchError
from hrbench.statistics.percentiles import median_interval
from hrbench.types import Conditions, Measurement


def measure_latency(
    net: nn.Module,
    input_shape: tuple[int, int, int, int],
    *,
    runtime: Runtime,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | str = "float32",
    mode: str = "quick",
    budget: float | None = None,
    cap: float | None = None,
    clock: Clock | None = None,
    progress: Progress | None = None,
    as_input: Callable[[Tensor], Any] | None = None,
    inputs: Sequence[Any] = (),
    cold: bool = False,
    watch: Callable[[str], AbstractContextManager[Watch]] | None = watching,
) -> Measurement:
    """Latency of a network in eval and inference mode on a seeded standard-normal input, or others, in this process.

    net: on any device, in any dtype; copied if they are not the requested ones. Its training flags are restored.
    input_shape: (N, C, H, W).
    runtime: turns the network into the callable that is timed.
    dtype: "float32", "bfloat16", ...
    mode: "quick", "gate" (one of its processes) or "smoke" (`passes`).
    budget: seconds of wall time of a quick latency, which it then takes whole; None for looks, and 10 s at most on a
        CPU, 30 on CUDA.
    cap: seconds of all processes of a gate latency (default 120).
    clock: for tests.
    progress: called as `progress(seconds done, budget)`, some times a second.
    as_input: converts the (N, C, H, W) tensor to the network's input, e.g. `list` for a detector.
    inputs: what passes go over in turn, each as the network takes it, in place of the standard-normal input.
    cold: whether the device's caches are flushed before each pass, outside of its time.
    watch: watches the machine, called with the UUID of the GPU or ""; None for nobody.

    Returns the median wall time in seconds for the whole batch with its 95 % interval (None below 6 samples), all
    samples in the order measured, and among its conditions bounds of p90 and p99 and whether it is stable. Or a
    Measurement without a value but with a reason: float16 on a CPU, a dtype that the device does not support, out of
    memory, a pass too slow for the budget.

    Raises UsageError for a missing device or an invalid mode, dtype, budget or cap; EntryError if the network fails.
    """
    device, dtype = torch.device(device), dtype_named(dtype)
    pace = pace_of(mode, budget, cap, device.type == "cuda")
    clock = clock or clock_for(device)
    conditions = _conditions(input_shape, device, dtype, pace)
    fed = amount(len(inputs), "input") if inputs else "standard normal"
    conditions = replace(conditions, inputs=fed, caches="cold" if cold else "warm")
    if why := emulated(net, runtime, device, dtype):
        return Measurement(LATENCY, None, conditions=conditions, reason=why)
    try:
        with (
            ready(net, input_shape, device, dtype, runtime, as_input, inputs) as passing,
            nullcontext(Nobody()) if watch is None else watch(gpu_uuid(device)) as watched,
        ):
            flush = flusher(device) if cold else None
            marks = Marks(watched, runtime)
            passes = time_passes(passing.work, clock, pace, progress, marks, max(1, len(inputs)), flush)
    except HrbenchError:
        raise
    except Exception as error:
        reason = reason_without_value(error, device, dtype)
        if reason is None:
            raise EntryError(f"a forward pass failed while latency was measured: {first_line(error)}") from error
        return Measurement(LATENCY, None, conditions=conditions, reason=reason)
    samples = tuple(one.seconds for one in passes.samples)
    conditions = replace(
        conditions,
        compile=passing.prepared,
        first_pass=passes.first,
        warm_up_passes=passes.warm_up,
        warm_up_settled=passes.settled,
        passes=len(samples),
        every=passes.every if passes.every > 1 else None,
        looks=passes.looks,
        ended=passes.ended,
        confidence=confidence_of(len(pace.looks)) if passes.looks else None,
        threads=torch.get_num_threads(),  # read now: a network may have set it in its first pass
        flags=torch_flags(),
        **run_as(runtime, device, dtype)._asdict(),
    )
    if passes.reason is not None:
        return Measurement(LATENCY, None, samples=samples, conditions=conditions, reason=passes.reason)
    if marks.fault is not None:
        return Measurement(LATENCY, None, samples=samples, conditions=conditions, reason=marks.fault)
    conditions = replace(conditions, **bounds(samples), **_on_device(passes.samples))
    if pace.mode != "smoke" and watch is not None:
        conditions = _with_stability(conditions, watched.record, marks.times, rotations(samples, max(1, len(inputs))))
    interval = median_interval(samples, confidence_of(len(pace.looks)))
    return Measurement(LATENCY, median(samples), interval=interval, samples=samples, conditions=conditions)


def rotations(samples: Sequence[float], inputs: int) -> Sequence[float]:
    """The mean of each whole rotation over several inputs, whose passes need not take equally long.

    >>> rotations([1.0, 3.0, 1.0, 5.0, 1.0], 2)
    [2.0, 3.0]
    """
    if inputs == 1:
        return samples
    return [fmean(samples[start : start + inputs]) for start in range(0, len(samples) - inputs + 1, inputs)]


def _on_device(samples: Sequence[Timed]) -> dict[str, float | None]:
    """The device's own time, and the share of a pass in which the host was still asking for work; on a GPU only."""
    device = [one.device for one in samples if one.device is not None]
    launched = [one.launched / one.seconds for one in samples if one.launched is not None and one.seconds > 0]
    return {
        "device_time": median(device) if device else None,
        "launch_share": round(median(launched), 4) if launched else None,
    }


def _with_stability(
    conditions: Conditions, record: Record, marks: Sequence[float], samples: Sequence[float]
) -> Conditions:
    seen = between(record, marks[0], marks[-1])
    found = judged(seen, samples, conditions.warm_up_settled, record.missing)
    return replace(conditions, seen=seen, stability=found.verdict, stability_reasons=found.reasons)


def _conditions(
    input_shape: tuple[int, int, int, int], device: torch.device, dtype: torch.dtype, pace: Pace
) -> Conditions:
    timed = "one forward pass of the network, input already on the device"
    return Conditions(
        batch=input_shape[0],
        input=(input_shape[2], input_shape[3]),
        dtype=str(dtype).removeprefix("torch."),
        device=device_name(device),
        device_type=device.type,
        percentile=50,
        mode=pace.mode,
        budget=pace.budget if math.isfinite(pace.budget) else None,
        threads=torch.get_num_threads(),
        torch=str(torch.__version__),
        channels_last=False,  # until the runtime has prepared the network
        flags=torch_flags(),
        timed=timed if device.type == "cpu" else f"{timed}, wall time until the device has finished",
    )
