"""pycocotools itself, without output: the reference implementation for tests and --verify."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.formats.coco.forms import COCO as COCO_FORM
from hrbench.formats.coco.forms import CocoForm, annotations_in, results_in
from hrbench.formats.coco.image_names import file_ids
from hrbench.formats.coco.own_layouts import source_bytes
from hrbench.formats.coco.unjudged import judged_alone
from hrbench.metrics.coco.curves import Number
from hrbench.metrics.coco.matching import MatchSettings

Kind = Literal["keypoints", "bbox", "segm"]


def keypoint_numbers(
    target: Path,
    predictions: Path,
    sigmas: Sequence[float],
    asked: Sequence[Number],
    settings: MatchSettings,
    images: Sequence[int | str] | None = None,
    category: int | None = None,
    without_boxes: bool = False,
    form: CocoForm = COCO_FORM,
    only_seen: bool = False,
) -> dict[str, float]:
    """What is asked for of keypoints, by name, -1 if there is nothing to average.

    asked, settings: the numbers and how they are judged. COCO's own ten are `COCOeval.stats`. pycocotools finds no
        keypoints with `useCats = 0` (it looks for them under the category -1): for classes as one it is given files
        with one class, in the order that `useCats = 0` has for boxes.
    images, category: the ids to evaluate, None for all.
    without_boxes: whether a `bbox` of a row is left out, from which pycocotools takes areas otherwise.
    form: how the files deviate from COCO's form: pycocotools is given what they are rewritten to.
    only_seen: whether rows of which no joint has a third number above 0 are left out.

    An empty results file is allowed (`loadRes` would fail on it).
    """
    with contextlib.redirect_stdout(io.StringIO()):
        original = target.read_bytes() if form.layout == "coco" else b""
        source = original or source_bytes(target, form)
        data = judged_alone(target, annotations_in(target, source, form), len(sigmas), category)
        rows = results_rows(data, predictions, form, without_boxes)
        rows = [row for row in rows if category in (None, row["category_id"])]  # others need not have its joints
        rows = _seen_rows(rows) if only_seen else rows
        categories = None if category is None else [category]
        truth = _truth(target, original, data)
        if settings.class_agnostic:
            settings, known = replace(settings, class_agnostic=False), truth.dataset
            one = min(each["id"] for each in known["categories"]) if category is None else category
            annotations = _as_one_class(known["annotations"], one, category)
            rows, truth = _as_one_class(rows, one, category), _indexed({**known, "annotations": annotations})
        evaluation = _evaluation(truth, rows, "keypoints", images, categories)
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
        return _values(evaluation, asked, settings)


def keypoint_numbers_of(
    truth: dict[str, Any],
    rows: list[dict[str, Any]],
    sigmas: Sequence[float],
    asked: Sequence[Number],
    settings: MatchSettings,
    images: Sequence[int | str] | None = None,
    category: int | None = None,
    only_seen: bool = False,
) -> dict[str, float]:
    """As `keypoint_numbers`, of decoded files in COCO's own form, which are written into; not for classes as one."""
    with contextlib.redirect_stdout(io.StringIO()):
        given = _seen_rows(rows) if only_seen else rows
        evaluation = _evaluation(_indexed(truth), given, "keypoints", images, None if category is None else [category])
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
        return _values(evaluation, asked, settings)


def _seen_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of which a joint has a third number above 0. What areas are of, the first row says, also if it goes."""
    boxed = bool(rows and rows[0].get("bbox"))
    rows = [row for row in rows if any(seen > 0 for seen in row["keypoints"][2::3])]
    return rows if boxed else [{key: value for key, value in row.items() if key != "bbox"} for row in rows]


def instance_numbers(
    target: Path,
    predictions: Path,
    kind: Kind,
    asked: Sequence[Number],
    settings: MatchSettings,
    images: Sequence[int | str] | None = None,
    categories: Sequence[int] | None = None,
    without_boxes: bool = False,
    form: CocoForm = COCO_FORM,
    similarity: Callable[[Any], Any] | None = None,
) -> dict[str, float]:
    """What is asked for by name, -1 if there is nothing to average.

    asked, settings: the numbers and how they are judged. COCO's own twelve are `COCOeval.stats`.
    similarity: makes of an evaluation what replaces its `computeIoU`; None for pycocotools' own.

    Other arguments as in `keypoint_numbers`.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        original = target.read_bytes()
        data = annotations_in(target, original, form)
        rows = results_rows(data, predictions, form, without_boxes)
        truth = _truth(target, original, data)
        for row in rows if kind == "segm" and without_boxes else ():
            row["segmentation"] = truth.annToRLE(row)  # without boxes it takes areas of compressed codes alone
        evaluation = _evaluation(truth, rows, kind, images, categories)
        if similarity is not None:
            evaluation.computeIoU = similarity(evaluation)
        return _values(evaluation, asked, settings)


