"""`hrbench check`: what a run would do."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from hrbench.cli.shared import Echo, load_suite_of, settings_of
from hrbench.cli.text import columns
from hrbench.core.units import amount


def check(args: Namespace, echo: Echo) -> int:
    suite, settings = load_suite_of(args), settings_of(args)
    from hrbench.report.words import grouped
    from hrbench.runner.check import FAILS, INCOMPLETE, Checker
    from hrbench.runner.suite import importable
    from hrbench.store.run_folder import RunFolder

    with importable(suite), Checker(settings, RunFolder(args.out or Path("runs") / suite.name)) as checker:
        rows = [checker.check(entry) for entry in suite.entries]
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
    wrong = sum(row.outcome == FAILS for row in rows)
    verdict = f"{wrong} would fail" if wrong else "every entry can be run as far as its data are there"
    if lacking := sum(row.cannot_run for row in rows):
        verdict += f"; {lacking} ask for a runtime that this machine lacks"
    counts = f"{amount(len(rows), 'entry', 'entries')}, {amount(cells, 'latency cell')}"
    echo(f"\n{counts}; {verdict} ({suite.path})")
    incomplete = any(row.outcome in INCOMPLETE for row in rows)
    return 3 if wrong or (args.strict and incomplete) else 0
