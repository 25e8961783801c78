"""People in MPII's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from metric_cases import Case
from scipy.io import savemat

from hrbench.types import Prediction

METRICS = ("mpii-pckh",)


def case(metric: Any, folder: Path) -> Case:
    rng = np.random.default_rng(0)
    names = np.empty((1, 16), object)
    names[0] = [
        "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
        "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
    ]  # fmt: skip
    position, heads = rng.uniform(0, 500, (16, 2, 20)), np.zeros((2, 2, 20))
    heads[1] = rng.uniform(40, 90, (2, 20))
    missing = (rng.random((16, 20)) < 0.2).astype(np.uint8)
    savemat(
        folder / "gt_valid.mat",
        {"dataset_joints": names, "jnt_missing": missing, "pos_gt_src": position, "headboxes_src": heads},
    )
    images = [f"{name}.jpg" for name in rng.choice(list("abcdefghijkl"), 20)]
    (folder / "valid.json").write_text(json.dumps([{"image": image} for image in images]))
    points = position.transpose(2, 0, 1) - 1 + rng.normal(0, 20, (20, 16, 2))
    rows = [np.concatenate([person, np.ones((16, 1))], 1).ravel().tolist() for person in points]
    samples = [
        Prediction(image, [{"index": n, "keypoints": row} for n, row in enumerate(rows) if images[n] == image])
        for image in dict.fromkeys(images)
    ]
    return Case(metric, folder, folder / metric.prediction_file, list(dict.fromkeys(images)), samples)
