"""The first screen of a report: what is best of each task and data set, how much was measured, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hrbench.core import units
from hrbench.cost.quantities import described
from hrbench.report.former import Replaced
from hrbench.report.grid import Table, TableRow
from hrbench.report.table_cells import Cell, cost_of, unstable_text
from hrbench.report.words import grouped
from hrbench.types import Measurement, Note, Result


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A reason why something is empty.

    entries: that it concerns, with the quantity if it is one number.
    """

    reason: str
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """A cost in short.

    text: "" if it is not known.
    told: under which conditions it was measured.
    unstable: whether the machine disturbed it.
    """

    text: str = ""
    told: str = ""
    unstable: bool = False


@dataclass(frozen=True, slots=True)
class Leader:
    """The best network of a task and data set, in words and numbers as tables have them.

    subject: the task and the data set.
    table: number of the table that has its rows.
    network: with its input; "" if nothing was measured.
    among: of how many comparable rows it is the best, and how many are as good.
    under: the heading of these rows; "" if all rows of the table are comparable.
    score: name of the main score, with the arrow of its direction.
    value: of the best.
    interval: 95 %, of the value.
    latency: p50 of a pass in ms at the smallest batch.
    macs: GMACs.
    published: the published figure.
    difference: measured minus published.
    notable: whether the published figure lies outside the measured interval.
    unit: of the score, its interval, the published figure and the change.
    change: against the former result; "" if there is none.
    change_interval: 95 %, of the change, paired over images.
    verdict: what a judge says of the change by itself, such as "cannot tell".
    change_told: all of this in a sentence, with what was changed.
    reason: why there is no value.
    """

    subject: str
    table: int
    network: str = ""
    among: str = ""
    under: str = ""
    score: str = ""
    unit: str = ""
    value: str = ""
    interval: str = ""
    latency: Spent = Spent()
    macs: Spent = Spent()
    published: str = ""
    difference: str = ""
    notable: bool = False
    change: str = ""
    change_interval: str = ""
    verdict: str = ""
    change_told: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FirstScreen:
    """What a page says first and a terminal last.

    leaders: the best of each task and data set.
    counts: how much was measured, in words.
    missing: why things are empty.
    entries: names of all that it is about.
    against: the run or baseline that changes are against, as it was named; "" for the results that were replaced.
    """

    leaders: tuple[Leader, ...]
    counts: str
    missing: tuple[Unmeasured, ...]
    entries: tuple[str, ...]
    against: str = ""

    @property
    def unit(self) -> str:
        """The unit of all scores; "" where they have several, and then each has its own."""
        found = {one.unit for one in self.leaders if one.score}
        return next(iter(found)) if len(found) == 1 else ""

    @property
    def any_change(self) -> bool:
        return any(one.change for one in self.leaders)

    def scored(self, leader: Leader) -> str:
        """The name of a leader's score, with its unit where the heading cannot have it, and its arrow."""
        if not leader.unit or self.unit or f"({leader.unit})" in leader.score:
            return leader.score
        name, _, arrow = leader.score.rpartition(" ")
        return f"{name} ({leader.unit}) {arrow}"


def first_screen(
    results: Sequence[Result], tables: Sequence[Table], replaced: Sequence[Replaced | None] = (), against: str = ""
) -> FirstScreen:
    """What the first screen says of results and their tables.

    replaced: of each result what it is held against; () for nothing.
    against: the run or baseline that these are of; "" for results that were replaced.
    """
    return FirstScreen(
        tuple(leaders(results, tables, replaced)),
        counts(results),
        tuple(missing(results)),
        tuple(result.name for result in results),
        against,
    )


def headline(table: Table) -> int | None:
    """Index of a table's main column: the first measured one that has intervals beside it."""
    parts = {
        column.quantity: {c.part for c in table.columns if c.quantity == column.quantity} for column in table.columns
    }
    for index, column in enumerate(table.columns):
        if column.part == "measured" and "interval" in parts[column.quantity]:
            return index
    return None


def counts(results: Sequence[Result]) -> str:
    """How many entries ended how, how long they took, and how many notes change a number.

    >>> counts([])
    '0 measured, 0 empty, 0 failed'
    """
    count: Counter[str] = Counter(result.status for result in results)
    parts = [f"{count['done']:,} measured"]
    parts += [f"{count['submitted']:,} predicted for a server"] if count["submitted"] else []
    parts += [f"{count['costs_only']:,} for costs only"] if count["costs_only"] else []
    parts += [f"{count['empty']:,} empty", f"{count['failed']:,} failed"]
    limited = sum(result.limited is not None for result in results)
    parts += [f"{limited:,} limited to some images"] if limited else []
    spent = sum(sum(result.seconds.values()) for result in results)
    parts += [_minutes(spent)] if spent else []
    notes = {note for result in results for note in result.notes if isinstance(note, Note)}
    parts += [units.amount(len(notes), "note")] if notes else []
    return ", ".join(parts)


