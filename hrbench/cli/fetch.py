"""`hrbench fetch`: downloads data and weights that are free."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hrbench.cli import text as text_module
from hrbench.cli.shared import Say, _listener
from hrbench.core.units import amount
from hrbench.errors import HrbenchError, UsageError
from hrbench.types import Event

if TYPE_CHECKING:
    from hrbench.fetch.weights import Wanted


# --- downloads -------------------------------------------------------------------------------------------------------


def fetch(arguments: Namespace, say: Say) -> int:
    """Weights of one network, or of all whose name matches: a fault in one of several does not stop the others.

    What is to be fetched may be data as well (`data_commands.py`).
    """
    if arguments.what == "data":
        from hrbench.cli.data import fetch as fetch_data

        if arguments.source:
            raise UsageError("--source is for weights: data come from where their publishers put them")
        return fetch_data(arguments, say, lambda: _listener(arguments, say))
    if arguments.keep:
        raise UsageError("--keep is for archives of data: weights are files as they come")
    from hrbench import catalog
    from hrbench.fetch.download import Unreachable
    from hrbench.fetch.weights import choose

    folder = Path(arguments.weights)
    rows = list(text_module.chosen(catalog.variants(), arguments.name, "model").values())
    published = [row for row in rows if arguments.source in ("", *row.weights) and row.weights]
    if len(published) < len(rows) > 1:
        where = f" by {arguments.source}" if arguments.source else ""
        say(f"no weights of {len(rows) - len(published)} of {amount(len(rows), 'network')} have been published{where}")
    seen: set[Path] = set()
    left, away = 0, dict[str, int]()  # away: hosts that cannot be reached, and how many files of each were not tried
    for row in published or rows[:1]:
        try:
            want = choose(row, arguments.source, folder, arguments.force)
            host = urlsplit(want.source.address).netloc
            if want.target not in seen:
                seen.add(want.target)
                if host in away and want.here is None:
                    away[host] += 1
                    left += 1
                else:
                    left += not _fetched(want, arguments, say)
        except HrbenchError as error:
            if len(published) <= 1:
                raise
            if isinstance(error, Unreachable):
                away[error.host] = 0
            said = str(error)
            say(said if said.startswith(row.name) else f"{row.name}: {said}")
            left += 1
    for host, count in away.items():
        if count:
            say(f"{amount(count, 'more file')} of {host} not tried, since it cannot be reached")
    if arguments.offline and left:
        raise UsageError(f"--offline: nothing was downloaded, and weights of {amount(left, 'network')} are not here")
    return 3 if left else 0


def _fetched(want: Wanted, arguments: Namespace, say: Say) -> bool:
    """Whether the file is here at the end; says what became of it."""
    from hrbench.fetch.weights import check, obtain

    if want.here is not None:
        say(f"{want.name}: {want.here} is there already; {check(want)}")
        return True
    if arguments.offline:
        say(f"{want.name}: would download {want.source.address} to {want.target}")
        return False
    listener = _listener(arguments, say)
    try:
        line = obtain(
            want,
            progress=lambda done, total: listener(Event("progress", want.name, "download", "bytes", done, total)),
            note=lambda text: listener(Event("note", want.name, text=text)),
        )
    finally:
        listener.close()
    say(f"{want.name}: {line}")
    return True
