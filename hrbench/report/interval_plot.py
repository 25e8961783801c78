"""The main score of each row of a table with its 95 % interval and its published figure: a forest plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hrbench.report.axes import MOST_ROWS, Axis, AxisScale, Key, foot, legend, shortened
from hrbench.report.grid import Table, TableRow
from hrbench.report.scene import Artwork, Format, Mark, Path, Scene, Told, Words, artwork, plain, shaped
from hrbench.report.summary import headline
from hrbench.report.typeface import width


@dataclass(frozen=True, slots=True)
class IntervalPlot:
    """The rows of one table.

    score: what is shown, with its unit.
    left_out: how many rows with an interval are not shown, the least accurate of their table.
    published: whether published figures are shown.
    """

    name: str
    title: str
    score: str
    drawing: Artwork
    left_out: int
    published: bool


@dataclass(frozen=True, slots=True)
class _IntervalRow:
    """One line. group: of its table. low, high: ends of the interval."""

    label: str
    group: str
    text: str
    value: float
    low: float
    high: float
    published: float | None


def interval_plots(tables: Sequence[Table]) -> list[IntervalPlot]:
    """A figure for each table with two rows or more that have intervals; rows of limited images are left out."""
    found = []
    for table in tables:
        index = headline(table)
        sizes = {_size(table, row) for row in table.rows}
        common = next(iter(sizes)) if len(sizes) == 1 else ""  # an input of all stands at the axis, once
        every = [
            one for row in table.rows if index is not None and (one := _row(table, index, row, common)) is not None
        ]
        if index is None or len(every) < 2:
            continue
        column = table.columns[index]
        sign = -1 if column.better == "lower" else 1
        best = sorted(range(len(every)), key=lambda place: (-sign * every[place].value, place))[:MOST_ROWS]
        rows = [every[place] for place in sorted(best)]
        score = column.measure
        axis = f"{score}, all {common}" if common else score
        art = artwork(f"{table.name}-intervals", lambda form, rows=rows, axis=axis: _scene(form, rows, axis))
        published = any(row.published is not None for row in rows)
        found.append(IntervalPlot(table.name, table.title, score, art, len(every) - len(rows), published))
    return found


def _size(table: Table, row: TableRow) -> str:
    """The input of a row, as its cell has it; "" if no column tells it."""
    return next((c.text for k, c in zip(table.columns, row.cells, strict=True) if k.key == "input"), "")


def _row(table: Table, index: int, row: TableRow, common: str) -> _IntervalRow | None:
    parts = {c.part: i for i, c in enumerate(table.columns) if c.quantity == table.columns[index].quantity}
    values, interval = row.cells[index].values, row.cells[parts["interval"]].values
    if not values or not interval or row.limited is not None:
        return None
    published = row.cells[parts["published"]].values if "published" in parts else ()
    size = "" if common else _size(table, row)
    text = f"{row.cells[index].text} {row.cells[parts['interval']].text}"
    name = f"{row.cells[0].text} {size}".rstrip()
    low, high = interval
    return _IntervalRow(name, row.section or row.group, text, values[0], low, high, published[0] if published else None)


def _scene(form: Format, rows: Sequence[_IntervalRow], score: str) -> Scene:
    font, step = form.font, 1.55 * form.font
    keys = [Key("measured, 95 % interval", "series-1", "disc", line=True)]
    keys += [Key("published", "series-1", "disc", hollow=True)] if any(r.published is not None for r in rows) else []
    above, top = legend(form, keys)
    many = len(rows) + len(dict.fromkeys(row.group for row in rows if row.group))
    bottom = top + 0.4 * font + step * many
    names = 0.36 * form.width
    beside = max(width(row.text, form.small) for row in rows) + 6
    left = min(names, max(width(plain(row.label), font) for row in rows)) + 8
    ends = [end for row in rows for end in (row.low, row.high, row.published) if end is not None]
    room = 0.06 * (max(ends) - min(ends)) or 0.5
    axis = Axis(score, min(ends) - room, max(ends) + room)
    below = foot(form, axis, (left, top, form.width - beside, bottom))
    title = f"{plain(score)} of {len(rows)} networks with their 95 % intervals"
    marks = (*above, *below.marks, *_lines(form, rows, below.x, top, step, left - 8))
    return Scene(form.width, below.height, title, marks)


def _lines(
    form: Format, rows: Sequence[_IntervalRow], x: AxisScale, top: float, step: float, names: float
) -> Iterator[Mark]:
    """A line for each row, under the names of their groups. names: how wide those of the rows may be."""
    font, y, group = form.font, top + 0.2 * form.font, ""
    for row in rows:
        if row.group != group:
            group = row.group
            yield Words((0, y + 0.72 * step), shortened(plain(group), font, form.width), font, colour="soft")
            y += step if group else 0
        middle, base = y + step / 2, y + step / 2 + 0.36 * font
        marks: list[Path] = []
        if row.published is not None:
            hollow = shaped("disc", (x(row.published), middle), 2.5, fill="paper", stroke="series-1", width=0.9)
            yield Told((hollow,), f"{row.label}, published: {row.published:g}")
        ends = tuple(((x(end), middle - 2), (x(end), middle + 2)) for end in (row.low, row.high))
        marks.append(Path((((x(row.low), middle), (x(row.high), middle)), *ends), "series-1", 0.9))
        disc = shaped("disc", (x(row.value), middle), 2.2, fill="series-1", stroke="paper", width=0.3)
        yield Told((*marks, disc), f"{row.label}\n{row.text}")
        yield Words((0, base), shortened(plain(row.label), font, names), font)
        yield Words((form.width, middle + 0.36 * form.small), row.text, form.small, "end")
        y += step
