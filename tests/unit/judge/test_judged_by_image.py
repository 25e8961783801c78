"""Which images two sides are judged on, and what resampling them says."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from evidence import AP
from seeds import some
from simulated_releases import POOL, POWER_SHARE, border, coverage, exchangeable, pool_of, power, spread

from hrbench.judge.by_image import evidence_by_image
from hrbench.judge.evidence import Evidence, Options
from hrbench.types import ByImage

ROW = Evidence("net", "net", "coco-boxes", AP)


def side(values: np.ndarray, images: np.ndarray | None = None, **more) -> ByImage:
    """Two numbers, the mean and the mean square of a value of each image, and that of a single class."""
    columns = np.stack([values, values**2, values**3], axis=1)
    images = np.arange(len(values)) if images is None else images
    truth = more.pop("truth", images.astype(np.uint64) + np.uint64(7))

    def at(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return weights @ columns / weights.sum(axis=1, keepdims=True)

    return ByImage(images, ("AP", "AP50", "AP/person"), 2, at, dict, 10, truth, **more)


VALUES = np.random.default_rng(0).random(60)


def judged(first: ByImage, second: ByImage, **options) -> list[Evidence] | str:
    return evidence_by_image(first, second, [ROW], Options(**options))


def test_every_number_that_both_have_is_judged_classes_among_them() -> None:
    rows = judged(side(VALUES), side(VALUES + 0.1))
    assert not isinstance(rows, str)
    assert [(row.quantity.name, row.single_class) for row in rows] == [
        ("AP", False), ("AP50", False), ("AP/person", True)
    ]  # fmt: skip
    assert rows[0].difference == pytest.approx(0.1) and rows[0].interval == pytest.approx((0.1, 0.1))
    assert {(row.units, row.replicates, row.means) for row in rows} == {(60, 2000, "bootstrap")}
    for row in rows:
        assert row.interval is not None and row.difference is not None
        assert row.interval[0] <= row.difference <= row.interval[1]


def test_another_seed_draws_other_images() -> None:
    found = [judged(side(VALUES), side(VALUES[::-1]), seed=seed) for seed in (0, 0, 1)]
    first, again, other = (rows[0].interval for rows in found if not isinstance(rows, str))
    assert first == again != other


def test_more_replicates_share_their_block_and_continue() -> None:
    rows = judged(side(VALUES), side(VALUES[::-1]))
    assert not isinstance(rows, str) and rows[0].more is not None and rows[1].more is not None
    more, other = rows[0].more(), rows[1].more()
    assert more.replicates == other.replicates == 4000
    assert more.interval != rows[0].interval and more.difference == rows[0].difference


def test_other_images_are_refused_unless_the_common_ones_are_asked_for() -> None:
    first, second = side(VALUES[:50]), side(VALUES[10:] + 0.1, np.arange(10, 60))
    told = judged(first, second)
    assert isinstance(told, str) and told.startswith("images: 50 / 50, 40 of them the same")
    rows = judged(first, second, common_images=True)
    assert not isinstance(rows, str)
    assert rows[0].units == 40 and rows[0].notes == ("on the 40 images that both have with equal truth",)
    assert (rows[0].first, rows[0].second) == pytest.approx((VALUES[10:50].mean(), VALUES[10:50].mean() + 0.1))


def test_images_whose_truth_differs_are_not_the_same() -> None:
    truth = np.arange(60).astype(np.uint64) + np.uint64(7)
    truth[[3, 9]] += np.uint64(1)
    told = judged(side(VALUES), side(VALUES, truth=truth))
    assert isinstance(told, str) and told.startswith("truth: of 2 images, the first is 3, it is not the same")
    rows = judged(side(VALUES), side(VALUES, truth=truth), common_images=True)
    assert not isinstance(rows, str) and rows[0].units == 58


def test_states_without_truth_are_compared_but_not_on_common_images() -> None:
    old = side(VALUES, truth=None)
    assert not isinstance(judged(old, side(VALUES)), str)
    told = judged(old, side(VALUES), common_images=True)
    assert isinstance(told, str) and "a state of format 1" in told


def test_nothing_in_common() -> None:
    told = judged(side(VALUES), side(VALUES, np.arange(100, 160)), common_images=True)
    assert told == "images: 0 that both have with equal truth"


def test_few_groups_are_refused_and_many_are_drawn_whole() -> None:
    cities = np.repeat(["aachen", "bochum", "bremen"], 20)
    told = judged(side(VALUES, groups=cities), side(VALUES, groups=cities), groups=True)
    assert isinstance(told, str) and told.startswith("groups: 3, fewer than 30")
    rows = judged(side(VALUES, groups=cities), side(VALUES, groups=cities))
    assert not isinstance(rows, str) and "resemble each other" in rows[0].notes[0]
    pairs = np.repeat(np.arange(30).astype(str), 2)
    rows = judged(side(VALUES, groups=pairs), side(VALUES[::-1], groups=pairs), groups=True)
    assert not isinstance(rows, str) and rows[0].units == 30
    assert judged(side(VALUES), side(VALUES), groups=True) == "groups: the images belong to none"


def test_a_number_that_lacks_on_one_side_is_missing_and_on_both_is_no_news() -> None:
    gone = side(VALUES)

    def at(weights: np.ndarray) -> np.ndarray:
        values = side(VALUES).at(weights)
        values[:, 1] = math.nan
        return values

    rows = judged(side(VALUES), replace(gone, at=at))
    assert not isinstance(rows, str) and [row.state for row in rows] == ["compared", "missing", "compared"]
    both = judged(replace(gone, at=at), replace(gone, at=at))
    assert not isinstance(both, str) and [row.quantity.name for row in both] == ["AP", "AP/person"]


# --- releases whose difference is known ------------------------------------------------------------------------------
# Small and seeded; `simulated_releases.py` has the whole simulation, docs/judging.md its figures.


@pytest.fixture(scope="module")
def pools():
    """Metric -> a pool whose second release is worse, and two exchangeable releases."""
    size = POOL // 5
    return {metric: (pool_of(metric, 0, size=size), pool_of(metric, 0, 0.0, size=size)) for metric in ("Top-1", "mIoU")}


def test_at_the_border_few_gates_fail_and_few_rows_pass(pools) -> None:
    worse = [pools["Top-1"][0]] * 6
    failed, passed = border(worse, [pool.truth() for pool in worse], range(60))
    assert failed <= 5 and passed <= 0.05 * 360  # 1.5 and 9 are expected


def test_exchangeable_releases_are_rarely_called_worse(pools) -> None:
    assert exchangeable([pools["Top-1"][1]] * 6, range(60)) <= 5


@pytest.mark.parametrize("metric", some(["Top-1", "mIoU"], later=["mIoU"]))
def test_a_loss_that_should_be_found_is(metric: str) -> None:
    pool, trials = pool_of(metric, 5, POWER_SHARE, POOL // 5), 100 if metric == "Top-1" else 20
    error = spread(pool, range(300))
    assert power(pool, pool.truth(), error, 1.96, range(trials)) >= 0.88 * trials  # 95 % by design


@pytest.mark.parametrize("metric", ["Top-1", "mIoU"])
def test_intervals_cover_the_truth(pools, metric: str) -> None:
    pool, trials = pools[metric][0], 200 if metric == "Top-1" else 30
    assert coverage(pool, pool.truth(), range(trials)) >= 0.9 * trials
