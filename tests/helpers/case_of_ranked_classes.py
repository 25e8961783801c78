"""Ranked classes of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from metric_cases import Case

from hrbench.types import Prediction

METRICS = ("topk",)


def case(metric: Any, folder: Path) -> Case:
    rng = np.random.default_rng(0)
    images: list[int | str] = [f"{name}/{number}" for number in range(5) for name in ("cat", "dog", "emu", "yak")]
    valid = {image: rng.choice(8, size=rng.integers(0, 3), replace=False).tolist() for image in images}
    (folder / "valid.json").write_text(json.dumps(valid))
    samples = [Prediction(image, (rng.permutation(8)[:5], np.sort(rng.random(5))[::-1])) for image in images]
    return Case(metric, folder / "valid.json", folder / metric.prediction_file, images, samples)
