"""The figures of the page: plots for each table, strips of latency samples, rendered predictions."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hrbench.core import units
from hrbench.cost.quantities import described
from hrbench.judge.comparability import comparison_key
from hrbench.report.grid import Table, TableRow
from hrbench.report.pareto import fronts
from hrbench.report.plots import Point, accuracy_against_cost
from hrbench.report.rows import family, is_miniature, title_of
from hrbench.report.summary import headline
from hrbench.report.table_cells import cost_conditions, cost_of, unstable_text
from hrbench.types import Better, Conditions, Measurement, Result

_IMAGES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}
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


@dataclass(frozen=True, slots=True)
class LatencyStrip:
    """One latency: the network, the conditions, and its samples as SVG.

    p90, p99: their upper bounds; "" with too few samples.
    stability: whether it is stable, with all reasons.
    """

    name: str
    model: str
    conditions: str
    median: str
    p90: str
    p99: str
    samples: str
    drawing: str
    stability: str
    unstable: bool


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """One rendered prediction.

    uri: its bytes as a data URI, "" if the file is missing.
    kind: "worst" or "typical".
    caption: also says that a file is missing.
    """

    uri: str
    kind: str
    caption: str


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
        label = f"{row.cells[0].text} {size}".rstrip()
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


def strips(results: Sequence[Result], labels: Sequence[str]) -> list[LatencyStrip]:
    """A strip for every latency that has samples, all on one logarithmic axis of seconds.

    labels: of the results.
    """
    timed = [
        (result, label, cost)
        for result, label in zip(results, labels, strict=True)
        for cost in result.costs
        if cost.quantity.unit == "seconds" and any(sample > 0 for sample in cost.samples)
    ]
    samples = [sample for *_, cost in timed for sample in cost.samples if sample > 0]
    low, high = (min(samples), max(samples)) if samples else (1.0, 1.0)
    return [_strip(result, label, cost, low, high) for result, label, cost in timed]


_SHOWN = ("batch", "dtype", "device", "threads", "mode")


def _strip(result: Result, label: str, cost: Measurement, low: float, high: float) -> LatencyStrip:
    shown = {key: text for key, text in cost_conditions(cost.conditions) if key in _SHOWN}
    conditions = ", ".join(text if key in ("dtype", "device") else f"{key} {text}" for key, text in shown.items())
    return LatencyStrip(
        name=result.name,
        model=f"{label} {units.size(result.entry.variant.input)}".rstrip() + _mark(result),
        conditions=conditions,
        median="" if cost.value is None else units.show(cost.value, "seconds"),
        p90=_bound(cost.conditions.p90_bound),
        p99=_bound(cost.conditions.p99_bound),
        samples=f"{len(cost.samples):,}",
        drawing=_strip_svg(cost.samples, cost.value, low, high),
        stability=_stability(cost.conditions),
        unstable=bool(unstable_text(cost)),
    )


def _bound(seconds: float | None) -> str:
    return "" if seconds is None else units.show(seconds, "seconds")


def _stability(conditions: Conditions) -> str:
    """Whether a latency is stable, in words; "" if nobody looked."""
    return ": ".join(part for part in (conditions.stability, "; ".join(conditions.stability_reasons)) if part)


def _strip_svg(samples: Sequence[float], median: float | None, low: float, high: float) -> str:
    """SVG with a tick for each sample (for quantiles if there are very many), and a taller one for the median."""
    width, height = 220.0, 18.0

    def position(value: float) -> str:
        span = math.log(high / low)
        share = math.log(max(value, low) / low) / span if span else 0.5
        return f"{2 + share * (width - 4):.1f}"

    ordered = sorted(sample for sample in samples if sample > 0)
    if len(ordered) > 120:
        ordered = [ordered[round(index * (len(ordered) - 1) / 119)] for index in range(120)]
    ticks = "".join(f"M{position(sample)} 5v8" for sample in ordered)
    text = f"{len(samples)} samples from {units.duration(min(samples))} to {units.duration(max(samples))}"
    main = "" if median is None else f'<path class="median" d="M{position(median)} 1v16"/>'
    return (
        f'<svg class="strip" role="img" aria-label="{text}" viewBox="0 0 {width:g} {height:g}">'
        f'<title>{text}</title><path class="axis" d="M0 9H{width:g}"/><path class="ticks" d="{ticks}"/>{main}</svg>'
    )


def rendered_images(result: Result, folder_of: Callable[[Result], Path]) -> list[RenderedImage]:
    """The rendered images of one result, worst ones first; of a missing file only the caption."""
    order = {"worst": 0, "typical": 1}
    found = []
    for drawing in sorted(result.drawings, key=lambda drawing: order.get(drawing.kind, 2)):
        uri = data_uri(folder_of(result), drawing.file)
        caption = drawing.caption or f"image {drawing.sample}"
        found.append(
            RenderedImage(uri, drawing.kind, caption if uri else f"{caption} (the file {drawing.file} is not there)")
        )
    return found


def data_uri(folder: Path, file: str) -> str:
    """An image as a data URI; "" for a file that is missing, is no image, or lies outside the folder."""
    path = (folder / file).resolve()
    kind = _IMAGES.get(path.suffix.lower())
    if kind is None or not path.is_relative_to(folder.resolve()) or not path.is_file():
        return ""
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _mark(result: Result) -> str:
    return " (miniature)" if is_miniature(result) and "miniature" not in title_of(result).lower() else ""
