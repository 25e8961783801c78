"""Images per second against latency over batches, a line a network: a plot, and the table behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hrbench.core import units
from hrbench.report.drawing import INK, PAPER, colours_of, drawn, frame, line, logarithmic
from hrbench.report.plot_groups import plot_groups
from hrbench.report.plot_labels import Point, label_points
from hrbench.report.table_cells import unstable_text
from hrbench.types import Measurement, Result

_LOG_SPAN = 2.5
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
    drawing: str
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


def throughput_against_latency(curves: Sequence[tuple[str, Measurement]], name: str) -> str:
    """An inline `<svg>`: for each network its batches joined by a line, the knee as a larger point.

    curves: label and throughput of each network.
    name: prefix of the identifiers, unique in a page.
    """
    colours = colours_of([label for label, _ in curves])

    def draw(axes: Any) -> dict[str, str]:
        frame(axes, "Latency of a pass, p50 (ms)", "Throughput (img/s)")
        points = [one for _, cost in curves for one in cost.conditions.curve]
        _scale(axes, "x", [units.shown(one.p50, "seconds") for one in points])
        _scale(axes, "y", [one.rate for one in points])
        tooltips, knees = {}, []
        for number, (label, cost) in enumerate(curves):
            tooltips |= _curve(axes, label, cost, colours[label], f"{name}-{number}")
            knee = next(one for one in cost.conditions.curve if one.batch == cost.conditions.knee)
            knees.append(Point(label, label, label, units.shown(knee.p50, "seconds"), knee.rate))
        label_points(axes, knees, [(units.shown(one.p50, "seconds"), one.rate) for one in points])
        return tooltips

    title = f"Throughput against latency over batches for {units.amount(len(curves), 'network')}"
    return drawn(name, title, lambda: _keys(curves), draw)


def _scale(axes: Any, which: str, values: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = min(values), max(values)
    if high > _LOG_SPAN * low:
        pad = (high / low) ** 0.08
        logarithmic(axes, which, low / pad, high * pad * (1.25 if which == "x" else 1))
        return
    getattr(axes, f"set_{which}lim")(0, 1.25 * high)
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))


def _curve(axes: Any, label: str, cost: Measurement, colour: str, name: str) -> dict[str, str]:
    """One network; identifiers of its points -> their tooltips."""
    disturbed = unstable_text(cost)
    ink, alpha = (INK, 0.45) if disturbed else (colour, 1.0)
    xs = [units.shown(one.p50, "seconds") for one in cost.conditions.curve]
    ys = [one.rate for one in cost.conditions.curve]
    if len(xs) > 1:
        line(axes, xs, ys, color=ink, linewidth=1.3, alpha=0.7 * alpha, zorder=2, linestyle="--" if disturbed else "-")
    tooltips = {}
    for x, y, one in zip(xs, ys, cost.conditions.curve, strict=True):
        knee = one.batch == cost.conditions.knee
        gid = f"{name}-batch-{one.batch}"
        size = 9 if knee else 4.5
        line(axes, [x], [y], marker="D" if knee else "o", ms=size, mfc=ink, mec=PAPER, mew=0.7, alpha=alpha,
             zorder=5 if knee else 4, gid=gid)  # fmt: skip
        facts = [label, f"batch {one.batch}{', the knee' if knee and cost.conditions.knee_found else ''}"]
        facts += [units.with_unit(y, "rate"), f"{units.with_unit(one.p50, 'seconds')} a pass", disturbed]
        tooltips[gid] = "\n".join(filter(None, facts))
    return tooltips


def _keys(curves: Sequence[tuple[str, Measurement]]) -> list[Any]:
    from matplotlib.lines import Line2D

    every = [cost for _, cost in curves]
    keys = [Line2D([], [], marker="o", ls="-", ms=4.5, color=INK, label="batches, doubling")]
    if any(one.conditions.knee_found for one in every):
        keys.append(Line2D([], [], marker="D", ls="", ms=8, color=INK, label="knee"))
    if not all(one.conditions.knee_found for one in every):
        keys.append(Line2D([], [], marker="D", ls="", ms=8, color=INK, label="largest measured, no knee yet"))
    if any(unstable_text(one) for one in every):
        keys.append(Line2D([], [], marker="o", ls="--", ms=4.5, color=INK, alpha=0.45, label="unstable"))
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
