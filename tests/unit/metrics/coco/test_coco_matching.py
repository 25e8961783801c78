"""The matching core by hand-made cases, and with another similarity than OKS."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from hrbench.formats.coco.columns import Detections, Truths
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.matching import RECALLS, THRESHOLDS, MatchSettings, match

ONE = MatchSettings(
    thresholds=(0.5,),
    recalls=RECALLS,
    areas=(("all", 0, 1e10), ("small", 0, 100)),
    max_detections=(20,),
)


def matched(alike, *, crowd=None, ignore=None, area=None, score=None, detection_area=None, settings=ONE):
    """Match the detections of one image; `alike` (D, G) is the similarity. Returns hits, ignored as lists of bits."""
    alike = np.asarray(alike, float)
    d, g = alike.shape
    crowd = np.zeros(g, bool) if crowd is None else np.asarray(crowd, bool)
    truths = Truths(
        np.ones(g, int), np.ones(g, int), np.full(g, 50.0) if area is None else np.asarray(area, float), crowd,
        crowd | (np.zeros(g, bool) if ignore is None else np.asarray(ignore, bool)),
    )  # fmt: skip
    detections = Detections(
        np.ones(d, int), np.ones(d, int), np.arange(d, 0, -1.0) if score is None else np.asarray(score, float),
        np.full(d, 50.0) if detection_area is None else np.asarray(detection_area, float),
    )  # fmt: skip
    found = match(truths, detections, lambda i, j: alike[i, j], settings, np.array([1]), np.array([1]))
    return found.hits[:, 0].tolist(), found.ignored[:, 0].tolist()


def test_each_object_is_found_once_by_the_best_scored() -> None:
    assert matched([[0.6], [0.9]]) == ([1, 0], [0, 0])


def test_the_most_similar_free_object_is_taken() -> None:
    assert matched([[0.6, 0.9], [0.6, 0.9]]) == ([1, 1], [0, 0])
    assert matched([[0.6, 0.9], [0.2, 0.9]]) == ([1, 0], [0, 0])


def test_of_equals_the_later_object_is_taken() -> None:
    # the first detection takes object 1, so that the second finds object 0 free
    assert matched([[0.8, 0.8], [0.8, 0.0]]) == ([1, 1], [0, 0])
    assert matched([[0.8, 0.8], [0.0, 0.8]]) == ([1, 0], [0, 0])


def test_an_object_that_counts_goes_before_a_more_similar_ignored_one() -> None:
    assert matched([[0.6, 0.99]], ignore=[False, True]) == ([1], [0])


def test_a_crowd_is_never_used_up_but_an_ignored_object_is() -> None:
    assert matched([[0.9], [0.9], [0.9]], crowd=[True]) == ([0, 0, 0], [1, 1, 1])
    assert matched([[0.9], [0.9], [0.9]], ignore=[True]) == ([0, 0, 0], [1, 0, 0])


def test_a_threshold_is_reached_by_equality() -> None:
    assert matched([[0.5]]) == ([1], [0])
    assert matched([[np.nextafter(0.5, 0)]]) == ([0], [0])


def test_a_threshold_of_one_is_reached_by_almost_one() -> None:
    exact = MatchSettings(thresholds=(0.5, 1.0), recalls=RECALLS, areas=ONE.areas, max_detections=(20,))
    assert matched([[1 - 1e-11]], settings=exact) == ([3], [0])


def test_a_find_that_counts_nothing_out_of_range_is_ignored() -> None:
    truths = Truths(np.ones(1, int), np.ones(1, int), np.array([500.0]), np.zeros(1, bool), np.zeros(1, bool))
    detections = Detections(np.ones(2, int), np.ones(2, int), np.array([2.0, 1.0]), np.array([50.0, 500.0]))
    alike = np.array([[0.9], [0.1]])
    found = match(truths, detections, lambda i, j: alike[i, j], ONE, np.array([1]), np.array([1]))
    assert found.hits.tolist() == [[1, 0], [0, 0]]
    # small: the first found an object too large to count; the second found nothing and is itself too large
    assert found.ignored.tolist() == [[0, 1], [0, 1]]
    assert found.positives.tolist() == [[1, 0]]


def test_equal_scores_keep_the_order_of_the_file_and_the_rest_is_cut() -> None:
    few = MatchSettings(thresholds=(0.5,), recalls=RECALLS, areas=ONE.areas, max_detections=(2,))
    alike = [[0.1], [0.9], [0.9]]
    assert matched(alike, score=[1, 1, 1], settings=few) == ([0, 1], [0, 0])
    assert matched(alike, score=[1, 0, 1], settings=few) == ([0, 1], [0, 0])


def test_too_many_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 16 thresholds"):
        MatchSettings(
            thresholds=tuple(np.linspace(0.1, 0.9, 17)), recalls=RECALLS, areas=ONE.areas, max_detections=(1,)
        )


BOXES = MatchSettings(
    thresholds=THRESHOLDS,
    recalls=RECALLS,
    areas=(("all", 0, 1e10), ("small", 0, 32**2), ("medium", 32**2, 96**2), ("large", 96**2, 1e10)),
    max_detections=(1, 10, 100),
)
TWELVE = (
    Number("AP", "precision", None, 0, 2),
    Number("AP50", "precision", 0, 0, 2),
    Number("AP75", "precision", 5, 0, 2),
    *(Number("AP", "precision", None, area, 2) for area in (1, 2, 3)),
    *(Number("AR", "recall", None, 0, most) for most in (0, 1, 2)),
    *(Number("AR", "recall", None, area, 2) for area in (1, 2, 3)),
)


@pytest.mark.parametrize("seed", range(25))
def test_boxes_go_through_the_same_core(seed: int) -> None:
    """Twelve box numbers, several categories, 1, 10 and 100 detections: the core is not made for keypoints alone."""
    from pycocotools import mask
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    rng = np.random.default_rng(seed)
    images, categories = np.arange(1, 7), np.arange(1, 4)

    def drawn(many: int, **more):
        box = np.concatenate([rng.uniform(0, 100, (many, 2)), np.exp(rng.uniform(1, 5.3, (many, 2)))], 1)
        rows = [
            {"id": n + 1, "image_id": int(rng.choice(images)), "category_id": int(rng.choice(categories)),
             "bbox": box[n].tolist(), "area": float(box[n, 2] * box[n, 3]), "iscrowd": 0}
            for n in range(many)
        ]  # fmt: skip
        return rows

    truth = drawn(40)
    for row in truth:
        row["iscrowd"] = int(rng.random() < 0.2)
    found = drawn(150)
    for row in found:
        if rng.random() < 0.6:
            like = truth[int(rng.integers(len(truth)))]
            row["image_id"], row["category_id"] = like["image_id"], like["category_id"]
            row["bbox"] = (np.array(like["bbox"]) * rng.uniform(0.9, 1.1, 4)).tolist()
            row["area"] = row["bbox"][2] * row["bbox"][3]
        row["score"] = float(rng.choice([0.2, 0.5, rng.random()]))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"images": [{"id": int(i)} for i in images], "annotations": truth,
                        "categories": [{"id": int(c)} for c in categories]}  # fmt: skip
        coco.createIndex()
        results = COCO()
        results.dataset = {**coco.dataset, "annotations": found}
        results.createIndex()
        evaluation = COCOeval(coco, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()

    def column(rows, key):
        return np.array([row[key] for row in rows])

    crowd = column(truth, "iscrowd").astype(bool)
    iou = np.asarray(mask.iou(column(found, "bbox"), column(truth, "bbox"), crowd.astype(int).tolist()))
    matches = match(
        Truths(column(truth, "image_id"), column(truth, "category_id"), column(truth, "area"), crowd, crowd),
        Detections(*(column(found, key) for key in ("image_id", "category_id", "score", "area"))),
        lambda i, j: iou[i, j], BOXES, images, categories,
    )  # fmt: skip
    assert Accumulator(matches, BOXES, TWELVE).at().tolist() == evaluation.stats.tolist()
