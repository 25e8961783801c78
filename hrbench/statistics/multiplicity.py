"""Many hypotheses at once: which of them may be rejected.

Holm's step-down procedure keeps the probability of any wrong rejection in a family below its level, whatever the
dependence of its tests (Holm, Scandinavian Journal of Statistics 6, 1979, 65-70). The procedure of Benjamini and
Hochberg keeps the expected share of wrong rejections below it (J. R. Statist. Soc. B 57, 1995, 289-300).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class HolmStep:
    """What Holm's procedure says of one hypothesis.

    rejected: whether it is.
    level: the level that its p was compared with, or would have been.
    adjusted: the smallest level of the family at which it would be rejected, at most 1.
    """

    rejected: bool
    level: float
    adjusted: float


def holm(p: Sequence[float], level: float) -> list[HolmStep]:
    """Each hypothesis's step, in the order given. Equal p are decided alike.

    >>> [step.rejected for step in holm([0.01, 0.04, 0.03], 0.05)]
    [True, False, False]
    """
    order = sorted(range(len(p)), key=lambda place: p[place])
    steps: list[HolmStep | None] = [None] * len(p)
    open_, adjusted = True, 0.0
    for rank, place in enumerate(order):
        many = len(p) - rank
        open_ = open_ and p[place] <= level / many
        adjusted = max(adjusted, min(1.0, many * p[place]))
        steps[place] = HolmStep(open_, level / many, adjusted)
    return [step for step in steps if step is not None]


def benjamini_hochberg(p: Sequence[float], level: float) -> list[bool]:
    """Which hypotheses are rejected at this expected share of wrong rejections, in the order given.

    >>> benjamini_hochberg([0.01, 0.02, 0.9], 0.05)
    [True, True, False]
    """
    ranked = sorted(p)
    last = max((rank for rank, value in enumerate(ranked, 1) if value <= level * rank / len(p)), default=0)
    return [last > 0 and value <= ranked[last - 1] for value in p]
