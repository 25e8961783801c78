"""Reasons that many entries share in part: what is common is said once, what is particular beside it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby


def pieces(reasons: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Each reason, split where a part of it ("...; ...") is shared by other reasons than the part before.

    An entry's reason lists all that it lacks, its data and its weights. Ten entries on one data set would repeat the
    data ten times; so split, the data are one piece with ten owners, and each entry's weights a piece of its own.

    >>> list(pieces(["no data; get it there; no weights a", "no data; get it there; no weights b"]).values())
    [('no data; get it there', 'no weights a'), ('no data; get it there', 'no weights b')]
    >>> pieces(["alone; with; parts"])
    {'alone; with; parts': ('alone; with; parts',)}
    """
    split = {reason: tuple(" ".join(reason.split()).split("; ")) for reason in reasons if reason.strip()}
    owners: dict[str, set[str]] = {}
    for reason, parts in split.items():
        for part in parts:
            owners.setdefault(part, set()).add(reason)
    return {
        reason: tuple("; ".join(run) for _, run in groupby(parts, key=lambda part: frozenset(owners[part])))
        for reason, parts in split.items()
    }
