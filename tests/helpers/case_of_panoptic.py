"""Panoptic segments in COCO's form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import random_panoptic
from metric_cases import Case

from hrbench.types import Prediction

METRICS = ("panoptic-quality",)


def case(metric: Any, folder: Path) -> Case:
    panoptic = random_panoptic
    made = panoptic.case(2, images=14)
    truth, _ = panoptic.write(folder, made)
    results = {row["image_id"]: row["segments_info"] for row in made["results"]["annotations"]}
    ids = [row["image_id"] for row in made["truth"]["annotations"]]
    samples = [Prediction(image, (made["found_ids"][image], results[image])) for image in ids]
    return Case(metric, truth, folder / metric.prediction_file, ids, samples)
