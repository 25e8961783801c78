"""Label maps of streets in Cityscapes' layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import random_streets
from metric_cases import Case

from hrbench.types import Prediction

METRICS = ("cityscapes",)


def case(metric: Any, folder: Path) -> Case:
    """Each scene shows 24 of the 34 labels at most, so that a class is missing in some."""
    rng, index = np.random.default_rng(3), np.zeros(34, np.uint8)
    index[list(random_streets.EVALUATED)] = np.arange(len(random_streets.EVALUATED))
    samples = []
    for number in range(12):
        city = ("aachen", "bochum", "ulm")[number % 3]
        name = f"{city}/{city}_{number:06d}_000019"
        shown = rng.permutation(34)[: rng.integers(12, 25)]
        truth, instances, guess = random_streets.scene(rng, shown)
        for kind, array in (("labelIds", truth), ("instanceIds", instances)):
            random_streets.save(folder / f"gtFine/val/{name}_gtFine_{kind}.png", array)
        samples.append(Prediction(name, index[np.where(np.isin(guess, shown), guess, shown[0])]))
    samples.sort(key=lambda sample: str(sample.sample))
    names = [sample.sample for sample in samples]
    return Case(metric, folder / "gtFine/val", folder / metric.prediction_file, names, samples)
