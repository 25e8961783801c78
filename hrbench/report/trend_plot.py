"""A series over releases as a drawing: each release with its interval, fitted levels, changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from hrbench.core import units
from hrbench.judge.history import Series
from hrbench.judge.trend import Trend
from hrbench.report.trend import TrendRow, heading, sentence, trend_rows, value_text

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 74
MOST_LABELS = 24
"""Of releases below the axis; of more some are left out, and the table has all."""
_LONGEST = 14


@dataclass(frozen=True, slots=True)
class _Axes:
    """From places of releases and values to the drawing. many: releases. low, high: of the values shown."""

    many: int
    low: float
    high: float

    def x(self, place: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (place + 0.5) / self.many, 1)

    def y(self, value: float) -> float:
        return round(_TOP + (HEIGHT - _TOP - _BOTTOM) * (self.high - value) / (self.high - self.low), 1)

    def level(self, kind: str, start: float, stop: float, value: float) -> str:
        """A horizontal line."""
        y = self.y(value)
        return f'<line class="{kind}" x1="{self.x(start)}" x2="{self.x(stop)}" y1="{y}" y2="{y}"/>'

    def upright(self, kind: str, place: float, low: float, high: float) -> str:
        x = self.x(place)
        return f'<line class="{kind}" x1="{x}" x2="{x}" y1="{self.y(low)}" y2="{self.y(high)}"/>'


def plot(trend: Trend) -> str:
    """An inline `<svg>`; an upright line is where something else changed in how the number was measured."""
    series, rows = trend.series, trend_rows(trend)
    points = series.points
    ends = [end for point in points for end in (*(point.interval or ()), point.value)]
    axes = _Axes(len(points), *_padded(min(ends), max(ends)))
    parts = [*_grid(series, axes)]
    parts += [axes.upright("break", one.start - 0.5, axes.low, axes.high) for one in trend.stretches[1:]]
    parts += _levels(rows, axes)
    for place, point in enumerate(points):
        if point.interval is not None:
            parts.append(axes.upright("interval", place, *point.interval))
        kind = "changed" if rows[place].change is not None else "point"
        told = escape(f"{point.release.name}: {value_text(series, point.value)}")
        at = f'cx="{axes.x(place)}" cy="{axes.y(point.value)}"'
        parts.append(f'<circle class="{kind}" {at} r="3.4"><title>{told}</title></circle>')
    parts += _names(series, axes)
    told = f"{heading(series)} of {series.entry}, {units.amount(len(points), 'release')}: {sentence(trend)}"
    return (
        f'<svg class="trend" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(told)}">'
        f"{''.join(parts)}</svg>"
    )


def _grid(series: Series, axes: _Axes) -> Iterator[str]:
    for tick in _ticks(axes.low, axes.high):
        yield axes.level("grid", -0.5, axes.many - 0.5, tick)
        number = units.shown(tick, series.quantity.unit, series.quantity.divisor)
        text = f"{number:,.6g}".replace("-", units.MINUS)
        yield f'<text class="tick" x="{_LEFT - 8}" y="{axes.y(tick) + 4}" text-anchor="end">{text}</text>'


def _names(series: Series, axes: _Axes) -> Iterator[str]:
    """Names of releases below the axis."""
    y = HEIGHT - _BOTTOM + 16
    for place in range(0, axes.many, math.ceil(axes.many / MOST_LABELS)):
        name = series.points[place].release.name
        short = name if len(name) <= _LONGEST else f"{name[:6]}…{name[-7:]}"
        x = axes.x(place)
        turned = f'text-anchor="end" transform="rotate(-38 {x} {y})"'
        yield f'<text class="tick" x="{x}" y="{y}" {turned}>{escape(short)}</text>'


def _levels(rows: Sequence[TrendRow], axes: _Axes) -> Iterator[str]:
    """The fitted levels, a line a piece."""
    start = 0
    for place in range(1, len(rows) + 1):
        if place < len(rows) and rows[place].change is None and not rows[place].told and rows[place].level is not None:
            continue
        level = rows[start].level
        if level is not None:
            yield axes.level("level", start - 0.5, place - 0.5, level)
        start = place


def _padded(low: float, high: float) -> tuple[float, float]:
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers between two."""
    step = 10.0 ** math.floor(math.log10((high - low) / 3))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 6)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
