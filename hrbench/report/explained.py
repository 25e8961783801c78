"""The report's section on why scores are what they are: of each analysis a compact choice, as plain data and SVG.

Drawings are plain SVG without scripts or `style` attributes: a page of a hundred entries has hundreds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape as escaped

import numpy as np

from hrbench.core import units
from hrbench.core.shown_text import shown
from hrbench.errors import HrbenchError
from hrbench.report.analysis_view import bars, chosen, confusions, heading, headline, is_told_by_pairs, texts
from hrbench.report.axes import linear_ticks
from hrbench.store.analyses import analyses_of
from hrbench.types import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisSection, AnalysisTable, Result

ROWS, SOME = 18, 8
"""A table of at most `ROWS` rows stands whole in the page, of a longer one `SOME` of them."""

MATRIX, PAIRS = 12, 8
"""A matrix of at most so many columns stands whole in the page, of a larger one its most frequent pairs."""

LINES, POINTS, DOTTED = 6, 51, 20
"""Of a section of curves so many lines are drawn, each through at most so many points; few points are marked."""

_WIDTH, _HEIGHT = 300, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 6, 17, 30


@dataclass(frozen=True, slots=True)
class ShownCell:
    """A number as text.

    why: there is none.
    bar: its length in twentieths, None for no bar.
    heat: 0 to 9, of a count.
    """

    text: str
    why: str = ""
    bar: int | None = None
    heat: int | None = None


@dataclass(frozen=True, slots=True)
class ShownPart:
    """One section of an analysis.

    about: number of its definition among the page's.
    headings: of a table, the first that of the labels; () if it is a drawing.
    rows: their labels and cells.
    drawing: SVG.
    legend: (number of the colour, name) of each line.
    more: what is not shown.
    """

    title: str
    about: int
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, tuple[ShownCell, ...]], ...] = ()
    drawing: str = ""
    legend: tuple[tuple[int, str], ...] = ()
    more: str = ""


@dataclass(frozen=True, slots=True)
class ExplainedEntry:
    """What the page shows of one entry's metric.

    headline: what weighs most.
    problem: why there is nothing, with what to do; "" if there is.
    """

    label: str
    metric: str
    headline: str = ""
    problem: str = ""
    parts: tuple[ShownPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """What the numbers of a section are; each stands once in a page."""

    metric: str
    title: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Explanations:
    """The whole section of a page."""

    entries: tuple[ExplainedEntry, ...]
    definitions: tuple[Definition, ...]


def explanations(results: Sequence[Result], labels: Sequence[str]) -> Explanations:
    """What is stored of each result, in their order. labels: how the page names them.

    A file that is damaged gives a sentence in place of its entry's analysis.
    """
    known: dict[Definition, int] = {}
    found: list[ExplainedEntry] = []
    for result, label in zip(results, labels, strict=True):
        name = " ".join(filter(None, [label, units.size(result.entry.variant.input)]))
        name += f", {result.entry.dataset.title or result.entry.dataset.name}" if result.entry.dataset else ""
        try:
            analyses = analyses_of(result)
        except (HrbenchError, OSError) as error:
            found.append(ExplainedEntry(name, "", problem=str(error)))
            continue
        found += [_entry(name, one, known) for one in analyses]
    return Explanations(tuple(found), tuple(known))


def _entry(label: str, analysis: Analysis, known: dict[Definition, int]) -> ExplainedEntry:
    parts = []
    for one in analysis.sections:
        if is_told_by_pairs(one, analysis, MATRIX):
            continue
        about = Definition(analysis.metric, one.title, one.definition, one.source)
        parts.append(_part(one, known.setdefault(about, len(known))))
    return ExplainedEntry(label, analysis.metric, headline(analysis), parts=tuple(parts))


def _part(one: AnalysisSection, about: int) -> ShownPart:
    if isinstance(one, AnalysisTable):
        return _table(one, about)
    if isinstance(one, AnalysisMatrix):
        return _matrix(one, about) if len(one.columns) <= MATRIX else _pairs(one, about)
    names = tuple(enumerate(one.names[:LINES], 1))
    left = len(one.names) - len(names)
    more = f"{units.amount(left, 'further line')}" if left else ""
    return ShownPart(one.title, about, drawing=curves_svg(one), legend=names if len(names) > 1 else (), more=more)


def _table(table: AnalysisTable, about: int) -> ShownPart:
    shown, cells, lengths = chosen(table, ROWS, SOME), texts(table), bars(table)
    headings = ("", *(heading(table, column) for column in range(len(table.columns))))
    rows = tuple(
        (
            table.rows[row],
            tuple(
                ShownCell(
                    text,
                    table.reasons.get((row, column), ""),
                    round(20 * lengths[row]) if lengths is not None and column == table.main else None,
                )
                for column, text in enumerate(cells[row])
            ),
        )
        for row in shown.rows
    )
    more = f"{shown.how}; {units.amount(shown.left, 'row')} more" if shown.left else ""
    return ShownPart(table.title, about, headings, rows, more=more)


def _matrix(matrix: AnalysisMatrix, about: int) -> ShownPart:
    """All of a small matrix, each cell with its share of the row in tenths."""
    total = np.maximum(matrix.counts.sum(axis=1, keepdims=True), 1)
    heat = np.minimum(np.ceil(9 * matrix.counts / total), 9).astype(int).tolist()
    rows = tuple(
        (name, tuple(ShownCell(f"{count:,}", heat=warm) for count, warm in zip(counts, shares, strict=True)))
        for name, counts, shares in zip(matrix.rows, matrix.counts.tolist(), heat, strict=True)
    )
    corner = f"{matrix.row_label} \\ {matrix.column_label}"
    return ShownPart(matrix.title, about, (corner, *matrix.columns), rows)


def _pairs(matrix: AnalysisMatrix, about: int) -> ShownPart:
    pairs = confusions(matrix, PAIRS)
    rows = tuple(
        (f"{one.row} → {one.column}", (ShownCell(f"{one.count:,}"), ShownCell(units.percent(one.share))))
        for one in pairs
    )
    headings = (f"{matrix.row_label} → {matrix.column_label}", "count", "of the row")
    more = f"the most frequent pairs of {len(matrix.rows)} × {len(matrix.columns)}"
    return ShownPart(matrix.title, about, headings, rows, more=more)


def curves_svg(curves: AnalysisCurves) -> str:
    """Lines over two axes, as an inline SVG whose colours are those of the page's classes."""
    x_range, y_range = _range(curves.x, curves.diagonal), _range(curves.y, curves.diagonal)
    names = ", ".join(curves.names[:LINES])
    title = _escape(f"{curves.title}: {names}")
    found = [f'<svg class="curves" role="img" aria-label="{title}" viewBox="0 0 {_WIDTH} {_HEIGHT}">']
    across = [(_across(value, x_range), value) for value in linear_ticks(*x_range, 6)]
    down = [(_down(value, y_range), value) for value in linear_ticks(*y_range, 6)]
    grid = [f"M{at} {_TOP}V{_HEIGHT - _BOTTOM}" for at, _ in across]
    grid += [f"M{_LEFT} {at}H{_WIDTH - _RIGHT}" for at, _ in down]
    found.append(f'<path class="grid" d="{"".join(grid)}"/>')
    found += [f'<text class="x" x="{at}" y="{_HEIGHT - _BOTTOM + 12}">{value:g}</text>' for at, value in across]
    found += [f'<text class="y" x="{_LEFT - 4}" y="{at}" dy="3">{value:g}</text>' for at, value in down]
    middle = (_LEFT + _WIDTH - _RIGHT) // 2
    found.append(f'<text class="x" x="{middle}" y="{_HEIGHT - 4}">{_escape(curves.x_label)}</text>')
    found.append(f'<text x="2" y="9">{_escape(curves.y_label)}</text>')
    if curves.diagonal:
        ends = [max(x_range[0], y_range[0]), min(x_range[1], y_range[1])]
        line = "L".join(f"{_across(end, x_range)} {_down(end, y_range)}" for end in ends)
        found.append(f'<path class="diagonal" d="M{line}"/>')
    at = np.unique(np.linspace(0, len(curves.x) - 1, min(len(curves.x), POINTS)).round().astype(int))
    for number, y in enumerate(curves.y[:LINES], 1):
        points = _points(curves.x[at], y[at], x_range, y_range)
        found.append(f'<path class="line s{number}" d="{_path(points)}"/>')
        if len(at) <= DOTTED:
            dots = "".join(f"M{one}h0" for one in points if one)
            found.append(f'<path class="dots s{number}" d="{dots}"/>')
    return "".join([*found, "</svg>"])


