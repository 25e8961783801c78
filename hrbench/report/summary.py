"""The summary of a report in words: what was measured, the main scores, what is missing and how to get it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hrbench.core import units
from hrbench.report.grid import Column, Table, TableRow
from hrbench.report.rows import is_miniature
from hrbench.report.words import grouped
from hrbench.types import Measurement, Result


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A reason why something is empty.

    entries: that it concerns, with the quantity if it is one number.
    """

    reason: str
    entries: tuple[str, ...]


def headline(table: Table) -> int | None:
    """Index of a table's main column: the first measured one that has intervals beside it."""
    parts = {
        column.quantity: {c.part for c in table.columns if c.quantity == column.quantity} for column in table.columns
    }
    for index, column in enumerate(table.columns):
        if column.part == "measured" and "interval" in parts[column.quantity]:
            return index
    return None


def summarise(results: Sequence[Result], tables: Sequence[Table]) -> list[str]:
    """One sentence on all results, then one or two for each table that has a main column."""
    count: Counter[str] = Counter(result.status for result in results)
    parts = [f"{count['done']} measured"] if count["done"] or not (count["costs_only"] or count["submitted"]) else []
    if count["submitted"]:
        parts.append(f"{count['submitted']} predicted for a server that has the ground truth")
    if count["costs_only"]:
        parts.append(f"{count['costs_only']} measured for costs only")
    if count["empty"]:
        of_runtimes = any(result.status == "empty" and result.entry.runtime.stated() for result in results)
        why = "each with its reason" if of_runtimes else "because data or weights are missing"
        parts.append(f"{count['empty']} without accuracy, {why}")
    if count["failed"]:
        parts.append(f"{count['failed']} failed")
    sentences = [f"{units.amount(len(results), 'entry', 'entries')}: {', '.join(parts)}."]
    if results and all(is_miniature(result) for result in results):
        sentences.append("All of them are miniatures: small generated data sets and narrow networks.")
    for number, table in enumerate(tables, 1):
        index = headline(table)
        rows = [results[row.result] for row in table.rows if row.result is not None]
        if index is not None and not all(row.status == "costs_only" for row in rows):
            sentences.append(_headline(number, table, index))
    return sentences


def missing(results: Sequence[Result]) -> list[Unmeasured]:
    """Reasons why something is empty, each once: those of whole entries first, in the order of the results.

    What was not requested is not missing: of entries for costs only, missing costs are listed and no accuracy.
    """
    found: dict[str, list[str]] = {}

    def note(reason: str, entry: str) -> None:
        reason = " ".join(reason.split())
        if reason and entry not in found.setdefault(reason, []):
            found[reason].append(entry)

    groups = grouped(result.reasons for result in results if result.status == "empty")
    for result in results:
        if result.status == "failed":
            note(f"failed: {result.reason}", result.name)
        elif result.costs_reason is not None:
            note(str(result.costs_reason), result.name)
        for text in groups[result.reasons] if result.status == "empty" else ():
            note(text, result.name)
    for result in results:
        costs = result.costs if result.entry.variant.use else ()  # without a network there are no costs to miss
        for one in (*result.scores, *costs):
            if one.value is None and one.reason is not None and one.reason not in result.reasons:
                note(str(one.reason), f"{result.name} ({_quantity(one)})")
    return [Unmeasured(reason, tuple(entries)) for reason, entries in found.items()]


def _quantity(one: Measurement) -> str:
    """The name of a quantity, with the dtype and batch of a cost."""
    under = [one.conditions.dtype] if one.conditions.dtype else []
    under += [] if one.conditions.batch is None else [f"batch {one.conditions.batch}"]
    return ", ".join([one.quantity.label or one.quantity.name, *under])


def _headline(number: int, table: Table, index: int) -> str:
    name = table.columns[index].heading
    measured = [row for row in table.rows if row.kind == "measured"]
    there = [row for row in measured if row.cells[index].values]
    full = [row for row in there if row.limited is None]
    if not there:
        return f"{table.title} (Table {number}): no {name} could be measured yet; the table says what is missing."
    if not full:
        return f"{table.title} (Table {number}): limited runs only, comparable with nothing."
    groups = Counter(peers for row in full if (peers := row.cells[index].peers) is not None)
    if not groups:
        return f"{table.title} (Table {number}): {name} is comparable in no row; footnotes tell why."
    group = groups.most_common(1)[0][0]
    rivals = [row for row in full if row.cells[index].peers == group]
    text = f"{table.title} (Table {number}): {_best(table, rivals, index, everyone=len(rivals) == len(full))}"
    return text + _agreement(table, full, index)