def _minutes(seconds: float) -> str:
    """Time in whole minutes, from two on.

    >>> _minutes(42.0), _minutes(185.0), _minutes(7300.0)
    ('42.0 s', '3 min', '2 h 01 min')
    """
    return f"{round(seconds / 60)} min" if 119 < seconds < 3600 else units.duration(seconds)


def leaders(
    results: Sequence[Result], tables: Sequence[Table], replaced: Sequence[Replaced | None] = ()
) -> list[Leader]:
    """The best network of each task and data set, by the first table that shows its main score.

    replaced: of each result what it took the place of; () for nothing.
    """
    found: list[Leader] = []
    seen: set[tuple[str, str]] = set()
    for number, table in enumerate(tables, 1):
        index = _main(table)
        by_subject: dict[tuple[str, str], list[TableRow]] = {}
        for row in table.rows:
            if row.result is not None and (index is not None or results[row.result].entry.dataset is None):
                by_subject.setdefault(_subject(results[row.result]), []).append(row)
        for subject, rows in by_subject.items():
            if subject not in seen:
                seen.add(subject)
                found.append(_Leading(number, table, index, results, replaced).of(rows))
    return found


def spent(result: Result, name: str) -> Spent:
    """What a result spent of one kind, "latency" or "macs"; of several batches at the smallest."""
    one = _cost(result, name)
    if one is None or one.value is None:
        return Spent()
    told = [one.conditions.dtype, one.conditions.device]
    told += [f"batch {one.conditions.batch}"] if one.conditions.batch else []
    disturbed = unstable_text(one)
    text = units.show(one.value, one.quantity.unit, own=described(one.quantity).divisor)
    told = [*filter(None, told), *([disturbed] if disturbed else [])] if name == "latency" else []
    return Spent(text, ", ".join(told), bool(disturbed))


def _cost(result: Result, name: str) -> Measurement | None:
    measured = [one for one in result.costs if one.quantity.name == name and one.value is not None]
    batches = [one.conditions.batch for one in measured if one.conditions.batch]
    return cost_of(result, name, {"batch": min(batches)} if batches and name == "latency" else {})


def _subject(result: Result) -> tuple[str, str]:
    return result.entry.variant.task, result.entry.dataset.name if result.entry.dataset else ""


def _main(table: Table) -> int | None:
    """The column that a table is about: that with an interval, or its first score."""
    scores = [index for index, column in enumerate(table.columns) if column.part == "measured" and not column.cost]
    index = headline(table)
    return index if index is not None and not table.columns[index].cost else next(iter(scores), None)


