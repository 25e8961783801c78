"""Paired proportions: against the likelihood maximised by brute force, closed forms, and scipy's exact test."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import binomtest

from hrbench.statistics.proportions import (
    mcnemar,
    mcnemar_not_below,
    p_not_below,
    score,
    score_interval,
    standard_error,
)

Z = NormalDist().inv_cdf(0.975)


def reference_score(gained: int, lost: int, n: int, difference: float) -> float:
    """Tango's statistic with the nuisance share found on a fine grid."""
    share = np.linspace(max(0.0, -difference), (1 - difference) / 2, 100_001)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [(gained, share + difference), (lost, share), (n - gained - lost, 1 - 2 * share - difference)]
        likelihood = sum(many * np.log(chance) for many, chance in terms if many)
    best = share[np.nanargmax(np.where(np.isfinite(likelihood), likelihood, -np.inf))]
    variance = n * (2 * best + difference * (1 - difference))
    return (gained - lost - n * difference) / math.sqrt(variance)


@pytest.mark.parametrize("seed", range(40))
def test_the_score_is_the_one_of_the_largest_likelihood(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 300))
    gained = int(rng.integers(0, n // 2 + 1))
    lost = int(rng.integers(0, n - gained + 1))
    difference = float(rng.uniform(-0.95, 0.95))
    assert score(gained, lost, n, difference) == pytest.approx(
        reference_score(gained, lost, n, difference), rel=2e-3, abs=2e-3
    )


def test_at_no_difference_it_is_mcnemars_without_correction() -> None:
    assert score(12, 3, 50, 0.0) == pytest.approx(9 / math.sqrt(15))


@pytest.mark.parametrize(("gained", "lost", "n"), [(12, 3, 50), (0, 0, 100), (0, 7, 40), (40, 0, 40), (5, 5, 5000)])
def test_the_interval_ends_where_the_test_rejects(gained: int, lost: int, n: int) -> None:
    low, high = score_interval(gained, lost, n)
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    for end, sign in ((low, 1), (high, -1)):
        if abs(end) < 1:
            assert score(gained, lost, n, end) == pytest.approx(sign * Z, abs=1e-4)


def test_without_discordant_images_the_interval_is_that_of_wilson() -> None:
    """No pair differs: the ends are z^2 / (n + z^2)."""
    end = Z**2 / (100 + Z**2)
    assert score_interval(0, 0, 100) == pytest.approx((-end, end), abs=1e-9)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (3, 12), (12, 3), (0, 9), (40, 41)])
def test_mcnemar_is_the_exact_binomial_test(gained: int, lost: int) -> None:
    if gained + lost == 0:
        assert mcnemar(0, 0) == mcnemar_not_below(0, 0) == 1.0
        return
    assert mcnemar(gained, lost) == pytest.approx(binomtest(gained, gained + lost, 0.5).pvalue)
    one_sided = binomtest(gained, gained + lost, 0.5, alternative="less").pvalue
    assert mcnemar_not_below(gained, lost) == pytest.approx(one_sided)


def test_it_decides_only_if_the_margin_is_zero() -> None:
    assert p_not_below(3, 12, 50, 0.0) == mcnemar_not_below(3, 12)
    assert p_not_below(3, 12, 50, -0.05) == pytest.approx(NormalDist().cdf(score(3, 12, 50, -0.05)))


def test_the_standard_error_is_that_of_the_signs() -> None:
    signs = np.array([1] * 12 + [-1] * 3 + [0] * 35)
    assert standard_error(12, 3, 50) == pytest.approx(signs.std() / math.sqrt(50))


@pytest.mark.parametrize(("gained", "lost", "n"), [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_counts_that_are_none(gained: int, lost: int, n: int) -> None:
    with pytest.raises(ValueError, match="gained"):
        score(gained, lost, n, 0.1)
