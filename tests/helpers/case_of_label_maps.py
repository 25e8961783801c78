"""Label maps in folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import random_streets
from metric_cases import Case

from hrbench.types import Prediction

METRICS = ("boundary-miou", "miou")


def case(metric: Any, folder: Path) -> Case:
    """Each image shows four of the five classes at most, so that a class is missing in some."""
    rng, ids = np.random.default_rng(1), np.array([1, 2, 5, 6, 9, 0])
    names = [f"{folder_name}/{number:02d}" for folder_name in "ab" for number in range(6)]
    samples = []
    for name in names:
        shown = rng.permutation(5)[: rng.integers(2, 5)]
        labels = rng.choice([*shown, 5], rng.integers(4, 12, 2).tolist())
        random_streets.save(folder / f"labels/{name}.png", ids[labels].astype(np.uint8))
        noise = rng.choice(shown, labels.shape)
        right = np.where(labels == 5, shown[0], labels)
        samples.append(Prediction(name, np.where(rng.random(labels.shape) < 0.5, noise, right)))
    narrow = {} if metric.name == "miou" else {"dilation_ratio": 0.1}
    metric = type(metric)(ids=(1, 2, 5, 6, 9), ignore=(0,), **narrow)
    return Case(metric, folder / "labels", folder / metric.prediction_file, names, samples)
