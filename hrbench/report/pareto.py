"""The Pareto front of accuracy and a cost: which rows no other beats in both. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence

from hrbench.report.layout import ColumnLayout
from hrbench.report.table_cells import ColumnValue
from hrbench.types import Better

MARK = "◆"
"""Beside a cost on the front, in tables."""


def fronts(points: Sequence[tuple[Hashable, float, float] | None], better: Better) -> frozenset[int]:
    """Places of the points on a front.

    points: (key, accuracy, cost) of each row; only points of one key are compared, and a point of which a part is not
        comparable is None.
    better: which direction of the cost is better.

    A point is on its front if no other is at least as good in both and better in one. One that is alone with its key is
    on none: nothing was compared with it.

    >>> sorted(fronts([("a", 70, 5), ("a", 75, 9), ("a", 74, 9), ("b", 99, 1), None], "lower"))
    [0, 1]
    """
    groups: dict[Hashable, list[int]] = {}
    for place, point in enumerate(points):
        if point is not None and better != "neither":
            groups.setdefault(point[0], []).append(place)
    sign = -1 if better == "lower" else 1
    found: list[int] = []
    for places in groups.values():
        each = {place: (known[1], sign * known[2]) for place in places if (known := points[place]) is not None}
        if len(each) > 1:
            unbeaten = _unbeaten(each.values())
            found += [place for place, own in each.items() if own in unbeaten]
    return frozenset(found)


def main_score(columns: Sequence[ColumnLayout]) -> int | None:
    """The column of the accuracy that a table is about: the first with an interval, or the first; None for none."""
    scores = [index for index, column in enumerate(columns) if column.source == "score"]
    return next((index for index in scores if "interval" in columns[index].parts), next(iter(scores), None))


def point_of(score: ColumnValue | None, cost: ColumnValue | None, dtype: str) -> tuple[Hashable, float, float] | None:
    """A row's accuracy and cost for `fronts`; None unless both are there, comparable with others, and of one dtype.

    dtype: that the accuracy was computed in.
    """
    if score is None or cost is None or score.value is None or cost.value is None:
        return None
    if score.comparable is None or cost.comparable is None:
        return None
    if cost.under.dtype not in ("", dtype):
        return None
    return (score.comparable, cost.comparable), score.value, cost.value


def legend(accuracy: str) -> str:
    """What the mark means, in a sentence. accuracy: the heading of its column."""
    return f"{MARK} on the Pareto front: no comparable row is as good in {accuracy} and this cost, and better in one."


def _unbeaten(every: Iterable[tuple[float, float]]) -> set[tuple[float, float]]:
    """The points of which no other is at least as good in both, and better in one; larger is better.

    >>> sorted(_unbeaten([(1, 1), (1, 2), (2, 1), (1, 2), (0, 3)]))
    [(0, 3), (1, 2), (2, 1)]
    """
    found: set[tuple[float, float]] = set()
    most = -math.inf  # of the second part, of the points that are at least as good in the first
    for point in sorted(set(every), reverse=True):
        if point[1] > most:
            found.add(point)
            most = point[1]
    return found
