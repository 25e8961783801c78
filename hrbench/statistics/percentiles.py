"""Percentiles and intervals of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

# Half-widths of an interval need both 0.5^n tails within 5 %: 2 x 0.5^6 = 3.1 %, 2 x 0.5^5 = 6.3 %.
INTERVAL_SAMPLES = 6

CONFIDENCE = 0.95
"""Of the interval of a median, where nothing else is said."""


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


def median_interval(samples: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Distribution-free interval of the median, or None if there are too few samples for one (below 6 at 95 %).

    The order statistics (x_k, x_{n+1-k}) for the largest k whose coverage, 1 - 2 P(Binomial(n, 1/2) < k), is at least
    `confidence` (David and Nagaraja, Order Statistics, section 7.1). Samples are taken as independent.

    >>> median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    (1.0, 6.0)
    """
    n = len(samples)
    k = _median_rank(n, confidence)
    if k == 0:
        return None
    ordered = sorted(samples)
    return ordered[k - 1], ordered[n - k]


@cache
def _median_rank(n: int, confidence: float) -> int:
    """The largest k for which the k-th smallest and largest of n samples enclose the median with confidence; or 0."""
    k, tail = 0, 0.0
    while k < n // 2:
        # P(Binomial(n, 1/2) = k) through logarithms: comb(n, k) itself is too large for a float from n = 1030.
        tail += math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))
        if 1 - 2 * tail < confidence:
            break
        k += 1
    return k


def upper_bound(samples: Sequence[float], percent: float, confidence: float = 0.99) -> float | None:
    """An upper bound of the true percentile with this confidence; None if there are too few samples for one.

    The (t + 1)-th largest sample, for the largest t for which at most t of n samples lie above the true percentile with
    a probability of at most 1 - `confidence` (early stopping, as in the rules of MLPerf inference, without tolerance).
    t is at least 1, so that the largest sample may be an outlier. Samples are taken as independent.

    >>> upper_bound(list(range(1, 65)), 90), upper_bound(list(range(1, 64)), 90)
    (63, None)
    """
    if not 0 < percent < 100 or not 0 < confidence < 1:
        raise ValueError(f"a percentile in (0, 100) with a confidence in (0, 1), not {percent} with {confidence}")
    from scipy.special import bdtr  # imported here: every command that reads a suite imports this file

    n, share = len(samples), 1 - percent / 100
    low, high = 0, n  # the largest number of samples above that is as improbable
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if bdtr(middle, n, share) <= 1 - confidence else (low, middle - 1)
    return sorted(samples)[-1 - low] if low else None


@cache
def least_samples(above: int, percent: float, confidence: float = 0.99) -> int:
    """The smallest n of which at most `above` lie over the true percentile with probability 1 - `confidence` at most.

    >>> [least_samples(above, 90) for above in (1, 5, 10)], [least_samples(above, 99) for above in (1, 5, 10)]
    ([64, 127, 197], [662, 1307, 2010])
    """
    from scipy.special import bdtr

    share = 1 - percent / 100
    n = above + 1
    low, high = n, max(2 * n, 8)
    while bdtr(above, high, share) > 1 - confidence:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if bdtr(above, middle, share) <= 1 - confidence else (middle + 1, high)
    return low
