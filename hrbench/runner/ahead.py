"""Generates the miniature data sets of later entries beside the networks of earlier ones, in a thread.

    ahead = Ahead(suite.entries, settings)
    ahead.wait(entry)       # until the data set of this entry is there, or could not be generated
    ahead.end()             # before anything is timed: nothing may run beside a latency

Drawing a data set takes seconds in which this process only waits for the process of an entry. An error is left to the
entry: it generates its data set again, and says what is wrong.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from hrbench.runner.data_access import absent_folder, dataset_of, generate_absent
from hrbench.runner.settings import Settings
from hrbench.runner.shared_parts import row_key
from hrbench.types import DatasetRow, Entry

Key = tuple[str, ...]


@dataclass(slots=True)
class Ahead:
    """What is still to be generated, and the thread that does it.

    left: data sets by their key, in the order of the entries; one that has ended is taken out.
    """

    settings: Settings
    left: dict[Key, DatasetRow] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None

    @classmethod
    def of(cls, entries: Sequence[Entry], settings: Settings) -> Ahead:
        """For the data sets of these entries that are not there yet, the first apart, which is needed at once."""
        rows = {row_key(row): row for entry in entries if (row := entry.dataset) is not None and row.draw}
        absent = {key: row for key, row in rows.items() if _is_absent(row, settings)}
        first = next((row_key(one.dataset) for one in entries if one.dataset is not None), None)
        absent.pop(first or (), None)
        return cls(settings, absent)

    def begin(self) -> None:
        """Starts, once; called when the first network runs."""
        if self.left and self._thread is None:
            # a daemon: Ctrl-C ends it with the process; a set appears whole or not at all
            self._thread = threading.Thread(target=self._generate, name="data sets", daemon=True)
            self._thread.start()

    def wait(self, entry: Entry) -> None:
        """Returns when nobody is generating the entry's data set any more."""
        if entry.dataset is None or self._thread is None:
            return
        key = row_key(entry.dataset)
        with self._changed:
            self._changed.wait_for(lambda: key not in self.left or self._thread is None)

    def end(self) -> None:
        """Returns when nothing is generated any more; what was not begun is left to its entries."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def stop(self) -> None:
        """Begins no other data set."""
        with self._changed:
            for key in list(self.left)[1:]:
                del self.left[key]

    def _generate(self) -> None:
        while True:
            with self._changed:
                row = next(iter(self.left.values()), None)
            if row is None:
                return
            with contextlib.suppress(Exception):  # the entry meets it, too, and tells
                generate_absent(row, dataset_of(row, self.settings.data))
            with self._changed:
                self.left.pop(row_key(row), None)
                self._changed.notify_all()


def _is_absent(row: DatasetRow, settings: Settings) -> bool:
    with contextlib.suppress(Exception):
        return absent_folder(row, dataset_of(row, settings.data)) is not None
    return False
