"""`hrbench fetch`: downloads weights and data that have a public address."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hrbench.cli.shared import Echo, folder_to_write, open_event_display
from hrbench.cli.text import select_rows
from hrbench.core.units import amount
from hrbench.errors import HrbenchError, UsageError
from hrbench.types import Event

if TYPE_CHECKING:
    from hrbench.fetch.weights import WeightsDownload


# --- downloads -------------------------------------------------------------------------------------------------------


def fetch(args: Namespace, echo: Echo) -> int:
    """Downloads the weights of all networks whose name matches; an error in one of several does not stop the others.

    `fetch data` is in `data.py`.
    """
    if args.what == "data":
        from hrbench.cli.data import fetch_data

        if args.source:
            raise UsageError("--source is for weights: data come from where their publishers put them")
        return fetch_data(args, echo, lambda: open_event_display(args, echo))
    if args.keep:
        raise UsageError("--keep is for archives of data: weights are files as they come")
    from hrbench import catalog
    from hrbench.fetch.download import Unreachable
    from hrbench.fetch.weights import choose

    folder = folder_to_write("--weights", args.weights)
    rows = list(select_rows(catalog.variants(), args.name, "model").values())
    published = [row for row in rows if args.source in ("", *row.weights) and row.weights]
    if len(published) < len(rows) > 1:
        publisher = f" by {args.source}" if args.source else ""
        echo(
            f"no weights of {len(rows) - len(published)} of {amount(len(rows), 'network')} "
            f"have been published{publisher}"
        )
    seen: set[Path] = set()
    incomplete = 0
    skipped: dict[str, int] = {}  # host that cannot be reached -> files of it that were not tried
    for row in published or rows[:1]:
        try:
            file = choose(row, args.source, folder, args.force)
            host = urlsplit(file.source.address).netloc
            if file.target not in seen:
                seen.add(file.target)
                if host in skipped and file.here is None:
                    skipped[host] += 1
                    incomplete += 1
                else:
                    incomplete += not _fetch_file(file, args, echo)
        except HrbenchError as error:
            if len(published) <= 1:
                raise
            if isinstance(error, Unreachable):
                skipped[error.host] = 0
            message = str(error)
            echo(message if message.startswith(row.name) else f"{row.name}: {message}")
            incomplete += 1
    for host, count in skipped.items():
        if count:
            echo(f"{amount(count, 'more file')} of {host} not tried, since it cannot be reached")
    if args.offline and incomplete:
        raise UsageError(
            f"--offline: nothing was downloaded, and weights of {amount(incomplete, 'network')} are not here"
        )
    return 3 if incomplete else 0


def _fetch_file(file: WeightsDownload, args: Namespace, echo: Echo) -> bool:
    """Downloads a file of weights if it is not on this disk; returns whether it is there then."""
    from hrbench.fetch.weights import check, obtain

    if file.here is not None:
        echo(f"{file.name}: {file.here} is there already; {check(file)}")
        return True
    if args.offline:
        echo(f"{file.name}: would download {file.source.address} to {file.target}")
        return False
    display = open_event_display(args, echo)
    try:
        line = obtain(
            file,
            progress=lambda done, total: display(Event("progress", file.name, "download", "bytes", done, total)),
            note=lambda text: display(Event("note", file.name, text=text)),
        )
    finally:
        display.close()
    echo(f"{file.name}: {line}")
    return True
