"""Two things timed in turns, A B A' B A, so that a machine that warms up or slows down favours neither.

The unit is a round, not a sample: in one the logarithm of the ratio of B to A is (b1 + b2 - a1 - a2) / 2, of logarithms
of the visits' medians, and a drift that is linear within a round drops out. The third visit of A, in the middle, is
held to the mean of the other two in the same way: what a machine makes of no difference at all.

The interval is that of the median by order statistics, which asks nothing of the distribution. Looks after 10, 20 and
40 rounds each have a third of the error, so that stopping early costs no more than 5 % together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from scipy.special import bdtrc

from hrbench.statistics.percentiles import median_interval

ORDER = ("first", "second", "first", "second", "first")
"""The visits of a round: the side that each measures."""

LOOKS = (10, 20, 40)
"""After how many rounds a row is judged; it goes on while it is open."""

LEAST = 7
"""Rounds below which the interval of a look does not exist."""

ERROR = 0.05
"""Of all looks together, on both sides."""


@dataclass(frozen=True, slots=True)
class Round:
    """A round. visits: the medians of its five visits, in seconds, in `ORDER`."""

    visits: tuple[float, ...]

    @property
    def change(self) -> float:
        """The logarithm of the ratio of the second side to the first."""
        a1, b1, _, b2, a2 = map(math.log, self.visits)
        return (b1 + b2 - a1 - a2) / 2

    @property
    def quiet(self) -> float:
        """The logarithm of the ratio of the first side to itself."""
        a1, _, middle, _, a2 = map(math.log, self.visits)
        return middle - (a1 + a2) / 2


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The interval of the median at this look, None for fewer rounds than it needs."""
    return median_interval(values, 1 - ERROR / len(LOOKS))


def centre(values: Sequence[float]) -> float:
    """The median."""
    return float(median(values))


def p_not_above(values: Sequence[float], bound: float) -> float:
    """One-sided p of the hypothesis that the median is at most `bound`: the sign test, times the number of looks."""
    above = sum(value > bound for value in values)
    return min(1.0, len(LOOKS) * float(bdtrc(above - 1, len(values), 0.5))) if above else 1.0