def _best(table: Table, rivals: Sequence[TableRow], index: int, everyone: bool) -> str:
    """Which of the comparable rows is best, or which share the best value.

    rivals: comparable rows.
    index: of the column.
    everyone: whether there are no other measured rows.
    """
    column = table.columns[index]
    first = (min if column.better == "lower" else max)(rivals, key=lambda row: row.cells[index].values[0])
    value, interval = first.cells[index].text, _part(table.columns, first, index, "interval")
    alike = [row for row in rivals if row.cells[index].text == value]
    near = [row for row in rivals if row not in alike and _holds(table, row, index, first.cells[index].values[0])]
    same = all(_part(table.columns, row, index, "interval") == interval for row in alike)
    number = value + (f", 95 % interval {interval}" if interval and same else "")
    own = "under its conditions" if column.cost else "under its protocol and on its data"
    if len(rivals) == 1:
        alone = "the only one measured" if everyone else f"measured alone {own}"
        return f"{_called(table, first)} is {alone}, with {column.heading} {number}."
    extreme = "lowest" if column.better == "lower" else "highest"
    others = "the interval of one more holds" if len(near) == 1 else f"the intervals of {len(near)} more hold"
    within = f"; {others} that too" if near else ""
    if len(alike) > 1:
        common = "under the same conditions" if column.cost else "under one protocol and on the same data"
        under = "" if everyone else f" {common}"
        if len(alike) == len(rivals):
            return f"all {len(rivals)}{under} have the same {column.heading}, {number}."
        return f"{len(alike)} of {len(rivals)}{under} share the {extreme} {column.heading}, {number}{within}."
    among = f"of {len(rivals)}" + ("" if everyone else f" {own}")
    if near:
        return f"{_called(table, first)} has the {extreme} {column.heading} {among}, {number}{within}."
    return f"{_called(table, first)} is the best {among}, with {column.heading} {number}."


def _holds(table: Table, row: TableRow, index: int, value: float) -> bool:
    """Whether the interval of a row contains a value, so that the two may be equally good."""
    cells = zip(table.columns, row.cells, strict=True)
    ends = next((cell.values for column, cell in cells if _is_part(column, table.columns[index], "interval")), ())
    return len(ends) == 2 and ends[0] <= value <= ends[1]


def _agreement(table: Table, rows: Sequence[TableRow], index: int) -> str:
    """How many published figures lie in the measured intervals."""
    column = next((i for i, c in enumerate(table.columns) if _is_part(c, table.columns[index], "difference")), None)
    if column is None:
        return ""
    cells = [row.cells[column] for row in rows if row.cells[column].kind == "difference"]
    if not cells:
        return ""
    inside = sum(not cell.notable for cell in cells)
    if len(cells) == 1:
        return f" The published figure {'lies' if inside else 'does not lie'} in the measured 95 % interval."
    which = "All" if inside == len(cells) else "None" if not inside else f"{inside} of"
    if which == "None":
        return f" None of the {len(cells)} published figures lies in its measured 95 % interval."
    verb, whose = ("lies", "its") if inside == 1 else ("lie", "their")
    return f" {which} {len(cells)} published figures {verb} in {whose} measured 95 % interval."


def _part(columns: Sequence[Column], row: TableRow, index: int, part: str) -> str:
    cells = zip(columns, row.cells, strict=True)
    return next((cell.text for column, cell in cells if _is_part(column, columns[index], part)), "")


def _is_part(column: Column, of: Column, part: str) -> bool:
    return column.quantity == of.quantity and column.part == part


def _called(table: Table, row: TableRow) -> str:
    """Model, input, and how it was run if a column tells it, as the row's text columns have them."""
    texts = {
        column.key: cell.text for column, cell in zip(table.columns, row.cells, strict=True) if column.part == "text"
    }
    model = texts.get("model", row.name)
    called = f"{model} at {texts['input']}" if texts.get("input") else model
    run = ", ".join(text for name in ("runtime", "dtype") if (text := texts.get(name, "")) and text not in model)
    return f"{called} ({run})" if run else called
