"""Points of a plot and the labels beside them, which overlap neither one another nor a point."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hrbench.report.axes import Area, shortened
from hrbench.report.scene import Box, Mark, Path, Position, Words, plain
from hrbench.report.typeface import width

MOST_LABELS = 60  # beside points: more cannot be read, and tooltips have all
_LONGEST = 0.42  # of the width of the frame
_FAR_X, _FAR_Y = (9.0, 26.0, 48.0, 80.0), tuple(9.0 * step for step in range(13))
_FARTHEST = 110.0
_LINES = 3  # of a long label
_HIGH = 1.16  # of a line, in sizes of its letters
_TRIED = 40  # free places that are tried for a line that passes no other point
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
    """A label beside each point, at the first of many places where it overlaps nothing; no label is moved afterwards.

    What all labels have in common stands once in a corner. Points on the Pareto front choose first, then the more
    accurate ones. Those that find no room beside their point choose a place to which a line leads, at last over an
    interval. Of more than `MOST_LABELS` points only those have a label that no other beats in both accuracy and cost.
    A label that finds no place is left out; its tooltip and the table have it.

    others: points without a label, which labels avoid.
    """
    labels, common = short_labels([point.label for point in points])
    told = {id(point): plain(label) for point, label in zip(points, labels, strict=True)}
    taken, words = _taken(area, points, others), _markers(area, points)
    lines: list[Mark] = []
    texts: list[Mark] = []
    if common:
        corner, box = _in_corner(area, f"all: {common}", taken)
        taken, words = np.vstack([taken, box]), np.vstack([words, box])
        texts.append(corner)
    firm = words.copy()
    chosen = points if len(points) <= MOST_LABELS else _best(points)[:MOST_LABELS]
    size, longest = area.format.small, _LONGEST * (area.box[2] - area.box[0])
    waiting = [one for one in chosen if one.height is not None and told[id(one)]]
    waiting.sort(key=lambda one: (not one.front, -(one.height or -math.inf), one.x))
    whole = {point: broken(text, size, longest) for point, text in told.items()}
    for attempt in _ATTEMPTS:
        for point in tuple(waiting):
            start, label = area(point.x, point.height or 0.0), whole[id(point)]
            if attempt.in_one_line:
                if len(label) == 1:
                    continue
                label = (shortened(told[id(point)], size, longest),)
            avoided = firm if attempt.over_intervals else taken
            passed = _markers(area, points) if attempt.under_labels else words
            place = _place(start, label, size, _Room(area.box, avoided, passed), attempt.far)
            if place is None:
                continue
            waiting.remove(point)
            new = np.array([place.box])
            if place.leader:
                lines.append(Path((place.leader,), "ink", 0.4, opacity=0.45))
                along = _along(*place.leader)
                new = np.vstack([new, np.hstack([along - 0.4, along + 0.4])])
            taken, firm, words = np.vstack([taken, new]), np.vstack([firm, new]), np.vstack([words, place.box])
            texts += _words(place, label, size)
    return [*lines, *texts]


def broken(text: str, size: float, most: float) -> tuple[str, ...]:
    """A text in at most `_LINES` lines within so many points each: after the network's name, then between words. What
    has no room there is shortened.

    >>> broken("HRNetV2 · hrnet v1, scales 0.75/1/1.25, flip yes", 10, 140)
    ('HRNetV2', 'hrnet v1, scales', '0.75/1/1.25, flip yes')
    >>> broken("HRNetV2", 10, 140)
    ('HRNetV2',)
    """
    if width(text, size) <= most:
        return (text,)
    name, dot, rest = text.partition(" · ")
    lines = [name] if dot and width(name, size) <= most else []
    words = (rest if lines else text).split(" ")
    while words and len(lines) < _LINES - 1:
        some = next((n for n in range(len(words), 1, -1) if width(" ".join(words[:n]), size) <= most), 1)
        lines.append(" ".join(words[:some]))
        words = words[some:]
    return tuple(shortened(line, size, most) for line in [*lines, *([" ".join(words)] if words else [])])


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Which places are tried. far: those to which a line leads. over_intervals: also on intervals of points.
    under_labels: also lines below other labels. in_one_line: for a label of several, shortened to one."""

    far: bool
    over_intervals: bool = False
    under_labels: bool = False
    in_one_line: bool = False


