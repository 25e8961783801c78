"""What the laws of metrics are tried on: files `case_of_*.py` beside this one, found by the metric's name.

Each has `METRICS`, the names of the metrics that it draws for, and `case(metric, folder)`. A new metric is a file more,
or a name more in one of them.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
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


def modules() -> list[ModuleType]:
    """The modules that draw cases."""
    return [importlib.import_module(path.stem) for path in sorted(Path(__file__).parent.glob("case_of_*.py"))]


def case_of(metric: Any, folder: Path) -> Case:
    """Ground truth and predictions for a metric, written below `folder`; AssertionError if not one module draws it."""
    drawers = [module for module in modules() if metric.name in module.METRICS]
    assert drawers, (
        f"no law is tried on the metric {metric.name}: write tests/helpers/case_of_NAME.py with METRICS = "
        f"('{metric.name}',) and a function case(metric, folder), or add the name to one that draws such files"
    )
    assert len(drawers) == 1, f"the metric {metric.name} is drawn by {' and '.join(one.__name__ for one in drawers)}"
    return drawers[0].case(metric, folder)
