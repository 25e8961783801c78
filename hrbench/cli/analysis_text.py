"""An error analysis as plain text within a width: tables with bars, curves at some points, the most frequent pairs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np

from hrbench.core import units
from hrbench.core.shown_text import clean
from hrbench.report.analysis_view import bars, chosen, confusions, heading, is_told_by_pairs, texts
from hrbench.types import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisSection, AnalysisTable

BAR, LABEL, NARROWEST = 16, 28, 40
"""Characters of the longest bar, of a label, and of the narrowest text."""

ROWS, SOME, PAIRS = 24, 12, 10
"""Tables of more rows are shown in part, and of a large matrix so many pairs."""

MATRIX = 14
"""Columns of the largest matrix that is shown whole."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def text_of(analysis: Analysis, width: int, every: bool = False, first: bool = False) -> str:
    """All sections of an analysis.

    width: of a line, in characters.
    every: whether all rows of long tables are shown.
    first: whether only the first section is, without what its numbers are.
    """
    width = max(width, NARROWEST)
    shown = [one for one in analysis.sections if every or not is_told_by_pairs(one, analysis, MATRIX)]
    parts = [section_text(one, width, every, not first) for one in shown[: 1 if first else None]]
    return "\n\n".join(parts) or "nothing to tell"


def section_text(one: AnalysisSection, width: int, every: bool, defined: bool = True) -> str:
    """One section: its title, its numbers, and if `defined` what they are."""
    if isinstance(one, AnalysisTable):
        body = _table(one, width, every)
    elif isinstance(one, AnalysisCurves):
        body = _curves(one, width, every)
    else:
        body = _matrix(one, width, every)
    said = " ".join(filter(None, [one.definition, f"[{one.source}]" if one.source else ""])) if defined else ""
    return "\n".join([*textwrap.wrap(one.title, width), *body, *_filled(said, width)])


def _table(table: AnalysisTable, width: int, every: bool) -> list[str]:
    shown = chosen(table, len(table.rows) if every else ROWS, SOME)
    cells, lengths = texts(table), bars(table)
    headings = [heading(table, column) for column in range(len(table.columns))]
    rows = [[_cut(table.rows[row], LABEL), *cells[row]] for row in shown.rows]
    drawn = [""] * len(rows) if lengths is None else [bar(lengths[row]) for row in shown.rows]
    lines = _in_blocks(["", *headings], rows, width, drawn, table.main)
    if shown.left:
        lines += _filled(f"{shown.how}; {units.amount(shown.left, 'row')} more by --all or --json", width)
    if why := list(dict.fromkeys(table.reasons[place] for place in sorted(table.reasons) if place[0] in shown.rows)):
        lines += _filled(f"–: {'; '.join(why)}", width)
    return lines


def _curves(curves: AnalysisCurves, width: int, every: bool) -> list[str]:
    """Each line a column, at some of its points: eleven, or all if there are few or all are asked for."""
    many = len(curves.x)
    at = range(many) if every or many <= ROWS else np.unique(np.linspace(0, many - 1, 11).round().astype(int)).tolist()
    rows = [[_number(curves.x[i]), *("–" if y != y else _number(y) for y in curves.y[:, i].tolist())] for i in at]
    names = [_cut(name, LABEL) for name in curves.names]
    drawn = [""] * len(rows)
    if len(names) == 1 and not np.isnan(curves.y).all():
        top = max(float(np.nanmax(curves.y)), 1e-300)
        drawn = [bar(0.0 if curves.y[0, i] != curves.y[0, i] else float(curves.y[0, i]) / top) for i in at]
    lines = _in_blocks([curves.x_label, *names], rows, width, drawn, 0)
    lines.insert(0, f"  {curves.y_label}")
    if len(at) < many:
        lines += _filled(f"{len(at)} of {units.amount(many, 'point')}; the others by --all or --json", width)
    return lines


def _matrix(matrix: AnalysisMatrix, width: int, every: bool) -> list[str]:
    if every or len(matrix.columns) <= MATRIX:
        rows = [
            [_cut(name, LABEL), *(f"{count:,}" for count in counts)]
            for name, counts in zip(matrix.rows, matrix.counts.tolist(), strict=True)
        ]
        corner = _cut(f"{matrix.row_label} \\ {matrix.column_label}", LABEL)
        return _in_blocks([corner, *(_cut(name, LABEL // 2) for name in matrix.columns)], rows, width)
    pairs = confusions(matrix, PAIRS)
    shown = [
        [_cut(one.row, LABEL), _cut(one.column, LABEL), f"{one.count:,}", units.percent(one.share)] for one in pairs
    ]
    lines = _in_blocks([matrix.row_label, matrix.column_label, "count", "of the row"], shown, width, left=2)
    size = f"{len(matrix.rows)} × {len(matrix.columns)}"
    return [*lines, *_filled(f"the most frequent pairs; all {size} by --all or --json", width)]


def _in_blocks(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    drawn: Sequence[str] = (),
    main: int | None = None,
    left: int = 1,
) -> list[str]:
    """Aligned lines of some columns after the other, each block with the labels, so that none is wider than `width`.

    headings: of the labels, then of the columns.
    drawn: a bar for each row, which stands behind the column `main` (counted without the labels).
    left: how many columns are texts, which are repeated in each block.
    """
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    extra = {main + 1: max(map(len, drawn), default=0) + 1} if main is not None and any(drawn) else {}
    blocks: list[list[int]] = [[]]
    room = width - 2 - sum(widths[:left])
    used = 0
    for column in range(left, len(headings)):
        needed = 2 + widths[column] + extra.get(column, 0)
        if blocks[-1] and used + needed > room:
            blocks.append([])
            used = 0
        blocks[-1].append(column)
        used += needed
    lines: list[str] = []
    for block in blocks:
        for number, row in enumerate([headings, *rows]):
            cells = [row[i].ljust(widths[i]) for i in range(left)]
            for i in block:
                mark = (drawn[number - 1] if number else "").ljust(extra[i] - 1) if i in extra else None
                cells.append(row[i].rjust(widths[i]) + ("" if mark is None else f" {mark}"))
            lines.append(("  " + "  ".join(cells)).rstrip())
    return lines


def _filled(text: str, width: int) -> list[str]:
    """A text below the numbers that it is of."""
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ")


def bar(share: float, width: int = BAR) -> str:
    """A bar of eighths of a character.

    >>> bar(1.0, 4), bar(0.28, 4), bar(0.0, 4), bar(0.001, 4)
    ('████', '█▏', '', '▏')
    """
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", units.MINUS)


def _cut(text: str, most: int) -> str:
    """A text of one line, at most so long."""
    plain = " ".join(clean(text).split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"
