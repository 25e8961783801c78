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
from hrbench.core.units import amount, listed
from hrbench.errors import MissingError, UsageError
from hrbench.store.places import shown
from hrbench.types import Event, Note, Result

if TYPE_CHECKING:
    from hrbench.judge.sides import Side
    from hrbench.report.summary import FirstScreen
    from hrbench.report.write import Written
    from hrbench.runner.settings import Settings
    from hrbench.store.run_folder import RunFolder

MAX_NOTES = 12
"""How many notes a summary shows."""

NAMED = 4
"""How many names stand in a message."""


def run(args: Namespace, echo: Echo) -> int:
    from hrbench.runner.suite import run_suite
    from hrbench.store.elsewhere.runs import run_folder, run_pages

    suite = load_suite_of(args)
    place = args.out or Path("runs") / suite.name
    folder = run_folder(place)
    display = open_event_display(args, echo)
    try:
        results = list(run_suite(suite, folder, _with_executor(settings_of(args), args), _ReportLoaded(display)))
    finally:
        display.close()
    with run_pages(folder, place) as (stored, out):
        report = _write_reports([stored], suite.table, out, echo, keep=True)
    page = shown_page(report.page, out, place)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    echo(summary_text(results, _told_of(report.first, results), _notes(results), page, width))
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


def _told_of(first: FirstScreen, results: Sequence[Result]) -> FirstScreen:
    """What the report's first screen says, with counts of these results if its folder holds others besides."""
    from hrbench.report.summary import counts, missing

    if set(first.entries) == {result.name for result in results}:
        return first
    return replace(first, counts=counts(results), missing=tuple(missing(results)))


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


def _write_reports(
    runs: Sequence[RunFolder],
    table: str,
    out: Path,
    echo: Echo,
    every: bool = False,
    keep: bool = False,
    formats: Sequence[str] = (),
    export: str = "",
    against: Side | None = None,
) -> Written:
    """Writes the report, and returns what was written. export: of the flat dictionaries, "" for none."""
    from hrbench.report.of_runs import read_runs
    from hrbench.report.write import USUAL, write

    stored = read_runs(runs, every, echo)
    if export:
        _export(stored.results, Path(export), echo)
    more = {"keep": keep, "formats": formats or USUAL, "against": against}
    return write(stored.results, out, table=table, **more, **stored.stated)


def _export(results: Sequence[Result], path: Path, echo: Echo) -> None:
    """RUN/ENTRY -> names and numbers, as JSON."""
    from hrbench.store.flat import flat
    from hrbench.store.number_rows import run_names

    names = [f"{run}/{result.name}" for run, result in zip(run_names(results), results, strict=True)]
    found = dict(zip(names, map(flat, results), strict=True))
    write_text(path, json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
    echo(f"exported {amount(len(found), 'entry', 'entries')}: {path}")


def shown_page(page: Path, out: Path, place: str | Path) -> str | Path:
    """How a page is called that was written into `out` for a place."""
    from hrbench.store.places import below, place_of

    place = place_of(place)
    return page if isinstance(place, Path) else shown(below(place, page.relative_to(out).as_posix()))


def report(args: Namespace, echo: Echo) -> int:
    from hrbench.report.write import checked_formats
    from hrbench.store.elsewhere.runs import output_folder, read_folder
    from hrbench.store.elsewhere.snapshot import Needs
    from hrbench.store.run_folder import RunFolder

    runs = [RunFolder(read_folder(path, Needs.PICTURES)) for path in args.runs]
    for run in runs:
        if not run.path.is_dir():
            raise MissingError(f"there is no run folder {run.path}; `hrbench run SUITE` makes one below runs/")
    tables = dict.fromkeys(head.table for head in (run.read_run() for run in runs) if head.table)
    _note_empty_tables(args.table, runs, echo, args.all)
    table = args.table or (next(iter(tables)) if len(tables) == 1 else "")
    place = args.out or args.runs[0]
    more = {"formats": checked_formats(args.format) if args.format else (), "export": args.export or ""}
    more["against"] = _against(args, runs, echo)
    with output_folder(place) as out:
        page = _write_reports(runs, table, out, echo, args.all, **more).page
    echo(f"report: {shown_page(page, out, place)}")
    return 0


def _against(args: Namespace, runs: Sequence[RunFolder], echo: Echo) -> Side | None:
    """The run or baseline that --against names. Raises UsageError if it has no entry of these runs."""
    if not args.against:
        return None
    from hrbench.judge.sides import read_side
    from hrbench.store.elsewhere.snapshot import Needs

    side = read_side(args.against, args.baselines, Needs.PICTURES)
    for sentence in side.damaged.values():
        echo(f"left out: {sentence}")
    ours = {name for run in runs for name in run.read_run().entries if (run.entry(name) / "result.json").exists()}
    lacking = sorted(ours - {*side.results})
    if ours and len(lacking) == len(ours):
        its = listed([*side.results], NAMED) or "none"
        raise UsageError(f"--against {args.against} has none of the entries; it has {its}")
    if lacking:
        echo(f"--against {args.against} has no result of {listed(lacking, NAMED)}")
    return side


def _note_empty_tables(table: str, runs: Sequence[RunFolder], echo: Echo, every: bool) -> None:
    """Prints which tables of a requested layout have no row among the results."""
    from hrbench.report.layout import read_layout
    from hrbench.report.rows import matches

    results = [result for run in runs for result in run.results(lambda damage: None, every=every)] if table else []
    for layout in read_layout(table).tables if results else ():
        if not any(matches(result, layout) for result in results):
            rows = ", ".join(f"{key} {value}" for key, value in layout.rows.items())
            echo(f"table {layout.name!r} is left out: none of {amount(len(results), 'result')} has {rows}")
