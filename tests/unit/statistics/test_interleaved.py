"""Rounds of two things timed in turns: what drops out, and what a look costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from hrbench.statistics.interleaved import LOOKS, ORDER, Round, centre, interval, p_not_above


def test_the_first_side_is_around_the_second() -> None:
    assert ORDER == ("first", "second", "first", "second", "first")
    assert Round((1.0, 1.1, 1.0, 1.1, 1.0)).change == pytest.approx(math.log(1.1))
    assert Round((1.0, 1.1, 1.0, 1.1, 1.0)).quiet == 0.0


@pytest.mark.parametrize("drift", [0.3, -0.2, 0.001])
def test_a_linear_drift_touches_neither(drift: float) -> None:
    """Of the logarithms: each visit is so much slower than the one before."""
    visits = tuple(math.exp(drift * n) * (1.25 if n in (1, 3) else 1.0) for n in range(5))
    one = Round(visits)
    assert one.change == pytest.approx(math.log(1.25)) and one.quiet == pytest.approx(0.0, abs=1e-12)


def test_a_look_has_a_third_of_the_error() -> None:
    """Ten rounds: the extremes, which the median leaves with 2 / 1024; twenty: the 5th from either end."""
    values = list(np.arange(20.0))
    assert interval(values[:10]) == (0.0, 9.0)
    assert interval(values) == (4.0, 15.0)
    assert 2 * binomtest(4, 20, 0.5, alternative="less").pvalue <= 0.05 / 3
    assert interval(values[:5]) is None and centre(values) == 9.5


def test_the_p_is_the_sign_tests_times_the_looks() -> None:
    values = [0.1] * 9 + [-0.1]
    expected = len(LOOKS) * binomtest(9, 10, 0.5, alternative="greater").pvalue
    assert p_not_above(values, 0.0) == pytest.approx(expected)
    assert p_not_above(values, 0.2) == 1.0 and p_not_above([0.1] * 10, 0.0) == pytest.approx(3 / 1024)


def test_three_looks_at_nothing_seldom_find_something() -> None:
    """Symmetric noise: an interval without 0 at any look in at most 5 % of histories."""
    rng, found = np.random.default_rng(0), 0
    for _ in range(1000):
        noise = rng.standard_t(2, LOOKS[-1])
        ends = [end for look in LOOKS if (end := interval(noise[:look].tolist())) is not None]
        found += any(low > 0 or high < 0 for low, high in ends)
    assert found <= 50
