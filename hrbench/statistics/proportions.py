"""The difference of two paired proportions, such as Top-1 of two networks on the same images, in closed form.

Of n images, `gained` are right on the second side alone and `lost` on the first side alone; the difference is
(gained - lost) / n. Interval and test are the score interval and the score test of Tango (Equivalence test and
confidence interval for the difference in proportions for the paired-sample design, Statistics in Medicine 17, 1998,
891-908): both use the likelihood restricted to the hypothesis, so they hold for few discordant images too.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from scipy.special import bdtr

from hrbench.statistics.paired import TAIL


def score(gained: int, lost: int, n: int, difference: float) -> float:
    """Tango's score statistic, standard normal if the true difference is `difference`, in [-1, 1].

    0 if the hypothesis fits exactly, positive where more was gained than it says. Raises ValueError for counts that are
    no counts of n images.
    """
    if min(gained, lost) < 0 or gained + lost > n or n < 1:
        raise ValueError(f"{gained} gained and {lost} lost of {n}")
    excess = gained - lost - n * difference
    if excess == 0:
        return 0.0
    # the share of images that are right on the first side alone, of largest likelihood under the hypothesis
    a, b = 2.0 * n, (2 * n - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * share + difference * (1 - difference))
    return excess / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, excess)


def score_interval(gained: int, lost: int, n: int, tail: float = TAIL) -> tuple[float, float]:
    """The differences that the score test does not reject at `tail` on either side, to 1e-12."""
    z = NormalDist().inv_cdf(1 - tail)
    at = (gained - lost) / n
    return _crossing(gained, lost, n, at, -1.0, z), _crossing(gained, lost, n, at, 1.0, -z)


def _crossing(gained: int, lost: int, n: int, inside: float, outside: float, level: float) -> float:
    """Where the score, which falls with the difference, passes `level` between `inside` and `outside`."""
    if abs(score(gained, lost, n, outside)) <= abs(level):
        return outside
    while abs(outside - inside) > 1e-12:
        middle = (inside + outside) / 2
        if middle in (inside, outside):
            break
        if abs(score(gained, lost, n, middle)) <= abs(level):
            inside = middle
        else:
            outside = middle
    return (inside + outside) / 2


def p_not_below(gained: int, lost: int, n: int, bound: float) -> float:
    """One-sided p of the hypothesis that the difference is at least `bound`: the score test, exact McNemar at 0."""
    if bound == 0:
        return mcnemar_not_below(gained, lost)
    return NormalDist().cdf(score(gained, lost, n, bound))


def mcnemar_not_below(gained: int, lost: int) -> float:
    """One-sided exact p of the hypothesis that at least as much is gained as lost; 1.0 without discordant images."""
    return float(bdtr(gained, gained + lost, 0.5)) if gained + lost else 1.0


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p of no difference at all (McNemar's test, binomial form); 1.0 without discordant images.

    The form with a continuity correction gives 0 for identical predictions, so it is not used.
    """
    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5))) if gained + lost else 1.0


def standard_error(gained: int, lost: int, n: int) -> float:
    """Of (gained - lost) / n, from the sample: sqrt((gained + lost - (gained - lost)^2 / n)) / n."""
    return math.sqrt(max(0.0, gained + lost - (gained - lost) ** 2 / n)) / n
