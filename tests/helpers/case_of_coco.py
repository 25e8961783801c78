"""People and objects in files of COCO's form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import random_coco
import random_instances
import random_poses
from metric_cases import Case

from hrbench.types import Prediction

METRICS = (
    "coco-boundary",
    "coco-boxes",
    "coco-keypoints",
    "coco-masks",
    "crowdpose-keypoints",
    "pck",
    "wholebody-keypoints",
)


def case(metric: Any, folder: Path) -> Case:
    if metric.name in ("coco-keypoints", "pck"):
        truth, results = random_coco.case(4, images=12)
    elif metric.name == "crowdpose-keypoints":
        truth, results = random_poses.crowdpose(3, images=14)
    elif metric.name == "wholebody-keypoints":
        truth, results = random_poses.wholebody(34, images=9)
    else:
        truth, results = random_instances.case(6, images=14, masks=metric.prediction_file == "masks.json")
    (folder / "truth.json").write_text(json.dumps(truth))
    ids = [image["id"] for image in truth["images"]]
    samples = [Prediction(i, [row for row in results if row["image_id"] == i]) for i in ids]
    return Case(metric, folder / "truth.json", folder / metric.prediction_file, ids, samples)
