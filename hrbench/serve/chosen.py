"""Which rows of the index are shown, and in which order, as its address says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from hrbench.serve.rows import RunRow

SORTS = {"name": "Run", "date": "Measured", "entries": "Entries", "score": "Main scores", "commit": "Commit"}
"""What rows may be sorted by -> the heading of its column."""

STATES = ("", "trouble", "whole")
"""All rows; those with something failed, empty or damaged; all others."""

_DOWN = ("date", "entries", "score")
"""Sorted from the largest to the smallest first."""


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """What an address of the index asks for; what it does not understand is left at its default.

    q: words that a row must have: in its name, suite, commit, options, note, entries, networks or data sets.
    kind: "runs" or "baselines", "" for both.
    state: one of `STATES`.
    sort: one of `SORTS`.
    order: "up" or "down".
    """

    q: str = ""
    kind: str = ""
    state: str = ""
    sort: str = "date"
    order: str = "down"

    @staticmethod
    def of(query: Mapping[str, str]) -> IndexQuery:
        """From the query of an address."""
        sort = query.get("sort", "date")
        sort = sort if sort in SORTS else "date"
        order = query.get("order", "")
        return IndexQuery(
            query.get("q", "").strip()[:200],
            query.get("kind", "") if query.get("kind") in ("runs", "baselines") else "",
            query.get("state", "") if query.get("state") in STATES else "",
            sort,
            order if order in ("up", "down") else _first(sort),
        )

    def sorted_by(self, sort: str) -> dict[str, str]:
        """The query of the address that sorts by another column, or by the same the other way."""
        order = ("up" if self.order == "down" else "down") if sort == self.sort else _first(sort)
        return {**asdict(self), "sort": sort, "order": order}

    @property
    def narrowed(self) -> bool:
        """Whether rows are left out."""
        return bool(self.q or self.kind or self.state)


def _first(sort: str) -> str:
    return "down" if sort in _DOWN else "up"


def chosen(rows: Sequence[RunRow], wanted: IndexQuery) -> list[RunRow]:
    """The rows that are asked for, in the order that is asked for; those without a value come last."""
    words = wanted.q.casefold().split()
    kept = [row for row in rows if _fits(row, wanted) and all(word in _text(row) for word in words)]
    key = _KEYS[wanted.sort]
    known = [row for row in kept if key(row) is not None]
    known.sort(key=lambda row: row.place.name)
    known.sort(key=key, reverse=wanted.order == "down")
    return known + [row for row in kept if key(row) is None]


def _fits(row: RunRow, wanted: IndexQuery) -> bool:
    if wanted.kind and row.is_baseline != (wanted.kind == "baselines"):
        return False
    return not wanted.state or row.troubled == (wanted.state == "trouble")


def _text(row: RunRow) -> str:
    """All that is looked through, in small letters."""
    entries = (f"{one.name} {one.network} {one.dataset}" for one in row.entries)
    said = (row.place.name, row.suite, row.title, row.commit, *row.options, row.note, *entries)
    return "\n".join(said).casefold()


def _by_score(row: RunRow) -> tuple[str, str, float] | None:
    """By data set and quantity first: values of others are not compared."""
    first = next(iter(row.main_scores()), None)
    return None if first is None else (first.dataset, first.quantity.name, first.value)


def _moment(date: str) -> float | None:
    """Seconds since 1970 of an ISO time, None if it is none; without a zone it is taken for UTC."""
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_KEYS: dict[str, Callable[[RunRow], Any]] = {
    "name": lambda row: row.place.name.casefold(),
    "date": lambda row: _moment(row.date),
    "entries": lambda row: len(row.entries),
    "score": _by_score,
    "commit": lambda row: row.commit or None,
}
