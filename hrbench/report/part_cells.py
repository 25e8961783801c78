"""What stands beside a number: bounds of percentiles, a spread; and which number of a column is best."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

from hrbench.core import units
from hrbench.report.layout import ColumnLayout
from hrbench.report.table_cells import Cell, ColumnValue, better_of, divisor_of, unit_of
from hrbench.types import Quantity, Unit


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


def best_texts(
    found: Sequence[ColumnValue | None], layout: ColumnLayout, quantity: Quantity | None
) -> dict[Hashable, str]:
    """Comparability key -> the text of its best value; only for keys with several different values."""
    bold = layout.bold if layout.bold is not None else layout.source == "score"
    better = better_of(layout, quantity)
    if layout.source == "text" or not bold or better == "neither":
        return {}
    own = divisor_of(layout, quantity)
    values: dict[Hashable, list[float]] = {}
    for fact in found:
        if fact is not None and fact.value is not None and fact.comparable is not None:
            values.setdefault(fact.comparable, []).append(fact.value)
    best = {}
    for key, group in values.items():
        unit = unit_of(layout, quantity)
        texts = {units.show(value, unit, layout.decimals, own) for value in group}
        if len(texts) > 1:
            top = max(group) if better == "higher" else min(group)
            best[key] = units.show(top, unit, layout.decimals, own)
    return best
