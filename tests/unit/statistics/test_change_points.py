"""Pieces of a series: found where there is a change, rarely found where there is none, exact where nothing is drawn."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seeds import some

from hrbench.statistics.change_points import LEVEL, _contrasts, _pieces, fit

IMAGES, REPLICATES = 300, 300


def weights(rng: np.random.Generator) -> np.ndarray:
    """(IMAGES, REPLICATES) counts of a bootstrap over images."""
    return np.stack([np.bincount(rng.integers(0, IMAGES, IMAGES), minlength=IMAGES) for _ in range(REPLICATES)], axis=1)


def history(rng: np.random.Generator, means: np.ndarray, kept: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Values (N,) and replicates (N, REPLICATES) of releases that share most of what images do to them.

    kept: how much of a release's own noise the next one keeps, as if it had been made from it.
    """
    shared = rng.normal(0.7, 0.3, IMAGES)
    own = rng.normal(0, 0.1, (len(means), IMAGES))
    for place in range(1, len(own)):
        own[place] = kept * own[place - 1] + np.sqrt(1 - kept**2) * own[place]
    scores = shared + own + means[:, None]
    return scores.mean(axis=1), scores @ weights(rng) / IMAGES


ERROR = 0.1 * np.sqrt(2 / IMAGES)
"""Paired standard error of two releases."""


@pytest.mark.parametrize("kept", some([0.0, 0.9], later=[0.0]))
def test_ten_equal_releases_rarely_show_a_change(kept: float) -> None:
    """At most 5 % of 400, also where each release was made from the one before."""
    found = 0
    for seed in range(400):
        values, replicates = history(np.random.default_rng(seed), np.zeros(10), kept)
        found += bool(fit(values, replicates).changes)
    assert found <= 20


def test_a_slow_drift_is_found_though_no_neighbours_differ() -> None:
    found = neighbours = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        values, replicates = history(rng, -0.8 * ERROR * np.arange(10))
        made = fit(values, replicates)
        found += bool(made.changes) and all(change.difference < 0 for change in made.changes)
        neighbours += sum(bool(fit(values[at : at + 2], replicates[at : at + 2]).changes) for at in range(9))
    assert found >= 48
    assert neighbours <= 0.15 * 50 * 9


def test_one_bad_release_is_a_piece_of_its_own() -> None:
    means = np.zeros(9)
    means[4] = -12 * ERROR
    values, replicates = history(np.random.default_rng(3), means)
    made = fit(values, replicates)
    assert [change.at for change in made.changes] == [4, 5]
    assert made.changes[0].difference < 0 < made.changes[1].difference
    assert made.levels[4] == pytest.approx(values[4])
    low, high = made.changes[0].interval or (0, 0)
    assert low < made.changes[0].difference < high < 0
    assert made.penalty > 4 and all(0.5 * ERROR < noise < 2 * ERROR for noise in made.noise)


def test_the_same_predictions_again_and_again_are_no_evidence() -> None:
    """Five releases of one network and five of another are two networks: the step has the error of one pair."""
    values, replicates = history(np.random.default_rng(0), np.array([0.0, -1.5 * ERROR]))
    made = fit(np.repeat(values, 5), np.repeat(replicates, 5, axis=0))
    pair = fit(values, replicates)
    assert len(made.changes) == len(pair.changes)
    assert made.penalty == pytest.approx(pair.penalty)
    assert fit([0.5] * 6, np.repeat(replicates[:1], 6, axis=0)).changes == ()


@pytest.mark.parametrize("pattern", ["aaabb", "aab", "abb", "aabb", "aaaaaaaaaab", "aaabbaaa", "abab", "aabbccaa"])
def test_predictions_that_repeat_change_only_where_they_change(pattern: str) -> None:
    means = np.array([0.0, -30 * ERROR, 25 * ERROR])
    values, replicates = history(np.random.default_rng(5), means)
    places = ["abc".index(letter) for letter in pattern]
    made = fit(values[places], replicates[places])
    expected = [at for at in range(1, len(pattern)) if pattern[at] != pattern[at - 1]]
    assert [change.at for change in made.changes] == expected
    assert all(change.difference for change in made.changes)


def test_random_repeats_never_give_a_change_of_nothing() -> None:
    values, replicates = history(np.random.default_rng(6), np.array([0.0, -2 * ERROR, 2 * ERROR]))
    for seed in range(200):
        places = np.random.default_rng(seed).integers(0, 3, 8)
        made = fit(values[places], replicates[places])
        assert all(change.difference and places[change.at] != places[change.at - 1] for change in made.changes)


def test_exact_numbers_change_wherever_they_change() -> None:
    made = fit([5.0, 5.0, 7.0, 7.0, 5.0], np.zeros((5, 0)))
    assert [(change.at, change.difference, change.interval) for change in made.changes] == [(2, 2, None), (4, -2, None)]
    assert made.levels == (5, 5, 7, 7, 5) and made.penalty == 0


def test_a_single_release_and_replicates_without_the_number() -> None:
    assert fit([0.3], np.zeros((1, 10))).changes == ()
    values, replicates = history(np.random.default_rng(1), np.zeros(4))
    holes = np.concatenate([replicates, np.full((4, 5), np.nan)], axis=1)
    assert fit(values, holes) == fit(values, replicates)


def test_a_change_early_or_late_in_a_long_history() -> None:
    for at in (2, 60, 118):
        means = np.zeros(120)
        means[at:] = 9 * ERROR
        values, replicates = history(np.random.default_rng(at), means)
        assert [change.at for change in fit(values, replicates).changes] == [at]


@given(st.integers(2, 40), st.integers(0, 10_000))
def test_contrasts_are_means_minus_means(length: int, seed: int) -> None:
    series = np.random.default_rng(seed).normal(size=(length, 2))
    for pieces in _pieces(length, 100):
        for (start, end), contrast in zip(pieces, _contrasts(series, pieces), strict=True):
            if (start * 7 + end) % 5:  # a fifth of them
                continue
            rest = np.delete(series, np.s_[start:end], axis=0)
            assert 0 < end - start < length
            assert contrast == pytest.approx(series[start:end].mean(axis=0) - rest.mean(axis=0), abs=1e-12)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=12), st.integers(0, 100))
def test_the_fit_is_constant_between_changes(values: list[float], seed: int) -> None:
    replicates = np.array(values)[:, None] + np.random.default_rng(seed).normal(0, 0.2, (len(values), 40))
    made = fit(values, replicates, LEVEL)
    edges = [0, *(change.at for change in made.changes), len(values)]
    assert edges == sorted(set(edges))
    for start, stop in pairwise(edges):
        assert made.levels[start:stop] == pytest.approx([np.mean(values[start:stop])] * (stop - start))
    assert len(made.noise) == len(values) - 1
