"""Images per second against latency over batches, a line a network: a plot, and the table behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hrbench.core import units
from hrbench.report.axes import LOG_SPAN, Area, Axis, Key, chart, padded
from hrbench.report.plot_groups import plot_groups
from hrbench.report.plot_labels import Point, label_points
from hrbench.report.scene import Artwork, Mark, Path, Told, artwork, looks, shaped
from hrbench.report.table_cells import unstable_text
from hrbench.types import Measurement, Result

_NAMED = ("runtime", "threads")
"""Conditions in which the lines of one plot may differ."""


@dataclass(frozen=True, slots=True)
class CurveRow:
    """One batch of a network, as a table writes it. knee: whether it is the network's knee."""

    model: str
    batch: str
    rate: str
    p50: str
    passes: str
    knee: bool
    unstable: bool


@dataclass(frozen=True, slots=True)
class ThroughputPlot:
    """The networks that were measured alike.

    conditions: what they have in common, in words.
    endings: (network, what ended its sweep).
    """

    conditions: str
    drawing: Artwork
    rows: tuple[CurveRow, ...]
    endings: tuple[tuple[str, str], ...]


def throughput_plots(results: Sequence[Result]) -> list[ThroughputPlot]:
    """A plot for all throughputs of one device, dtype and mode; names tell runtimes and numbers of threads apart."""
    groups = plot_groups(results, lambda cost: bool(cost.conditions.curve), ("device", "dtype", "mode"), _NAMED)
    plots = []
    for number, group in enumerate(groups, 1):
        curves = [(name, cost) for _, name, cost in group.members]
        plots.append(
            ThroughputPlot(
                group.conditions,
                throughput_against_latency(curves, f"throughput-{number}"),
                tuple(row for name, cost in curves for row in _rows(name, cost)),
                tuple((name, cost.conditions.ended) for name, cost in curves if cost.conditions.ended),
            )
        )
    return plots


def throughput_against_latency(curves: Sequence[tuple[str, Measurement]], name: str) -> Artwork:
    """For each network its batches joined by a line, the knee as a larger point.

    curves: label and throughput of each network.
    name: of its files.
    """
    look = looks([label for label, _ in curves])
    points = [one for _, cost in curves for one in cost.conditions.curve]
    x = _axis("Latency of a pass, p50 (ms)", [units.shown(one.p50, "seconds") for one in points], 0.16)
    y = _axis("Throughput (img/s)", [one.rate for one in points], 0.08)

    def draw(area: Area) -> Iterator[Mark]:
        knees = []
        for label, cost in curves:
            yield from _curve(area, label, cost, look[label][0])
            knee = next(one for one in cost.conditions.curve if one.batch == cost.conditions.knee)
            knees.append(Point(label, label, label, units.shown(knee.p50, "seconds"), knee.rate))
        yield from label_points(area, knees, [(units.shown(one.p50, "seconds"), one.rate) for one in points])

    title = f"Throughput against latency over batches for {units.amount(len(curves), 'network')}"
    return artwork(name, lambda form: chart(form, title, x, y, _keys(curves), draw))


def _axis(label: str, values: Sequence[float], after: float) -> Axis:
    """Logarithmic, or from 0."""
    low, high = min(values), max(values)
    return padded(label, values, 0.08, after) if high > LOG_SPAN * low else Axis(label, 0, 1.25 * high)


def _curve(area: Area, label: str, cost: Measurement, colour: str) -> Iterator[Mark]:
    """One network."""
    disturbed = unstable_text(cost)
    ink, opacity = ("ink", 0.45) if disturbed else (colour, 1.0)
    curve = cost.conditions.curve
    places = tuple(area(units.shown(one.p50, "seconds"), one.rate) for one in curve)
    if len(places) > 1:
        yield Path((places,), ink, 0.9, opacity=0.7 * opacity, dash="3 2" if disturbed else "")
    for at, one in zip(places, curve, strict=True):
        knee = one.batch == cost.conditions.knee
        facts = [label, f"batch {one.batch}{', the knee' if knee and cost.conditions.knee_found else ''}"]
        facts += [units.with_unit(one.rate, "rate"), f"{units.with_unit(one.p50, 'seconds')} a pass", disturbed]
        shape, radius = ("diamond", 2.9) if knee else ("disc", 1.9)
        mark = shaped(shape, at, radius, fill=ink, stroke="paper", width=0.4, opacity=opacity)
        yield Told((mark,), "\n".join(filter(None, facts)))


def _keys(curves: Sequence[tuple[str, Measurement]]) -> list[Key]:
    every = [cost for _, cost in curves]
    keys = [Key("batches, doubling", shape="disc", line=True)]
    if any(one.conditions.knee_found for one in every):
        keys.append(Key("knee", shape="diamond"))
    if not all(one.conditions.knee_found for one in every):
        keys.append(Key("largest measured, no knee yet", shape="diamond"))
    if any(unstable_text(one) for one in every):
        keys.append(Key("unstable", shape="disc", line=True, dash="3 2", opacity=0.45))
    return keys


def _rows(name: str, cost: Measurement) -> list[CurveRow]:
    under = cost.conditions
    return [
        CurveRow(
            name,
            str(one.batch),
            units.show(one.rate, "rate"),
            units.show(one.p50, "seconds"),
            f"{one.passes:,}",
            one.batch == under.knee and bool(under.knee_found),
            bool(unstable_text(cost)),
        )
        for one in under.curve
    ]
