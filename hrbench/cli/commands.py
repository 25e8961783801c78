"""What each command does: parsed arguments and a way to say things -> exit code. Prints nothing itself.

A command imports what it needs when it is called, so that listing networks waits for no numbers and no torch.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hrbench import listing
from hrbench.arguments import written
from hrbench.known import known
from hrbench.resolve import resolve
from hrbench.types import EntryError, Event, HrbenchError, MissingError, Result, Suite, UsageError, Variant
from hrbench.units import amount

if TYPE_CHECKING:
    from hrbench.cost.ledger import Row
    from hrbench.evaluate import Settings
    from hrbench.fetch_weights import Wanted
    from hrbench.progress import Bars, Lines
    from hrbench.store import RunFolder

Say = Callable[[str], object]


def _settings(arguments: Namespace) -> Settings:
    from hrbench.evaluate import Settings

    given = ("device", "workers", "verify", "offline")
    named = {name: getattr(arguments, name) for name in given if hasattr(arguments, name)}
    return Settings(data=Path(arguments.data), weights=Path(arguments.weights), **named)


def _suite(arguments: Namespace) -> Suite:
    from hrbench.suite import load_suite

    return load_suite(
        arguments.suite, known(), overrides=arguments.overrides, only=arguments.only, limit=arguments.limit
    )


# --- run, check, report ----------------------------------------------------------------------------------------------


def run(arguments: Namespace, say: Say) -> int:
    from hrbench.runner import NO_COSTS
    from hrbench.runner import run as run_suite
    from hrbench.store import RunFolder

    suite = _suite(arguments)
    folder = RunFolder(arguments.out or Path("runs") / suite.name)
    listener = _listener(arguments, say)
    try:
        results = list(run_suite(suite, folder, _settings(arguments), listener))
    finally:
        listener.close()
    report = _write_reports([folder], suite.table, folder.path, say)
    say(_summary(results, report))
    failed = any(r.status == "failed" or any(note.startswith(NO_COSTS) for note in r.notes) for r in results)
    nothing = not any(r.scores or any(cost.value is not None for cost in r.costs) for r in results)
    lacking = any(r.status == "empty" and not r.provenance.get("costs_only") for r in results)
    return 3 if failed or nothing or (arguments.strict and lacking) else 0


def _listener(arguments: Namespace, say: Say) -> Bars | Lines:
    """Bars where a person looks on, lines where a log is written."""
    from hrbench.progress import Bars, Lines

    return Bars() if sys.stderr.isatty() and not arguments.plain else Lines(say)


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
        tag = f"first {result.limited} images only: not comparable" if result.limited else ""
        table.append([result.name, first.quantity.label, points, ends, tag])
    return f"\n{listing.columns(table, right=(2,))}\n\nreport: {report}"


def _without_points(result: Result) -> str:
    """Why there is no score: what is missing or went wrong, or who else has the ground truth."""
    if result.provenance.get("costs_only") is True and result.status == "empty":
        return "costs only"
    if archive := result.provenance.get("submission"):
        return f"no public ground truth: submit {Path(result.folder) / archive['file']}"
    reasons = [result.reason, *(score.reason for score in result.scores)]
    return f"{result.status}: {_short(next(filter(None, reasons), 'no score'))}"


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
    from hrbench.store import RunFolder

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


def check(arguments: Namespace, say: Say) -> int:
    suite, settings = _suite(arguments), _settings(arguments)
    from hrbench.checking import FAILS, LACKING, Checker
    from hrbench.report.reasons import pieces
    from hrbench.runner import importable

    checker = Checker(settings)
    with importable(suite):
        rows = [checker.look(entry) for entry in suite.entries]
    parts = pieces(row.why for row in rows)
    reasons = list(dict.fromkeys(part for row in rows for part in parts.get(row.why, ())))
    table = [["entry", "images", "forward passes", ""]]
    for row in rows:
        marks = ", ".join(f"[{reasons.index(part) + 1}]" for part in parts.get(row.why, ()))
        table.append([row.entry, row.images, row.passes, f"{row.outcome} {marks}".strip()])
    say(listing.columns(table, right=(1, 2)))
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


# --- score, profile --------------------------------------------------------------------------------------------------


def score(arguments: Namespace, say: Say) -> int:
    from hrbench.scoring import of_dataset
    from hrbench.scoring import score as judge

    truth, options = arguments.gt, {}
    if arguments.dataset:
        rows = listing.chosen(known().datasets, arguments.dataset, "data set")
        if len(rows) > 1:
            raise UsageError(f"--dataset {arguments.dataset!r} matches {', '.join(rows)}: name one")
        target, options = of_dataset(next(iter(rows.values())), Path(arguments.data))
        truth = truth or target
    if not truth:
        raise UsageError("say what to judge by: --gt PATH, or --dataset NAME (hrbench datasets lists them)")
    options |= _assigned(arguments.option, "--option", "per_class=true")
    judged = judge(
        arguments.metric,
        ground_truth=truth,
        predictions=arguments.pred,
        options={**options, **({"sigmas": arguments.sigmas} if arguments.sigmas else {})},
        verify=arguments.verify,
        resamples=arguments.resamples,
        seed=arguments.seed,
    )
    if arguments.json:
        scores: list[dict[str, Any]] = [asdict(score) for score in judged.scores]
        say(json.dumps({"scores": scores, "verify": judged.verdict or None}, indent=1))
    else:
        say(listing.scores(judged.scores) + (f"\n{judged.verdict}" if judged.verdict else ""))
    return 0


def profile(arguments: Namespace, say: Say) -> int:
    from hrbench.cost.operations import on_meta, operation_costs
    from hrbench.cost.samples import percentile_costs
    from hrbench.evaluate import Settings, build, device_of
    from hrbench.measure import count, latency, parameters, uncounted
    from hrbench.networks import with_arguments

    given = _assigned(arguments.args, "--args", "encoder=resnet50")
    variant = with_arguments(_variant(arguments), given)
    height, width = variant.input
    resolve("hrbench.models", variant.use)  # imported before, since tensors made on import would be on meta too
    net = on_meta(lambda: build(variant))
    values = parameters(net)
    args = f", {written(given)}" if given else ""
    say(f"{variant.name}, input {height}x{width}{args}\n")
    try:
        ledger, noted = count(net, variant)
    except EntryError as error:
        values += uncounted(str(error))
    else:
        values += [replace(cost, conditions={**cost.conditions, **noted}) for cost in operation_costs(ledger)]
        say(_ledger("module", [(row.module or "(top)", row) for row in ledger.by_module(arguments.depth)]) + "\n")
        if arguments.operators:
            say(_ledger("operator", [(row.operator, row) for row in ledger.by_operator()]) + "\n")
    if arguments.latency:
        device = device_of(Settings(device=arguments.device))
        net = build(variant).to(device)
        values += percentile_costs(latency(net, variant, arguments.batch, arguments.dtype, device))
    say(listing.costs(values))
    return 0


def _assigned(texts: Sequence[str], option: str, example: str) -> dict[str, Any]:
    """What `--args KEY=VALUE ...` or another such option says. Raises UsageError for what is none."""
    from hrbench.suite_yaml import Problems, assigned

    problems = Problems()
    given = assigned(texts, option, example, problems)
    problems.raise_any()
    return given


def _variant(arguments: Namespace) -> Variant:
    """A catalog row, or a callable with an input size; --input overrides the row's."""
    rows = known().variants
    size = _input(arguments.input) if arguments.input else None
    if arguments.model in rows:
        row = rows[arguments.model]
        return replace(row, input=size) if size else row
    if ":" not in arguments.model:
        from hrbench.networks import unknown

        raise UsageError(unknown(arguments.model))
    if size is None:
        raise UsageError(f"{arguments.model} is not in the catalog: say the input with --input HxW")
    sys.path.insert(0, "")
    return Variant(name=arguments.model, use=arguments.model, task=arguments.task, input=size)


