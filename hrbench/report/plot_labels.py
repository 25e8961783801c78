"""Points of a plot and the labels beside them, which avoid one another."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from hrbench.report.drawing import FONT, INK, line, plain

_LABEL_LENGTH = 44  # characters of a label beside a point, less than half the width; the tooltip has them all
MOST_LABELS = 60  # beside points: more cannot be read, and tooltips have all
_SIZE = FONT - 1.5
_WIDTH = 0.53 * _SIZE  # of a character, on average
_NEAR = ((7, 0), (-7, 0), (7, 9), (7, -9), (-7, 9), (-7, -9), (0, 13), (0, -13))
_FAR = tuple((side * 16, sign * step * 10) for step in range(2, 15) for side in (1, -1) for sign in (1, -1))
"""From a point to its label: beside it, or so far that a line leads to it."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


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


def label_points(axes: Any, points: Sequence[Point], others: Sequence[tuple[float, float]] = ()) -> None:
    """A label beside each point, at the nearest offset without overlap with labels and points.

    What all labels have in common stands once in a corner. Of more than `MOST_LABELS` points only those have a label
    that no other point beats in both accuracy and cost.

    others: points without a label, which labels avoid.
    """
    area = axes.get_window_extent().extents
    boxes = _taken(axes, points, others)
    labels, common = short_labels([point.label for point in points])
    if common:
        boxes.append(_in_corner(axes, f"all: {common}", boxes))
    told = {id(point): label for point, label in zip(points, labels, strict=True)}
    for point in points if len(points) <= MOST_LABELS else _best(points)[:MOST_LABELS]:
        y = point.y if point.y is not None else point.published
        if y is None:
            continue
        start = axes.transData.transform((point.x, y))
        label = _shortened(plain(told[id(point)]))
        box, (dx, dy) = _place(start, _WIDTH * len(label), boxes, area)
        boxes.append(box)
        if (dx, dy) in _FAR:
            _lead(axes, start, (start[0] + dx, start[1] + dy))
        side = "right" if dx < 0 else "center" if dx == 0 else "left"
        axes.annotate(
            label, (point.x, y), (dx, dy), textcoords="offset points", ha=side, va="center_baseline",
            fontsize=_SIZE, color=INK, zorder=6, parse_math=False,
        )  # fmt: skip


def short_labels(labels: Sequence[str]) -> tuple[list[str], str]:
    """Labels without the network or the size that all of them have, and what was left out.

    >>> short_labels(["HRNet · eager 64×48", "HRNet · compile 64×48"])
    (['eager', 'compile'], 'HRNet 64×48')
    >>> short_labels(["HRNet, wide 64×48", "U-Net 64×48, batch 8"]), short_labels(["HRNet 64×48"])
    ((['HRNet, wide', 'U-Net, batch 8'], '64×48'), (['HRNet 64×48'], ''))
    """
    parts = [re.fullmatch(r"(.*?)(?: · (.*?))?(?:( \d+×\d+)(, .*)?)?", label) for label in labels]
    found = [part.groups("") for part in parts if part is not None]
    if len(set(labels)) < 2 or len(found) < len(labels) or len({size for *_, size, _ in found}) > 1:
        return list(labels), ""
    size = found[0][2].strip()
    if all(run for _, run, *_ in found) and len({title for title, *_ in found}) == 1:
        return [run + batch for _, run, _, batch in found], f"{found[0][0]} {size}".rstrip()
    return [f"{title} · {run}{batch}" if run else title + batch for title, run, _, batch in found], size


def _taken(axes: Any, points: Sequence[Point], others: Sequence[tuple[float, float]]) -> list[Box]:
    """What labels avoid: points and their intervals."""
    places = [axes.transData.transform(one) for one in others]
    for point in points:
        heights = [y for y in (point.y, point.published) if y is not None]
        places += [axes.transData.transform((point.x, y)) for y in heights]
    boxes = [(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    for point in points:
        if point.low is not None and point.high is not None:
            (x, low), (_, high) = axes.transData.transform([(point.x, point.low), (point.x, point.high)])
            boxes.append((x - 1.5, low, x + 1.5, high))
    return boxes


def _place(start: Sequence[float], width: float, boxes: Sequence[Box], area: Box) -> tuple[Box, tuple[float, float]]:
    """The nearest free place of a label, or that with the least overlap; its box, and its offset from the point."""
    scored = []
    for order, (dx, dy) in enumerate((*_NEAR, *_FAR)):
        left = start[0] + dx - (width if dx < 0 else width / 2 if dx == 0 else 0)
        box = (left, start[1] + dy - _SIZE / 2, left + width, start[1] + dy + _SIZE / 2)
        outside = box[0] < area[0] or box[2] > area[2] + 4 or box[1] < area[1] or box[3] > area[3]
        scored.append((sum(_overlap(box, other) for other in boxes) + 1e4 * outside, order, box, (dx, dy)))
    _, _, box, offset = min(scored)
    return box, offset


def _in_corner(axes: Any, text: str, boxes: Sequence[Box]) -> Box:
    """Writes a text in the emptiest corner; returns its box."""
    left, bottom, right, top = axes.get_window_extent().extents
    width = _WIDTH * len(text)
    places = []
    for order, (x, y) in enumerate(((1, 0), (0, 1), (1, 1), (0, 0))):
        low = (left + 6 if x == 0 else right - 4 - width, bottom + 6 if y == 0 else top - 6 - _SIZE)
        box = (low[0], low[1], low[0] + width, low[1] + _SIZE)
        places.append((sum(_overlap(box, other) for other in boxes), order, box))
    _, order, box = min(places)
    x, y = axes.transData.inverted().transform((box[0] if order in (1, 3) else box[2], (box[1] + box[3]) / 2))
    axes.annotate(
        text, (x, y), (0, 0), textcoords="offset points", ha="left" if order in (1, 3) else "right",
        va="center_baseline", fontsize=_SIZE, color=INK, alpha=0.6, zorder=6, parse_math=False,
    )  # fmt: skip
    return box


def _lead(axes: Any, start: Sequence[float], end: Sequence[float]) -> None:
    """A thin line from a point to its label."""
    xs, ys = zip(*axes.transData.inverted().transform([start, end]), strict=True)
    line(axes, xs, ys, color=INK, linewidth=0.5, alpha=0.45, zorder=3)


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
