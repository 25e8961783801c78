"""`hrbench check`: what a run would do."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from hrbench.cli import text
from hrbench.cli.shared import Say, _settings, _suite
from hrbench.core.units import amount


def check(arguments: Namespace, say: Say) -> int:
    suite, settings = _suite(arguments), _settings(arguments)
    from hrbench.report.words import grouped
    from hrbench.runner.check import FAILS, LACKING, Checker
    from hrbench.runner.suite import importable
    from hrbench.store.run_folder import RunFolder

    checker = Checker(settings, RunFolder(arguments.out or Path("runs") / suite.name))
    with importable(suite):
        rows = [checker.look(entry) for entry in suite.entries]
    groups = grouped(row.why for row in rows)
    reasons = list(dict.fromkeys(group for row in rows for group in groups[row.why]))
    table = [["entry", "images", "forward passes", "costs", "accuracy"]]
    for row in rows:
        marks = ", ".join(f"[{reasons.index(group) + 1}]" for group in groups[row.why])
        table.append([row.entry, row.images, row.passes, row.costs, f"{row.outcome} {marks}".strip()])
    say(text.columns(table, right=(1, 2)))
    if reasons:
        say("".join(f"\n[{number}] {reason}" for number, reason in enumerate(reasons, 1)))
    cells = sum(
        len(latency["batch"]) * len(latency["dtype"])
        for latency in (entry.cost.get("latency") for entry in suite.entries if entry.variant.use)
        if latency
    )
    wrong = sum(row.outcome == FAILS for row in rows)
    verdict = f"{wrong} would fail" if wrong else "every entry can be run as far as its data are there"
    counts = f"{amount(len(rows), 'entry', 'entries')}, {amount(cells, 'latency cell')}"
    say(f"\n{counts}; {verdict} ({suite.path})")
    lacking = any(row.outcome in LACKING for row in rows)
    return 3 if wrong or (arguments.strict and lacking) else 0
