"""Times a pipeline on images of a data set: decode, preprocess, transfer, forward, postprocess; nothing overlapping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, NamedTuple

import torch

from hrbench.contracts import Evaluated, FixedPrecision, Runtime, Task
from hrbench.core.environment import torch_flags
from hrbench.core.stages import STAGES, stage
from hrbench.core.units import amount
from hrbench.cost.end_to_end.quantities import RATE, STAGE, WHOLE, WITHIN
from hrbench.cost.end_to_end.rounds import Rounds, Split, split_of, stage_samples
from hrbench.cost.forward import (
    as_input,
    device_name,
    dtype_named,
    first_line,
    reason_without_value,
    run_as,
)
from hrbench.cost.latency.clocks import Timed, gpu_uuid
from hrbench.cost.latency.images import with_work
from hrbench.cost.latency.marks import Marks
from hrbench.cost.latency.pace import MIN_SAMPLES, Pace, pace_of
from hrbench.cost.latency.passes import Passes, Progress, time_passes
from hrbench.cost.telemetry.seen import between
from hrbench.cost.telemetry.stability import judged
from hrbench.cost.telemetry.watch import Nobody, Record, Watch, watching
from hrbench.errors import EntryError, HrbenchError
from hrbench.types import Conditions, Item, Measurement, Prediction, Quantity, Reason, Sample, Variant

BUDGET = 30.0
"""Seconds of wall time of mode quick, on every device."""

SAMPLES = 400
"""Times of a quantity that a process keeps: rounds times images."""

GATE_ROUNDS = 20
"""Rounds of a process in mode gate at least, if its share of the cap lasts so long."""

ITEMS = 32
"""Items of one image, such as crops of people, that go through the network together at most."""

APART = 0.02
"""By which share the stages may add up to more or less than the whole."""

TIMED = "from an image file to its prediction, one image at a time, files in the system's cache"


def measure_pipeline(
    evaluated: Evaluated,
    *,
    images: int,
    runtime: Runtime,
    device: str,
    variant: Variant,
    mode: str = "quick",
    budget: float | None = None,
    cap: float | None = None,
    progress: Progress | None = None,
    watch: Callable[[str], AbstractContextManager[Watch]] | None = watching,
    now: Callable[[], float] = time.perf_counter,
    wait: Callable[[], object] | None = None,
) -> list[Measurement]:
    """The time of an image end to end, that of each stage, and images per second, in this process.

    evaluated: the entry, with its weights.
    images: how many, spread over the data set, of those in which there is something to do.
    runtime: turns the network into the callable that predicts.
    variant: of the network, for the runtime's example of an input.
    mode, budget, cap: how long, as `measure_latency` takes them; a round over all images is what a pass is there.
    progress: called as `progress(seconds done, budget)`, some times a second.
    watch: watches the machine, called with the UUID of the GPU or ""; None for nobody.
    now, wait: the clock, and what returns when the device is done; None for that of the device. Tests give others.

    Raises UsageError for an invalid mode, budget or cap; EntryError if the pipeline fails.
    """
    where, dtype = torch.device(device), dtype_named(evaluated.dtype)
    pace = _pace(mode, budget, cap, images)
    conditions = _conditions(evaluated, images, where, evaluated.dtype, pace)
    chosen = with_work(evaluated.task, evaluated.samples, images)
    if not chosen:
        why = Reason(f"there is nothing to do in any image of {evaluated.dataset}")
        return _without_value(conditions, why)
    fed = f"{amount(len(chosen), 'image')} of {evaluated.dataset}"
    conditions = replace(conditions, images=len(chosen), inputs=fed)
    try:
        began = time.perf_counter()
        net, dtype = _network(evaluated, variant, runtime, where, dtype)
        load = time.perf_counter() - began
        rounds = Rounds(_Pipeline(evaluated.task, net), chosen, now, wait or _waiting(where))
        timed = _timed(rounds, runtime, pace, progress, watch, gpu_uuid(where))
    except HrbenchError:
        raise
    except Exception as error:
        reason = reason_without_value(error, where, dtype)
        if reason is None:
            raise EntryError(f"the pipeline failed while it was timed: {first_line(error)}") from error
        return _without_value(conditions, reason)
    conditions = replace(
        conditions,
        dtype=str(dtype).removeprefix("torch."),
        load=load,
        threads=torch.get_num_threads(),  # read now: a network may have set it in its first pass
        **run_as(runtime, where, dtype)._asdict(),
    )
    if reason := _why_none(timed, len(chosen)):
        return _without_value(conditions, reason)
    judge = pace.mode != "smoke" and watch is not None
    return _told(rounds, timed, conditions, judge)


def _told(rounds: Rounds[Sample], timed: _Timed, conditions: Conditions, judge: bool) -> list[Measurement]:
    """All quantities, of the rounds after the warm-up. judge: whether the machine was watched and is judged."""
    passes = timed.passes
    kept = slice(passes.warm_up + passes.every - 1, None, passes.every)
    whole, stages = rounds.whole[kept], rounds.stages[kept]
    conditions = replace(
        conditions,
        first_pass=sum(rounds.stages[0][0].values()),
        warm_up_passes=passes.warm_up * len(rounds.images),
        warm_up_settled=passes.settled,
        passes=sum(map(len, whole)),
        every=passes.every if passes.every > 1 else None,
        stages_apart=round(split_of(whole, stages).apart, 5),
    )
    if judge:
        seen = between(timed.record, timed.marks.times[0], timed.marks.times[-1])
        found = judged(seen, [fmean(each) for each in whole], passes.settled, timed.record.missing)
        conditions = replace(conditions, seen=seen, stability=found.verdict, stability_reasons=found.reasons)
    return _measurements(whole, stages, with_sum_checked(conditions))


class _Timed(NamedTuple):
    """Rounds that were timed: what they took, when the machine was read, and what was seen of it."""

    passes: Passes
    marks: Marks
    record: Record


def _timed(
    rounds: Rounds[Sample],
    runtime: Runtime,
    pace: Pace,
    progress: Progress | None,
    watch: Callable[[str], AbstractContextManager[Watch]] | None,
    gpu: str,
) -> _Timed:
    with nullcontext(Nobody()) if watch is None else watch(gpu) as watched:
        marks = Marks(watched, runtime)
        passes = time_passes(rounds.once, _RoundClock(rounds.now), pace, progress, marks, window=1)
    return _Timed(passes, marks, watched.record)


def _why_none(timed: _Timed, images: int) -> Reason | None:
    """Why rounds give no number; None if they do."""
    if reason := timed.passes.reason:
        told = reason.what.replace("the first pass", f"the first round over {amount(images, 'image')}")
        return Reason(told, f"{reason.remedy}, or lower images")
    return timed.marks.fault


def _measurements(
    whole: Sequence[Sequence[float]], stages: Sequence[Sequence[Any]], conditions: Conditions
) -> list[Measurement]:
    """All quantities, of the times by round and image."""
    found = split_of(whole, stages)
    flat = tuple(seconds for each in whole for seconds in each)
    total = Measurement(WHOLE, found.whole, samples=flat, conditions=conditions)
    rate = Measurement(RATE, 1 / found.whole, conditions=conditions)
    return [total, *(_stage(name, found, stages, conditions) for name in STAGES), rate]


def _stage(name: str, found: Split, stages: Sequence[Sequence[Any]], conditions: Conditions) -> Measurement:
    if name in found.stages:
        samples = stage_samples(stages, name)
        return Measurement(STAGE[name], found.stages[name], samples=samples, conditions=conditions)
    within = f", or it is part of {WITHIN[name]}" if WITHIN[name] else ""
    return Measurement(STAGE[name], None, conditions=conditions, reason=Reason(f"there is no {name}{within}"))


def with_sum_checked(conditions: Conditions) -> Conditions:
    """The conditions; if the stages do not add up to the whole, times are unstable, and the reason says how far off."""
    apart = conditions.stages_apart
    if apart is None or abs(apart) <= APART or conditions.mode == "smoke":
        return conditions
    more = "more" if apart > 0 else "less"
    reason = f"the stages add up to {more} than the whole, which was timed apart (by {100 * abs(apart):.1f} %)"
    return replace(conditions, stability="unstable", stability_reasons=(*conditions.stability_reasons, reason))


@dataclass(frozen=True, slots=True)
class _Pipeline:
    """A task with its network, for one sample after the other."""

    task: Task
    net: Any

    def __call__(self, sample: Sample) -> Prediction:
        with stage("preprocess"):
            items = self.task.prepare(sample)
        raws: dict[int, Any] = {}
        with stage("forward"):
            for places in _alike(items):
                raws |= zip(places, self.task.forward(self.net, [items[i] for i in places]), strict=True)
        with stage("postprocess"):
            return self.task.finish(sample, [(item, raws[i]) for i, item in enumerate(items)])


def _alike(items: Sequence[Item]) -> Iterator[list[int]]:
    """Places of items of one shape, at most `ITEMS` at once: these share a forward pass."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    for place, item in enumerate(items):
        shapes.setdefault(item.image.shape, []).append(place)
    for places in shapes.values():
        yield from (places[start : start + ITEMS] for start in range(0, len(places), ITEMS))


