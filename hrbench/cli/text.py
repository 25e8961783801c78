"""Plain text for terminals and pipes: columns, facts, choices."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import TypeVar

from hrbench.core import plugins
from hrbench.errors import UsageError

T = TypeVar("T")


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows of equal length as aligned text, the first as a heading.

    right: indices of the columns that are aligned to the right.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [row[i].rjust(width) if i in right else row[i].ljust(width) for i, width in enumerate(widths)]
        lines.append("  ".join(cells).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths).rstrip())
    return "\n".join(lines)


def facts(pairs: Mapping[str, str]) -> str:
    """Names and values in two columns; further lines of a value are indented below its first."""
    width = max(map(len, pairs))
    below = "\n" + " " * (width + 2)
    return "\n".join(f"{name.ljust(width)}  {below.join(value.splitlines())}" for name, value in pairs.items())


def select_rows(rows: Mapping[str, T], pattern: str, noun: str) -> dict[str, T]:
    """Rows whose name equals or matches a pattern; all rows for an empty one. Raises UsageError if there is none.

    noun: what the rows are, for the message ("data set").
    """
    if not pattern:
        return dict(rows)
    if pattern in rows:
        return {pattern: rows[pattern]}
    found = {name: row for name, row in rows.items() if fnmatch.fnmatchcase(name, pattern)}
    if not found:
        raise UsageError(f"there is no {noun} {pattern!r}: {_hint(pattern, rows, noun)}")
    return found


def _hint(pattern: str, rows: Mapping[str, object], noun: str) -> str:
    """The nearest name, and a pattern if several names contain what was given; otherwise how to list all."""
    hint = plugins.suggestion(pattern, rows)
    near = hint.startswith("did you mean")
    for wider in (f"{pattern}*", f"*{pattern}*"):
        several = sum(fnmatch.fnmatchcase(name, wider) for name in rows)
        if several > 1 and not set(pattern) & set("*?["):
            also = f"all {several} of '{wider}'"
            return f"{hint.removesuffix('?')}, or {also}?" if near else f"did you mean {also}?"
    if near or len(rows) <= 12:
        return hint
    return f"hrbench {noun.replace(' ', '')}s lists all {len(rows)}"
