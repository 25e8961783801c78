"""`hrbench check`: what a run would do."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hrbench.cli.data import findings_text
from hrbench.cli.progress import Bars, Lines
from hrbench.cli.shared import Echo, load_suite_of, settings_of
from hrbench.cli.standard_streams import echo_error
from hrbench.cli.text import columns
from hrbench.core.units import amount
from hrbench.errors import HrbenchError
from hrbench.types import Event

if TYPE_CHECKING:
    from hrbench.runner.check_dataset import Finding
    from hrbench.runner.settings import Settings
    from hrbench.types import Entry

LISTED = 5
"""Names of entries that are written out for one data set."""


def check(args: Namespace, echo: Echo) -> int:
    suite, settings = load_suite_of(args), settings_of(args)
    from hrbench.report.words import grouped
    from hrbench.runner.check import FAILS, INCOMPLETE, Checker
    from hrbench.runner.suite import importable
    from hrbench.store.elsewhere.runs import folder_to_resume

    folder = folder_to_resume(args.out or Path("runs") / suite.name)
    with importable(suite), Checker(settings, folder, values=args.deep) as checker:
        rows = [checker.check(entry) for entry in _told(suite.entries)]
        data = _looked_at(suite.entries, settings) if args.deep else []
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
    for looked in data:
        echo(f"\n{findings_text(looked.name, looked.findings)}")
    wrong = sum(row.outcome == FAILS for row in rows)
    verdict = f"{wrong} would fail" if wrong else "every entry can be run as far as its data are there"
    if lacking := sum(row.cannot_run for row in rows):
        verdict += f"; {lacking} ask for a runtime that this machine lacks"
    faulty = [str(looked) for looked in data if any(one.kind == "fault" for one in looked.findings)]
    verdict += f"; faults in {', '.join(faulty)}" if faulty else ""
    doubted = [str(looked) for looked in data if any(one.kind == "doubt" for one in looked.findings)]
    verdict += f"; doubts about {', '.join(doubted)}" if doubted else ""
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


@dataclass(slots=True)
class _Looked:
    """What was looked at closely: a data set, or predictions that an entry names, with the entries that use it."""

    name: str
    entries: list[str]
    found: list[Finding]

    def __str__(self) -> str:
        return f"{self.name} ({_listed(self.entries)})"

    @property
    def findings(self) -> list[Finding]:
        from hrbench.runner.check_dataset import Finding

        return [Finding("note", f"used by {_listed(self.entries)}"), *self.found]


def _listed(entries: Sequence[str]) -> str:
    more = f" and {len(entries) - LISTED:,} more" if len(entries) > LISTED else ""
    return f"{'entry' if len(entries) == 1 else 'entries'} {', '.join(entries[:LISTED])}{more}"


def _looked_at(entries: Sequence[Entry], settings: Settings) -> list[_Looked]:
    """Each data set of the entries, once for each protocol that reads it otherwise, then precomputed predictions.

    What has files that are not there is left out: the entries' reasons say so, except images of entries with
    predictions, which are scored and not drawn.
    """
    from hrbench.runner.check_dataset import check_dataset
    from hrbench.runner.check_sample import predictions_findings
    from hrbench.runner.data_access import absent_folder, dataset_of
    from hrbench.runner.precomputed import missing_inputs

    found: dict[str, _Looked] = {}
    predictions: list[_Looked] = []
    for entry in entries:
        row = entry.dataset
        if row is None:
            continue
        key = repr((row.use, row.args, entry.protocol.get("boxes"), entry.metrics))
        if key not in found:
            judged = replace(row, metrics=entry.metrics or row.metrics)
            findings = list(check_dataset(judged, settings.data, entry.protocol, generate=False))
            taken = {looked.name for looked in found.values()}
            found[key] = _Looked(row.name if row.name not in taken else f"{row.name} of {entry.name}", [], findings)
        found[key].entries.append(entry.name)
        if entry.predictions:
            with suppress(HrbenchError):  # the entry's reasons say it
                dataset = dataset_of(row, settings.data)
                if absent_folder(row, dataset) is None and not missing_inputs(entry, dataset):
                    told = {one.text for one in found[key].found if one.bad}
                    findings = list(predictions_findings(entry, dataset, told))
                    predictions.append(_Looked(f"predictions {entry.predictions}", [entry.name], findings))
    judged_alone = {name for looked in predictions for name in looked.entries}
    for looked in found.values():
        if judged_alone.issuperset(looked.entries):  # they are scored without images, which drawings alone need
            looked.found = [_undrawn(one) for one in looked.found]
    there = [looked for looked in found.values() if not all(one.kind == "missing" for one in looked.found)]
    return [*there, *predictions]


def _undrawn(finding: Finding) -> Finding:
    """Images that are missing, as a note: without them nothing is drawn."""
    if finding.kind != "missing":
        return finding
    return replace(finding, kind="note", text=f"no image can be drawn: {finding.text}")