_ATTEMPTS = tuple(
    replace(attempt, in_one_line=in_one_line)
    for in_one_line in (False, True)
    for attempt in (_Attempt(False), _Attempt(True), _Attempt(False, True), _Attempt(True, True),
                    _Attempt(True, True, True))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Room:
    """Where a label may be. frame: it stays within. avoided: it overlaps none. passed: no line to it passes one."""

    frame: Box
    avoided: Boxes
    passed: Boxes


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a label is. box: of its text. anchor: as of `Words`. leader: a line from its point, () for none."""

    box: Box
    anchor: str
    leader: tuple[Position, ...] = ()


def _words(place: _Place, label: Sequence[str], size: float) -> list[Words]:
    """The lines of a label at the end of its box that is nearer to the point: another font may be narrower."""
    left, top, right, _ = place.box
    x = {"start": left + 0.5, "middle": (left + right) / 2, "end": right - 0.5}[place.anchor]
    below = [top + _HIGH * size * number - 0.28 * size for number in range(1, len(label) + 1)]
    return [Words((x, y), line, size, place.anchor, halo=True) for y, line in zip(below, label, strict=True)]


def _place(start: Position, label: Sequence[str], size: float, room: _Room, far: bool) -> _Place | None:
    """A free place of a label, None if there is none.

    start: its point.
    label: its lines.
    size: of its letters.
    far: whether a line leads to it.
    """
    wide, high = max(width(line, size) for line in label) + 1, _HIGH * size * len(label)
    found, ends, anchors = (_far if far else _near)(start, wide, high)
    left, top, right, bottom = room.frame
    inside = (found[:, 0] >= left + 1) & (found[:, 2] <= right) & (found[:, 1] >= top - 4) & (found[:, 3] <= bottom - 1)
    places = np.flatnonzero(inside)
    free = places[~_overlaps(found[places], room.avoided)]
    if not far:
        return _Place(tuple(found[free[0]]), anchors[free[0]]) if len(free) else None
    own = np.array([[start[0], start[1], start[0] + 0.1, start[1] + 0.1]])
    others, passed = (boxes[~_overlaps(boxes, own)] for boxes in (room.avoided, room.passed))
    reserve = None
    for one in free[:_TRIED]:
        place = _Place(tuple(found[one]), anchors[one], (start, tuple(ends[one])))
        along = _along(*place.leader)
        line = np.hstack([along, along + 0.1])
        if not _overlaps(line, others).any():
            return place
        if reserve is None and not _overlaps(line, passed).any():
            reserve = place
    return reserve


def _along(start: Position, end: Position) -> np.ndarray:
    """(K, 2): positions on a line."""
    return np.array(start) + _SAMPLES * (np.array(end) - np.array(start))


def _near(start: Position, wide: float, high: float) -> tuple[Boxes, np.ndarray, list[str]]:
    """Boxes beside a point, the best first; where lines to them would end; the ends of their texts at the point."""
    offsets = [(5.5, 0.0), (-5.5 - wide, 0.0)]
    offsets += [(dx, dy) for dy in (-0.75 * high, 0.75 * high) for dx in (5.0, -5.0 - wide)]
    offsets += [(-wide / 2, -high / 2 - 5.5), (-wide / 2, high / 2 + 5.5)]
    return _boxes(start, offsets, wide, high)


def _far(start: Position, wide: float, high: float) -> tuple[Boxes, np.ndarray, list[str]]:
    """The same farther away, the nearest first."""
    steps = [(step, sign * dy) for step in _FAR_X for dy in _FAR_Y for sign in (-1, 1) if step + dy > 12]
    steps = sorted((at for at in steps if math.hypot(*at) < _FARTHEST), key=lambda at: math.hypot(*at))
    return _boxes(start, [(x, dy) for step, dy in steps for x in (step, -step - wide)], wide, high)


def _boxes(
    start: Position, offsets: Sequence[Position], wide: float, high: float
) -> tuple[Boxes, np.ndarray, list[str]]:
    """Boxes whose left ends and middles have these offsets from a point."""
    every = np.array(offsets)
    lefts, middles = start[0] + every[:, 0], start[1] + every[:, 1]
    boxes = np.stack([lefts, middles - high / 2, lefts + wide, middles + high / 2], axis=1)
    right = every[:, 0] >= 0
    ends = np.stack([np.where(right, lefts - 0.5, lefts + wide + 0.5), middles], axis=1)
    anchors = ["start" if x >= 0 else "end" if x <= -wide else "middle" for x, _ in offsets]
    return boxes, ends, anchors


def _overlaps(boxes: Boxes, others: Boxes) -> np.ndarray:
    """(N,) bool: whether a box overlaps any of the others."""
    if not len(others):
        return np.zeros(len(boxes), bool)
    left, top, right, bottom = (boxes[:, side, None] for side in range(4))
    near = others[(others[:, 0] < right.max()) & (others[:, 2] > left.min())]  # most are far away
    low, high = 1e-9 + near[None, :, :2], near[None, :, 2:] - 1e-9
    beside = (left < high[..., 0]) & (right > low[..., 0])
    return np.any(beside & (top < high[..., 1]) & (bottom > low[..., 1]), axis=-1)


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


def _markers(area: Area, points: Sequence[Point]) -> Boxes:
    """Points alone, as they are seen."""
    places = [area(point.x, y) for point in points for y in (point.y, point.published) if y is not None]
    return np.array([(x - 3.4, y - 3.4, x + 3.4, y + 3.4) for x, y in places]).reshape(-1, 4)


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
