"""Bootstrap intervals: closed forms, and AP against a bootstrap that really repeats the images."""

from __future__ import annotations

import numpy as np
import pytest
from random_coco import case, repeated

from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.statistics.bootstrap import intervals, resample_counts


def test_a_draw_counts_images_with_replacement() -> None:
    counts = np.array(list(resample_counts(50, 2000, 3)))
    assert (counts.sum(axis=1) == 50).all()
    # each image occurs as often as a binomial of 50 trials of 1/50 says: mean 1, variance 49/50
    assert counts.mean() == 1
    assert counts.var() == pytest.approx(49 / 50, rel=0.02)
    assert (counts == 0).mean() == pytest.approx((49 / 50) ** 50, rel=0.02)


def test_the_seed_decides() -> None:
    first, again, other = (list(map(list, resample_counts(20, 5, seed))) for seed in (1, 1, 2))
    assert first == again != other


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    (interval,) = intervals(lambda w: np.array([w @ values / w.sum()]), 400, 4000, 5)
    half = 1.96 * values.std() / 20
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_draws_without_the_number_are_left_out() -> None:
    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.array([np.nan if weights[0] == 0 else 1.0, np.nan, float(weights[0])])

    assert intervals(statistic, 5, 300, 0)[:2] == [(1.0, 1.0), None]


@pytest.mark.parametrize(("images", "resamples"), [(1, 1000), (0, 1000), (30, 0)])
def test_nothing_to_draw_gives_no_interval(images: int, resamples: int) -> None:
    assert intervals(lambda w: np.zeros(3), images, resamples) == [None] * 3


@pytest.mark.parametrize("groups", [None, np.arange(30) // 3])
@pytest.mark.parametrize("at_once", [1, 7, 200, 1000])
def test_resamples_may_come_several_at_once(at_once: int, groups: np.ndarray | None) -> None:
    values = np.random.default_rng(0).integers(0, 9, (30, 2))

    def together(weights: np.ndarray) -> np.ndarray:
        assert len(weights) <= at_once
        return weights @ values

    alone = intervals(lambda weights: weights @ values, 30, 200, 4, groups)
    assert intervals(together, 30, 200, 4, groups, at_once) == alone
    assert intervals(together, 30, 0, 4, groups, at_once) == [None, None]


def test_ap_intervals_equal_those_of_pycocotools_on_repeated_images(written) -> None:
    """The same draws, each made a data set of its own and evaluated by pycocotools from the start: equal to the bit."""
    truth, results = case(2, images=15)
    for row, score in zip(results, np.random.default_rng(2).permutation(len(results)), strict=True):
        row["score"] = float(score)
    metric = CocoKeypointAP()
    paths = written(truth, results)
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target)
    images = target.images.tolist()
    naive = np.array([repeated(truth, results, times.tolist(), images) for times in resample_counts(15, 60, 4)])
    for column, score in zip(naive.T, metric.summarise(state, 60, 4), strict=True):
        if score.value is not None:
            assert score.interval == tuple(np.percentile(column[column > -1], [2.5, 97.5]).tolist())


def test_another_seed_gives_another_interval(written) -> None:
    metric = CocoKeypointAP()
    paths = written(*case(2, images=15))
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target)
    same, again, other = (metric.summarise(state, 40, seed)[0].interval for seed in (0, 0, 1))
    assert same == again != other
