"""Tables cut and measured so that LaTeX sets them within a column or a page. No LaTeX runs.

The rule, from top to bottom, at `\\small`:

1. A table of up to seven numeric columns stands in one column, its headings and names broken into up to three lines.
2. Any other stands across the page, its headings and names broken likewise; names that would take more than a third of
   the page so are broken into as many lines as it takes to be no wider.
3. What is wider is split between its quantities into parts, each with the names, as few as there can be.
4. What is still wider, a single quantity beside long words, is set smaller: `\\footnotesize`, then `\\scriptsize`.
5. What is taller than a page is split between its rows.

Column and page are those of a two-column A4 article with margins of 2 cm; those of most journals are no narrower.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from hrbench.report.grid import Column, Table, TableRow, headed, marker, part_heading, spanning, titled
from hrbench.report.latex_widths import BOLD, FOOTNOTE_SIZE, QUAD, SUPERSCRIPT, longest_word, text_width
from hrbench.report.pareto import MARK
from hrbench.report.table_cells import Cell

COLUMN, PAGE, HEIGHT = 234.0, 480.0, 640.0
"""Points of a column and of both, less what rounding may add, and of a page's height for rows and notes."""

LINES, MOST_LINES = 3, 99
"""Lines of a heading or name at most, and of a name that is as narrow as it can be."""

NAMES = 1 / 3
"""Share of the page that a column of names need not be wider than."""

ONE_COLUMN = 7
"""Numeric columns that a table in one column has at most."""

COLSEP = 3.0
"""Points of `\\tabcolsep`: there are twice as many between two columns."""

Size = Literal["small", "footnotesize", "scriptsize"]
SIZES: dict[Size, float] = {"small": 1.0, "footnotesize": 0.9, "scriptsize": 0.79}
"""How wide text is, as a share of that of `\\small`."""

