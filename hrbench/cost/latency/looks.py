"""When a quick latency has been measured long enough: its median is looked at after 1, 2, 4 and 8 s. No torch.

It ends at the first look at which the interval of the median is at most 1 % of the median wide to either side, and with
the last look in any case. Who looks several times, and stops when it suits, has several chances that the interval
misses the median. So each interval is one of 98.75 %: that any of at most four misses it has then a probability of at
most four times 1.25 % (Bonferroni's inequality), whatever made the measurement stop, and the interval that is reported
holds the median with 95 %, as any other does. Samples are taken as independent, as for all intervals of a median.

A measurement that ends before its last look, since its budget or its samples are used up, is looked at then in place
of the looks that are left, so that there are never more than four.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from hrbench.statistics.percentiles import CONFIDENCE, median_interval

LOOKS = (1.0, 2.0, 4.0, 8.0)
"""Seconds of samples after which a quick latency is looked at."""

HALF_WIDTH = 0.01
"""Half of the width of the interval with which it ends, as a share of the median."""


def confidence_of(looks: int) -> float:
    """The confidence of the interval at each of so many looks, for which that at the end holds with `CONFIDENCE`.

    >>> confidence_of(0), confidence_of(1), confidence_of(4)
    (0.95, 0.95, 0.9875)
    """
    return round(1 - (1 - CONFIDENCE) / max(1, looks), 12)


def is_precise(samples: Sequence[float], looks: int) -> bool:
    """Whether the median of these samples is known within `HALF_WIDTH`, at one of so many looks.

    >>> is_precise([1.0] * 8, 4), is_precise([1.0] * 7, 4), is_precise([0.99, 1.0] * 50, 4)
    (True, False, True)
    """
    interval = median_interval(samples, confidence_of(looks))
    return interval is not None and interval[1] - interval[0] <= 2 * HALF_WIDTH * median(samples)
