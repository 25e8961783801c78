"""Plots of accuracy against cost."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from hrbench.report.drawing import INK, PAPER, colours_of, drawn, frame, line, logarithmic, plain
from hrbench.report.plot_labels import Point, label_points

_LOG_SPAN = 2.5  # costs that span more than this factor lie on a logarithmic axis


def accuracy_against_cost(points: Sequence[Point], name: str, x_label: str, y_label: str) -> str:
    """An inline `<svg>`: measured points filled with their interval, published ones hollow, families in colours.

    points: at least one.
    name: prefix of the identifiers, unique in a page.
    x_label, y_label: of the axes.
    """
    colours = colours_of([point.family for point in points])

    def draw(axes: Any) -> dict[str, str]:
        _frame(axes, points, x_label, y_label)
        tooltips = _marks(axes, points, colours, name)
        label_points(axes, points)
        return tooltips

    title = f"{plain(y_label)} against {plain(x_label)} for {len(points)} networks"
    return drawn(name, title, lambda: _keys(points, colours), draw)


def _frame(axes: Any, points: Sequence[Point], x_label: str, y_label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    frame(axes, x_label, y_label)
    xs = [point.x for point in points]
    low, high = min(xs), max(xs)
    if high > _LOG_SPAN * low:
        pad = (high / low) ** 0.1
        logarithmic(axes, "x", low / pad, high * pad * 1.1)
    else:
        pad = max(high - low, 0.2 * high)
        axes.set_xlim(low - 0.25 * pad, high + 0.5 * pad)  # room for labels, most of which stand on the right
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ys = [y for point in points for y in (point.y, point.low, point.high, point.published) if y is not None]
    margin = max(0.08 * (max(ys) - min(ys)), 0.5)
    axes.set_ylim(min(ys) - margin, max(ys) + margin)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def _marks(axes: Any, points: Sequence[Point], colours: dict[str, str], name: str) -> dict[str, str]:
    """Draws lines, intervals and points; group identifier -> tooltip."""
    tooltips = {}
    lines: dict[Hashable, list[tuple[float, float, str]]] = {}
    for point in points:
        if point.y is not None and not point.unstable:
            lines.setdefault(point.line, []).append((point.x, point.y, point.family))
    for joined in lines.values():
        if len(joined) > 1:
            xs, ys, families = zip(*sorted(joined), strict=True)
            axes.plot(xs, ys, color=colours[families[0]], linewidth=1.0, alpha=0.45, zorder=2)
    for index, point in enumerate(points):
        colour = colours[point.family]
        if point.published is not None:
            gid = f"{name}-published-{index}"
            line(
                axes, [point.x], [point.published], marker="o", ms=7, mfc=PAPER, mec=colour, mew=1.3, zorder=3, gid=gid
            )
            tooltips[gid] = f"{point.label}, published: {point.published:g}"
        if point.y is None:
            continue
        if point.unstable:
            gid = f"{name}-unstable-{index}"
            line(axes, [point.x], [point.y], marker="x", ms=6, mec=INK, mew=1.2, alpha=0.45, zorder=4, gid=gid)
            tooltips[gid] = point.tooltip or point.label
            continue
        if point.low is not None and point.high is not None:
            line(axes, [point.x] * 2, [point.low, point.high], color=colour, linewidth=1.4, zorder=4, alpha=0.8)
        if point.front:
            line(axes, [point.x], [point.y], marker="o", ms=10.5, mfc="none", mec=INK, mew=1.1, zorder=4)
        gid = f"{name}-measured-{index}"
        line(axes, [point.x], [point.y], marker="o", ms=5.5, mfc=colour, mec=PAPER, mew=0.7, zorder=5, gid=gid)
        tooltips[gid] = point.tooltip or point.label
    return tooltips


def _keys(points: Sequence[Point], colours: dict[str, str]) -> list[Any]:
    """What the legend explains: families by their colours, and kinds of points."""
    from matplotlib.lines import Line2D

    keys = [
        Line2D([], [], marker="o", ls="", ms=5.5, color=colour, label=plain(name) or "–")
        for name, colour in colours.items()
    ]
    if any(point.y is not None for point in points):
        keys.append(Line2D([], [], marker="o", ls="-", ms=5, color=INK, label="measured, 95 % interval"))
    if any(point.front for point in points):
        keys.append(Line2D([], [], marker="o", ls="", ms=10, mfc="none", mec=INK, label="on the Pareto front"))
    if any(point.unstable for point in points):
        keys.append(Line2D([], [], marker="x", ls="", ms=6, mec=INK, alpha=0.45, label="cost unstable"))
    if any(point.published is not None for point in points):
        keys.append(Line2D([], [], marker="o", ls="", ms=6.5, mfc=PAPER, mec=INK, label="published"))
    return keys
