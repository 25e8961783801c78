"""The report of a run: the one in its folder if that shows all that is stored, else one that is rendered now.

`hrbench run` notes of what its report was made (`report/current.py`): results by their digests, pictures, tables,
hrbench itself. If nothing of this differs, the page in the run folder is shown. In all other cases, so of a run that
grows, of a baseline, and after `hrbench report`, it is rendered from the stored results, and remembered under the same
digest.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from hrbench.core.files import whole_folder
from hrbench.errors import HrbenchError, InputError, UsageError
from hrbench.report import ties
from hrbench.report.current import first_screen_of
from hrbench.report.of_runs import StoredRuns, read_runs
from hrbench.report.write import key_of_report, write
from hrbench.serve.pages import PAGE
from hrbench.serve.places import RunPlace, check_whole
from hrbench.store.run_folder import RunFolder

KEPT = 32
"""Rendered reports that are kept, the last ones; each may hold copies of pictures."""

TRIES = 3
"""How often a report is begun: results that a run replaces meanwhile are read again."""


@dataclass(slots=True)
class Reports:
    """Reports, those that were rendered below `folder`; threads may share it."""

    folder: Path
    _kept: dict[str, Path] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def folder_of(self, place: RunPlace) -> Path:
        """The folder of report.html, with figures and pictures beside it: the run's own, or one of `folder`.

        Raises MissingError if nothing is stored, InputError if nothing can be shown.
        """
        with self._lock:
            check_whole(place)
            for _ in range(TRIES - 1):
                with suppress(OSError):  # a result that was just replaced
                    return self._folder_of(place)
            try:
                return self._folder_of(place)
            except OSError as error:
                raise InputError(f"{place.name} cannot be read now: {error.strerror}") from None

    def _folder_of(self, place: RunPlace) -> Path:
        run = RunFolder(place.path)
        told: list[str] = []
        stored = read_runs([run], False, told.append)
        stored.stated["left_out"] = told
        table, key = _table_and_key(run.read_run().table, stored)
        if first_screen_of(place.path, key) is not None and (place.path / PAGE).is_file():
            return place.path
        known = self._kept.pop(key, None)
        if known is None or not (known / PAGE).is_file():
            known = self.folder / key
            with whole_folder(known) as part:
                with suppress(OSError):  # paired intervals that the run's own report computed
                    shutil.copyfile(place.path / ties.FILE, part / ties.FILE)
                write(stored.results, part, table=table, formats=("html",), **stored.stated)
        self._kept[key] = known  # the last one
        for old in [*self._kept][:-KEPT]:
            shutil.rmtree(self._kept.pop(old), ignore_errors=True)
        return known


def _table_and_key(table: str, stored: StoredRuns) -> tuple[str, str]:
    """The layout of the suite and the report's key; without a layout, and told so, if it cannot be read here."""
    try:
        return table, key_of_report(stored.results, table=table, **stored.stated)
    except UsageError as error:
        stored.stated["left_out"] = [*stored.stated["left_out"], f"shown without the layout of its suite: {error}"]
    except HrbenchError:
        pass
    return "", key_of_report(stored.results, **stored.stated)
