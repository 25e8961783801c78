"""`hrbench datasets NAME --check` and `hrbench fetch data NAME`. Prints nothing itself, like `commands.py`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from hrbench import catalog
from hrbench.cli import listing
from hrbench.cli.shared import Echo, folder_to_write
from hrbench.cli.text import select_rows
from hrbench.core.remote import mirror
from hrbench.core.remote.mirror import local_folder
from hrbench.core.units import amount, with_unit
from hrbench.errors import EntryError, HrbenchError, UsageError
from hrbench.suite.registry import protocol_for
from hrbench.types import DatasetRow, Event

if TYPE_CHECKING:
    from hrbench.cli.progress import Bars, Lines
    from hrbench.fetch.data import Download
    from hrbench.runner.check_dataset import Finding

OpenDisplay = Callable[[], "Bars | Lines"]
"""Opens what shows the events of a command; the caller closes it."""

MAX_FAULTS = 20
"""Faults of one data set that are written out; the others are only counted."""


# --- datasets --check ------------------------------------------------------------------------------------------------


def check_data(args: Namespace, echo: Echo, open_display: OpenDisplay) -> int:
    """Each data set whose name matches; exit code 3 if one is missing or has a fault."""
    if not args.name:
        raise UsageError("--check needs the name of a data set: hrbench datasets lists them")
    wrong = False
    for row in select_rows(catalog.datasets(), args.name, "data set").values():
        findings = _findings(row, args, open_display)
        echo(findings_text(row.name, findings))
        wrong = wrong or any(finding.bad for finding in findings)
    return 3 if wrong else 0


def _findings(row: DatasetRow, args: Namespace, open_display: OpenDisplay) -> list[Finding]:
    from hrbench.runner.check_dataset import check_dataset

    display = open_display()

    def fetched(done: int, total: int) -> None:
        display(Event("progress", row.name, "fetch", "bytes", done, total))

    try:
        with mirror.telling(fetched):
            return list(
                check_dataset(
                    row,
                    local_folder(args.data),
                    protocol_for(row),
                    every=args.every,
                    progress=lambda done, total: display(Event("progress", row.name, "decode", "images", done, total)),
                )
            )
    finally:
        display.close()


def findings_text(name: str, findings: list[Finding]) -> str:
    """A line for each finding on the data set of that name; at most `MAX_FAULTS` faults."""
    bad = [finding for finding in findings if finding.bad]
    left_out = {id(finding) for finding in bad[MAX_FAULTS:]}
    lines = [f"{name}: {one.kind}: {one.text}" for one in findings if id(one) not in left_out]
    more = [f"{name}: {amount(len(left_out), 'fault')} more"] if left_out else []
    doubts = sum(finding.kind == "doubt" for finding in findings)
    without = f"no fault, and {amount(doubts, 'doubt')} whether it is read as it is meant" if doubts else "fine"
    kinds = {finding.kind for finding in findings}
    if "skipped" in kinds and "looked" not in kinds:
        without = "not looked at"
    verdict = f"{amount(len(bad), 'thing')} to mend" if bad else without
    return "\n".join([*lines, *more, f"{name}: {verdict}"])


# --- fetch data ------------------------------------------------------------------------------------------------------


def fetch_data(args: Namespace, echo: Echo, open_display: OpenDisplay) -> int:
    """Downloads the data sets whose name matches; an error in one of several does not stop the others."""
    rows = select_rows(catalog.datasets(), args.name, "data set")
    incomplete = 0
    for row in rows.values():
        try:
            incomplete += not _fetch_dataset(row, args, echo, open_display)
        except HrbenchError as error:
            if len(rows) == 1:
                raise
            message = str(error)
            echo(message if message.startswith(row.name) else f"{row.name}: {message}")
            incomplete += 1
    if args.offline and incomplete:
        raise UsageError(f"--offline: nothing was downloaded, and of {amount(incomplete, 'data set')} not all is here")
    return 3 if incomplete else 0


def _fetch_dataset(row: DatasetRow, args: Namespace, echo: Echo, open_display: OpenDisplay) -> bool:
    """Downloads what is missing of a data set; returns whether it is complete then.

    Prints what was downloaded, and what the user still has to get.
    """
    from hrbench.fetch.data import closed, downloads, fetched, folder_of

    data = folder_to_write("--data", args.data)
    gaps = listing.missing_data(row, data)
    wanted = downloads(row, data)
    if row.draw:
        echo(f"{row.name} is generated on first use: there is nothing to download")
        return True
    if not gaps and not (args.force and wanted):
        echo(f"{row.name}: all of it is there already: {folder_of(row, data)}")
        return True
    if not wanted:
        raise EntryError(closed(row, data))
    done = {} if args.force else fetched(folder_of(row, data))
    to_download = [download for download in wanted if download.address not in done]
    for download in to_download:
        if args.offline:
            size = f" ({with_unit(download.size, 'bytes')})" if download.size else ""
            echo(f"{row.name}: would download {download.address}{size} to {download.goal}")
        else:
            echo(f"{row.name}: {_download(row, download, args, open_display)}")
    if not args.offline:
        gaps = listing.missing_data(row, data)
        again = "" if to_download else "; what can be downloaded was downloaded before: --force downloads it again"
        for gap in gaps:
            echo(f"{row.name}: cannot be downloaded: {gap}{again}")
    return not gaps


def _download(row: DatasetRow, download: Download, args: Namespace, open_display: OpenDisplay) -> str:
    from hrbench.fetch.data import obtain

    display = open_display()
    try:
        return obtain(
            download,
            progress=lambda phase, done, total: display(Event("progress", row.name, phase, "bytes", done, total)),
            note=lambda text: display(Event("note", row.name, text=text)),
            keep=args.keep,
        )
    finally:
        display.close()
