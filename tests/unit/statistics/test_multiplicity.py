"""Holm and Benjamini-Hochberg by hand, and by their definitions on random p."""

from __future__ import annotations

import numpy as np
import pytest

from hrbench.statistics.multiplicity import benjamini_hochberg, holm


def test_holm_steps_down_and_stops() -> None:
    steps = holm([0.01, 0.04, 0.03, 0.005], 0.05)
    assert [step.rejected for step in steps] == [True, False, False, True]
    assert [step.level for step in steps] == pytest.approx([0.05 / 3, 0.05, 0.025, 0.0125])
    assert [step.adjusted for step in steps] == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("seed", range(20))
def test_a_hypothesis_is_rejected_where_its_adjusted_p_says_so(seed: int) -> None:
    p = np.random.default_rng(seed).beta(0.3, 1, 12).tolist()
    steps = holm(p, 0.05)
    assert [step.rejected for step in steps] == [step.adjusted <= 0.05 for step in steps]
    ordered = sorted(p)
    for value, step in zip(p, steps, strict=True):  # the definition: every smaller p is small enough, too
        rank = ordered.index(value)
        assert step.rejected == all(ordered[i] <= 0.05 / (12 - i) for i in range(rank + 1))


def test_benjamini_hochberg_takes_all_up_to_the_last_that_fits() -> None:
    assert benjamini_hochberg([0.04, 0.03, 0.9, 0.02], 0.05) == [False, False, False, False]
    assert benjamini_hochberg([0.03, 0.025, 0.9, 0.02], 0.05) == [True, True, False, True]


def test_nothing_is_nothing() -> None:
    assert holm([], 0.05) == []
    assert benjamini_hochberg([], 0.05) == []