@dataclass(frozen=True, slots=True)
class _Leading:
    """One table, with what is looked up in it. index: of its main column, None for a table of costs."""

    number: int
    table: Table
    index: int | None
    results: Sequence[Result]
    replaced: Sequence[Replaced | None]

    def of(self, rows: Sequence[TableRow]) -> Leader:
        """The best of rows that are of one task and data set."""
        assert rows[0].result is not None
        entry = self.results[rows[0].result].entry
        title = (entry.dataset.title or entry.dataset.name) if entry.dataset else "costs only"
        leader = Leader(f"{entry.variant.task.capitalize()}, {title}", self.number)
        if entry.dataset is None:
            return self.fastest(leader, rows)
        index, column = self.index, self.table.columns[self.index or 0]
        assert index is not None
        there = [row for row in rows if row.cells[index].values]
        score = f"{column.alone} {'↓' if column.better == 'lower' else '↑'}"
        if not there:
            reasons = [row.cells[index].reason for row in rows]
            return self.filled(leader, rows[0], score=score, network="", reason=_why(rows, reasons))
        full = [row for row in there if row.limited is None] or there
        groups = Counter(row.cells[index].peers for row in full)
        peers = groups.most_common(1)[0][0]
        rivals = [row for row in full if row.cells[index].peers == peers]
        sign = -1 if column.better == "lower" else 1
        best = max(rivals, key=lambda row: sign * row.cells[index].values[0])
        return self.filled(leader, best, score=score, among=self.among(best, rivals, full, rows), under=best.section)

    def among(
        self, best: TableRow, rivals: Sequence[TableRow], full: Sequence[TableRow], rows: Sequence[TableRow]
    ) -> str:
        """Of how many rows one is the best, in words.

        rivals: comparable rows.
        full: those that were measured on all images; or all measured ones, if there is none.
        rows: all.
        """
        if best.limited is not None:
            return f"limited to {units.amount(best.limited, 'image')}"
        index = self.index or 0
        if best.cells[index].peers is None:
            return "comparable with no other"
        under = f", {best.section}" if best.section else ""
        if len(rivals) == 1:
            return "only one measured" if len(full) == 1 else f"alone under {best.section or 'its protocol'}"
        alike = [row for row in rivals if row is not best and _is_as_good(row.cells[index], best.cells[index])]
        more = f", {len(alike)} as good" if alike else ""
        return f"best of {len(rivals)}{more}{under}"

    def fastest(self, leader: Leader, rows: Sequence[TableRow]) -> Leader:
        """The fastest of some rows that have costs alone, or that with the fewest operations."""
        for cost in ("latency", "macs"):
            found = [(_cost(self.result(row), cost), row) for row in rows]
            timed = [(one.value, row) for one, row in found if one is not None and one.value]
            if timed:
                best = min(timed, key=lambda one: one[0])[1]
                words = "fastest" if cost == "latency" else "fewest GMACs"
                among = f"{words} of {len(timed)}" if len(timed) > 1 else "only one measured"
                return self.filled(leader, best, among=among)
        return self.filled(leader, rows[0], network="", reason=_why(rows, []))

    def filled(self, leader: Leader, row: TableRow, network: str | None = None, **more: str) -> Leader:
        """A leader with what its row has. network: None for the name of the row."""
        assert row.result is not None
        score = {} if self.index is None else self.parts(row)
        measured, interval = score.get("measured", Cell()), score.get("interval", Cell())
        difference = score.get("difference", Cell())
        before = self.replaced[row.result] if self.replaced else None
        return Leader(
            leader.subject,
            leader.table,
            self.called(row) if network is None else network,
            unit="" if self.index is None else self.table.columns[self.index].unit,
            value=measured.text if measured.values else "",
            interval=interval.text,
            latency=spent(self.result(row), "latency") if network is None else Spent(),
            macs=spent(self.result(row), "macs") if network is None else Spent(),
            published=score.get("published", Cell()).text,
            difference=difference.text,
            notable=difference.notable,
            change="" if before is None else before.text(),
            change_interval="" if before is None else before.interval_text(),
            verdict="" if before is None else before.verdict(),
            change_told="" if before is None else before.sentence(),
            **more,
        )

    def result(self, row: TableRow) -> Result:
        assert row.result is not None
        return self.results[row.result]

    def parts(self, row: TableRow) -> dict[str, Cell]:
        """The cells of the main score, by their part."""
        quantity = self.table.columns[self.index or 0].quantity
        cells = zip(self.table.columns, row.cells, strict=True)
        return {column.part: cell for column, cell in cells if column.quantity == quantity}

    def called(self, row: TableRow) -> str:
        """Model, input, and how it was run if a column tells it, as the row's text columns have them."""
        texts = {c.key: cell.text for c, cell in zip(self.table.columns, row.cells, strict=True) if c.part == "text"}
        model = texts.get("model", row.name)
        called = f"{model} {texts['input']}" if texts.get("input") else model
        run = ", ".join(text for name in ("runtime", "dtype") if (text := texts.get(name, "")) and text not in model)
        return f"{called} ({run})" if run else called


def _is_as_good(cell: Cell, best: Cell) -> bool:
    return cell.bold or cell.text == best.text


def _why(rows: Sequence[TableRow], reasons: Sequence[str]) -> str:
    """Why nothing was measured, in short: the list of what is missing tells all."""
    some = next(filter(None, reasons), "not measured")
    return f"{units.amount(len(rows), 'entry', 'entries')} without a score: {some}" if len(rows) > 1 else some


def missing(results: Sequence[Result]) -> list[Unmeasured]:
    """Reasons why something is empty, each once: those of whole entries first, in the order of the results.

    What was not requested is not missing: of entries for costs only, missing costs are listed and no accuracy.
    """
    found: dict[str, dict[str, None]] = {}

    def note(reason: str, entry: str) -> None:
        reason = " ".join(reason.split())
        if reason:
            found.setdefault(reason, {})[entry] = None

    groups = grouped(result.reasons for result in results if result.status == "empty")
    for result in results:
        if result.status == "failed":
            note(f"failed: {result.reason}", result.name)
        elif result.costs_reason is not None:
            note(str(result.costs_reason), result.name)
        for text in groups[result.reasons] if result.status == "empty" else ():
            note(text, result.name)
    for result in results:
        for reason, name in _empty_numbers(result):
            note(reason, name)
    return [Unmeasured(reason, tuple(entries)) for reason, entries in found.items()]


def _empty_numbers(result: Result) -> Iterator[tuple[str, str]]:
    """Why single numbers are empty, and which they are; not of a class that does not occur, which nothing gets."""
    costs = result.costs if result.entry.variant.use else ()  # without a network there are no costs to miss
    for one in (*result.scores, *costs):
        of_class = "/" in one.quantity.name and one.metric and one.reason is not None and not one.reason.remedy
        if one.value is None and one.reason is not None and one.reason not in result.reasons and not of_class:
            yield str(one.reason), f"{result.name} ({_quantity(one)})"


def _quantity(one: Measurement) -> str:
    """The name of a quantity, with the dtype and batch of a cost."""
    under = [one.conditions.dtype] if one.conditions.dtype else []
    under += [] if one.conditions.batch is None else [f"batch {one.conditions.batch}"]
    return ", ".join([one.quantity.label or one.quantity.name, *under])
