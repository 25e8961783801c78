"""Points of a plot and the labels beside them, which overlap neither one another nor a point."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hrbench.report.axes import Area, shortened
from hrbench.report.scene import Box, Mark, Path, Position, Words, plain
from hrbench.report.typeface import width

MOST_LABELS = 60  # beside points: more cannot be read, and tooltips have all
_LONGEST = 0.42  # of the width of the frame
_FAR_X, _FAR_Y = (9.0, 26.0, 48.0), tuple(9.0 * step for step in range(1, 10))
_TRIED = 8  # free places that are tried for a line that passes no other point
_SAMPLES = np.linspace(0.0, 1.0, 12)[:, None]
"""Of a line from a point to its label, to see what it passes."""

Boxes = np.ndarray
"""(N, 4) float64: left, top, right, bottom of each box, in points."""


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
    peers: points that share it have one front.
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
    peers: Hashable = None

    @property
    def height(self) -> float | None:
        """Where its label belongs: the measured accuracy, else the published one."""
        return self.y if self.y is not None else self.published


def label_points(area: Area, points: Sequence[Point], others: Sequence[Position] = ()) -> list[Mark]:
    """A label beside each point, at the first of many places, near ones first, where it overlaps nothing.

    What all labels have in common stands once in a corner. Points on the Pareto front choose first, then the more
    accurate ones. Of more than `MOST_LABELS` points only those have a label that no other beats in both accuracy and
    cost. A label that finds no place is left out; its tooltip and the table have it.

    others: points without a label, which labels avoid.
    """
    labels, common = short_labels([point.label for point in points])
    told = {id(point): plain(label) for point, label in zip(points, labels, strict=True)}
    boxes = _taken(area, points, others)
    words = np.empty((0, 4))
    marks: list[Mark] = []
    if common:
        corner, box = _in_corner(area, f"all: {common}", boxes)
        boxes, words = np.vstack([boxes, box]), np.array([box])
        marks.append(corner)
    chosen = points if len(points) <= MOST_LABELS else _best(points)[:MOST_LABELS]
    size, longest = area.format.small, _LONGEST * (area.box[2] - area.box[0])
    for point in sorted(chosen, key=lambda one: (not one.front, -(one.height or -math.inf), one.x)):
        if point.height is None or not told[id(point)]:
            continue
        start = area(point.x, point.height)
        label = shortened(told[id(point)], size, longest)
        place = _place(area, start, width(label, size), boxes, words)
        if place is None:
            continue
        box, end = place
        if end is not None:
            marks.append(Path(((start, end),), "ink", 0.4, opacity=0.45))
            along = np.array(start) + _SAMPLES * (np.array(end) - np.array(start))
            boxes = np.vstack([boxes, np.hstack([along - 0.4, along + 0.4])])
        boxes, words = np.vstack([boxes, box]), np.vstack([words, box])
        marks.append(Words((box[0] + 0.5, box[3] - 0.28 * size), label, size, halo=True))
    return marks


def _place(
    area: Area, start: Position, wide: float, boxes: Boxes, words: Boxes
) -> tuple[tuple[float, float, float, float], Position | None] | None:
    """The box of a label, and where a line from its point ends; None if no place is free."""
    found, ends, far = _candidates(start, wide + 1, area.format.small)
    left, top, right, bottom = area.box
    inside = (found[:, 0] >= left + 1) & (found[:, 2] <= right) & (found[:, 1] >= top - 4) & (found[:, 3] <= bottom - 1)
    others = boxes[~_overlaps(boxes, np.array([[start[0], start[1], start[0] + 0.1, start[1] + 0.1]]))]
    reserve = None
    for one in np.flatnonzero(inside & ~_overlaps(found, boxes))[:_TRIED]:
        if not far[one]:
            return tuple(found[one]), None
        along = np.array(start) + _SAMPLES * (ends[one] - np.array(start))
        line = np.hstack([along, along + 0.1])
        if not _overlaps(line, others).any():
            return tuple(found[one]), tuple(ends[one])
        if reserve is None and not _overlaps(line, words).any():
            reserve = tuple(found[one]), tuple(ends[one])
    return reserve


def _candidates(start: Position, wide: float, size: float) -> tuple[Boxes, np.ndarray, np.ndarray]:
    """Boxes a label may have, the best first; (N, 2) where lines to them end; whether they need one."""
    x, y = start
    high = 1.16 * size
    near = [(5.5, 0.0), (-5.5 - wide, 0.0)]
    near += [(dx, dy) for dy in (-0.75 * high, 0.75 * high) for dx in (5.0, -5.0 - wide)]
    near += [(-wide / 2, -high / 2 - 5.5), (-wide / 2, high / 2 + 5.5)]
    offsets = [(dx, dy) for dy in _FAR_Y for step in _FAR_X for dx in (step, -step - wide)]
    far = [(dx, sign * dy) for dx, dy in sorted(offsets, key=lambda at: math.hypot(_inner(at[0], wide), at[1]))
           for sign in (-1, 1)]  # fmt: skip
    every = np.array([*near, *far])
    lefts, middles = x + every[:, 0], y + every[:, 1]
    boxes = np.stack([lefts, middles - high / 2, lefts + wide, middles + high / 2], axis=1)
    ends = np.stack([np.where(every[:, 0] >= 0, lefts - 0.5, lefts + wide + 0.5), middles], axis=1)
    return boxes, ends, np.arange(len(every)) >= len(near)


def _inner(dx: float, wide: float) -> float:
    """How far the nearer end of a label is."""
    return dx if dx >= 0 else -dx - wide


def _overlaps(boxes: Boxes, others: Boxes) -> np.ndarray:
    """(N,) bool: whether a box overlaps any of the others."""
    if not len(others):
        return np.zeros(len(boxes), bool)
    low, high = np.maximum(boxes[:, None, :2], others[None, :, :2]), np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    both = low < high - 1e-9
    return np.any(both[..., 0] & both[..., 1], axis=-1)


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


def _taken(area: Area, points: Sequence[Point], others: Iterable[Position]) -> Boxes:
    """What labels avoid: points and their intervals."""
    boxes: list[Box] = []
    for x, y in [area(*one) for one in others]:
        boxes.append((x - 3, y - 3, x + 3, y + 3))
    for point in points:
        for value in (point.y, point.published):
            if value is not None:
                (x, y), r = area(point.x, value), 4.8 if point.front and value is point.y else 3.4
                boxes.append((x - r, y - r, x + r, y + r))
        if point.low is not None and point.high is not None:
            (x, low), (_, high) = area(point.x, point.low), area(point.x, point.high)
            boxes.append((x - 1, high, x + 1, low))
    return np.array(boxes).reshape(-1, 4)


def _in_corner(area: Area, text: str, boxes: Boxes) -> tuple[Words, Box]:
    """A text in the emptiest corner, and its box."""
    left, top, right, bottom = area.box
    size = area.format.small
    wide, high = width(text, size), 1.16 * size
    found = []
    for order, (x, y) in enumerate(((1, 0), (0, 1), (1, 1), (0, 0))):
        low = left + 4 if x == 0 else right - 2 - wide
        high_end = bottom - 3 if y == 0 else top + 2 + high
        box = (low, high_end - high, low + wide, high_end)
        found.append((int(_overlaps(boxes, np.array([box])).sum()), order, box))
    _, _, box = min(found)
    return Words((box[0], box[3] - 0.28 * size), text, size, colour="soft", halo=True), box


def _best(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both accuracy and cost, cheapest first."""
    found: list[Point] = []
    highest = -math.inf
    for point in sorted(points, key=lambda point: (point.x, -(point.y if point.y is not None else -math.inf))):
        if point.y is not None and point.y > highest:
            highest = point.y
            found.append(point)
    return found
