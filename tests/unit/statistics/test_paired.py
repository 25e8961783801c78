"""The paired bootstrap: closed forms, and AP against pycocotools run again on repeated images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from random_coco import case, repeated

from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.statistics.paired import (
    PairedStatistics,
    interval,
    multiplicities,
    needed,
    p_not_below,
    settled,
    standard_error,
)


def test_a_block_is_the_same_however_it_is_portioned() -> None:
    alone, together, other = (
        np.concatenate(list(multiplicities(30, number, 5, 100, at_once)))
        for number, at_once in ((0, 1), (0, 64), (1, 64))
    )
    assert np.array_equal(alone, together) and not np.array_equal(alone, other)
    assert (alone.sum(axis=1) == 30).all()


def means(values: np.ndarray, more: np.ndarray, **options) -> PairedStatistics:
    """The mean of `values` against that of `more`."""
    first, second = (
        lambda weights, column=column: (weights @ column / weights.sum(axis=1))[:, None] for column in (values, more)
    )
    return PairedStatistics(first, second, len(values), np.arange(len(values)), at_once=50, **options)


def test_the_interval_of_a_difference_of_means_is_the_normal_one() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(3, 5, 500)
    more = values + rng.normal(0.2, 0.5, 500)  # what both share drops out
    differences = means(values, more).block(0, 1, 4000)[:, 0]
    error = (more - values).std() / math.sqrt(500)
    assert standard_error(differences) == pytest.approx(error, rel=0.04)
    middle = (more - values).mean()
    assert interval(differences) == pytest.approx((middle - 1.96 * error, middle + 1.96 * error), abs=0.1 * error)
    assert p_not_below(differences, middle + 1.96 * error) == pytest.approx(0.025, abs=0.01)


def test_images_that_do_not_count_have_no_weight() -> None:
    values, more = np.arange(10.0), np.arange(10.0) ** 2
    some = PairedStatistics(
        lambda weights: (weights @ values)[:, None], lambda weights: (weights @ more)[:, None], 10, np.array([1, 4, 7])
    )
    assert [each.tolist() for each in some.values()] == [[12.0], [66.0]]
    assert some.units == 3


def test_whole_groups_are_drawn() -> None:
    seen = []

    def first(weights: np.ndarray) -> np.ndarray:
        seen.append(weights)
        return weights.sum(axis=1, keepdims=True).astype(float)

    groups = np.array([0, 0, 1, 2, 2, 2])
    PairedStatistics(first, first, 6, np.arange(6), groups, 10).block(0, 0, 20)
    for weights in np.concatenate(seen):
        assert len(set(weights[:2].tolist())) == len(set(weights[3:].tolist())) == 1
        assert weights[0] + weights[2] + weights[3] == 3


def test_a_p_is_never_zero_and_replicates_without_the_number_are_left_out() -> None:
    assert p_not_below(np.full(99, -1.0), 0.0) == 1 / 100
    assert p_not_below(np.array([np.nan, 1.0, -1.0]), 0.0) == 2 / 3
    assert p_not_below(np.array([np.nan]), 0.0) == 1.0 and interval(np.array([np.nan])) is None
    assert interval(np.array([np.nan, 2.0, 2.0])) == (2.0, 2.0) and math.isnan(standard_error(np.array([np.nan, 1])))


def test_more_replicates_are_needed_only_near_a_level() -> None:
    assert settled(0.2, 2000, [0.025]) and settled(0.0005, 2000, [0.025])
    assert not settled(0.03, 2000, [0.025]) and settled(0.03, 50_000, [0.025])
    assert not settled(0.0005, 2000, [0.025, 0.0005])


def test_how_many_images_settle_it() -> None:
    assert needed(100, 0.1, 0.1, 1.96) == pytest.approx(100 * (1.96 + 1.645) ** 2)
    assert needed(100, 0.1, 0.0, 1.96) == math.inf


@pytest.mark.parametrize("seed", range(3))
def test_paired_ap_is_that_of_pycocotools_on_the_repeated_images(seed: int, written) -> None:
    """Bit for bit, with the same multiplicities, on both sides."""
    truth, results = case(seed, images=6)
    orders = [np.random.default_rng(seed + side).permutation(len(results)).tolist() for side in (10, 20)]
    first, other = ([{**row, "score": float(n)} for row, n in zip(results, order, strict=True)] for order in orders)
    metric, sides = CocoKeypointAP(), []
    for rows in (first, other):
        paths = written(truth, rows)
        target = metric.read_target(paths[0])
        sides.append(metric.by_image(metric.measure(metric.read_predictions(paths[1], target), target)))
    ids = sides[0].images.tolist()
    paired = PairedStatistics(sides[0].at, sides[1].at, len(ids), np.arange(len(ids)), at_once=4)
    ours = paired.block(0, seed, 12)
    for row, times in zip(ours, np.concatenate(list(multiplicities(len(ids), 0, seed, 12))), strict=True):
        one, two = (repeated(truth, rows, times.tolist(), ids) for rows in (first, other))
        expected = [b - a if min(a, b) > -1 else math.nan for a, b in zip(one, two, strict=True)]
        assert np.array_equal(row, expected, equal_nan=True)
