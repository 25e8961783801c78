"""A metric with what it is tried on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrbench.types import Prediction, State


@dataclass(frozen=True)
class Case:
    """A metric with ground truth and predictions on disk. ids: all images. samples: predictions, image by image."""

    metric: Any
    truth: Path
    predictions: Path
    ids: list[int | str]
    samples: list[Prediction]

    def measured(self, images: list[int | str] | None = None) -> State:
        target = self.metric.read_target(self.truth)
        return self.metric.measure(self.metric.read_predictions(self.predictions, target), target, images)
