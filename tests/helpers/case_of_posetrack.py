"""PoseTrack's AP for the laws of metrics: a video with regions to ignore."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import random_poses
from metric_cases import Case

from hrbench.types import Prediction

METRICS = ("posetrack-ap",)


def case(metric: Any, folder: Path) -> Case:
    truth, results = random_poses.posetrack(5, frames=14)
    (folder / "truth.json").write_text(json.dumps(truth))
    ids: list[int | str] = sorted({row["image_id"] for row in truth["annotations"]})
    samples = [Prediction(i, [row for row in results if row["image_id"] == i]) for i in ids]
    return Case(metric, folder / "truth.json", folder / metric.prediction_file, ids, samples)
