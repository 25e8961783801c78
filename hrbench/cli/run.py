"""`hrbench run` and `hrbench report`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from hrbench.cli.shared import Echo, load_suite_of, open_event_display, settings_of, write_text
from hrbench.cli.summary import WIDTH, summary_text
from hrbench.core.units import amount
from hrbench.errors import MissingError, UsageError
from hrbench.types import Event, Note, Result

if TYPE_CHECKING:
    from hrbench.report.write import Written
    from hrbench.runner.settings import Settings
    from hrbench.store.run_folder import RunFolder

MAX_NOTES = 12
"""How many notes a summary shows."""


def run(args: Namespace, echo: Echo) -> int:
    from hrbench.runner.suite import run_suite
    from hrbench.store.run_folder import RunFolder

    suite = load_suite_of(args)
    folder = RunFolder(args.out or Path("runs") / suite.name)
    display = open_event_display(args, echo)
    try:
        results = list(run_suite(suite, folder, _with_executor(settings_of(args), args), _ReportLoaded(display)))
    finally:
        display.close()
    report = _write_reports([folder], suite.table, folder.path, echo, keep=True)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    echo(summary_text(results, report.leaders, _notes(results), report.page, width))
    failed = any(r.status == "failed" or r.costs_reason is not None for r in results)
    nothing = not any(r.scores or any(cost.value is not None for cost in r.costs) for r in results)
    lacking = any(r.status == "empty" for r in results)
    return 3 if failed or nothing or (args.strict and lacking) else 0


def _with_executor(settings: Settings, args: Namespace) -> Settings:
    """The settings with the cluster that `--executor` names. Raises UsageError for what is none."""
    from hrbench.runner.executors.ray_cluster import address_of

    cluster = address_of(args.executor, os.environ)
    if cluster is not None and (args.in_process or args.rescore):
        what = "--in-process" if args.in_process else "--rescore"
        raise UsageError(f"{what} runs on this machine alone: leave out --executor {args.executor}")
    return replace(settings, cluster=cluster, worker_memory=args.worker_memory)


class _ReportLoaded:
    """Passes events on, and imports what the report needs beside the first network; never beside what is timed."""

    MODULES = ("hrbench.report.write",)

    def __init__(self, display: Callable[[Event], object]) -> None:
        self.display = display
        self._thread: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        if event.kind == "progress" and event.phase == "predict" and self._thread is None:
            self._thread = threading.Thread(target=self._load, name="report", daemon=True)
            self._thread.start()
        elif event.kind == "cost" and self._thread is not None:
            self._thread.join()
        self.display(event)

    def _load(self) -> None:
        with contextlib.suppress(Exception):  # the report itself will tell
            for module in self.MODULES:
                import_module(module)


def _notes(results: Sequence[Result]) -> list[str]:
    """A line for each different note on the numbers, with the entries it is of."""
    found: dict[Note, list[str]] = {}
    for result in results:
        for note in result.notes:
            if isinstance(note, Note):
                found.setdefault(note, []).append(result.name)
    lines = [
        f"note: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}: {note}" for note, names in found.items()
    ]
    more = [f"{len(lines) - MAX_NOTES} further notes are in the report"] if len(lines) > MAX_NOTES else []
    return [*lines[:MAX_NOTES], *more]


def _not_of_the_run(names: Sequence[str], most: int = 4) -> str:
    """Entries that a folder has beside those of its last run, in words."""
    told = [*names[:most], *([f"and {len(names) - most} more"] if len(names) > most else [])]
    entries = amount(len(names), "stored entry", "stored entries")
    return f"{entries} not of the last run ({', '.join(told)})"


def _write_reports(
    runs: Sequence[RunFolder],
    table: str,
    out: Path,
    echo: Echo,
    every: bool = False,
    keep: bool = False,
    formats: Sequence[str] = (),
    export: str = "",
) -> Written:
    """Writes the report, and returns what was written. export: of the flat dictionaries, "" for none."""
    from hrbench.report.write import USUAL, write

    results = [
        result for run in runs for result in run.results(lambda damage: echo(f"left out: {damage}"), every=every)
    ]
    if not results:
        raise MissingError(f"nothing is stored in {', '.join(str(run.path) for run in runs)}: run a suite first")
    beside = {} if every else {run.path: names for run in runs if (names := run.unlisted())}
    left_out = [f"left out: {_not_of_the_run(names)}: hrbench report {path} --all" for path, names in beside.items()]
    for sentence in left_out:
        echo(sentence)
    heads = [run.read_run() for run in runs]
    if export:
        _export(results, Path(export), echo)
    return write(
        results,
        out,
        title=" and ".join(dict.fromkeys(head.title or head.suite for head in heads)),
        table=table,
        environments=[run.read_environment() for run in runs],
        suites=[run.read_text("suite.yaml") for run in runs],
        options=heads[0].options if len(heads) == 1 else (),
        commit=heads[0].commit if len(heads) == 1 else "",
        left_out=left_out,
        keep=keep,
        formats=formats or USUAL,
    )


def _export(results: Sequence[Result], path: Path, echo: Echo) -> None:
    """RUN/ENTRY -> names and numbers, as JSON."""
    from hrbench.store.flat import flat
    from hrbench.store.number_rows import run_names

    names = [f"{run}/{result.name}" for run, result in zip(run_names(results), results, strict=True)]
    found = dict(zip(names, map(flat, results), strict=True))
    write_text(path, json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
    echo(f"exported {amount(len(found), 'entry', 'entries')}: {path}")


def report(args: Namespace, echo: Echo) -> int:
    from hrbench.report.write import checked_formats
    from hrbench.store.run_folder import RunFolder

    runs = [RunFolder(path) for path in args.runs]
    for run in runs:
        if not run.path.is_dir():
            raise MissingError(f"there is no run folder {run.path}; `hrbench run SUITE` makes one below runs/")
    tables = dict.fromkeys(head.table for head in (run.read_run() for run in runs) if head.table)
    _note_empty_tables(args.table, runs, echo, args.all)
    table = args.table or (next(iter(tables)) if len(tables) == 1 else "")
    out = Path(args.out) if args.out else runs[0].path
    more = {"formats": checked_formats(args.format) if args.format else (), "export": args.export or ""}
    echo(f"report: {_write_reports(runs, table, out, echo, args.all, **more).page}")
    return 0


def _note_empty_tables(table: str, runs: Sequence[RunFolder], echo: Echo, every: bool) -> None:
    """Prints which tables of a requested layout have no row among the results."""
    from hrbench.report.layout import read_layout
    from hrbench.report.rows import matches

    results = [result for run in runs for result in run.results(lambda damage: None, every=every)] if table else []
    for layout in read_layout(table).tables if results else ():
        if not any(matches(result, layout) for result in results):
            rows = ", ".join(f"{key} {value}" for key, value in layout.rows.items())
            echo(f"table {layout.name!r} is left out: none of {amount(len(results), 'result')} has {rows}")
