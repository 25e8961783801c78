"""What the costs of a column were measured under: told once below the table, and at each cell that differs.

A table compares what its headings do not name: a runtime, CPU threads, what was fed. So below it stands what the cells
of a column have in common, and a cell that was measured otherwise has a footnote; what a text column of the row tells
is not told again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hrbench.report.condition_words import UNNAMED, tells_threads
from hrbench.report.layout import ColumnLayout
from hrbench.report.rows import text_of
from hrbench.report.table_cells import ColumnValue, is_fed_random
from hrbench.types import Result

_KEYS = ("dtype", "device", "runtime", "threads", "tf32", "mode", "inputs", "weights", "caches", "timed", "energy_of")
"""Conditions that are told, in this order."""

_USUAL = {
    "runtime": "eager", "tf32": "in nothing", "inputs": "random", "weights": "random", "caches": "warm",
}  # fmt: skip
"""Values that are told only in a column that has others, too. What was timed follows from the quantity."""

_DETECTOR = ": on images a detector finds other boxes, which take other time and memory"


@dataclass(frozen=True, slots=True)
class ColumnConditions:
    """The conditions of one column.

    shared: what its cells have in common, or most of them, by name.
    notes: row -> footnotes of its cell.
    """

    shared: Mapping[str, str]
    notes: tuple[tuple[str, ...], ...]


def column_conditions(
    column: ColumnLayout, results: Sequence[Result], facts: Sequence[ColumnValue | None], texts: Sequence[str]
) -> ColumnConditions:
    """The conditions of a column's costs; nothing for a column of scores or texts.

    results, facts: of each row.
    texts: names of the text columns of the table.
    """
    costs = [fact if column.source == "cost" else None for fact in facts]
    told = [{} if fact is None else _told(result, fact) for result, fact in zip(results, costs, strict=True)]
    by_row = [_by_row(result, texts) for result in results]
    shared: dict[str, str] = {}
    differing: list[dict[str, str]] = [{} for _ in results]
    for key in _KEYS:
        known = [each[key] for each in told if key in each]
        unsaid = [row for row, each in enumerate(told) if key in each and by_row[row].get(key) != each[key]]
        if not unsaid:
            continue
        most, _ = Counter(known).most_common(1)[0]
        if len(set(known)) > 1 or (key != "timed" and _USUAL.get(key) != most):
            shared[key] = most
        for row in unsaid:
            if told[row][key] != most:
                differing[row][key] = told[row][key]
    return ColumnConditions(shared, tuple(map(_notes, costs, differing)))


def _notes(fact: ColumnValue | None, differing: Mapping[str, str]) -> tuple[str, ...]:
    """The footnotes of one cell."""
    at_random = "" if fact is None else fact.random_detector
    hidden = ("inputs", "weights") if at_random else ()
    hidden += ("threads",) if tells_threads(differing.get("runtime", ""), differing.get("threads")) else ()
    words = [f"{_name(key)} {value}" for key, value in differing.items() if key not in hidden]
    notes = [f"measured otherwise than its column: {', '.join(words)}"] if words else []
    return (*([f"measured on {at_random}{_DETECTOR}"] if at_random else []), *notes)


def condition_remarks(
    columns: Sequence[ColumnLayout], names: Sequence[tuple[str, str]], told: Sequence[ColumnConditions]
) -> list[str]:
    """A sentence on all columns that have the same conditions.

    names: of each column: what it is called if all columns of its quantity have the same conditions, and what if not.
    told: of each column.
    """
    dtypes: dict[str, set[object]] = {}
    for column in columns:
        dtypes.setdefault(column.name, set()).add(column.where.get("dtype"))
    texts = []
    for column, conditions in zip(columns, told, strict=True):
        hidden = ("dtype",) if len(dtypes[column.name]) > 1 and "dtype" in column.where else ()  # in its heading
        stated = [f"{_name(key)} {value}" for key, value in conditions.shared.items() if key not in hidden]
        texts.append(", ".join(stated))
    different = {(short, text) for (short, _), text in zip(names, texts, strict=True) if text}
    several = {short for short, count in Counter(short for short, _ in different).items() if count > 1}
    sentences: dict[str, dict[str, None]] = {}
    for (short, full), text in zip(names, texts, strict=True):
        if text:
            sentences.setdefault(text, {})[full if short in several else short] = None
    return [f"{', '.join(each)}: {text}." for text, each in sentences.items()]


def _told(result: Result, fact: ColumnValue) -> dict[str, str]:
    """What is told of a cost, by name: nothing of operations and parameters, of counted bytes only the dtype."""
    if fact.value is None or fact.quantity is None or fact.quantity.unit in ("operations", "count"):
        return {}
    stated = fact.under.stated()
    if not {"device", "mode"} & {*stated}:
        return {key: str(stated[key]) for key in ("dtype",) if key in stated}
    found = {**_USUAL, **{key: str(stated[key]) for key in _KEYS if key in stated}}
    if "runtime" not in stated and result.entry.runtime.name == "own":
        found["runtime"] = str(result.entry.runtime)
    if is_fed_random(fact.under):
        found |= {"inputs": _USUAL["inputs"], "weights": _USUAL["weights"]}
    if result.entry.runtime.name == "own":
        del found["weights"]  # those of its file
    if fact.under.mode == "smoke":
        del found["mode"]  # has a footnote of its own
    return found


def _by_row(result: Result, texts: Sequence[str]) -> dict[str, str]:
    """What the text columns of a row tell of its costs."""
    told = {name: text_of(result, name)[0] for name in UNNAMED if name in texts}
    threads = result.entry.runtime.threads
    return told | ({"threads": str(threads)} if "runtime" in told and threads is not None else {})


def _name(condition: str) -> str:
    return {"tf32": "TF32"}.get(condition, condition.replace("_", " "))