def _input(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise UsageError(f"--input {text!r} is not HEIGHTxWIDTH, such as 256x192")
    return int(height), int(width)


def _ledger(heading: str, rows: Sequence[tuple[str, Row]]) -> str:
    """Calls and operations by module, with its parameters, or by operator."""
    table = [[heading, "parameters", "GMACs", "calls"]]
    for name, row in rows:
        macs = listing.show(row.counts.get("macs", 0), "operations", view="macs")
        table.append([name, "" if row.parameters is None else f"{row.parameters:,}", macs, f"{row.calls:,}"])
    return listing.columns(table, right=(1, 2, 3))


# --- what there is ---------------------------------------------------------------------------------------------------


def models(arguments: Namespace, say: Say) -> int:
    say(listing.models(arguments.name, arguments.task, Path(arguments.weights)))
    return 0


def datasets(arguments: Namespace, say: Say) -> int:
    if arguments.check:
        from hrbench.data_commands import check as check_data

        return check_data(arguments, say, lambda: _listener(arguments, say))
    if arguments.every:
        raise UsageError("--all says how many images --check decodes: give both")
    say(listing.datasets(arguments.name, Path(arguments.data)))
    return 0


def metrics(arguments: Namespace, say: Say) -> int:
    say(listing.metrics())
    return 0


def schema(arguments: Namespace, say: Say) -> int:
    from hrbench.suite import schema as suite_schema

    say(json.dumps(suite_schema(known()), indent=2))
    return 0


# --- downloads -------------------------------------------------------------------------------------------------------


def fetch(arguments: Namespace, say: Say) -> int:
    """Weights of one network, or of all whose name matches: a fault in one of several does not stop the others.

    What is to be fetched may be data as well (`data_commands.py`).
    """
    if arguments.what == "data":
        from hrbench.data_commands import fetch as fetch_data

        if arguments.source:
            raise UsageError("--source is for weights: data come from where their publishers put them")
        return fetch_data(arguments, say, lambda: _listener(arguments, say))
    if arguments.keep:
        raise UsageError("--keep is for archives of data: weights are files as they come")
    from hrbench import catalog
    from hrbench.fetch import Unreachable
    from hrbench.fetch_weights import choose

    folder = Path(arguments.weights)
    rows = list(listing.chosen(catalog.variants(), arguments.name, "model").values())
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
    from hrbench.fetch_weights import check, obtain

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
