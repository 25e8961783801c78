"""Accumulation: closed forms, and whole weights against a data set whose images really occur that often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from random_coco import case, repeated
from random_matches import random_matches

from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.keypoints import NUMBERS, CocoKeypointAP
from hrbench.metrics.coco.matching import MatchSettings
from hrbench.metrics.coco.oks import KEYPOINTS
from hrbench.metrics.coco.states import matches_of
from hrbench.metrics.coco.tables import Curves, ObjectCounts, RankedRows

TWO = MatchSettings(
    thresholds=(0.5, 0.9),
    recalls=(0.0, 0.25, 0.5, 0.75, 1.0),
    areas=(("all", 0, 1e10),),
    max_detections=(20,),
)


def at(
    hits: Sequence[int], counted: Sequence[int], positives: Sequence[int], image: Sequence[int], weights: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """(precision (T, R), recall (T,)) of one category."""
    rows = np.array(image, int)
    ranked = RankedRows(rows, np.zeros_like(rows), np.array(hits, np.uint16), np.array(counted, np.uint16))
    of, times = np.arange(len(positives)), np.array([weights], np.int32)
    objects = ObjectCounts(of, np.array(positives), np.array([0, len(of)])).under(times)
    precision, recall = Curves(ranked, 1, 2, TWO.recalls).at(times, objects)
    return precision[0, ..., 0], recall[0, :, 0]


def test_precision_is_the_best_at_this_recall_or_beyond() -> None:
    # found, missed, found, found at 0.5: precisions 1, 1/2, 2/3, 3/4, of 4 people; nothing at 0.9 but the first
    precision, recall = at([3, 0, 1, 1], [3, 3, 3, 3], [4], [0, 0, 0, 0], [1])
    assert precision[0] == pytest.approx([1, 1, 3 / 4, 3 / 4, 0])
    assert precision[1] == pytest.approx([1, 1, 0, 0, 0])
    assert recall.tolist() == [3 / 4, 1 / 4]


def test_ignored_detections_do_not_count() -> None:
    assert at([1, 0, 1], [3, 2, 3], [2], [0, 0, 0], [1])[0][0] == pytest.approx([1, 1, 1, 1, 1])


def test_nothing_found_and_nothing_to_find() -> None:
    precision, recall = at([0], [3], [4], [0], [1])
    assert not precision.any() and not recall.any()
    assert not at([], [], [4], [], [1])[0].any()
    assert not at([0], [3], [0], [0], [1])[0].any()


def test_an_image_of_weight_zero_is_not_there() -> None:
    assert at([0, 3, 0, 3], [3] * 4, [1, 1], [0, 1, 0, 1], [0, 1])[0] == pytest.approx(np.ones((2, 5)))


@pytest.mark.parametrize("seed", range(12))
def test_whole_weights_equal_repeated_images_to_the_last_bit(seed: int, written) -> None:
    truth, results = case(seed, images=12)
    # ties within one image are the one place where copies may stand differently; draw scores without any
    for row, score in zip(results, np.random.default_rng(seed).permutation(len(results)), strict=True):
        row["score"] = float(score)
    metric = CocoKeypointAP()
    paths = written(truth, results)
    target = metric.read_target(paths[0])
    state = metric.measure(metric.read_predictions(paths[1], target), target)
    accumulator = Accumulator(matches_of(state, metric.name, metric.version), KEYPOINTS, NUMBERS)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        times = rng.multinomial(len(target.images), [1 / len(target.images)] * len(target.images))
        if not any(times[list(target.images).index(row["image_id"])] for row in results):
            continue  # pycocotools cannot load empty results
        assert accumulator.at(times).tolist() == repeated(truth, results, times.tolist(), target.images.tolist())


@pytest.mark.parametrize("categories", [1, 2, 3, 25])
@pytest.mark.parametrize("images", [2, 9, 60])
def test_weightings_together_give_what_each_gives_alone(images: int, categories: int) -> None:
    several = [Number("own", "precision", 0, 0, category=categories - 1), Number("own", "recall", None, 0, category=0)]
    accumulator = Accumulator(random_matches(7, images, categories, 3), KEYPOINTS, [*NUMBERS, *several])
    rng = np.random.default_rng(images)
    times = rng.multinomial(images, [1 / images] * images, size=17)
    assert accumulator.at_each(times).tolist() == [accumulator.at(each).tolist() for each in times]


def test_a_large_set_takes_one_weighting_at_a_time() -> None:
    small, large = (Accumulator(random_matches(1, images, 80, 3), KEYPOINTS, NUMBERS) for images in (5, 8000))
    assert small.block > large.block == 1
