"""Rows of a table under the headings of their groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hrbench.report.grid import TableRow


def grouped_rows(rows: Sequence[TableRow]) -> list[TableRow]:
    """Rows of one group together, groups in the order of their first row.

    A heading that repeats a name is left out: that of a single group, of a row with the name of its group, and all of
    them if no group has several rows. Rows without a heading come first: they belong to no group.
    """
    sizes = Counter(row.group for row in rows)
    if len(sizes) == 1 or all(size == 1 and _repeats(row, row.group) for row in rows if (size := sizes[row.group])):
        return [replace(row, group="") for row in rows]
    rows = [replace(row, group="") if sizes[row.group] == 1 and row.group in _names(row) else row for row in rows]
    order = dict.fromkeys(["", *(row.group for row in rows)])
    return [row for group in order for row in rows if row.group == group]


def _names(row: TableRow) -> list[str]:
    """The names of a row: the entry's, and the text of its first cell."""
    return [row.name, *(cell.text for cell in row.cells[:1] if cell.kind == "text")]


def _repeats(row: TableRow, group: str) -> bool:
    return any(name.startswith(group) for name in _names(row))
