"""Percentiles and intervals of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

# The smallest n for which, with 99 % confidence, at least two of n samples lie above the true 99th percentile:
# 1 - 0.99^n - n 0.01 0.99^(n-1) >= 0.99. So the largest sample may be an outlier, and the second largest is still an
# upper bound of p99. (The same n as Wilks' two-sided 99 % / 99 % tolerance limits, Ann. Math. Stat. 12, 1941.)
P99_SAMPLES = 662

# Half-widths of an interval need both 0.5^n tails within 5 %: 2 x 0.5^6 = 3.1 %, 2 x 0.5^5 = 6.3 %.
INTERVAL_SAMPLES = 6


def percentile(samples: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest sample with at least `percent` % of all at or below it.

    >>> percentile([3.0, 1.0, 2.0], 50)
    2.0
    """
    if not samples or not 0 < percent <= 100:
        raise ValueError(f"a percentile in (0, 100] of at least one sample, not {percent} of {len(samples)}")
    # Rounded first: 100 * 0.07 is a hair above 7 in binary and would take the next sample.
    rank = math.ceil(round(len(samples) * percent / 100, 9))
    return sorted(samples)[rank - 1]


def median_interval(samples: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Distribution-free interval of the median, or None if there are too few samples for one (below 6 at 95 %).

    The order statistics (x_k, x_{n+1-k}) for the largest k whose coverage, 1 - 2 P(Binomial(n, 1/2) < k), is at least
    `confidence` (David and Nagaraja, Order Statistics, section 7.1). Samples are taken as independent.

    >>> median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    (1.0, 6.0)
    """
    n = len(samples)
    k, tail = 0, 0.0
    while k < n // 2:
        # P(Binomial(n, 1/2) = k) through logarithms: comb(n, k) itself is too large for a float from n = 1030.
        tail += math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))
        if 1 - 2 * tail < confidence:
            break
        k += 1
    if k == 0:
        return None
    ordered = sorted(samples)
    return ordered[k - 1], ordered[n - k]
