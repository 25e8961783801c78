"""Rows of a table under the headings of their sections and groups."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace

from hrbench.judge.comparability import digest_of
from hrbench.report.grid import TableRow
from hrbench.report.words import settings_apart
from hrbench.types import Result

PUBLISHED = "Published, not measured here"
"""The section of published rows in a table that has sections."""


def sections(results: Sequence[Result]) -> list[str]:
    """The heading of each row's section: rows that were measured on one data set, under one protocol.

    A heading tells what its section has otherwise than others: the data set, settings of the protocol, the data's
    digest. "" for all, if they are of one section.
    """
    keys = _section_keys(results)
    if len({*keys}) < 2:
        return [""] * len(results)
    several = len({key[0] for key in keys}) > 1
    found: dict[Hashable, str] = {}
    for dataset in dict.fromkeys(key[0] for key in keys):
        rows = {key: result for key, result in zip(keys, results, strict=True) if key[0] == dataset}
        protocols = {key[1]: result.entry.protocol for key, result in rows.items()}
        apart = dict(zip(protocols, settings_apart([*protocols.values()]), strict=True))
        digests = Counter(key[1] for key in rows)
        for key, result in rows.items():
            row = result.entry.dataset
            title = (row.title or row.name) if row else "Costs only"
            data = (f"data {key[2][:12]}" if key[2] else "data not known") if digests[key[1]] > 1 else ""
            found[key] = ", ".join(filter(None, [title if several else "", apart[key[1]], data]))
    return [found[key] for key in keys]


def _section_keys(results: Sequence[Result]) -> list[tuple[str, str, str]]:
    """Data set, protocol and digest of the data, of each row; one without a score belongs to the first such data."""
    keys = []
    for result in results:
        dataset = result.entry.dataset
        protocol = json.dumps(result.entry.protocol, sort_keys=True, default=str) if dataset else ""
        keys.append((dataset.name if dataset else "", protocol, digest_of(result)))
    first: dict[tuple[str, str], str] = {}
    for key in keys:
        if key[2]:
            first.setdefault(key[:2], key[2])
    return [
        key if key[2] or result.scores else (*key[:2], first.get(key[:2], ""))
        for key, result in zip(keys, results, strict=True)
    ]


def grouped_rows(rows: Sequence[TableRow]) -> list[TableRow]:
    """Rows of one section together, and in it rows of one group; each in the order of the first row."""
    order = dict.fromkeys(row.section for row in rows)
    return [row for name in order for row in _grouped([row for row in rows if row.section == name])]


def lettered(rows: Sequence[TableRow], footnotes: Sequence[str]) -> tuple[list[TableRow], tuple[str, ...]]:
    """Rows and footnotes with these numbered as they are read: row by row, the name first, then the cells.

    >>> rows = [TableRow("a", "measured", (), notes=(1,)), TableRow("b", "measured", (), notes=(0, 1))]
    >>> rows, notes = lettered(rows, ["of b", "of both"])
    >>> [row.notes for row in rows], notes
    ([(0,), (0, 1)], ('of both', 'of b'))
    """
    read = [note for row in rows for noted in (row, *row.cells) for note in sorted(noted.notes)]
    order = list(dict.fromkeys([*read, *range(len(footnotes))]))
    place = {note: number for number, note in enumerate(order)}

    def placed(notes: Sequence[int]) -> tuple[int, ...]:
        return tuple(sorted(place[note] for note in notes))

    found = []
    for row in rows:
        cells = (replace(cell, notes=placed(cell.notes)) if cell.notes else cell for cell in row.cells)
        found.append(replace(row, cells=tuple(cells), notes=placed(row.notes)))
    return found, tuple(footnotes[note] for note in order)


def _grouped(rows: Sequence[TableRow]) -> list[TableRow]:
    """Rows of one group together, groups in the order of their first row.

    A heading that repeats a name is left out: that of a single group, of a row with the name of its group, and all of
    them if no group has several rows. Rows without a heading come first: they belong to no group.
    """
    sizes = Counter(row.group for row in rows)
    if len(sizes) == 1 or all(size == 1 and _repeats(row, row.group) for row in rows if (size := sizes[row.group])):
        return [replace(row, group="") for row in rows]
    rows = [replace(row, group="") if sizes[row.group] == 1 and row.group in _names(row) else row for row in rows]
    order = dict.fromkeys(["", *(row.group for row in rows)])
    return [row for group in order for row in rows if row.group == group]


def _names(row: TableRow) -> list[str]:
    """The names of a row: the entry's, and the text of its first cell."""
    return [row.name, *(cell.text for cell in row.cells[:1] if cell.kind == "text")]


def _repeats(row: TableRow, group: str) -> bool:
    return any(name.startswith(group) for name in _names(row))
