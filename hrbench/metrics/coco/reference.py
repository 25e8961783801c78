"""pycocotools itself, without output: the reference implementation for tests and --verify."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

Kind = Literal["keypoints", "bbox", "segm"]


def keypoint_numbers(
    target: Path,
    predictions: Path,
    sigmas: Sequence[float],
    images: Sequence[int | str] | None = None,
    category: int | None = None,
    without_boxes: bool = False,
) -> list[float]:
    """`COCOeval.stats` for keypoints: ten numbers, -1 if there is nothing to average.

    images, category: the ids to evaluate, None for all.
    without_boxes: whether a `bbox` of a row is left out, from which pycocotools takes areas otherwise.

    An empty results file is allowed (`loadRes` would fail on it).
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = _evaluation(
            target, predictions, "keypoints", images, None if category is None else [category], without_boxes
        )
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
        return _stats(evaluation)


def instance_numbers(
    target: Path,
    predictions: Path,
    kind: Kind,
    images: Sequence[int | str] | None = None,
    categories: Sequence[int] | None = None,
    without_boxes: bool = False,
    limits: Sequence[int] = (1, 10, 100),
) -> tuple[list[float], list[float]]:
    """(`COCOeval.stats`: twelve numbers, the AP of each category by rising id), -1 if there is nothing to average.

    Arguments as in `keypoint_numbers`.

    limits: pycocotools' `maxDets`. Since its `summarize` takes three of them and reads AP at 100 only, with others the
        means are taken here from its curves: AP, AP50, AP75, three by area, AR at each limit, three by area.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = _evaluation(target, predictions, kind, images, categories, without_boxes)
        if list(limits) == [1, 10, 100]:
            stats = _stats(evaluation)
        else:
            evaluation.params.maxDets = list(limits)
            evaluation.evaluate()
            evaluation.accumulate()
            stats = _means_of_curves(evaluation.eval["precision"], evaluation.eval["recall"])
    single = []
    for category in range(len(evaluation.params.catIds)):
        precision = evaluation.eval["precision"][:, :, category, 0, -1]
        precision = precision[precision > -1]
        single.append(float(np.mean(precision)) if precision.size else -1.0)
    return stats, single


def _evaluation(
    target: Path,
    predictions: Path,
    kind: Kind,
    images: Sequence[int | str] | None,
    categories: Sequence[int] | None,
    without_boxes: bool,
) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO(str(target))
    rows: list[dict[str, Any]] = json.loads(Path(predictions).read_bytes())
    if without_boxes:
        rows = [{key: value for key, value in row.items() if key != "bbox"} for row in rows]
        ann_to_rle: Any = truth.annToRLE  # whose type stubs do not cover results
        for row in rows if kind == "segm" else ():
            row["segmentation"] = ann_to_rle(row)  # without boxes it takes areas of compressed codes alone
    if rows:
        found = truth.loadRes(rows)  # type: ignore[arg-type]
    else:
        found = COCO()
        found.dataset = {**truth.dataset, "annotations": []}
        found.createIndex()
    evaluation = COCOeval(truth, found, kind)
    if images is not None:
        evaluation.params.imgIds = sorted(int(image) for image in images)
    if categories is not None:
        evaluation.params.catIds = list(categories)
    return evaluation


def _means_of_curves(precision: np.ndarray, recall: np.ndarray) -> list[float]:
    """The means that `summarize` takes. precision: (T, R, C, A, M), recall: (T, C, A, M), -1 where nothing counts."""

    def mean(values: np.ndarray) -> float:
        values = values[values > -1]
        return float(np.mean(values)) if values.size else -1.0

    by_area = range(1, precision.shape[3])
    return [
        mean(precision[:, :, :, 0, -1]),
        mean(precision[0:1, :, :, 0, -1]),
        mean(precision[5:6, :, :, 0, -1]),
        *(mean(precision[:, :, :, area, -1]) for area in by_area),
        *(mean(recall[:, :, 0, limit]) for limit in range(recall.shape[3])),
        *(mean(recall[:, :, area, -1]) for area in by_area),
    ]


def _stats(evaluation: Any) -> list[float]:
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return [float(value) for value in evaluation.stats]
