"""Tables as one CSV file: a line per row, a column per quantity, numbers unrounded and in the unit of the heading."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from hrbench.core.shown_text import shown
from hrbench.report.grid import Column, Table, TableRow
from hrbench.report.table_cells import Cell

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with, as wide characters too, which spreadsheets take for the others."""

FIXED = ("table", "row", "kind", "status", "use", "tags", "reasons")


def render_csv(tables: Sequence[Table]) -> str:
    """All tables, one below the other; a row has values only in the columns of its table.

    report.csv is of `full_tables`, so that its columns are those of what was measured, whatever the layout.

    `row` is the entry's name; `use` is what builds its network; `reasons` say why cells are empty,
    and what disturbed the measurement of those that are not. An interval has two
    columns, low and high.
    """
    headings = list(dict.fromkeys(name for table in tables for column in table.columns for name in _names(column)))
    out = io.StringIO()
    writer = csv.DictWriter(out, [*FIXED, *headings], restval="", lineterminator="\n")
    writer.writerow({key: _clean(key) for key in writer.fieldnames})
    for table in tables:
        for row in table.rows:
            reasons = _reasons(row, table.columns)
            fixed = (table.name, row.name, row.kind, row.status, row.use, "; ".join(row.tags), reasons)
            line = dict(zip(FIXED, fixed, strict=True))
            for column, cell in zip(table.columns, row.cells, strict=True):
                line |= dict(zip(_names(column), _values(column, cell), strict=False))  # an empty cell has none
            writer.writerow({key: _clean(value) for key, value in line.items()})
    return out.getvalue()


def _names(column: Column) -> list[str]:
    if column.part == "text":
        return [column.key]
    unit = f" [{column.unit}]" if column.unit else ""
    if column.part == "interval":
        return [f"{column.key.removesuffix('.interval')}.{end}{unit}" for end in ("low", "high")]
    return [column.key + unit]


def _values(column: Column, cell: Cell) -> list[str]:
    if column.part == "text":
        return [cell.text]
    return [f"{value:.12g}" for value in cell.values]


def _reasons(row: TableRow, columns: Sequence[Column]) -> str:
    empty = [cell.reason for cell in row.cells if cell.kind == "empty" and cell.text]
    # a table without a result that has scores has no cell to say it
    return "; ".join(dict.fromkeys([*(empty or filter(None, [row.why])), *_doubtful(row, columns)]))


def _doubtful(row: TableRow, columns: Sequence[Column]) -> list[str]:
    """What disturbed the measurement of numbers that the row has, each with its column."""
    cells = zip(columns, row.cells, strict=True)
    return [f"{column.key}: {cell.reason}" for column, cell in cells if cell.reason and cell.kind == "measured"]


def _clean(text: str) -> str:
    """A heading or a cell in one line (`shown`), with nothing that a spreadsheet would run as a formula.

    >>> _clean("=1+1"), _clean("-0.1"), _clean("two\\nlines")
    ("'=1+1", '-0.1', 'two lines')
    """
    text = " ".join(shown(text).split())
    if text[:1] in _FORMULA and text:
        try:
            float(text)
        except ValueError:
            return "'" + text
    return text