_LINE, _NOTE_LINE = 11.0, 9.5


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table, or a part of one, as it is to be set.

    table: with the columns, rows and footnotes of this part; the numbers of footnotes are those of the whole.
    wide: whether it stands across the page.
    size: of its text.
    names: points of each text column, None for as wide as its text; as many as there are text columns.
    headings: the lines of each column's last heading.
    notes: numbers of the footnotes that this part has.
    width: points that it takes, as far as is known.
    part, parts: which of how many it is.
    """

    table: Table
    wide: bool
    size: Size
    names: tuple[float | None, ...]
    headings: tuple[tuple[str, ...], ...]
    notes: tuple[int, ...]
    width: float = PAGE
    part: int = 1
    parts: int = 1


def fitted(table: Table) -> list[Fitted]:
    """The parts of a table, in order: one if it fits."""
    across = _FittedColumns(table).parts()
    tall = [part for one in across for part in _by_rows(one)]
    return [replace(one, part=number, parts=len(tall)) for number, one in enumerate(tall, 1)]


class _FittedColumns:
    """The columns of a table with what they hold, measured once.

    below: points of what stands below each heading, at `\\small`.
    names: what each text column has to hold, each once: a text, and how far it is set in.
    """

    def __init__(self, table: Table) -> None:
        self.table, self.columns = table, table.columns
        every = range(len(table.columns))
        self.below = [max((cell_width(row, row.cells[one], one) for row in table.rows), default=0.0) for one in every]
        self.texts = [number for number in every if table.columns[number].part == "text"]
        self.names = {number: tuple(dict.fromkeys(_names(table, number))) for number in self.texts}

    def parts(self) -> list[Fitted]:
        """Parts of some of the columns each."""
        every = [*range(len(self.columns))]
        numeric = [number for number in every if number not in self.names]
        if len(numeric) <= ONE_COLUMN and (found := self.fit(every, COLUMN)):
            return [found]
        if found := self.fit(every, PAGE):
            return [found]
        chosen: list[list[int]] = [[]]
        for _, members in groupby(numeric, key=lambda number: self.columns[number].quantity):
            some = [*members]
            if chosen[-1] and not self.fit([*self.texts, *chosen[-1], *some], PAGE):
                chosen.append([])
            chosen[-1] += some
        return [self.least([*self.texts, *some]) for some in chosen]

    def least(self, columns: Sequence[int]) -> Fitted:
        """A part across the page, in the largest type in which it fits; in the smallest if it fits in none."""
        for size in SIZES:
            if found := self.fit(columns, PAGE, size):
                return found
        return self.part(sorted(columns), True, "scriptsize", {}, self.headings(sorted(columns), 3), PAGE)

    def fit(self, columns: Sequence[int], limit: float, size: Size = "small") -> Fitted | None:
        """Some columns within a limit in points, or None."""
        share, wide, kept = SIZES[size], limit > COLUMN, sorted(columns)
        apart = 2 * COLSEP * (len(kept) - 1)
        for broken in (1, LINES):
            headings = self.headings(kept, broken)
            widths = dict(zip(kept, (share * width for width in self.widths(kept, headings)), strict=True))
            if sum(widths.values()) + apart <= limit:
                return self.part(kept, wide, size, {}, headings, sum(widths.values()) + apart)
        over, given = sum(widths.values()) + apart - limit, dict[int, float]()
        for number in sorted(self.texts, key=lambda number: -widths[number]):  # the widest gives way first
            least = share * self.narrowest(number, LINES)
            if limit == PAGE and least > NAMES * PAGE:
                least = max(NAMES * PAGE, share * self.narrowest(number, MOST_LINES))
            if least < widths[number]:
                given[number] = max(least, widths[number] - over)
                over -= widths[number] - given[number]
            if over <= 0:
                return self.part(kept, wide, size, given, headings, limit)
        return None

    def narrowest(self, number: int, lines: int) -> float:
        """Points in which a text column can be set with so many lines a row."""
        texts = self.names[number]
        low = max((indent + longest_word(text) for text, indent in texts), default=0.0)
        high = max((indent + text_width(text) for text, indent in texts), default=0.0)
        while high - low > 1:
            middle = (low + high) / 2
            fits = all(len(_wrapped(text.split(), middle - indent)) <= lines for text, indent in texts)
            low, high = (low, middle) if fits else (middle, high)
        return math.ceil(high)

    def part(
        self,
        kept: Sequence[int],
        wide: bool,
        size: Size,
        given: Mapping[int, float],
        headings: list[tuple[str, ...]],
        width: float,
    ) -> Fitted:
        rows = tuple(replace(row, cells=tuple(row.cells[one] for one in kept)) for row in self.table.rows)
        some = replace(self.table, columns=tuple(self.columns[one] for one in kept), rows=rows)
        names = tuple(given.get(one) for one in kept if one in self.names)
        return Fitted(some, wide, size, names, tuple(headings), _notes(rows), width)

    def headings(self, kept: Sequence[int], lines: int) -> list[tuple[str, ...]]:
        """The last heading of each column, in up to so many lines where it is wider than what stands below it."""
        columns = [self.columns[number] for number in kept]
        shown = [part_heading(one, columns) if is_parted(one, columns) else titled(one, "") for one in columns]
        return [_broken(text, self.below[number], lines) for text, number in zip(shown, kept, strict=True)]

    def widths(self, kept: Sequence[int], headings: Sequence[Sequence[str]]) -> list[float]:
        """Points of each column as wide as what it holds, at `\\small`; the first of a spanning heading takes what
        that lacks."""
        columns = [self.columns[number] for number in kept]
        found = [
            max([self.below[number], *map(text_width, heading)]) for number, heading in zip(kept, headings, strict=True)
        ]
        spans = [(column.group, column.group) for column in columns]
        parted = [(one.quantity, spanning(one, columns, "") if is_parted(one, columns) else "") for one in columns]
        for above in (spans, parted):
            place = 0
            for (_, text), members in groupby(above):
                many = len([*members])
                lacking = text_width(text) - sum(found[place : place + many]) - 2 * COLSEP * (many - 1)
                found[place] += max(0.0, lacking) if text else 0.0
                place += many
        return found


def section_lines(part: Fitted, section: str) -> list[str]:
    """The heading of a section in lines that are no wider than the table."""
    return _wrapped(section.split(), part.width / SIZES[part.size])


def cell_width(row: TableRow, cell: Cell, number: int) -> float:
    """Points of a cell in one line at `\\small`, with its marks. number: of its column."""
    width = text_width(cell.text, cell.bold) + (text_width(MARK) if cell.front else 0.0)
    notes = cell.notes
    if number == 0:
        width += QUAD if row.group else 0.0
        width += FOOTNOTE_SIZE * text_width(f" ({'; '.join(row.tags)})") if row.tags else 0.0
        notes = row.notes + notes
    return width + (SUPERSCRIPT * BOLD * text_width(",".join(map(marker, notes))) if notes else 0.0)


def is_parted(column: Column, columns: Sequence[Column]) -> bool:
    """Whether the quantity of a column has a heading above those of its parts."""
    if column.part == "text":
        return False
    return any(one.part not in ("text", "measured") for one in columns if one.quantity == column.quantity)


def _notes(rows: Iterable[TableRow]) -> tuple[int, ...]:
    """Numbers of the footnotes of some rows, rising."""
    return tuple(
        sorted({note for row in rows for note in (*row.notes, *(n for cell in row.cells for n in cell.notes))})
    )


def _names(table: Table, number: int) -> Iterator[tuple[str, float]]:
    """What a text column has to hold, and how far it is set in."""
    yield table.columns[number].heading, 0.0
    for row in table.rows:
        tags = f" ({'; '.join(row.tags)})" if row.tags and number == 0 else ""
        marks = ",".join(map(marker, (row.notes if number == 0 else ()) + row.cells[number].notes))
        yield row.cells[number].text + marks + tags, QUAD if row.group and number == 0 else 0.0


def _broken(text: str, below: float, lines: int) -> tuple[str, ...]:
    """A heading in one line if it is no wider than what stands below, else in as few lines as make it so, or in so many
    as there may be.

    >>> _broken("operations on images", 30.0, 1), _broken("operations on images", 60.0, 3)
    (('operations on images',), ('operations', 'on images'))
    """
    words = text.split()
    best = [" ".join(words)]
    for number in range(2, lines + 1):
        if max(map(text_width, best), default=0.0) <= below:
            break
        ends = {text_width(" ".join(words[a:b])) for a in range(len(words)) for b in range(a + 1, len(words) + 1)}
        best = next((found for width in sorted(ends) if len(found := _wrapped(words, width)) <= number), best)
    return tuple(best)


def _wrapped(words: Sequence[str], width: float) -> list[str]:
    """Words in lines as wide as this or, where a word is wider, as that."""
    found: list[str] = []
    for word in words:
        if found and text_width(f"{found[-1]} {word}") <= width + 1e-9:
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


# --- heights ---------------------------------------------------------------------------------------------------------


def _by_rows(whole: Fitted) -> list[Fitted]:
    """Parts that are no taller than a page; one if the whole is not."""
    limit = PAGE if whole.wide else COLUMN
    below = sum(_NOTE_LINE * _note_lines(text, limit) for text in whole.table.remarks)
    room = HEIGHT - 12 * _note_lines(whole.table.title + whole.table.caption, limit) - 5 * _LINE - below
    parts: list[list[TableRow]] = [[]]
    height, told = 0.0, set[int]()
    for section, group, row in headed(whole.table.rows):
        wrapped = [
            len(_wrapped(cell.text.split(), width - (QUAD if row.group else 0.0)))
            for cell, width in zip(row.cells, whole.names, strict=False)
            if width
        ]
        new = {*_notes([row])} - told
        more = _LINE * max([1, *wrapped]) + (1.5 * _LINE if group else 0.0)
        more += _LINE * (0.5 + len(section_lines(whole, section))) if section else 0.0
        more += sum(_NOTE_LINE * _note_lines(whole.table.footnotes[note], limit) for note in new)
        if parts[-1] and height + more > room:
            parts.append([])
            height, told = 0.0, set()
        parts[-1].append(row)
        height, told = height + more, told | new
    if len(parts) == 1:
        return [whole]
    return [replace(whole, table=replace(whole.table, rows=tuple(some)), notes=_notes(some)) for some in parts]


def _note_lines(text: str, width: float) -> int:
    return max(1, math.ceil(FOOTNOTE_SIZE * text_width(text) / (0.95 * width)))
