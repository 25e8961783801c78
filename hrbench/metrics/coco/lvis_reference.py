"""The `lvis` package itself, without output: the reference implementation for tests and --verify."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.core.reference_packages import LVIS, reference_module
from hrbench.formats.coco.forms import CocoForm, annotations_in
from hrbench.metrics.coco.curves import Number
from hrbench.metrics.coco.matching import MatchSettings
from hrbench.metrics.coco.reference import results_rows


def lvis_numbers(
    target: Path,
    predictions: Path,
    kind: Literal["bbox", "segm"],
    images: Sequence[int | str] | None,
    categories: Sequence[int],
    without_boxes: bool,
    form: CocoForm,
    asked: Sequence[Number],
    settings: MatchSettings,
) -> dict[str, float]:
    """What is asked for by name, -1 if there is nothing to average.

    Official numbers are the thirteen results of `LVISEval`. By other criteria, and of single classes, the means are
    taken here from its curves, as its `_summarize` takes them.

    images: ids to evaluate, None for all.
    categories: ids to evaluate.
    without_boxes: whether a `bbox` of a row is left out, from which the package takes areas otherwise.
    form: how the files deviate from COCO's form: the package is given what they are rewritten to.
    asked, settings: the numbers, in their order, and how they are judged.

    Raises UsageError if the package is not installed. An empty results file is allowed (the package would fail on it).
    """
    package, most = reference_module("lvis", "LVIS", LVIS), settings.max_detections[-1]
    with _as_before(), _silent():
        data = annotations_in(target, target.read_bytes(), form)
        rows = results_rows(data, predictions, form, without_boxes)
        truth = _indexed(package.LVIS, json.loads(data))
        for row in rows if kind == "segm" and without_boxes else ():
            row["segmentation"] = truth.ann_to_rle(row)  # without boxes it takes areas of compressed codes alone
        if rows:
            found = package.LVISResults(truth, rows, most)
        else:
            found = _indexed(package.LVISResults, {**truth.dataset, "annotations": []})
        evaluation = package.LVISEval(truth, found, kind)
        evaluation.params.max_dets = most
        evaluation.params.cat_ids = list(categories)
        if images is not None:
            evaluation.params.img_ids = sorted(int(image) for image in images)
        own = _own_settings(evaluation.params)
        if settings == own:
            evaluation.run()
            stats = [float(value) for value in evaluation.get_results().values()]
        else:
            _apply(evaluation.params, settings)
            evaluation.evaluate()
            evaluation.accumulate()
            stats = []
    values = [_mean(evaluation.eval, number) for number in asked]
    values[: len(stats)] = stats
    return {number.name: value for number, value in zip(asked, values, strict=True)}


def _own_settings(params: Any) -> MatchSettings:
    areas = zip(params.area_rng_lbl, params.area_rng, strict=True)
    return MatchSettings(
        tuple(params.iou_thrs.tolist()),
        tuple(params.rec_thrs.tolist()),
        tuple((name, float(low), float(high)) for name, (low, high) in areas),
        (params.max_dets,),
    )


def _apply(params: Any, settings: MatchSettings) -> None:
    params.iou_thrs, params.rec_thrs = np.array(settings.thresholds), np.array(settings.recalls)
    params.area_rng = [[low, high] for _, low, high in settings.areas]
    params.area_rng_lbl = [name for name, _, _ in settings.areas]


def _mean(curves: Any, number: Number) -> float:
    """As `_summarize` has it, of `precision` (T, R, C, A) or `recall` (T, C, A), -1 where nothing counts."""
    values = curves[number.kind][..., number.area]
    if number.threshold is not None:
        values = values[[number.threshold]]
    if number.category is not None:
        values = values[..., number.category]
    elif number.among is not None:
        values = values[..., list(number.among)]
    values = values[values > -1]
    return float(np.mean(values)) if values.size else -1.0


def _indexed(kind: Any, dataset: dict[str, Any]) -> Any:
    """An object of the package that holds this content; its constructors take a path alone."""
    made = kind.__new__(kind)
    made.logger, made.dataset = logging.getLogger("lvis"), dataset
    made._create_index()
    return made


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """NumPy 1.24 removed `np.float`, which the package names: it is restored while it runs."""
    if "float" in np.__dict__:
        yield
        return
    np.__dict__["float"] = float
    try:
        yield
    finally:
        del np.__dict__["float"]


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without the package's lines in the log, and without what Python says of how it writes them."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
