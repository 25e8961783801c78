"""Calibration: equal to a loop over predictions in exact fractions, at edges of bins, and for what cannot be binned."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hrbench.statistics.calibration import BINS, calibration


def slowly(scores: list[float], right: list[bool], bins: int) -> tuple[list[int], Fraction, Fraction]:
    """Counts, ECE and MCE as the paper has them, each prediction put into the bin whose floating edges hold it."""
    members: list[list[int]] = [[] for _ in range(bins)]
    for number, score in enumerate(scores):
        for m in range(bins):
            if (m / bins < score or m == 0) and score <= (m + 1) / bins:
                members[m].append(number)
    gaps = []
    for mine in members:
        if mine:
            confidence = sum(Fraction(scores[n]) for n in mine) / len(mine)
            accuracy = Fraction(sum(right[n] for n in mine), len(mine))
            gaps.append((len(mine), abs(accuracy - confidence)))
    ece = sum(many * gap for many, gap in gaps) / Fraction(len(scores))
    return [len(mine) for mine in members], ece, max(gap for _, gap in gaps)


@pytest.mark.parametrize(("seed", "bins"), [(0, BINS), (1, 1), (2, 10), (3, 7), (4, BINS)])
def test_it_is_the_loop_over_predictions(seed: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.random(150) ** 0.4, np.arange(bins + 1) / bins, [0.0, 1.0, 1e-300]])
    if seed == 4:
        scores = scores.astype(np.float32).astype(np.float64)
    right = rng.random(len(scores)) < scores
    counts, ece, largest = slowly(scores.tolist(), right.tolist(), bins)
    found = calibration(scores, right, bins)
    assert found.counts.tolist() == counts
    assert found.ece == pytest.approx(float(ece), abs=1e-14)
    assert found.largest == pytest.approx(float(largest), abs=1e-14)


def test_every_edge_lies_in_the_bin_below_it_and_its_neighbours_on_their_sides() -> None:
    for bins in range(1, 60):
        edges = np.arange(1, bins) / bins
        for shift, bin_of in ((edges, 0), (np.nextafter(edges, 0), 0), (np.nextafter(edges, 1), 1)):
            found = calibration(shift, np.ones(len(edges), bool), bins)
            wanted = np.zeros(bins, int)
            wanted[bin_of : bin_of + len(edges)] = 1
            assert found.counts.tolist() == wanted.tolist()


def test_scores_that_say_how_often_they_are_right_have_no_error() -> None:
    found = calibration(np.full(4, 0.75), np.array([True, True, True, False]))
    assert (found.ece, found.largest) == (0.0, 0.0)
    assert np.isnan(found.accuracy).sum() == BINS - 1


def test_without_predictions_there_is_no_error() -> None:
    found = calibration(np.zeros(0), np.zeros(0, bool))
    assert np.isnan([found.ece, found.largest]).all()
    assert found.counts.tolist() == [0] * BINS


@pytest.mark.parametrize("scores", [[-0.1], [1.5], [float("nan")], [0.1, 0.2]])
def test_what_is_no_share_of_each_prediction_is_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError):
        calibration(np.array(scores), np.ones(1, bool))
