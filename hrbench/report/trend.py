"""A history in words: series over releases, with levels and changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hrbench.core import units
from hrbench.judge.history import Series
from hrbench.judge.trend import REPLICATES, Stretch, Trend
from hrbench.statistics.change_points import LEVEL, Change

BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class TrendRow:
    """A release of a series.

    level: that the fit gives it; None without a fit.
    change: from the release before to this one, as the fit has it; None if there is none.
    told: why it cannot be compared with the release before, in words.
    """

    place: int
    level: float | None
    change: Change | None
    told: str


def trend_rows(trend: Trend) -> list[TrendRow]:
    """A row for each point of the series."""
    rows = []
    for stretch in trend.stretches:
        changes = {} if stretch.fit is None else {one.at: one for one in stretch.fit.changes}
        for place in range(stretch.start, stretch.stop):
            here = place - stretch.start
            told = "; ".join(stretch.differs) if here == 0 and stretch.start else ""
            level = None if stretch.fit is None else stretch.fit.levels[here]
            rows.append(TrendRow(place, level, changes.get(here), told))
    return rows


def heading(series: Series) -> str:
    """What a series is of: "coco-boxes/AP", "latency, batch 8"."""
    return f"{series.key}, {series.cell}" if series.cell else series.key


def value_text(series: Series, value: float) -> str:
    """A value as tables write it; counts to the last one, so that a parameter more is seen."""
    quantity = series.quantity
    if quantity.unit in ("count", "operations"):
        return units.exact(value, quantity.unit)
    if quantity.unit != "fraction":
        return units.with_unit(value, quantity.unit, None, quantity.divisor)
    return units.show(value, quantity.unit, 2 if quantity.unit == "fraction" else None, quantity.divisor)


def difference_text(series: Series, difference: float) -> str:
    """A difference as tables write it, signed; of counts exact, of times and memory in their unit."""
    sign = "+" if difference > 0 else units.MINUS if difference < 0 else ""
    return f"{sign}{value_text(series, abs(difference))}"


def change_text(series: Series, change: Change) -> str:
    """ "worse by 0.80 [0.52, 1.10]": which way, how much, and its interval."""
    better = (change.difference > 0) == (series.quantity.better == "higher")
    text = f"{'better' if better else 'worse'}: {difference_text(series, change.difference)}"
    if change.interval is None:
        return text
    low, high = (difference_text(series, end) for end in change.interval)
    return f"{text} [{low}, {high}]"


def sentence(trend: Trend) -> str:
    """What a series comes to, in words."""
    series = trend.series
    found = [(row.place, row.change) for row in trend_rows(trend) if row.change is not None]
    if found:
        return "; ".join(f"{change_text(series, one)} from {series.points[at].release.name} on" for at, one in found)
    reasons = list(dict.fromkeys(one.reason for one in trend.stretches if one.reason))
    if reasons and all(one.fit is None for one in trend.stretches):
        return f"changes are not looked for: {reasons[0]}"
    return "no change"


def method(trend: Trend) -> list[str]:
    """How changes were looked for, a sentence for each stretch that has a fit with noise."""
    found = []
    for one in trend.stretches:
        if one.fit is not None and one.images:
            found.append(_method(trend.series, one))
    return found


def _method(series: Series, stretch: Stretch) -> str:
    assert stretch.fit is not None
    noise = stretch.fit.noise
    low, high = (value_text(series, end) for end in (min(noise), max(noise)))
    span = low if low == high else f"{low} to {high}"
    penalty = units.significant(stretch.fit.penalty) if stretch.fit.penalty else "0"
    return (
        f"noise: paired standard errors of neighbours {span}, from {stretch.images:,} images and {REPLICATES:,} "
        f"replicates; penalty {penalty}, which chance exceeds in {100 * LEVEL:g} % of histories without a change"
    )


def spark(values: Sequence[float]) -> str:
    """The values as a line of bars, lowest to highest."""
    low, high = min(values), max(values)
    if high == low:
        return BARS[3] * len(values)
    return "".join(BARS[min(len(BARS) - 1, int((value - low) / (high - low) * len(BARS)))] for value in values)
