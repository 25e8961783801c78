"""pycocotools itself, silent: the oracle of tests and of --verify."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def keypoint_numbers(
    target: Path,
    predictions: Path,
    sigmas: Sequence[float],
    images: Sequence[int | str] | None = None,
    category: int | None = None,
) -> list[float]:
    """`COCOeval.stats` for keypoints: ten numbers, -1 where there is nothing to average.

    images, category: the ids to evaluate, None for all. An empty results file is evaluated as such (`loadRes` would
    fail on it).
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(target))
        rows: list[dict[str, Any]] = json.loads(Path(predictions).read_bytes())
        if rows:
            found = truth.loadRes(rows)  # type: ignore[arg-type]
        else:
            found = COCO()
            found.dataset = {**truth.dataset, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(truth, found, "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
        if images is not None:
            evaluation.params.imgIds = sorted(int(image) for image in images)
        if category is not None:
            evaluation.params.catIds = [category]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]
