"""Object keypoint similarity by its formula."""

from __future__ import annotations

import numpy as np
import pytest

from hrbench.formats.coco.skeletons import COCO_SIGMAS
from hrbench.metrics.coco.oks import CHUNK_PAIRS, oks

SIGMAS = np.array([0.1, 0.05])


def one(truth, found, area=100.0, box=(0, 0, 10, 10)) -> float:
    similarity = oks(
        np.array([truth], float), np.array([area]), np.array([box], float), np.array([found], float), SIGMAS
    )
    return float(similarity(np.array([0]), np.array([0]))[0])


def test_a_known_distance() -> None:
    # 3, 4, 5 px away: exp(-25 / (2 x 100 x 0.2^2)); the other joint is exact
    assert one([[0, 0, 2], [5, 5, 1]], [[3, 4], [5, 5]]) == pytest.approx((np.exp(-25 / 8) + 1) / 2)


def test_joints_that_are_not_annotated_do_not_matter() -> None:
    assert one([[0, 0, 0], [5, 5, 1]], [[999, -999], [5, 5]]) == 1


def test_without_joints_the_grown_box_counts() -> None:
    # the box 0..10 grows to -10..20: the first joint lies inside, the second 2 px beyond
    expected = (1 + np.exp(-4 / (2 * 100 * 0.1**2))) / 2
    assert one([[0, 0, 0], [0, 0, 0]], [[-10, 20], [22, 3]]) == pytest.approx(expected)


def test_no_area_leaves_only_exact_hits() -> None:
    assert one([[1, 1, 2], [5, 5, 2]], [[1, 1], [5, 6]], area=0.0) == 0.5


def test_many_pairs_are_each_as_if_alone() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 50, (40, 17, 3))
    truth[..., 2] = rng.random((40, 17)) < rng.random((40, 1))
    area, box = rng.uniform(500, 3000, 40), rng.uniform(0, 50, (40, 4))
    found = rng.uniform(0, 50, (300, 17, 2))
    similarity = oks(truth, area, box, found, np.array(COCO_SIGMAS))
    d, g = rng.integers(0, 300, 3 * CHUNK_PAIRS), rng.integers(0, 40, 3 * CHUNK_PAIRS)
    together = similarity(d, g)
    alone = [similarity(d[i : i + 1], g[i : i + 1])[0] for i in range(0, 3 * CHUNK_PAIRS, 7)]
    assert together[::7].tolist() == alone