def _values(evaluation: Any, asked: Sequence[Number], settings: MatchSettings) -> dict[str, float]:
    """The numbers by name.

    pycocotools' `summarize` knows its own settings alone: by others, and of single classes, the means are taken here
    from its curves, as `summarize` takes them.
    """
    own = _own_settings(evaluation.params)
    if settings != own:
        _apply(evaluation.params, settings)
    stats = _stats(evaluation) if settings == own else _curves(evaluation)
    values = [_mean(evaluation.eval, number) for number in asked]
    values[: len(stats)] = stats
    return {number.name: value for number, value in zip(asked, values, strict=True)}


def _own_settings(params: Any) -> MatchSettings:
    areas = zip(params.areaRngLbl, params.areaRng, strict=True)
    return MatchSettings(
        tuple(params.iouThrs.tolist()),
        tuple(params.recThrs.tolist()),
        tuple((name, float(low), float(high)) for name, (low, high) in areas),
        tuple(params.maxDets),
    )


def _apply(params: Any, settings: MatchSettings) -> None:
    params.iouThrs, params.recThrs = np.array(settings.thresholds), np.array(settings.recalls)
    params.areaRng = [[low, high] for _, low, high in settings.areas]
    params.areaRngLbl = [name for name, _, _ in settings.areas]
    params.maxDets, params.useCats = list(settings.max_detections), int(not settings.class_agnostic)


def _curves(evaluation: Any) -> list[float]:
    evaluation.evaluate()
    evaluation.accumulate()
    return []


def _mean(curves: Any, number: Number) -> float:
    """As `summarize` has it, of `precision` (T, R, C, A, M) or `recall` (T, C, A, M), -1 where nothing counts."""
    values = curves[number.kind][..., number.area, number.limit]
    if number.threshold is not None:
        values = values[[number.threshold]]
    if number.category is not None:
        values = values[..., number.category]
    values = values[values > -1]
    return float(np.mean(values)) if values.size else -1.0


def _truth(target: Path, original: bytes, data: bytes) -> Any:
    """The annotations as pycocotools has them: it reads the file itself, unless that was rewritten to `data`."""
    from pycocotools.coco import COCO

    return COCO(str(target)) if data is original else _indexed(json.loads(data))


def _indexed(dataset: dict[str, Any]) -> Any:
    from pycocotools.coco import COCO

    truth: Any = COCO()
    truth.dataset = dataset
    truth.createIndex()
    return truth


def _as_one_class(rows: list[dict[str, Any]], one: int, category: int | None) -> list[dict[str, Any]]:
    """Rows of one class in the order of their classes. category: the only one that counts, None for all."""
    ordered = sorted(rows, key=lambda row: row["category_id"])
    return [{**row, "category_id": one} for row in ordered if category in (None, row["category_id"])]


def results_rows(data: bytes, predictions: Path, form: CocoForm, without_boxes: bool) -> list[dict[str, Any]]:
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
    from pycocotools.cocoeval import COCOeval

    found: Any = truth.loadRes(rows) if rows else _indexed({**truth.dataset, "annotations": []})
    evaluation = COCOeval(truth, found, kind)
    if images is not None:
        evaluation.params.imgIds = sorted(int(image) for image in images)
    if categories is not None:
        evaluation.params.catIds = list(categories)
    return evaluation


def _stats(evaluation: Any) -> list[float]:
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return [float(value) for value in evaluation.stats]
