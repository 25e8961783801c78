"""Axes of figures: scales with round numbers on them, the frame, and the legend above it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hrbench.core.units import MINUS
from hrbench.report.scene import Box, Format, Mark, Path, Position, Scene, Words, cross, plain, shaped
from hrbench.report.typeface import width

LOG_SPAN = 2.5  # values that span more than this factor lie on a logarithmic axis
MOST_ROWS = 60
"""Of a figure with a row for each: more do not fit a page, and the table has all."""
_GAP = 3.0
_TICK = 2.5


@dataclass(frozen=True, slots=True)
class AxisScale:
    """From values to points of the drawing.

    low, high: the values at the ends.
    start, end: where these lie.
    ticks: values with a number on the axis.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False
    ticks: tuple[float, ...] = ()

    def __call__(self, value: float) -> float:
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows: its label, and the values at its ends."""

    label: str
    low: float
    high: float
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """Where the data lie. box: of the frame."""

    box: Box
    x: AxisScale
    y: AxisScale
    format: Format

    def __call__(self, x: float, y: float) -> Position:
        return self.x(x), self.y(y)


@dataclass(frozen=True, slots=True)
class Key:
    """One line of a legend.

    shape: of a point, "" for none.
    line: whether a line goes through it.
    dash: as of `Path`.
    hollow, crossed, ring: whether the point is empty, a cross, within a ring.
    """

    label: str
    colour: str = "ink"
    shape: str = ""
    line: bool = False
    dash: str = ""
    hollow: bool = False
    crossed: bool = False
    ring: bool = False
    opacity: float = 1.0


def chart(
    form: Format, title: str, x: Axis, y: Axis, keys: Sequence[Key], draw: Callable[[Area], Iterable[Mark]]
) -> Scene:
    """A drawing with two axes.

    title: for those who cannot see it.
    keys: of the legend.
    draw: the marks within the frame.
    """
    above, high = legend(form, keys)
    height = form.height + high
    top, bottom = high + 0.6 * form.font, height - 2.6 * form.font - _TICK
    upright = _scale(y, bottom, top, lambda texts: [(-0.6 * form.font, 0.6 * form.font)] * len(texts), 8)
    left = 1.5 * form.font + max(width(text, form.font) for _, text in numbers(upright)) + _GAP + _TICK
    flat = ticks_between(x, left, form.width - 0.5, form.font, 9)
    area = Area((left, top, form.width - 0.5, bottom), flat, upright, form)
    return Scene(form.width, height, plain(title), (*above, *_frame(area, x, y), *draw(area)))


@dataclass(frozen=True, slots=True)
class Foot:
    """The axis below rows. marks: its grid, line, numbers and label. height: of the whole drawing."""

    x: AxisScale
    marks: tuple[Mark, ...]
    height: float


def foot(form: Format, axis: Axis, box: Box) -> Foot:
    """The axis below rows that stand in a box and share it."""
    left, top, right, bottom = box
    font = form.font
    x = ticks_between(axis, left, right, font, 4 if form.name == "column" else 8)
    feet = tuple(((x(tick), bottom), (x(tick), bottom + _TICK)) for tick in x.ticks)
    marks: list[Mark] = [
        Path(tuple(((x(tick), top), (x(tick), bottom)) for tick in x.ticks), "rule", 0.5),
        Path((((left, bottom), (right, bottom)), *feet), "ink", 0.6),
    ]
    marks += [Words((x(tick), bottom + _TICK + font), text, font, "middle") for tick, text in numbers(x)]
    label = shortened(plain(axis.label), font, form.width)
    half = width(label, font) / 2  # below the middle where it has room, else from the edge
    middle = min(max((left + right) / 2, half), form.width - half)
    marks.append(Words((middle, bottom + _TICK + 2.4 * font), label, font, "middle"))
    return Foot(x, tuple(marks), bottom + _TICK + 3 * font)


def padded(label: str, values: Sequence[float], before: float, after: float) -> Axis:
    """An axis around values, logarithmic if they span more than `LOG_SPAN`.

    values: at least one; above 0 where they span so much.
    before, after: room at its ends, as shares of what the values span.
    """
    low, high = min(values), max(values)
    if low > 0 and high > LOG_SPAN * low:
        return Axis(label, low / (high / low) ** before, high * (high / low) ** after, True)
    span = max(high - low, 0.2 * abs(high)) or 1.0
    return Axis(label, low - before * span, high + after * span)


def ticks_between(axis: Axis, start: float, end: float, font: float, most: int) -> AxisScale:
    """A horizontal scale with at most so many numbers, none of which touches another.

    start, end: where it lies.
    font: size of the numbers.
    """

    def spans(texts: Sequence[str]) -> list[tuple[float, float]]:
        return [(-width(text, font) / 2 - 3, width(text, font) / 2 + 3) for text in texts]

    return _scale(axis, start, end, spans, most)


def _scale(
    axis: Axis, start: float, end: float, spans: Callable[[Sequence[str]], list[tuple[float, float]]], most: int
) -> AxisScale:
    """With as many ticks as have room. spans: from texts to what each takes before and after its tick."""
    found = AxisScale(axis.low, axis.high, start, end, axis.logarithmic)
    for many in range(most, 1, -1):
        values = (log_ticks if axis.logarithmic else linear_ticks)(axis.low, axis.high, many)
        found = replace(found, ticks=tuple(values))
        texts = [text for _, text in numbers(found)]
        taken = sorted(
            (found(value) + one, found(value) + other) for value, (one, other) in zip(values, spans(texts), strict=True)
        )
        if all(one[1] <= other[0] for one, other in pairwise(taken)):
            break
    return found


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two ends, at most so many; at least one.

    >>> linear_ticks(66.2, 78.4, 7), linear_ticks(0.03, 0.2, 4)
    ([68.0, 70.0, 72.0, 74.0, 76.0, 78.0], [0.05, 0.1, 0.15, 0.2])
    """
    power = math.floor(math.log10((high - low) / most)) if high > low else 0
    for step in (factor * 10.0**exponent for exponent in range(power, power + 3) for factor in (1, 2, 2.5, 5)):
        digits = max(0, 2 - math.floor(math.log10(step)))
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [round(step * count, digits) for count in range(first, last + 1)] or [low]
    return [low]


