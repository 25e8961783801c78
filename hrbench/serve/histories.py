"""History over all runs and baselines: an overview of main numbers, and the page of single ones with their changes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from glob import escape
from pathlib import Path
from threading import Lock

from hrbench.core import units
from hrbench.errors import MissingError
from hrbench.judge.history import History, history_of, left_out_text
from hrbench.judge.trend import trend
from hrbench.report.history_page import render_history
from hrbench.serve.places import Roots
from hrbench.serve.rows import RunRow
from hrbench.store.index import FILE, Index

DRAWN = 12
"""Series of one page at most: the changes of each are looked for."""


@dataclass(slots=True)
class Histories:
    """Histories, with an index of what was read and derived in a folder of the server; threads may share it."""

    index: Index
    _lock: Lock = field(default_factory=Lock)

    def overview(self, rows: Sequence[RunRow], quantity: str, only: str) -> History:
        """Series of a quantity over these runs, "" for main numbers. Raises UsageError or MissingError for none.

        only: part of an entry's name, or a pattern.
        """
        with self._lock:
            return history_of(_folders(rows), quantity, _pattern(only), self.index)

    def page(self, rows: Sequence[RunRow], quantity: str, entry: str) -> str:
        """The page of one number of an entry, with its changes."""
        with self._lock:
            found = history_of(_folders(rows), quantity, escape(entry), self.index)
            told = [left_out_text(found.unstable)] if found.unstable else []
            if more := len(found.series) - DRAWN:
                told += [f"{units.amount(more, 'further series', 'further series')} not shown"] if more > 0 else []
            found = replace(found, damaged=(*found.damaged, *told))
            return render_history(found, [trend(one, self.index) for one in found.series[:DRAWN]])


def histories(roots: Roots, folder: Path) -> Histories:
    """With an index in `folder`; what `hrbench history` has remembered beside the runs is where it begins."""
    for beside in (roots.runs / FILE, roots.baselines / FILE):
        if beside.is_file() and not beside.is_symlink():
            with suppress(OSError):
                shutil.copyfile(beside, folder / FILE)
            break
    return Histories(Index(folder / FILE))


def _folders(rows: Sequence[RunRow]) -> list[Path]:
    """Folders of runs that can be read; links are none of them."""
    found = [row.place.path for row in rows if not row.place.problem and not row.odd]
    if not found:
        raise MissingError("there is nothing here yet: `hrbench run SUITE` measures, `hrbench baseline save` saves")
    return found


def _pattern(text: str) -> str:
    """As `--only` takes it; a text without a wildcard may stand anywhere in a name."""
    return text if not text or any(sign in text for sign in "*?[") else f"*{text}*"
