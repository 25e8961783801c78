"""A table of an analysis whose missing numbers have one reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hrbench.types import AnalysisTable


def told_table(
    key: str,
    title: str,
    definition: str,
    source: str,
    rows: Sequence[str],
    columns: Sequence[tuple[str, str]],
    values: Any,
    absent: str,
    main: int | None = None,
) -> AnalysisTable:
    """A table whose missing numbers have one reason, `absent`. columns: headings with their units."""
    array = np.asarray(values, np.float64).reshape(len(rows), len(columns))
    reasons = {(int(row), int(column)): absent for row, column in np.argwhere(np.isnan(array))}
    headings, units = tuple(name for name, _ in columns), tuple(unit for _, unit in columns)
    return AnalysisTable(key, title, definition, source, tuple(rows), headings, units, array, reasons, main)
