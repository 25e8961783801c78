"""What raw latency samples say: percentiles, an interval of the median. Pure functions, no torch.

Samples are seconds per forward pass of the whole batch, as `latency.measure_latency` keeps them in `Cost.samples`.
"""

from __future__ import annotations

from statistics import median

from hrbench.statistics.percentiles import P99_SAMPLES, median_interval, percentile
from hrbench.types import Cost, Quantity

LATENCY = Quantity("latency", "Latency", "seconds", "lower", "Median time of one forward pass of the whole batch.")
P99 = Quantity("latency-p99", "Latency p99", "seconds", "lower", "99th percentile of the time of one forward pass.")


def percentile_costs(latency: Cost) -> list[Cost]:
    """p50 and p99 of one latency measurement, under its conditions.

    Each keeps the conditions with "percentile" (50, 99); for p50 "interval" is the 95 % interval of the median,
    [low, high] or None. Samples stay with the measurement alone. p99 is None, with its reason, below `P99_SAMPLES`;
    both are None where the measurement is.
    """
    samples = latency.samples
    at_50, at_99 = {**latency.conditions, "percentile": 50}, {**latency.conditions, "percentile": 99}
    at_99.pop("interval", None)  # it is the median's
    if latency.value is None:
        return [Cost(LATENCY, None, at_50, (), latency.reason), Cost(P99, None, at_99, (), latency.reason)]
    interval = median_interval(samples)
    at_50["interval"] = None if interval is None else list(interval)
    p50 = Cost(LATENCY, median(samples), at_50)
    if len(samples) < P99_SAMPLES:
        return [p50, Cost(P99, None, at_99, (), _too_few(len(samples)))]
    return [p50, Cost(P99, percentile(samples, 99), at_99)]


def _too_few(n: int) -> str:
    return f"p99 needs {P99_SAMPLES} samples, there are {n}: raise the time budget"


COST_VERSION = 2
