"""Statistics of raw latency samples: upper bounds of percentiles, and one latency of several processes. No torch.

Samples are seconds per forward pass of the whole batch, as `measure_latency` keeps them in `Measurement.samples`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from hrbench.cost.telemetry.stability import all_settled, together, worst_seen, worst_verdict
from hrbench.statistics.percentiles import least_samples, median_interval, upper_bound
from hrbench.types import Measurement, Quantity, Reason

LATENCY = Quantity(
    "latency",
    "Latency",
    "seconds",
    "lower",
    "Median time of one forward pass of the whole batch.",
    heading="Latency (ms)",
)
_BOUND = "Of the time of one forward pass: {} % of passes are below it, with 99 % confidence if passes are independent."
P90 = Quantity("latency-p90", "Latency p90, at most", "seconds", "lower", _BOUND.format(90))
P99 = Quantity("latency-p99", "Latency p99, at most", "seconds", "lower", _BOUND.format(99))


def bounds(samples: Sequence[float]) -> dict[str, float | None]:
    """The upper bounds of p90 and p99, by the names of their conditions."""
    return {"p90_bound": upper_bound(samples, 90), "p99_bound": upper_bound(samples, 99)}


def percentile_costs(latency: Measurement) -> list[Measurement]:
    """p50 of one latency, and the upper bounds of p90 and p99, under its conditions with that `percentile`.

    Only the measurement itself keeps the samples. With too few samples, a bound has a reason instead of a value; none
    has a value if the measurement has none.
    """
    found = [replace(latency, samples=(), conditions=replace(latency.conditions, percentile=50))]
    for quantity, percent in ((P90, 90), (P99, 99)):
        conditions, reason = replace(latency.conditions, percentile=percent), latency.reason
        value = None if latency.value is None else upper_bound(latency.samples, percent)
        if value is None and latency.value is not None:
            needed = f"p{percent} needs {least_samples(1, percent)} samples, there are {len(latency.samples)}"
            reason = Reason(needed, "measure in mode gate")
        found.append(Measurement(quantity, value, conditions=conditions, reason=reason))
    return found


def of_processes(parts: Sequence[Measurement]) -> Measurement:
    """One latency of the measurements of several processes under the same conditions.

    The value is the median of the processes' medians, and the interval is that of these medians: what differs from
    process to process (where memory lies, which code was chosen) is in it. If a process has no value, there is none.
    """
    without = [one for one in parts if one.value is None]
    if without:
        return without[0]
    medians = [one.value for one in parts if one.value is not None]
    samples = tuple(sample for one in parts for sample in one.samples)
    every = [one.conditions for one in parts]
    conditions = replace(
        every[-1],
        budget=None if any(one.budget is None for one in every) else sum(one.budget or 0.0 for one in every),
        first_pass=_median(one.first_pass for one in every),
        load=_median(one.load for one in every),
        compile=_median(one.compile for one in every),
        warm_up_passes=sum(one.warm_up_passes or 0 for one in every),
        warm_up_settled=all_settled([one.warm_up_settled for one in every]),
        passes=len(samples),
        process_passes=tuple(len(one.samples) for one in parts),
        seen=worst_seen([one.seen for one in every]),
        stability=worst_verdict([one.stability for one in every]),
        stability_reasons=together([one.stability_reasons for one in every]),
        device_time=_median(one.device_time for one in every),
        launch_share=_median(one.launch_share for one in every),
        **bounds(samples),
    )
    return replace(parts[-1], value=median(medians), interval=median_interval(medians), samples=samples,
                   conditions=conditions)  # fmt: skip


def _median(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


COST_VERSION = 2
"""Version of all costs together, in the keys of results in format 1; since then each probe has its own version."""
