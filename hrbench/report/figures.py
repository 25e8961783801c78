"""The figures of the page: plots for each table."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hrbench.core import units
from hrbench.cost.quantities import described
from hrbench.judge.comparability import comparison_key
from hrbench.report.grid import Table, TableRow
from hrbench.report.pareto import fronts
from hrbench.report.plots import Point, accuracy_against_cost
from hrbench.report.rows import family, title_of
from hrbench.report.summary import headline
from hrbench.report.table_cells import cost_of, unstable_text
from hrbench.types import Better, Result

_AXES = (
    ("macs", {}, "GMACs"),
    ("parameters", {}, "Parameters (M)"),
    ("latency", {"batch": 1}, "Latency at batch 1 (ms)"),
    ("throughput", {}, "Throughput (img/s)"),
    ("memory-peak", {"batch": 1}, "Peak memory at batch 1 (MiB)"),
    ("energy", {"batch": 1}, "Energy at batch 1 (J/img)"),
)


@dataclass(frozen=True, slots=True)
class Plot:
    """Accuracy of one table's headline against several costs.

    drawings: (name of the cost, SVG).
    measured, published: whether points of this kind are shown.
    """

    name: str
    title: str
    drawings: tuple[tuple[str, str], ...]
    measured: bool
    published: bool


def plots(results: Sequence[Result], tables: Sequence[Table]) -> list[Plot]:
    """A plot for each table with a headline accuracy that is measured, or published with known costs."""
    found = []
    for table in tables:
        index = headline(table)
        if index is None:
            continue
        drawings = []
        for number, (cost, where, label) in enumerate(_AXES):
            points = _points(table, index, results, cost, where)
            if len(points) > 1:
                unit = table.columns[index]
                name = f"plot-{table.name}-{number}".replace(" ", "-")
                drawings.append((label, accuracy_against_cost(points, name, label, f"{unit.heading} ({unit.unit})")))
        if drawings:
            measured = any(row.cells[index].values for row in table.rows if row.limited is None)
            published = any(_published(table, index, row) for row in table.rows)
            found.append(Plot(table.name, table.title, tuple(drawings), measured, published))
    return found


def _published(table: Table, index: int, row: TableRow) -> bool:
    cells = zip(table.columns, row.cells, strict=True)
    quantity = table.columns[index].quantity
    return any(column.quantity == quantity and column.part == "published" and cell.values for column, cell in cells)


def _points(table: Table, index: int, results: Sequence[Result], cost: str, where: Mapping[str, Any]) -> list[Point]:
    """One point to a row that has this cost and an accuracy, measured or published; limited rows have none."""
    parts = {c.part: i for i, c in enumerate(table.columns) if c.quantity == table.columns[index].quantity}
    points: list[Point] = []
    ranked: list[tuple[Hashable, float, float] | None] = []
    better: Better = "lower"
    for row in table.rows:
        if row.result is None or row.limited is not None:
            continue
        result = results[row.result]
        measured_cost = cost_of(result, cost, where)
        values = row.cells[index].values
        interval = row.cells[parts["interval"]].values if "interval" in parts else ()
        published = row.cells[parts["published"]].values if "published" in parts else ()
        if measured_cost is None or not measured_cost.value or not (values or published):
            continue
        if measured_cost.conditions.dtype not in ("", result.entry.dtype):
            continue  # a point has one dtype
        size = units.size(result.entry.variant.input)
        divisor = described(measured_cost.quantity).divisor
        x = units.shown(measured_cost.value, measured_cost.quantity.unit, divisor)
        label = f"{row.called} {size}".rstrip()
        facts = [label, units.with_unit(measured_cost.value, measured_cost.quantity.unit, own=divisor)]
        if values:
            facts.append(f"{table.columns[index].heading} {row.cells[index].text}")
        disturbed = unstable_text(measured_cost)
        better = measured_cost.quantity.better
        key, peers = comparison_key(result, measured_cost), row.cells[index].peers
        alike = values and key is not None and peers is not None
        ranked.append(((peers, key), values[0], x) if alike else None)
        if disturbed:
            facts.append(disturbed)
        if interval:
            facts.append(f"95 % interval {row.cells[parts['interval']].text}")
        points.append(
            Point(
                label=label,
                family=family(title_of(result)),
                line=(family(title_of(result)), size, row.name if key is None else key),
                x=x,
                y=values[0] if values else None,
                low=interval[0] if interval else None,
                high=interval[1] if interval else None,
                published=published[0] if published else None,
                tooltip="\n".join(facts),
                unstable=bool(disturbed),
            )
        )
    front = fronts(ranked, better)
    return [replace(point, front=place in front) for place, point in enumerate(points)]
