"""Landmarks of faces in a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from metric_cases import Case

from hrbench.types import Prediction

METRICS = ("nme",)


def case(metric: Any, folder: Path) -> Case:
    rng = np.random.default_rng(2)
    points = rng.uniform(50, 250, (24, 68, 2))
    guess = points + rng.normal(0, 1, points.shape) * rng.uniform(1, 40, (24, 1, 1))
    names = [f"{name}.jpg" for name in rng.choice(list("abcdefghijkl"), 24)]
    lines = ["image_name,scale,center_w,center_h,landmarks" + 135 * ","]
    lines += [",".join(map(repr, (1.5, 150.0, 150.0, *one.ravel().tolist()))) for one in points]
    (folder / "faces.csv").write_text(
        "\n".join([lines[0], *(f"{n},{one}" for n, one in zip(names, lines[1:], strict=True))])
    )
    rows = [np.concatenate([face, np.ones((68, 1))], 1).ravel().tolist() for face in guess]
    samples = [
        Prediction(image, [{"index": n, "keypoints": row} for n, row in enumerate(rows) if names[n] == image])
        for image in dict.fromkeys(names)
    ]
    ids: list[int | str] = list(dict.fromkeys(names))
    return Case(metric, folder / "faces.csv", folder / metric.prediction_file, ids, samples)
