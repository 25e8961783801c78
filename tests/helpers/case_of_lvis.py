"""Objects in files of LVIS's form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import random_lvis
from metric_cases import Case

from hrbench.types import Prediction

METRICS = ("lvis-boxes", "lvis-masks")


def case(metric: Any, folder: Path) -> Case:
    truth, results = random_lvis.case(6, images=14, masks=metric.name == "lvis-masks")
    (folder / "truth.json").write_text(json.dumps(truth))
    ids = [image["id"] for image in truth["images"]]
    samples = [Prediction(i, [row for row in results if row["image_id"] == i]) for i in ids]
    return Case(metric, folder / "truth.json", folder / metric.prediction_file, ids, samples)
