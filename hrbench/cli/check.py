"""`hrbench check`: what a run would do."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hrbench.cli.data import findings_text
from hrbench.cli.progress import Bars, Lines
from hrbench.cli.shared import Echo, load_suite_of, settings_of
from hrbench.cli.standard_streams import echo_error
from hrbench.cli.text import columns
from hrbench.core.units import amount
from hrbench.types import Event

if TYPE_CHECKING:
    from hrbench.runner.check_dataset import Finding
    from hrbench.runner.settings import Settings
    from hrbench.types import Entry


def check(args: Namespace, echo: Echo) -> int:
    suite, settings = load_suite_of(args), settings_of(args)
    from hrbench.report.words import grouped
    from hrbench.runner.check import FAILS, INCOMPLETE, Checker
    from hrbench.runner.suite import importable
    from hrbench.store.run_folder import RunFolder

    folder = RunFolder(args.out or Path("runs") / suite.name)
    with importable(suite), Checker(settings, folder, values=args.deep) as checker:
        rows = [checker.check(entry) for entry in _told(suite.entries)]
        data = _data(suite.entries, settings) if args.deep else {}
    groups = grouped(row.reasons for row in rows)
    reasons = list(dict.fromkeys(group for row in rows for group in groups[row.reasons]))
    table = [["entry", "images", "forward passes", "costs", "accuracy"]]
    for row in rows:
        marks = ", ".join(f"[{reasons.index(group) + 1}]" for group in groups[row.reasons])
        table.append([row.entry, row.images, row.passes, row.costs, f"{row.outcome} {marks}".strip()])
    echo(columns(table, right=(1, 2)))
    if reasons:
        echo("".join(f"\n[{number}] {reason}" for number, reason in enumerate(reasons, 1)))
    cells = sum(
        len(latency["batch"]) * len(latency["dtype"])
        for latency in (entry.cost.get("latency") for entry in suite.entries if entry.variant.use)
        if latency
    )
    for name, findings in data.items():
        echo(f"\n{findings_text(name, findings)}")
    wrong = sum(row.outcome == FAILS for row in rows)
    verdict = f"{wrong} would fail" if wrong else "every entry can be run as far as its data are there"
    if lacking := sum(row.cannot_run for row in rows):
        verdict += f"; {lacking} ask for a runtime that this machine lacks"
    faulty = [name for name, findings in data.items() if any(one.kind == "fault" for one in findings)]
    verdict += f"; {amount(len(faulty), 'data set')} with faults: {', '.join(faulty)}" if faulty else ""
    counts = f"{amount(len(rows), 'entry', 'entries')}, {amount(cells, 'latency cell')}"
    echo(f"\n{counts}; {verdict} ({suite.path})")
    incomplete = any(row.outcome in INCOMPLETE for row in rows)
    return 3 if wrong or faulty or (args.strict and incomplete) else 0


def _told(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The entries one by one, with progress on standard error: the table stays alone on standard output."""
    display = Bars() if sys.stderr.isatty() else Lines(echo_error)
    try:
        for done, entry in enumerate(entries):
            display(Event("progress", "check", "networks", "entries", done, len(entries)))
            yield entry
    finally:
        display.close()


def _data(entries: Sequence[Entry], settings: Settings) -> dict[str, list[Finding]]:
    """Name of each data set of the entries, once for each protocol that reads it otherwise -> what is found of it.

    A data set whose files are not there is left out: the entries' reasons say so.
    """
    from hrbench.runner.check_dataset import check_dataset

    found: dict[str, tuple[str, list[Finding]]] = {}
    for entry in entries:
        row = entry.dataset
        if row is None or entry.predictions:
            continue
        key = repr((row.use, row.args, entry.protocol.get("boxes")))
        if key not in found:
            findings = list(check_dataset(row, settings.data, entry.protocol, generate=False))
            taken = {name for name, _ in found.values()}
            found[key] = (row.name if row.name not in taken else f"{row.name} of {entry.name}", findings)
    return {name: each for name, each in found.values() if not all(one.kind == "missing" for one in each)}
