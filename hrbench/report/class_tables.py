"""Tables of numbers of single classes: a row for each class and a column for each network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hrbench.core import units
from hrbench.report.grid import Column, Table, TableRow
from hrbench.report.layout import ColumnLayout, TableLayout
from hrbench.report.part_cells import ranks
from hrbench.report.row_groups import sections
from hrbench.report.rows import row_labels
from hrbench.report.table_cells import Cell, column_value, unit_of
from hrbench.report.table_columns import quantity_of
from hrbench.report.table_remarks import caption_of
from hrbench.report.words import joined, limited_text
from hrbench.types import Result


def class_table(layout: TableLayout, results: Mapping[int, Result]) -> Table:
    """The table of a layout whose columns are classes, with rows and columns exchanged.

    results: place among all results -> those that it shows.
    """
    shown = [result for result in results.values() if any(_has(result, column) for column in layout.columns)]
    below = sections(shown)
    labels = _labels(shown, below)
    first = quantity_of(layout.columns[0], shown)
    unit, better = unit_of(layout.columns[0], first), first.better if first is not None else "higher"
    columns = [Column("class", "Class", "text", 0)]
    for number, (result, label, section) in enumerate(zip(shown, labels, below, strict=True), 1):
        columns.append(Column(result.name, label, "measured", number, section, units.NAMES[unit], better))
    order = sorted(range(len(shown)), key=lambda place: [*dict.fromkeys(below)].index(below[place]))
    kept = [columns[0], *(columns[place + 1] for place in order)]
    rows = [_row(column, shown, order) for column in layout.columns]
    text = f"{layout.caption} In {units.NAMES[unit]}. Bold: the best of a class."
    return Table(
        layout.name, layout.title, caption_of(text, shown), tuple(kept), tuple(rows), folded=layout.folded,
        notes=layout.notes,
    )  # fmt: skip


def _has(result: Result, column: ColumnLayout) -> bool:
    return column_value(result, column).value is not None


def _labels(results: Sequence[Result], below: Sequence[str]) -> list[str]:
    """What columns are called: networks, with their inputs where these differ."""
    labels = row_labels(results, sections=below)
    if len({*labels}) < len(labels):
        sizes = [units.size(result.entry.variant.input) for result in results]
        labels = [f"{label} {size}".rstrip() for label, size in zip(labels, sizes, strict=True)]
    limits = [limited_text(result.limited) if result.limited is not None else "" for result in results]
    return [f"{label} ({limit})" if limit else label for label, limit in zip(labels, limits, strict=True)]


def _row(column: ColumnLayout, results: Sequence[Result], order: Sequence[int]) -> TableRow:
    """One class."""
    found = [column_value(result, column) for result in results]
    quantity = quantity_of(column, results)
    ranked = ranks(found, column, quantity)
    cells = []
    for fact, rank in zip(found, ranked, strict=True):
        if fact.value is None:
            cells.append(Cell("–", "empty", reason=joined(fact.reasons), conditions=fact.conditions))
            continue
        unit = unit_of(column, quantity)
        cell = Cell(units.show(fact.value, unit), "measured", (units.shown(fact.value, unit),), rank == "best")
        cells.append(replace(cell, detail=fact.detail, conditions=fact.conditions))
    name = column.label or column.name
    return TableRow(name, "measured", (Cell(name, "text"), *(cells[place] for place in order)))
