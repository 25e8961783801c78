"""Plots of accuracy against cost."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from hrbench.report.drawing import FONT, INK, PAPER, colours_of, drawn, frame, line, logarithmic, plain

_LABEL_LENGTH = 44  # characters of a label beside a point, less than half the width; the tooltip has them all
MOST_LABELS = 60  # beside points: more cannot be read, and tooltips have all
_LOG_SPAN = 2.5  # costs that span more than this factor lie on a logarithmic axis


@dataclass(frozen=True, slots=True)
class Point:
    """One network in a plot, in the units of the axes.

    label: shown beside the point.
    family: points that share it have one colour.
    line: points that share it are connected; costs that are not comparable have different ones.
    x, y: cost, and measured accuracy if there is one.
    low, high: ends of the 95 % interval.
    published: published accuracy.
    tooltip: one line for each fact.
    unstable: whether the machine disturbed the measurement of its cost; it is then a grey cross, and no line joins it.
    front: whether it is on the Pareto front; it then has a ring.
    """

    label: str
    family: str
    line: Hashable
    x: float
    y: float | None
    low: float | None = None
    high: float | None = None
    published: float | None = None
    tooltip: str = ""
    unstable: bool = False
    front: bool = False


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


def label_points(axes: Any, points: Sequence[Point], others: Sequence[tuple[float, float]] = ()) -> None:
    """A label beside each point, at the offset with the least overlap with labels and points.

    Of more than `MOST_LABELS` points only those have one that no other point beats in both accuracy and cost.

    others: points without a label, which labels avoid.
    """
    places = [axes.transData.transform(one) for one in others]
    for point in points:
        heights = [y for y in (point.y, point.published) if y is not None]
        places += [axes.transData.transform((point.x, y)) for y in heights]
    boxes = [(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    for point in points:
        if point.low is not None and point.high is not None:
            (x, low), (_, high) = axes.transData.transform([(point.x, point.low), (point.x, point.high)])
            boxes.append((x - 1.5, low, x + 1.5, high))
    area = axes.get_window_extent().extents
    size = FONT - 1.5
    for point in points if len(points) <= MOST_LABELS else _best(points)[:MOST_LABELS]:
        y = point.y if point.y is not None else point.published
        if y is None:
            continue
        x0, y0 = axes.transData.transform((point.x, y))
        label = _shortened(plain(point.label))
        width, height = 0.53 * size * len(label), size
        offsets = [(7, 0), (-7, 0), (7, 9), (7, -9), (-7, 9), (-7, -9), (0, 13), (0, -13), (7, 18), (7, -18)]
        scored = []
        for order, (dx, dy) in enumerate(offsets):
            left = x0 + dx - (width if dx < 0 else width / 2 if dx == 0 else 0)
            box = (left, y0 + dy - height / 2, left + width, y0 + dy + height / 2)
            outside = box[0] < area[0] or box[2] > area[2] + 4 or box[1] < area[1] or box[3] > area[3]
            scored.append((sum(_overlap(box, other) for other in boxes) + 1e4 * outside, order, box, dx, dy))
        _, _, box, dx, dy = min(scored)
        boxes.append(box)
        side = "right" if dx < 0 else "center" if dx == 0 else "left"
        axes.annotate(
            label, (point.x, y), (dx, dy), textcoords="offset points", ha=side, va="center_baseline",
            fontsize=size, color=INK, zorder=6, parse_math=False,
        )  # fmt: skip


def _best(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both accuracy and cost, cheapest first."""
    found: list[Point] = []
    highest = -math.inf
    for point in sorted(points, key=lambda point: (point.x, -(point.y if point.y is not None else -math.inf))):
        if point.y is not None and point.y > highest:
            highest = point.y
            found.append(point)
    return found


def _shortened(label: str) -> str:
    """A label that fits beside its point: its beginning and its end, in which networks differ."""
    return (
        label
        if len(label) <= _LABEL_LENGTH
        else f"{label[: _LABEL_LENGTH // 3]}…{label[1 - _LABEL_LENGTH + _LABEL_LENGTH // 3 :]}"
    )


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


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
