"""How an error analysis is shown, on a page as in a terminal: texts of its numbers, and which of many to show."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hrbench.core import units
from hrbench.types import Analysis, AnalysisMatrix, AnalysisSection, AnalysisTable

TENS = 0.1
"""From this fraction on (10 points), one decimal tells enough; a column of smaller ones has two."""


def texts(table: AnalysisTable) -> list[list[str]]:
    """(R, C) texts: fractions in points, counts whole, "–" for a number that does not exist.

    >>> values = np.array([[0.0123, 4.0, 1.5], [0.004, np.nan, 0.25]])
    >>> texts(AnalysisTable("t", "T", "", "", ("a", "b"), ("x", "y", "z"), ("fraction", "count", "px"), values))
    [['1.23', '4', '1.5'], ['0.40', '–', '0.25']]
    """
    columns = [
        [_text(value, unit, small) for value in column.tolist()]
        for column, unit, small in zip(table.values.T, table.units, _are_small(table), strict=True)
    ]
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in table.rows]


def _are_small(table: AnalysisTable) -> list[bool]:
    """Whether all numbers of a column are below `TENS`."""
    return [bool((np.abs(column[~np.isnan(column)]) < TENS).all()) for column in table.values.T]


def _text(value: float, unit: str, small: bool) -> str:
    if value != value:
        return "–"
    if unit == "fraction":
        return units.show(value, "fraction", 2 if small else 1)
    if unit == "count":
        return f"{value:,.0f}".replace("-", units.MINUS)
    return f"{value:,.{4 if abs(value) >= 1000 else 3}g}".replace("-", units.MINUS)


def heading(table: AnalysisTable, column: int) -> str:
    """A column's heading with its unit where that is not plain."""
    return f"{table.columns[column]} (px)" if table.units[column] == "px" else table.columns[column]


def bars(table: AnalysisTable) -> list[float] | None:
    """(R,) how long the bar of each row is, in parts of the longest; None if no column has bars."""
    if table.main is None or not len(table.rows):
        return None
    size = np.abs(np.nan_to_num(table.values[:, table.main]))
    return (size / max(float(size.max()), 1e-300)).tolist()


class Chosen(NamedTuple):
    """The rows of a table to show. how: by which rule, if not all; "" if all. left: how many are not among them."""

    rows: list[int]
    how: str = ""
    left: int = 0


def chosen(table: AnalysisTable, most: int, some: int) -> Chosen:
    """All rows if they are at most `most`, else `some` of them: those that weigh most by the main number."""
    every = list(range(len(table.rows)))
    if len(every) <= most:
        return Chosen(every)
    if table.main is None:
        return Chosen(every[:some], "the first", len(every) - some)
    values = table.values[:, table.main]
    most_first = _weighs_by_much(table, table.main)
    order = np.argsort(np.where(np.isnan(values), np.inf, -values if most_first else values), kind="stable")
    how = f"the {'largest' if most_first else 'lowest'} {table.columns[table.main]}"
    return Chosen(order[:some].tolist(), how, len(every) - some)


class Confusion(NamedTuple):
    """A pair of a matrix. share: of its row."""

    row: str
    column: str
    count: int
    share: float


def confusions(matrix: AnalysisMatrix, most: int) -> list[Confusion]:
    """The pairs of different things that occur most often, at most `most`, those of one count in the matrix' order.

    >>> counts = np.array([[5, 2, 0], [3, 9, 3]])
    >>> found = confusions(AnalysisMatrix("m", "M", "", "", "t", "p", ("a", "b"), ("a", "b", "none"), counts), 2)
    >>> [(one.row, one.column, one.count, one.share) for one in found]
    [('b', 'a', 3, 0.2), ('b', 'none', 3, 0.2)]
    """
    counts = matrix.counts.copy()
    place = {name: column for column, name in enumerate(matrix.columns)}
    for row, name in enumerate(matrix.rows):
        if name in place:
            counts[row, place[name]] = 0
    flat, totals = counts.ravel(), matrix.counts.sum(axis=1)
    order = np.argsort(-flat, kind="stable")[:most]
    pairs = [divmod(int(one), counts.shape[1]) for one in order if flat[one] > 0]
    return [
        Confusion(matrix.rows[row], matrix.columns[column], int(counts[row, column]), share)
        for row, column in pairs
        for share in [float(counts[row, column] / totals[row])]
    ]


def is_told_by_pairs(section: AnalysisSection, analysis: Analysis, most: int) -> bool:
    """Whether a section is a matrix too large to be shown whole, whose pairs a table of the analysis has already.

    most: columns of a matrix that is shown whole.
    """
    paired = any(one.key == "confusions" for one in analysis.sections)
    return isinstance(section, AnalysisMatrix) and len(section.columns) > most and paired


_HARM = ("dap", "cost", "gained", "lost", "error", "confus")
"""Words in headings of fractions that tell harm: of other fractions, such as an AP, the lowest is what to look at."""


def _weighs_by_much(table: AnalysisTable, column: int) -> bool:
    """Whether a large number of a column is what to look at: a count, or a share of harm."""
    heading = table.columns[column].lower()
    return table.units[column] == "count" or any(word in heading for word in _HARM)


def headline(analysis: Analysis) -> str:
    """What weighs most in the first table that has bars, such as the dearest error or the worst joint; "" if none does.

    >>> values = np.array([[0.01], [0.12]])
    >>> table = AnalysisTable("t", "T", "", "", ("a", "b"), ("dAP",), ("fraction",), values, main=0)
    >>> headline(Analysis("m", 1, {}, (table,)))
    'largest dAP: b, 12.0'
    >>> right = AnalysisTable("t", "T", "", "", ("hip", "wrist"), ("PCKh@0.5",), ("fraction",), values[::-1], main=0)
    >>> headline(Analysis("m", 1, {}, (right,)))
    'lowest PCKh@0.5: wrist, 1.0'
    """
    for one in analysis.sections:
        if isinstance(one, AnalysisTable) and one.main is not None and len(one.rows):
            values = one.values[:, one.main]
            if not (np.nan_to_num(values) > 0).any():
                return ""
            much = _weighs_by_much(one, one.main)
            row = int(np.nanargmax(values) if much else np.nanargmin(values))
            which = "most" if one.units[one.main] == "count" else "largest" if much else "lowest"
            return f"{which} {one.columns[one.main]}: {one.rows[row]}, {texts(one)[row][one.main]}"
    return ""
