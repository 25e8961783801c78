"""Accuracy against every cost that was measured: a figure for each table and cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hrbench.core import units
from hrbench.cost.quantities import described, is_per_batch
from hrbench.judge.comparability import comparison_key
from hrbench.report.grid import Table, TableRow
from hrbench.report.interval_plot import IntervalPlot, interval_plots
from hrbench.report.pareto import fronts
from hrbench.report.plots import Point, accuracy_against_cost
from hrbench.report.rows import family, title_of
from hrbench.report.scene import Artwork
from hrbench.report.summary import headline
from hrbench.report.table_cells import cost_of, unstable_text
from hrbench.types import Better, Measurement, Quantity, Result

_LABELS = {
    "macs": "GMACs", "macs-on-images": "GMACs on images", "parameters": "Parameters (M)", "latency": "Latency (ms)",
    "throughput": "Throughput (img/s)", "end-to-end": "End to end (ms)", "memory-peak": "Peak memory (MiB)",
    "energy": "Energy (J/img)",
}  # fmt: skip
"""Costs in the order of their figures; those of user-defined probes follow."""
_WITHOUT = (
    "flops", "fvcore", "mmengine", "hrnet-paper", "buffers", "activations", "frames-per-second", "intensity",
    "attainable", "reached", "output_difference", "relative_difference", "memory-",  "end-to-end-", "flops-on-images",
    "fvcore-on-images", "mmengine-on-images", "activations-on-images",
)  # fmt: skip
"""Costs without a figure: parts of another one, or the same counted by another convention. Ends of "-" are prefixes."""


@dataclass(frozen=True, slots=True)
class Plot:
    """Accuracy of one table's headline against several costs.

    drawings: (name of the cost, figure), and at last ("Intervals", figure) where there are some.
    measured, published: whether points of this kind are shown.
    intervals: the scores of this table with their intervals; None without.
    """

    name: str
    title: str
    drawings: tuple[tuple[str, Artwork], ...]
    measured: bool
    published: bool
    intervals: IntervalPlot | None = None


@dataclass(frozen=True, slots=True)
class _CostAxis:
    """A cost, and what it is called. where: conditions that it is looked for under."""

    name: str
    label: str
    where: Mapping[str, Any]


def plots(results: Sequence[Result], tables: Sequence[Table]) -> list[Plot]:
    """A plot for each table with a headline accuracy that is measured, or published with known costs."""
    intervals = {plot.name: plot for plot in interval_plots(tables)}
    found = []
    for table in tables:
        index = headline(table)
        if index is None:
            continue
        drawings = []
        column = table.columns[index]
        for axis in _axes([results[row.result] for row in table.rows if row.result is not None]):
            points, better = _points(table, index, results, axis)
            if len(points) > 1:
                y_label = column.measure
                art = accuracy_against_cost(points, f"{table.name}-{axis.name}", axis.label, y_label, better)
                drawings.append((axis.label, art))
        beside = intervals.get(table.name)
        if beside is not None:
            drawings.append(("Intervals", beside.drawing))
        if drawings:
            measured = any(row.cells[index].values for row in table.rows if row.limited is None)
            published = any(_published(table, index, row) for row in table.rows)
            found.append(Plot(table.name, table.title, tuple(drawings), measured, published, beside))
    return found


def _axes(results: Sequence[Result]) -> list[_CostAxis]:
    """The costs that some of these results have, each at the batch that most have, at 1 if any was measured there."""
    quantities: dict[str, Quantity] = {}
    batches: dict[str, Counter[int]] = {}
    for result in results:
        for cost in result.costs:
            if cost.value and _has_figure(cost):
                quantities.setdefault(cost.quantity.name, cost.quantity)
                if cost.conditions.batch is not None and _depends_on_batch(cost.quantity):
                    batches.setdefault(cost.quantity.name, Counter())[cost.conditions.batch] += 1
    order = {name: place for place, name in enumerate(_LABELS)}
    found = []
    for name in sorted(quantities, key=lambda name: order.get(name, len(order))):
        counted = batches.get(name)
        at = None if not counted else 1 if 1 in counted else counted.most_common(1)[0][0]
        found.append(_CostAxis(name, _label(quantities[name], at), {} if at is None else {"batch": at}))
    return found


def _depends_on_batch(quantity: Quantity) -> bool:
    return is_per_batch(quantity) and quantity.unit not in ("operations", "count")  # these are for one image


def _has_figure(cost: Measurement) -> bool:
    name = cost.quantity.name
    if name in _LABELS:
        return True
    left_out = any(name.startswith(one) if one.endswith("-") else name == one for one in _WITHOUT)
    return not left_out and cost.quantity.better != "neither"


def _label(quantity: Quantity, batch: int | None) -> str:
    """ "Latency at batch 1 (ms)"."""
    label = _LABELS.get(quantity.name) or described(quantity).heading or quantity.label or quantity.name
    if batch is None:
        return label
    words, bracket, unit = label.partition(" (")
    return f"{words} at batch {batch}{bracket}{unit}"


def _published(table: Table, index: int, row: TableRow) -> bool:
    cells = zip(table.columns, row.cells, strict=True)
    quantity = table.columns[index].quantity
    return any(column.quantity == quantity and column.part == "published" and cell.values for column, cell in cells)


def _points(table: Table, index: int, results: Sequence[Result], axis: _CostAxis) -> tuple[list[Point], Better]:
    """One point to a row that has this cost and an accuracy, measured or published; limited rows have none."""
    parts = {c.part: i for i, c in enumerate(table.columns) if c.quantity == table.columns[index].quantity}
    points: list[Point] = []
    ranked: list[tuple[Hashable, float, float] | None] = []
    better: Better = "lower"
    for row in table.rows:
        if row.result is None or row.limited is not None:
            continue
        result = results[row.result]
        cost = cost_of(result, axis.name, axis.where)
        values = row.cells[index].values
        published = row.cells[parts["published"]].values if "published" in parts else ()
        if cost is None or not cost.value or not (values or published):
            continue
        if cost.conditions.dtype not in ("", result.entry.dtype):
            continue  # a point has one dtype
        better = cost.quantity.better
        key, peers = comparison_key(result, cost), row.cells[index].peers
        alike = values and key is not None and peers is not None
        x = units.shown(cost.value, cost.quantity.unit, described(cost.quantity).divisor)
        ranked.append(((peers, key), values[0], x) if alike else None)
        points.append(_point(table, index, row, parts, result, cost, x))
    front = fronts(ranked, better)
    ready = [
        replace(point, front=place in front, peers=known and known[0])
        for place, (point, known) in enumerate(zip(points, ranked, strict=True))
    ]
    return ready, better


def _point(
    table: Table, index: int, row: TableRow, parts: Mapping[str, int], result: Result, cost: Measurement, x: float
) -> Point:
    """A row as a point. parts: part of the headline -> its column; x: the cost as it is shown."""
    values = row.cells[index].values
    interval = row.cells[parts["interval"]].values if "interval" in parts else ()
    published = row.cells[parts["published"]].values if "published" in parts else ()
    size = units.size(result.entry.variant.input)
    label = f"{row.called} {size}".rstrip()
    facts = [label, units.with_unit(cost.value or 0.0, cost.quantity.unit, own=described(cost.quantity).divisor)]
    if values:
        facts.append(f"{table.columns[index].alone} {row.cells[index].text}")
    disturbed = unstable_text(cost)
    facts += [disturbed] if disturbed else []
    if interval:
        facts.append(f"95 % interval {row.cells[parts['interval']].text}")
    key = comparison_key(result, cost)
    return Point(
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
