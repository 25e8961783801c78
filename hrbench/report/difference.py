"""A comparison as text: the words of each row, as a table of Markdown, and the summary of a gate."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hrbench.core import units
from hrbench.judge.costs import TIMES
from hrbench.judge.gate import Decision
from hrbench.judge.rows import Row, change
from hrbench.judge.verdict import Verdict

MARKS: dict[Verdict, str] = {
    "improved": "+",
    "regressed": "-",
    "unchanged": "~",
    "not worse": "~",
    "cannot tell": "?",
    "missing": "!",
    "new": "!",
    "not comparable": "!",
    "failed": "!",
}
"""As in asv: better, worse, much the same; and what has no difference, or none that can be told."""

HEADINGS = ("", "entry", "number", "before", "after", "difference", "margin", "verdict")

ORDER: dict[Verdict, int] = {
    "failed": 0, "regressed": 1, "missing": 2, "not comparable": 3, "cannot tell": 4, "improved": 5, "new": 6,
    "not worse": 7, "unchanged": 8,
}  # fmt: skip
"""Most important first."""


def heading(row: Row) -> str:
    """What a number is called, with its metric: "coco-boxes/AP", "latency, batch 8"."""
    return f"{row.key}, {row.evidence.cell}" if row.evidence.cell else row.key


def value_text(row: Row, value: float | None) -> str:
    """A value as tables write it, "–" if there is none."""
    quantity = row.evidence.quantity
    if value is None:
        return "–"
    if quantity.unit in ("count", "operations") and row.evidence.difference:
        return units.exact(value, quantity.unit)  # a parameter more is seen
    if quantity.unit == "fraction":
        return units.show(value, quantity.unit, 2, quantity.divisor)
    return units.with_unit(value, quantity.unit, own=quantity.divisor)


def difference_text(row: Row) -> str:
    """The difference with its interval: second minus first as the number itself changes, in its unit or in percent."""
    low_high = change(row)
    if low_high is None:
        return "–"
    at, interval = low_high
    text = _signed(row, at)
    if interval is None or interval[0] == interval[1]:
        return text
    return f"{text} [{_signed(row, interval[0])}, {_signed(row, interval[1])}]"


def margin_text(row: Row) -> str:
    """The margin in the unit of the difference."""
    margin, quantity = row.judgement.margin, row.evidence.quantity
    if quantity.unit in TIMES:
        return f"{units.significant(100 * math.expm1(margin))} %"
    if quantity.unit == "fraction":
        return f"{100 * margin:.2f}"
    if quantity.unit in ("count", "operations"):
        return f"{margin:,.15g}"
    return f"{units.significant(margin)} {units.NAMES[quantity.unit]}".rstrip()


def verdict_text(row: Row) -> str:
    """The verdict, with what should be known besides: "cannot tell: about 12,000 images would settle it"."""
    told = [*row.judgement.reasons]
    if row.floor:
        told = [f"floor: {row.floor}", *(one for one in told if one != row.floor)]
    if row.waiver:
        told.insert(0, f"waived: {row.waiver}")
    return f"{row.verdict}: {'; '.join(told)}" if told else row.verdict


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table, in the order of `HEADINGS`."""
    evidence = row.evidence
    entry = row.entry if evidence.former == row.entry else f"{evidence.former} → {row.entry}"
    return (
        MARKS["regressed" if row.floor else row.verdict],
        entry,
        heading(row),
        value_text(row, evidence.first),
        value_text(row, evidence.second),
        difference_text(row),
        margin_text(row),
        verdict_text(row),
    )


def ordered(rows: Sequence[Row], by: str = "entry") -> list[Row]:
    """The rows in the order that is asked for: as the suite has them, by verdict (most important first), by change."""
    if by == "verdict":
        return sorted(rows, key=lambda row: (ORDER[row.verdict], row.tier != "required"))
    if by == "change":
        return sorted(rows, key=lambda row: math.inf if row.evidence.difference is None else row.evidence.difference)
    return list(rows)


def changed(rows: Sequence[Row]) -> list[Row]:
    """Rows that are not known to be much the same."""
    return [row for row in rows if row.verdict not in ("unchanged", "not worse") or row.floor]


# --- Markdown --------------------------------------------------------------------------------------------------------

MOST_BYTES = 60_000
"""Of summary.md: a comment of GitHub holds 65,536 characters."""


def markdown_table(rows: Sequence[Row], room: int = MOST_BYTES) -> str:
    """Rows as a Markdown table of at most `room` bytes; what is left out is counted in a last line."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    used = sum(len(line.encode()) + 1 for line in lines) + 80
    for number, row in enumerate(rows):
        line = "| " + " | ".join(_cell(text) for text in cells(row)) + " |"
        used += len(line.encode()) + 1
        if used > room:
            lines += ["", f"{units.amount(len(rows) - number, 'more row')}, in gate.json"]
            break
        lines.append(line)
    return "\n".join(lines) + "\n"


def markdown_summary(decision: Decision, notes: Sequence[str]) -> str:
    """summary.md: the decision, then the rows, most important first."""
    comparison = decision.comparison
    head = [f"## hrbench gate: {decision.outcome}", "", _text(decision.words), ""]
    head += [f"- {_text(note)}" for note in (*notes, *comparison.damaged)][:20]
    head += ["", f"{_text(comparison.second)} against {_text(comparison.first)}:", ""]
    rows = ordered([*decision.blocking, *decision.told], "verdict")
    quiet = sum(row.counts for row in comparison.rows) - len(rows)
    text = "\n".join(head)[:20_000] + "\n"
    text += markdown_table(rows, MOST_BYTES - len(text.encode()) - 200) if rows else ""
    return text + f"\n{units.amount(quiet, 'number')} unchanged or not worse.\n"


def _cell(text: str) -> str:
    return _text(text) or " "


def _text(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    flat = " ".join(text.split())
    return "".join(f"\\{one}" if one in "\\|`*_<>[]" else one for one in flat)


def _signed(row: Row, value: float) -> str:
    quantity = row.evidence.quantity
    if quantity.unit in TIMES:
        text = f"{abs(100 * value):.1f} %"
        return ("" if not text.strip("0. %") else "+" if value > 0 else units.MINUS) + text
    if quantity.unit in ("count", "operations") and value:
        return f"{'+' if value > 0 else units.MINUS}{abs(value):,.0f}"
    decimals = 2 if quantity.unit == "fraction" else None
    return units.signed(value, quantity.unit, decimals, quantity.divisor)
