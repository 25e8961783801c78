"""The heading cells of a table on a page: in several lines, and in another order on a narrow screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from hrbench.report.grid import Column, Table, part_heading, spanning, titled


@dataclass(frozen=True, slots=True)
class Heading:
    """One heading cell.

    label: in full, for screen readers.
    columns, rows: that it spans.
    column: index that it sorts by, None for a heading over several columns.
    first: direction of the first click.
    unit: that the text does not name.
    """

    text: str
    label: str
    columns: int = 1
    rows: int = 1
    column: int | None = None
    first: str = "ascending"
    description: str = ""
    numeric: bool = True
    unit: str = ""


def headings(columns: Sequence[Column]) -> list[list[Heading]]:
    """Heading cells, one list for each line: groups, quantities, their parts; only the lines that the table needs."""
    widths = {column.quantity: sum(c.quantity == column.quantity for c in columns) for column in columns}
    grouped, parted = any(column.group for column in columns), any(width > 1 for width in widths.values())
    lines: list[list[Heading]] = [[] for _ in range(1 + grouped + parted)]
    index = 0
    for group, run in groupby(columns, key=lambda column: column.group):
        members = list(run)
        if group:
            lines[0].append(Heading(group, group, len(members)))
        top = 1 if group else 0  # a quantity without a group begins in the line of the groups
        depth = grouped - top + 1
        for _, same in groupby(members, key=lambda column: column.quantity):
            leaves = list(same)
            if len(leaves) == 1:
                one = _leaf(leaves[0], titled(leaves[0]), index, depth + parted)
                lines[top].append(replace(one, unit=_unit(leaves[0])))
            else:
                text, told, unit = spanning(leaves[0], leaves), _told(leaves[0]), _unit(leaves[0])
                lines[top].append(Heading(text, leaves[0].heading, len(leaves), depth, description=told, unit=unit))
                for offset, leaf in enumerate(leaves):
                    lines[-1].append(_leaf(leaf, part_heading(leaf, leaves), index + offset, 1))
            index += len(leaves)
    return lines


def narrow_order(table: Table, headline: int | None) -> list[int]:
    """Indices of a table's columns as a narrow screen shows them: the model, the main score with all its parts, the
    others; [] if that is their order already.
    """
    if headline is None:
        return []
    quantity = table.columns[headline].quantity
    every = range(len(table.columns))
    main = [index for index in every[1:] if table.columns[index].quantity == quantity]
    order = [0, *main, *(index for index in every[1:] if index not in main)]
    return [] if order == list(every) else order


def narrow_headings(table: Table, order: Sequence[int]) -> list[list[Heading]]:
    """The heading cells of columns in another order; they keep the indices of their columns."""
    lines = headings([table.columns[index] for index in order])
    return [[one if one.column is None else replace(one, column=order[one.column]) for one in line] for line in lines]


def _leaf(column: Column, text: str, index: int, rows: int) -> Heading:
    numeric = column.part != "text"
    first = "descending" if column.better == "higher" and numeric else "ascending"
    return Heading(text, column.full_label, 1, rows, index, first, _told(column), numeric)


def _unit(column: Column) -> str:
    return "" if column.says_unit else column.unit


def _told(column: Column) -> str:
    """What a quantity is, and what files and policies call it."""
    machine = f"In files and policies: {column.machine}." if column.machine else ""
    return " ".join(filter(None, [column.description, machine]))
