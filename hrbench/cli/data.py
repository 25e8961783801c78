"""What `hrbench datasets NAME --check` and `hrbench fetch data NAME` do. Prints nothing itself, like `commands.py`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hrbench import catalog
from hrbench.cli import listing
from hrbench.cli import text as text_module
from hrbench.core.units import amount, with_unit
from hrbench.errors import EntryError, HrbenchError, UsageError
from hrbench.suite.registry import protocol_for
from hrbench.types import DatasetRow, Event

if TYPE_CHECKING:
    from hrbench.cli.progress import Bars, Lines
    from hrbench.fetch.data import Download
    from hrbench.runner.check_dataset import Finding

Say = Callable[[str], object]
Listener = Callable[[], "Bars | Lines"]

SHOWN = 20
"""Faults of one data set that are written out; the others are counted."""


# --- datasets --check ------------------------------------------------------------------------------------------------


def check(arguments: Namespace, say: Say, listener: Listener) -> int:
    """Each data set whose name matches; exit code 3 where one is missing or holds a fault."""
    if not arguments.name:
        raise UsageError("--check needs the name of a data set: hrbench datasets lists them")
    wrong = False
    for row in text_module.chosen(catalog.datasets(), arguments.name, "data set").values():
        findings = _findings(row, arguments, listener)
        say(_told(row, findings))
        wrong = wrong or any(finding.bad for finding in findings)
    return 3 if wrong else 0


def _findings(row: DatasetRow, arguments: Namespace, listener: Listener) -> list[Finding]:
    from hrbench.runner.check_dataset import check as look

    shown = listener()
    try:
        return list(
            look(
                row,
                Path(arguments.data),
                protocol_for(row),
                every=arguments.every,
                progress=lambda done, total: shown(Event("progress", row.name, "decode", "images", done, total)),
            )
        )
    finally:
        shown.close()


def _told(row: DatasetRow, findings: list[Finding]) -> str:
    """A line for each finding; of many faults the first ones."""
    bad = [finding for finding in findings if finding.bad]
    left_out = {id(finding) for finding in bad[SHOWN:]}
    lines = [f"{row.name}: {one.kind}: {one.text}" for one in findings if id(one) not in left_out]
    more = [f"{row.name}: {amount(len(left_out), 'fault')} more"] if left_out else []
    verdict = f"{amount(len(bad), 'thing')} to mend" if bad else "fine"
    return "\n".join([*lines, *more, f"{row.name}: {verdict}"])


# --- fetch data ------------------------------------------------------------------------------------------------------


def fetch(arguments: Namespace, say: Say, listener: Listener) -> int:
    """Data sets whose name matches: a fault in one of several does not stop the others."""
    rows = text_module.chosen(catalog.datasets(), arguments.name, "data set")
    left = 0
    for row in rows.values():
        try:
            left += not _fetched(row, arguments, say, listener)
        except HrbenchError as error:
            if len(rows) == 1:
                raise
            said = str(error)
            say(said if said.startswith(row.name) else f"{row.name}: {said}")
            left += 1
    if arguments.offline and left:
        raise UsageError(f"--offline: nothing was downloaded, and of {amount(left, 'data set')} not all is here")
    return 3 if left else 0


def _fetched(row: DatasetRow, arguments: Namespace, say: Say, listener: Listener) -> bool:
    """Whether all of a data set is here at the end; says what came, and what a person still has to get."""
    from hrbench.fetch.data import closed, downloads, folder_of, noted

    data = Path(arguments.data)
    gaps = listing.missing(row, data)
    wanted = downloads(row, data)
    if row.draw:
        say(f"{row.name} is drawn on first use: there is nothing to download")
        return True
    if not gaps and not (arguments.force and wanted):
        say(f"{row.name}: all of it is there already: {folder_of(row, data)}")
        return True
    if not wanted:
        raise EntryError(closed(row, data))
    here = {} if arguments.force else noted(folder_of(row, data))
    to_come = [want for want in wanted if want.address not in here]
    for want in to_come:
        if arguments.offline:
            size = f" ({with_unit(want.size, 'bytes')})" if want.size else ""
            say(f"{row.name}: would download {want.address}{size} to {want.goal}")
        else:
            say(f"{row.name}: {_obtained(row, want, arguments, listener)}")
    if not arguments.offline:
        gaps = listing.missing(row, data)
        again = "" if to_come else "; what can be downloaded has come before: --force fetches it again"
        for gap in gaps:
            say(f"{row.name}: not to be downloaded: {gap}{again}")
    return not gaps


def _obtained(row: DatasetRow, want: Download, arguments: Namespace, listener: Listener) -> str:
    from hrbench.fetch.data import obtain

    shown = listener()
    try:
        return obtain(
            want,
            progress=lambda phase, done, total: shown(Event("progress", row.name, phase, "bytes", done, total)),
            note=lambda text: shown(Event("note", row.name, text=text)),
            keep=arguments.keep,
        )
    finally:
        shown.close()
