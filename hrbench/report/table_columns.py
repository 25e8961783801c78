"""The columns of a table: which of a layout's have something to show, their quantities and headings."""

from __future__ import annotations

from collections.abc import Sequence

from hrbench.core import units
from hrbench.report.grid import Column
from hrbench.report.layout import ColumnLayout
from hrbench.report.rows import text_of
from hrbench.report.table_cells import better_of, column_value, find_measurement, unit_of
from hrbench.report.words import name_apart
from hrbench.types import Quantity, Result


def is_used(column: ColumnLayout, results: Sequence[Result]) -> bool:
    """Whether a column is shown: not a cost without measurements, nor a `varies` text that is equal in all rows."""
    if column.source == "text":
        return not column.varies or len({text_of(result, column.name)[0] for result in results}) > 1
    if column.source == "score" or "published" in column.parts:
        return True
    return any(column_value(result, column).quantity is not None for result in results)


def quantity_of(column: ColumnLayout, results: Sequence[Result]) -> Quantity | None:
    """What a column shows; None for a text, and if no result has it."""
    if column.source == "text":
        return None
    return next((q for result in results if (q := column_value(result, column).quantity) is not None), None)


def metric_of(column: ColumnLayout, results: Sequence[Result]) -> str:
    """Which metric computed what a score's column shows; "" for a text, a cost, and if no result has it."""
    if column.source != "score" or column.metric:
        return column.metric
    found = (find_measurement(result.scores, column.name) for result in results)
    return next((one.metric for one in found if one is not None), "")


def columns_of(
    layouts: Sequence[ColumnLayout], quantities: Sequence[Quantity | None], metrics: Sequence[str] = ()
) -> list[Column]:
    """A column for each part of each layout.

    quantities: of each layout.
    metrics: that compute them, "" for a text or a cost; () for those that the layouts name.
    """
    metrics = metrics or [layout.metric for layout in layouts]
    columns = []
    for index, (layout, quantity) in enumerate(zip(layouts, quantities, strict=True)):
        heading = layout.label or (quantity.label if quantity else "") or layout.name
        if layout.source == "text":
            columns.append(Column(layout.name, layout.label or heading.capitalize(), "text", index, layout.group))
            continue
        unit = units.NAMES[unit_of(layout, quantity)]
        where = "".join(f" {key}={value}" for key, value in layout.where.items())
        # box and mask AP of one table are both called AP
        alike = any(one.name == layout.name and one.metric != layout.metric for one in layouts)
        name = f"{layout.metric}/{layout.name}" if alike and layout.metric else layout.name
        for part in layout.parts:
            columns.append(
                Column(
                    key=f"{name}{where}{'' if part == 'measured' else '.' + part}",
                    heading=heading,
                    part=part,
                    quantity=index,
                    group=layout.group,
                    unit=unit,
                    better=better_of(layout, quantity) if part in ("measured", "published") else "higher",
                    description=quantity.description if quantity else "",
                    cost=layout.source == "cost",
                    label=_alone(layout, quantity, alike),
                    machine=_machine(layout, metrics[index]),
                )
            )
    return columns


def _alone(layout: ColumnLayout, quantity: Quantity | None, alike: bool) -> str:
    """What a score is called outside its table. alike: whether a column has another metric's number of that name."""
    if layout.source != "score" or quantity is None:
        return ""
    label = quantity.label or layout.label or layout.name
    return name_apart(layout.metric, label) if alike and layout.metric else label


def _machine(layout: ColumnLayout, metric: str) -> str:
    return f"{metric}/{layout.name}" if metric else layout.name


def remark_names(layouts: Sequence[ColumnLayout], quantities: Sequence[Quantity | None]) -> list[tuple[str, str]]:
    """What remarks call each layout's column: as one of its quantity, all stages of a pipeline as one; and alone."""
    names = []
    for layout, quantity in zip(layouts, quantities, strict=True):
        short = (quantity.label if quantity and quantity.label else layout.name).partition(": ")[0]
        under = ", ".join(str(value) if key == "dtype" else f"{key} {value}" for key, value in layout.where.items())
        names.append((short, f"{short} ({under})" if under else short))
    return names
