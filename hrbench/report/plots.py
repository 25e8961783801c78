"""Plots of accuracy against cost."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise

from hrbench.report.axes import Area, Axis, Key, chart, padded
from hrbench.report.plot_labels import Point, label_points
from hrbench.report.scene import Artwork, Disc, Format, Mark, Path, Scene, Told, artwork, cross, looks, plain, shaped
from hrbench.types import Better

Looks = dict[str, tuple[str, str]]


def accuracy_against_cost(
    points: Sequence[Point], name: str, x_label: str, y_label: str, better: Better = "lower"
) -> Artwork:
    """Measured points filled with their interval, published ones hollow, families in colours, the front as steps.

    points: at least one.
    name: of its files.
    x_label, y_label: of the axes.
    better: which direction of the cost is better.
    """
    look = looks([point.family for point in points])
    title = f"{plain(y_label)} against {plain(x_label)} for {len(points)} networks"
    ys = [y for point in points for y in (point.y, point.low, point.high, point.published) if y is not None]
    margin = max(0.08 * (max(ys) - min(ys)), 0.5)
    x = padded(x_label, [point.x for point in points], 0.09, 0.14)
    y = Axis(y_label, min(ys) - margin, max(ys) + margin)

    def draw(form: Format) -> Scene:
        return chart(form, title, x, y, _keys(points, look), lambda area: _marks(area, points, look, better))

    return artwork(name, draw)


def _marks(area: Area, points: Sequence[Point], look: Looks, better: Better) -> Iterator[Mark]:
    yield from _lines(area, points, look)
    yield from _fronts(area, points, better)
    for point in points:
        yield from _point(area, point, *look[point.family])
    yield from label_points(area, points)


def _lines(area: Area, points: Sequence[Point], look: Looks) -> Iterator[Mark]:
    """Between networks of one family that were measured alike."""
    lines: dict[Hashable, list[tuple[float, float, str]]] = {}
    for point in points:
        if point.y is not None and not point.unstable:
            lines.setdefault(point.line, []).append((point.x, point.y, point.family))
    for joined in lines.values():
        if len(joined) > 1:
            colour, _ = look[min(joined)[2]]
            yield Path((tuple(area(x, y) for x, y, _ in sorted(joined)),), colour, 0.8, opacity=0.4)


def _fronts(area: Area, points: Sequence[Point], better: Better) -> Iterator[Mark]:
    """Steps through the points of a front: the best accuracy that so much cost buys."""
    fronts: dict[Hashable, list[tuple[float, float]]] = {}
    for point in points:
        if point.front and point.y is not None:
            fronts.setdefault(point.peers, []).append((point.x, point.y))
    for front in fronts.values():
        front.sort(reverse=better == "higher")
        steps = [front[0]]
        for (_, before), (x, y) in pairwise(front):
            steps += [(x, before), (x, y)]
        if len(front) > 1:
            yield Path((tuple(area(x, y) for x, y in steps),), "ink", 0.6, opacity=0.5, dash="3 2")


def _point(area: Area, point: Point, colour: str, shape: str) -> Iterator[Mark]:
    if point.published is not None:
        hollow = shaped(shape, area(point.x, point.published), 2.6, fill="paper", stroke=colour, width=0.9)
        yield Told((hollow,), f"{point.label}, published: {point.published:g}")
    if point.y is None:
        return
    at, tooltip = area(point.x, point.y), point.tooltip or point.label
    if point.unstable:
        yield Told((cross(at, 2.3, stroke="ink", width=0.9, opacity=0.45),), tooltip)
        return
    marks: list[Path | Disc] = []
    if point.low is not None and point.high is not None:
        marks.append(Path(((area(point.x, point.low), area(point.x, point.high)),), colour, 1.0, opacity=0.8))
    if point.front:
        marks.append(shaped("disc", at, 4.2, stroke="ink", width=0.7))
    yield Told((*marks, shaped(shape, at, 2.5, fill=colour, stroke="paper", width=0.4)), tooltip)


def _keys(points: Sequence[Point], look: Looks) -> list[Key]:
    """What the legend explains: families by their colours and shapes, and kinds of points."""
    keys = [Key(name, colour, shape) for name, (colour, shape) in look.items()]
    if any(point.y is not None and point.low is not None for point in points):
        keys.append(Key("measured, 95 % interval", shape="disc", line=True))
    elif any(point.y is not None for point in points):
        keys.append(Key("measured", shape="disc"))
    if any(point.front for point in points):
        keys.append(Key("Pareto front", line=True, dash="3 2", ring=True, opacity=0.5))
    if any(point.unstable for point in points):
        keys.append(Key("cost unstable", crossed=True, opacity=0.45))
    if any(point.published is not None for point in points):
        keys.append(Key("published", shape="disc", hollow=True))
    return keys
