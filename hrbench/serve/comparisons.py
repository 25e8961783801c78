"""Comparisons of two runs or baselines, as pages; the last ones are remembered by the files behind them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

from hrbench.judge.compare import compare
from hrbench.judge.sides import Side, read_side
from hrbench.report.comparison_page import render_comparison
from hrbench.serve.overview import stamps_of
from hrbench.serve.places import check_whole
from hrbench.serve.rows import RunRow

KEPT = 16
"""Pages that are remembered, the last ones."""

_NOWHERE = Path("/dev/null/none")
"""A folder of baselines that has none: sides are named by their paths here."""


@dataclass(slots=True)
class Comparisons:
    """Pages of comparisons; threads may share it."""

    _kept: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def page(self, before: RunRow, after: RunRow) -> str:
        """The page of a comparison. Raises InputError or MissingError if a side cannot be read."""
        with self._lock:
            for row in (before, after):
                check_whole(row.place)
            key = repr([(row.place.key, _behind(row.place.path)) for row in (before, after)])
            page = self._kept.pop(key, None)
            if page is None:
                sides = _side(before, after), _side(after, before)
                page = render_comparison(compare(*sides), sides)
            self._kept[key] = page
            for old in [*self._kept][:-KEPT]:
                del self._kept[old]
            return page


def _side(row: RunRow, other: RunRow) -> Side:
    """The results of one side, under the name of its folder; with its kind if both have one name."""
    name = row.place.name if row.place.name != other.place.name else f"{row.place.name} ({row.place.kind})"
    return replace(read_side(str(row.place.path), _NOWHERE), name=name)


def _behind(folder: Path) -> list[tuple[str, object]]:
    """What a comparison is made of: results, states and pictures, each by time and size."""
    found: list[tuple[str, object]] = list(stamps_of(folder).items())
    for path in sorted(folder.glob("entries/[!.]*/*")):
        if path.name != "result.json" and path.is_file():
            one = path.stat()
            found.append((f"{path.parent.name}/{path.name}", (one.st_mtime_ns, one.st_size)))
    return found