def _points(x: np.ndarray, y: np.ndarray, x_range: tuple[float, float], y_range: tuple[float, float]) -> list[str]:
    """Where the points lie in the drawing; "" for one without a value."""
    pairs = zip(x.tolist(), y.tolist(), strict=True)
    return ["" if b != b else f"{_across(a, x_range)} {_down(b, y_range)}" for a, b in pairs]


def _path(points: Sequence[str]) -> str:
    """The path through points; it begins anew behind a gap.

    >>> _path(["1 2", "3 4", "", "5 6"])
    'M1 2L3 4M5 6'
    """
    before = ["", *points]
    return "".join(f"{'L' if last else 'M'}{one}" for last, one in zip(before, points, strict=False) if one)


def _escape(text: str) -> str:
    """A text from outside, for a drawing: templates clean their own."""
    return escaped(shown(text))


def _range(values: np.ndarray, unit: bool) -> tuple[float, float]:
    """The ends of an axis: 0 and 1 if all values lie there, else theirs."""
    some = values[~np.isnan(values)]
    low, high = (float(some.min()), float(some.max())) if len(some) else (0.0, 1.0)
    if low >= 0 and high <= 1 and (unit or high > 0.2):
        return 0.0, 1.0
    low = min(low, 0.0) if low < high else low - 0.5
    return low, high if high > low else low + 1.0


def _across(value: float, ends: tuple[float, float]) -> int:
    share = (value - ends[0]) / (ends[1] - ends[0])
    return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT))


def _down(value: float, ends: tuple[float, float]) -> int:
    share = (value - ends[0]) / (ends[1] - ends[0])
    return round(_TOP + (1 - share) * (_HEIGHT - _TOP - _BOTTOM))