def log_ticks(low: float, high: float, most: int = 9) -> list[float]:
    """Round numbers between two positive ends, at most so many; of more decades every second, third ... power of 10.

    >>> log_ticks(3, 80), log_ticks(1e-3, 2e4, 4)
    ([3.0, 5.0, 7.0, 10.0, 20.0, 30.0, 50.0, 70.0], [0.001, 0.1, 10.0, 1000.0])
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    halves = tuple(1 + index / 2 for index in range(18))
    for steps in (halves, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5, 7), (1, 2, 5)):
        found = _between(low, high, [float(f"{step}e{decade}") for decade in decades for step in steps])
        if len(found) <= most:
            return found or [low]
    found = _between(low, high, [float(f"1e{decade}") for decade in decades])
    return found[:: math.ceil(len(found) / most)] or [low]


def _between(low: float, high: float, values: Iterable[float]) -> list[float]:
    return [value for value in values if low <= value <= high]


def number(value: float) -> str:
    """As an axis writes it.

    >>> number(1500.0), number(0.25), number(-2.0)
    ('1,500', '0.25', '−2')
    """
    return f"{value:,.12g}".replace("-", MINUS)


def numbers(scale: AxisScale) -> list[tuple[float, str]]:
    """The ticks of an axis with their texts, those of a linear axis with equally many decimals.

    >>> numbers(AxisScale(0.0, 0.3, 0, 9, ticks=(0.1, 0.15, 0.2)))
    [(0.1, '0.10'), (0.15, '0.15'), (0.2, '0.20')]
    """
    texts = [number(tick) for tick in scale.ticks]
    if scale.logarithmic:
        return list(zip(scale.ticks, texts, strict=True))
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [(tick, f"{tick:,.{decimals}f}".replace("-", MINUS)) for tick in scale.ticks]


def _frame(area: Area, x: Axis, y: Axis) -> list[Mark]:
    """Grid, two axes with their numbers, and their labels."""
    left, top, right, bottom = area.box
    font = area.format.font
    upright = tuple(((area.x(tick), top), (area.x(tick), bottom)) for tick in area.x.ticks)
    flat = tuple(((left, area.y(tick)), (right, area.y(tick))) for tick in area.y.ticks)
    ticks = tuple(((area.x(tick), bottom), (area.x(tick), bottom + _TICK)) for tick in area.x.ticks)
    ticks += tuple(((left - _TICK, area.y(tick)), (left, area.y(tick))) for tick in area.y.ticks)
    marks: list[Mark] = [
        Path((*upright, *flat), "rule", 0.5),
        Path((((left, top), (left, bottom), (right, bottom)), *ticks), "ink", 0.6),
    ]
    for tick, text in numbers(area.x):
        if area.x(tick) + width(text, font) / 2 > area.format.width:
            continue
        marks.append(Words((area.x(tick), bottom + _TICK + font), text, font, "middle"))
    for tick, text in numbers(area.y):
        marks.append(Words((left - _TICK - _GAP, area.y(tick) + 0.36 * font), text, font, "end"))
    marks.append(Words(((left + right) / 2, bottom + _TICK + 2.4 * font), plain(x.label), font, "middle"))
    marks.append(Words((font, (top + bottom) / 2), plain(y.label), font, "middle", upright=True))
    return marks


def legend(form: Format, keys: Sequence[Key]) -> tuple[list[Mark], float]:
    """The keys from left to right in as many lines as they need, and how high these are.

    form: of the figure.
    """
    marks: list[Mark] = []
    size, sign, gap, height = form.font, 1.9 * form.font, 1.3 * form.font, 1.5 * form.font
    x, y = 0.0, height / 2
    for key in keys:
        label = shortened(plain(key.label) or "–", size, form.width - sign)
        wide = sign + width(label, size)
        if x and x + wide > form.width:
            x, y = 0.0, y + height
        marks += [*_sign(key, (x, y), sign, form), Words((x + sign, y + 0.36 * size), label, size)]
        x += wide + gap
    return marks, (y + height / 2 if keys else 0.0)


def _sign(key: Key, at: Position, wide: float, form: Format) -> list[Mark]:
    (x, y), size = at, form.font
    middle = (x + 0.42 * wide, y)
    marks: list[Mark] = []
    if key.line:
        marks.append(Path((((x, y), (x + 0.84 * wide, y)),), key.colour, 0.9, dash=key.dash, opacity=key.opacity))
    if key.ring:
        marks.append(shaped("disc", middle, 0.5 * size, stroke="ink", width=0.7))
    if key.crossed:
        marks.append(cross(middle, 0.26 * size, stroke="ink", width=0.9, opacity=key.opacity))
    elif key.shape and key.hollow:
        marks.append(shaped(key.shape, middle, 0.3 * size, fill="paper", stroke=key.colour, width=0.9))
    elif key.shape:
        marks.append(shaped(key.shape, middle, 0.3 * size, fill=key.colour, opacity=key.opacity))
    return marks


def shortened(text: str, size: float, most: float) -> str:
    """The beginning and the end of a text, in which names differ, within so many points.

    >>> shortened("HRNet-W48 of the second run", 10, 100)
    'HRNet…second run'
    """
    if width(text, size) <= most:
        return text
    for left_out in range(1, len(text)):
        kept = len(text) - left_out
        head = kept // 3
        short = f"{text[:head].rstrip()}…{text[head + left_out :].lstrip()}"
        if width(short, size) <= most:
            return short
    return "…"
