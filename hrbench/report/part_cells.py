"""What stands beside a number: bounds of percentiles, a spread; and which number of a column is best, which second."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Literal

from hrbench.core import units
from hrbench.report.layout import ColumnLayout
from hrbench.report.table_cells import Cell, ColumnValue, better_of, divisor_of, unit_of
from hrbench.types import Quantity, Unit

Rank = Literal["best", "second", ""]


def bound_cell(
    part: Literal["p90", "p99"], layout: ColumnLayout, unit: Unit, own: float | None, fact: ColumnValue
) -> Cell:
    """The upper bound of a percentile. own: divisor of the quantity, None for that of the unit."""
    bound = fact.under.p90_bound if part == "p90" else fact.under.p99_bound
    if bound is None:
        return Cell(reason=f"too few passes to bound {part}")
    text = units.show(bound, unit, layout.decimals, own)
    return Cell(text, "bound", (units.shown(bound, unit, own),), detail=fact.detail, conditions=fact.conditions,
                reason=fact.unstable, unstable=bool(fact.unstable))  # fmt: skip


def spread_cell(layout: ColumnLayout, unit: Unit, own: float | None, fact: ColumnValue) -> Cell:
    """The standard deviation over images. own: as of `bound_cell`."""
    spread = fact.under.spread
    if spread is None:
        return Cell(reason="not measured on several images one by one")
    text = f"± {units.show(spread, unit, layout.decimals, own)}"
    return Cell(text, "bound", (units.shown(spread, unit, own),), detail=fact.detail, conditions=fact.conditions)


def ranks(
    found: Sequence[ColumnValue | None],
    layout: ColumnLayout,
    quantity: Quantity | None,
    as_good: Callable[[int, int], bool] = lambda best, other: False,
) -> list[Rank]:
    """Which rows are the best of those that they may be compared with, and which the second.

    found: the values of the column, a row each.
    as_good: whether a row (the second place) is not known to differ from the best one (the first).

    Best are the row with the best value, those that are written alike, and those that are as good. Nothing is best
    where all rows are written alike; and of two rows none is second, since that is what the other is.
    """
    bold = layout.bold if layout.bold is not None else layout.source == "score"
    better = better_of(layout, quantity)
    ranked: list[Rank] = [""] * len(found)
    if layout.source == "text" or not bold or better == "neither":
        return ranked
    own, unit = divisor_of(layout, quantity), unit_of(layout, quantity)
    groups: dict[Hashable, list[tuple[float, int]]] = {}
    for place, fact in enumerate(found):
        if fact is not None and fact.value is not None and fact.comparable is not None:
            groups.setdefault(fact.comparable, []).append((fact.value, place))
    for group in groups.values():
        texts = {place: units.show(value, unit, layout.decimals, own) for value, place in group}
        if len({*texts.values()}) < 2:
            continue
        ordered = [place for _, place in sorted(group, key=lambda one: -one[0] if better == "higher" else one[0])]
        first = ordered[0]
        others = []
        for place in ordered:
            if texts[place] == texts[first] or as_good(first, place):
                ranked[place] = "best"
            else:
                others.append(place)
        for place in others if len(group) > 2 else ():
            ranked[place] = "second" if texts[place] == texts[others[0]] else ""
    return ranked
