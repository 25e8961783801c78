"""Statistics of raw latency samples: percentiles, an interval of the median. Pure functions, no torch.

Samples are seconds per forward pass of the whole batch, as `measure_latency` keeps them in `Measurement.samples`.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from hrbench.statistics.percentiles import P99_SAMPLES, median_interval, percentile
from hrbench.types import Measurement, Quantity, Reason

LATENCY = Quantity(
    "latency",
    "Latency",
    "seconds",
    "lower",
    "Median time of one forward pass of the whole batch.",
    heading="Latency (ms)",
)
P99 = Quantity("latency-p99", "Latency p99", "seconds", "lower", "99th percentile of the time of one forward pass.")


def percentile_costs(latency: Measurement) -> list[Measurement]:
    """p50 and p99 of one latency measurement, under its conditions with that `percentile`.

    p50 has the 95 % interval of the median. Only the measurement itself keeps the samples. Below `P99_SAMPLES`
    samples, p99 has a reason instead of a value; both have no value if the measurement has none.
    """
    samples = latency.samples
    at_50, at_99 = replace(latency.conditions, percentile=50), replace(latency.conditions, percentile=99)
    if latency.value is None:
        return [
            Measurement(LATENCY, None, conditions=at_50, reason=latency.reason),
            Measurement(P99, None, conditions=at_99, reason=latency.reason),
        ]
    p50 = Measurement(LATENCY, median(samples), interval=median_interval(samples), conditions=at_50)
    if len(samples) < P99_SAMPLES:
        return [p50, Measurement(P99, None, conditions=at_99, reason=_too_few(len(samples)))]
    return [p50, Measurement(P99, percentile(samples, 99), conditions=at_99)]


def _too_few(n: int) -> Reason:
    return Reason(f"p99 needs {P99_SAMPLES} samples, there are {n}", "raise the time budget")


COST_VERSION = 2
"""Version of all costs together, in the keys of results in format 1; since then each probe has its own version."""
