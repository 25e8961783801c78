"""What the laws of metrics are tried on. A new metric is a module more in this folder, or a name more in one of them.

Each module has `METRICS`, the names of the metrics that it draws for, and `case(metric, folder)`.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

from metric_cases.case import Case

__all__ = ["Case", "case_of", "modules"]


def modules() -> list[ModuleType]:
    """The modules of this folder that draw cases."""
    names = sorted(one.name for one in pkgutil.iter_modules(__path__) if one.name != "case")
    return [importlib.import_module(f"{__name__}.{name}") for name in names]


def case_of(metric: Any, folder: Path) -> Case:
    """Ground truth and predictions for a metric, written below `folder`; AssertionError if not one module draws it."""
    drawers = [module for module in modules() if metric.name in module.METRICS]
    assert drawers, (
        f"no law is tried on the metric {metric.name}: write a module in tests/helpers/metric_cases with METRICS = "
        f"('{metric.name}',) and a function case(metric, folder), or add the name to one of these"
    )
    assert len(drawers) == 1, f"the metric {metric.name} is drawn by {' and '.join(one.__name__ for one in drawers)}"
    return drawers[0].case(metric, folder)
