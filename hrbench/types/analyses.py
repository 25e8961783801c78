"""Why a score is what it is: an error analysis as plain data, which any page, terminal or program can show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class AnalysisTable:
    """Numbers in rows and columns.

    key: short and stable, such as "errors"; unique in its analysis.
    title: what the table shows.
    definition: how its numbers are made, in a sentence or two.
    source: of the definition, "" if it is hrbench's own.
    rows: labels of the R rows.
    columns: headings of the C columns.
    units: of each column: "fraction", "count", "px" or "" for a plain number.
    values: (R, C) float64; NaN for a number that does not exist.
    reasons: why a number does not exist, by (row, column).
    main: number of the column to show as bars; None if none is worth it.
    """

    key: str
    title: str
    definition: str
    source: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    reasons: Mapping[tuple[int, int], str] = field(default_factory=dict)
    main: int | None = None


@dataclass(frozen=True, slots=True)
class AnalysisCurves:
    """Lines over one axis.

    key, title, definition, source: as of a table.
    x_label, y_label: of the axes, with units.
    names: of the K lines.
    x: (N,) float64, rising; shared by all lines.
    y: (K, N) float64; NaN if a line has no value there.
    diagonal: whether y = x is drawn for comparison, as in a reliability diagram.
    """

    key: str
    title: str
    definition: str
    source: str
    x_label: str
    y_label: str
    names: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    diagonal: bool = False


@dataclass(frozen=True, slots=True)
class AnalysisMatrix:
    """Counts of one thing against another, such as a confusion matrix.

    key, title, definition, source: as of a table.
    row_label, column_label: what rows and columns are, such as "ground truth" and "prediction".
    rows: labels of the R rows.
    columns: labels of the C columns.
    counts: (R, C) int64, none negative.
    """

    key: str
    title: str
    definition: str
    source: str
    row_label: str
    column_label: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: np.ndarray


AnalysisSection = AnalysisTable | AnalysisCurves | AnalysisMatrix


@dataclass(frozen=True, slots=True)
class Analysis:
    """Why a metric's scores are what they are.

    metric: its name.
    version: of its analysis, which has nothing to do with the metric's own: raised when a number would change.
    params: JSON values that the numbers depend on, such as thresholds.
    sections: in the order to show them.
    """

    metric: str
    version: int
    params: Mapping[str, Any]
    sections: tuple[AnalysisSection, ...]
