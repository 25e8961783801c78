"""pycocotools itself, without output: the reference implementation for tests and --verify."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.formats.coco.forms import COCO as COCO_FORM
from hrbench.formats.coco.forms import CocoForm, annotations_in, file_ids, results_in
from hrbench.formats.coco.unjudged import judged_alone

Kind = Literal["keypoints", "bbox", "segm"]


def keypoint_numbers(
    target: Path,
    predictions: Path,
    sigmas: Sequence[float],
    images: Sequence[int | str] | None = None,
    category: int | None = None,
    without_boxes: bool = False,
    form: CocoForm = COCO_FORM,
    only_seen: bool = False,
) -> list[float]:
    """`COCOeval.stats` for keypoints: ten numbers, -1 if there is nothing to average.

    images, category: the ids to evaluate, None for all.
    without_boxes: whether a `bbox` of a row is left out, from which pycocotools takes areas otherwise.
    form: how the files deviate from COCO's form: pycocotools is given what they are rewritten to.
    only_seen: whether rows of which no joint has a third number above 0 are left out.

    An empty results file is allowed (`loadRes` would fail on it).
    """
    with contextlib.redirect_stdout(io.StringIO()):
        original = target.read_bytes()
        data = judged_alone(target, annotations_in(target, original, form), len(sigmas), category)
        rows = _rows(target, data, predictions, form, without_boxes)
        rows = [row for row in rows if category in (None, row["category_id"])]  # others need not have its joints
        return _keypoint_stats(_truth(target, original, data), rows, sigmas, images, category, only_seen)


def keypoint_numbers_of(
    truth: dict[str, Any],
    rows: list[dict[str, Any]],
    sigmas: Sequence[float],
    images: Sequence[int | str] | None = None,
    category: int | None = None,
    only_seen: bool = False,
) -> list[float]:
    """As `keypoint_numbers`, of decoded files in COCO's own form."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        made: Any = COCO()
        made.dataset = truth
        made.createIndex()
        return _keypoint_stats(made, rows, sigmas, images, category, only_seen)


def _keypoint_stats(
    truth: Any,
    rows: list[dict[str, Any]],
    sigmas: Sequence[float],
    images: Sequence[int | str] | None,
    category: int | None,
    only_seen: bool,
) -> list[float]:
    if only_seen:
        boxed = bool(rows and rows[0].get("bbox"))  # what areas are of is for the first row to say, also if it goes
        rows = [row for row in rows if any(seen > 0 for seen in row["keypoints"][2::3])]
        rows = rows if boxed else [{key: value for key, value in row.items() if key != "bbox"} for row in rows]
    evaluation = _evaluation(truth, rows, "keypoints", images, None if category is None else [category])
    evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
    return _stats(evaluation)


def instance_numbers(
    target: Path,
    predictions: Path,
    kind: Kind,
    images: Sequence[int | str] | None = None,
    categories: Sequence[int] | None = None,
    without_boxes: bool = False,
    form: CocoForm = COCO_FORM,
    limits: Sequence[int] = (1, 10, 100),
) -> tuple[list[float], list[float]]:
    """(`COCOeval.stats`: twelve numbers, the AP of each category by rising id), -1 if there is nothing to average.

    Arguments as in `keypoint_numbers`.

    limits: pycocotools' `maxDets`. Since its `summarize` takes three of them and reads AP at 100 only, with others the
        means are taken here from its curves: AP, AP50, AP75, three by area, AR at each limit, three by area.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        original = target.read_bytes()
        data = annotations_in(target, original, form)
        rows = _rows(target, data, predictions, form, without_boxes)
        truth = _truth(target, original, data)
        for row in rows if kind == "segm" and without_boxes else ():
            row["segmentation"] = truth.annToRLE(row)  # without boxes it takes areas of compressed codes alone
        evaluation = _evaluation(truth, rows, kind, images, categories)
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


def _truth(target: Path, original: bytes, data: bytes) -> Any:
    """The annotations as pycocotools has them: it reads the file itself, unless that was rewritten to `data`."""
    from pycocotools.coco import COCO

    if data is original:
        return COCO(str(target))
    truth: Any = COCO()
    truth.dataset = json.loads(data)
    truth.createIndex()
    return truth


def _rows(target: Path, data: bytes, predictions: Path, form: CocoForm, without_boxes: bool) -> list[dict[str, Any]]:
    """The results in COCO's own form. data: the annotations in it."""
    by_name = file_ids(json.loads(data)["images"]) if form.match != "id" else {}
    with predictions.open("rb") as stream:
        rows = json.loads(results_in(predictions, stream, form, by_name).read())
    return [{key: value for key, value in row.items() if key != "bbox"} for row in rows] if without_boxes else rows


def _evaluation(
    truth: Any,
    rows: list[dict[str, Any]],
    kind: Kind,
    images: Sequence[int | str] | None,
    categories: Sequence[int] | None,
) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    found: Any
    if rows:
        found = truth.loadRes(rows)
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