@dataclass(frozen=True, slots=True)
class _RoundClock:
    """Times a round (a `Clock`); the device has finished it when it returns."""

    now: Callable[[], float]

    def time(self, work: Callable[[], object]) -> Timed:
        began = self.now()
        work()
        return Timed(self.now() - began)


def _waiting(device: torch.device) -> Callable[[], object]:
    """What waits for a device."""
    if device.type != "cuda":
        return lambda: None
    return lambda: torch.cuda.synchronize(device)


def _network(
    evaluated: Evaluated, variant: Variant, runtime: Runtime, device: torch.device, dtype: torch.dtype
) -> tuple[Any, torch.dtype]:
    """The entry's network as the runtime prepares it, and the dtype that it computes in."""
    net = evaluated.build()
    dtype = net.precision if isinstance(net, FixedPrecision) else dtype
    example = torch.zeros(1, 3, *variant.input, device=device, dtype=dtype)
    to_input = as_input(variant) or (lambda image: image)
    return runtime.prepare(net, to_input(example)), dtype


def _pace(mode: str, budget: float | None, cap: float | None, images: int) -> Pace:
    """How long rounds are taken: as passes of a latency, but fewer, since each is of many images."""
    pace = pace_of(mode, budget or (BUDGET if mode == "quick" else None), cap, on_gpu=False)
    most = max(MIN_SAMPLES, SAMPLES // images)
    samples = {"quick": most, "gate": min(GATE_ROUNDS, most)}.get(mode, MIN_SAMPLES)
    return replace(pace, samples=samples)


def _conditions(evaluated: Evaluated, images: int, device: torch.device, dtype: str, pace: Pace) -> Conditions:
    waited = ", the device waited for after each stage" if device.type == "cuda" else ""
    return Conditions(
        batch=1,
        dtype=dtype,
        device=device_name(device),
        device_type=device.type,
        mode=pace.mode,
        budget=pace.budget if math.isfinite(pace.budget) else None,
        threads=torch.get_num_threads(),
        torch=str(torch.__version__),
        flags=torch_flags(),
        timed=f"{TIMED}{waited}",
        images=images,
        inputs=f"{amount(images, 'image')} of {evaluated.dataset}",
        data=evaluated.digest[:12],
        weights=evaluated.weights,
    )


def _without_value(conditions: Conditions, reason: Reason) -> list[Measurement]:
    every: tuple[Quantity, ...] = (WHOLE, *STAGE.values(), RATE)
    return [Measurement(one, None, conditions=conditions, reason=reason) for one in every]
