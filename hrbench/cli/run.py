"""`hrbench run` and `hrbench report`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hrbench.cli import listing
from hrbench.cli import text as text_module
from hrbench.cli.shared import Say, _listener, _settings, _suite
from hrbench.core.units import amount
from hrbench.errors import MissingError
from hrbench.types import Result

if TYPE_CHECKING:
    from hrbench.store.run_folder import RunFolder


def run(arguments: Namespace, say: Say) -> int:
    from hrbench.runner.suite import run as run_suite
    from hrbench.store.run_folder import RunFolder

    suite = _suite(arguments)
    folder = RunFolder(arguments.out or Path("runs") / suite.name)
    listener = _listener(arguments, say)
    try:
        results = list(run_suite(suite, folder, _settings(arguments), listener))
    finally:
        listener.close()
    report = _write_reports([folder], suite.table, folder.path, say)
    say(_summary(results, report))
    failed = any(r.status == "failed" or r.costs_reason is not None for r in results)
    nothing = not any(r.scores or any(cost.value is not None for cost in r.costs) for r in results)
    lacking = any(r.status == "empty" for r in results)
    return 3 if failed or nothing or (arguments.strict and lacking) else 0


def _summary(results: Sequence[Result], report: Path) -> str:
    """What a run came to: a line for each entry with its first score, and where the report is."""
    table = [["entry", "", "points", "95 % interval", ""]]
    for result in results:
        first = next((score for score in result.scores if score.value is not None), None)
        if first is None or first.value is None:
            table.append([result.name, "", "-", "", _without_points(result)])
            continue
        points = listing.show(first.value, first.quantity.unit)
        ends = listing.interval(*first.interval, first.quantity.unit) if first.interval else ""
        tag = f"{_limited(result)}: not comparable" if result.limited else ""
        table.append([result.name, first.quantity.label, points, ends, tag])
    return f"\n{text_module.columns(table, right=(2,))}\n\nreport: {report}"


def _limited(result: Result) -> str:
    """Which images a limited result is of; results of earlier versions are of the first."""
    spread = result.provenance.limit_rule
    return f"{result.limited} images only, spread over the set" if spread else f"first {result.limited} images only"


def _without_points(result: Result) -> str:
    """Why there is no score: what is missing or went wrong, or who else has the ground truth."""
    if result.status == "costs_only":
        return "costs only"
    if archive := result.provenance.submission:
        return f"no public ground truth: submit {Path(result.folder) / archive.file}"
    told = [result.reason, *(str(score.reason) for score in result.scores if score.reason is not None)]
    return f"{result.status}: {_short(next(filter(None, told), 'no score'))}"


def _short(text: str, most: int = 150) -> str:
    text = "; ".join(text.splitlines())
    return text if len(text) <= most else text[: most - 3] + "..."


def _write_reports(runs: Sequence[RunFolder], table: str, out: Path, say: Say) -> Path:
    from hrbench.report.write import write_reports

    results = [result for run in runs for result in run.results(lambda damage: say(f"left out: {damage}"))]
    if not results:
        raise MissingError(f"nothing is stored in {', '.join(str(run.path) for run in runs)}: run a suite first")
    heads = [run.read_run() for run in runs]
    return write_reports(
        results,
        out,
        title=" and ".join(dict.fromkeys(head.title or head.suite for head in heads)),
        table=table,
        environments=[run.read_environment() for run in runs],
        suites=[run.read_text("suite.yaml") for run in runs],
        options=heads[0].options if len(heads) == 1 else (),
    )


def report(arguments: Namespace, say: Say) -> int:
    from hrbench.store.run_folder import RunFolder

    runs = [RunFolder(path) for path in arguments.runs]
    for run in runs:
        if not run.path.is_dir():
            raise MissingError(f"there is no run folder {run.path}; `hrbench run SUITE` makes one below runs/")
    tables = dict.fromkeys(head.table for head in (run.read_run() for run in runs) if head.table)
    _note_empty_tables(arguments.table, runs, say)
    table = arguments.table or (next(iter(tables)) if len(tables) == 1 else "")
    out = Path(arguments.out) if arguments.out else runs[0].path
    say(f"report: {_write_reports(runs, table, out, say)}")
    return 0


def _note_empty_tables(table: str, runs: Sequence[RunFolder], say: Say) -> None:
    """Says which tables of a layout that was asked for have no row among the results."""
    from hrbench.report.layout import read_layout
    from hrbench.report.rows import matches

    results = [result for run in runs for result in run.results(lambda damage: None)] if table else []
    for asked in read_layout(table).tables if results else ():
        if not any(matches(result, asked) for result in results):
            rows = ", ".join(f"{key} {value}" for key, value in asked.rows.items())
            say(f"table {asked.name!r} stays out: none of {amount(len(results), 'result')} has {rows}")
