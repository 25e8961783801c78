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
from hrbench.metrics.coco.reference import results_rows


def lvis_numbers(
    target: Path,
    predictions: Path,
    kind: Literal["bbox", "segm"],
    images: Sequence[int | str] | None,
    categories: Sequence[int],
    without_boxes: bool,
    form: CocoForm,
    most: int,
) -> tuple[list[float], list[float]]:
    """(thirteen results of `LVISEval`, the AP of each category by rising id), -1 if there is nothing to average.

    images: ids to evaluate, None for all.
    categories: ids to evaluate.
    without_boxes: whether a `bbox` of a row is left out, from which the package takes areas otherwise.
    form: how the files deviate from COCO's form: the package is given what they are rewritten to.
    most: its `max_dets`.

    Raises UsageError if the package is not installed. An empty results file is allowed (the package would fail on it).
    """
    package = reference_module("lvis", "LVIS", LVIS)
    with _as_before(), _silent():
        data = annotations_in(target, target.read_bytes(), form)
        rows = results_rows(target, data, predictions, form, without_boxes)
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
        evaluation.run()
    single = []
    for place in range(len(categories)):
        precision = evaluation.eval["precision"][:, :, place, 0]
        precision = precision[precision > -1]
        single.append(float(np.mean(precision)) if precision.size else -1.0)
    return [float(value) for value in evaluation.get_results().values()], single


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
