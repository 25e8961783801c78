"""The commands `hrbench gate` and `hrbench baseline`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from hrbench.cli.compare import check_place, options_of, table
from hrbench.cli.drawing import drawing, needed
from hrbench.cli.judging_arguments import BASELINES
from hrbench.cli.remeasuring import judging, on_replicates, remeasuring
from hrbench.cli.shared import Echo, write_text
from hrbench.cli.text import columns, facts
from hrbench.core import units
from hrbench.core.text import suggestion
from hrbench.errors import MissingError, UsageError
from hrbench.judge import baseline as baselines
from hrbench.judge.compare import compare
from hrbench.judge.gate import Decision, check_baseline, check_release, decide
from hrbench.judge.sides import Side, read_side, selected
from hrbench.judge.values import as_json, gate_values
from hrbench.report import difference
from hrbench.report.comparison_page import render_comparison
from hrbench.statistics import paired
from hrbench.store.elsewhere.connections import remote_at
from hrbench.store.elsewhere.runs import is_run, output_folder
from hrbench.store.elsewhere.snapshot import Needs
from hrbench.store.places import base_name, below, place_of, shown, split_entry
from hrbench.suite.gate import policy_of_run, read_policy
from hrbench.types import Policy, Result

_WRITTEN = ("gate.json", "junit.xml", "summary.md", "comparison.html")


def gate(args: Namespace, echo: Echo) -> int:
    """The exit code of `judge.gate`; writes gate.json, junit.xml, summary.md and comparison.html."""
    release = _release(args.run, args.against, needed(args, page=True))
    place = place_of(args.out or args.run)
    if isinstance(place, Path) and place.exists() and not place.is_dir():
        raise UsageError(f"--out {place} is a file: name a folder, in which gate.json and the others are written")
    for name in _WRITTEN:
        check_place(below(place, name))
    _remove_former(place)  # whatever happens now, no verdict of before is taken for this one's
    with output_folder(place) as out:
        return _judged(args, release, out, echo)


def _judged(args: Namespace, release: Side, out: Path, echo: Echo) -> int:
    """The exit code; writes the files."""
    from hrbench.ci.annotations import workflow_commands
    from hrbench.ci.junit import junit

    try:
        before = read_side(args.against, args.baselines, needed(args, page=True))
    except MissingError as error:
        told = _nothing_compared(args, error)
        write_text(out / "summary.md", f"## hrbench gate: failed\n\n{told}\n")
        echo(told)
        return 3
    check_baseline(before)
    check_release(release)
    release, before = selected(release, args.only), selected(before, args.only)
    if args.only and not release.results and not before.results:
        raise UsageError(f"--only {args.only}: neither {args.run} nor {args.against} has an entry that is named so")
    policy, notes = _policy(args, release.path, before.path)
    with judging() as on_event, remeasuring(args, (before, release), on_event) as again:
        comparison = compare(
            before,
            release,
            policy,
            options_of(args, on_replicates(on_event)),
            args.match,
            paired.MOST,
            remeasure=again,
            only=bool(args.only),
        )
    decision = decide(comparison, args.strict)
    notes += comparison.notes
    if release.path.resolve() == before.path.resolve():
        notes.append(f"{release.name} is held to itself")
    if not before.whole:
        notes.append(f"{shown(before.path)} is empty: hrbench baseline save {args.run} {Path(args.against).name}")
    write_text(out / "gate.json", as_json(gate_values(decision, args.strict, notes)) + "\n")
    write_text(out / "junit.xml", junit(decision).decode())
    write_text(out / "summary.md", difference.markdown_summary(decision, notes))
    with drawing(args, (before, release)) as draw:
        write_text(out / "comparison.html", render_comparison(comparison, (before, release), decision, draw))
    echo(_text(decision, notes))
    if args.annotations:
        echo(workflow_commands(decision))
    return decision.exit_code


def _nothing_compared(args: Namespace, error: MissingError) -> str:
    """What to do without a baseline: another name if there are some, else how the first one is saved."""
    known = baselines.names(args.baselines)
    if known:
        return f"nothing was compared: there is no baseline {args.against}; {suggestion(args.against, known)}"
    name = base_name(split_entry(args.against)[0]) or "NAME"
    where = "" if str(args.baselines) == BASELINES else f" --baselines {args.baselines}"
    advice = f"if this run may be what later ones are held to:\nhrbench baseline save {args.run} {name}{where}"
    return f"nothing was compared: {error}\n{advice}"


def _release(run: str, against: str, needs: Needs) -> Side:
    folder, entry = split_entry(run)
    if entry and not _is_run(run) and _is_run(folder):
        advice = f"hrbench gate {folder} --against {against} --only {entry}"
        raise UsageError(f"a gate judges a run folder, not {run}: {advice}")
    if not _is_run(run):
        raise MissingError(f"there is no run folder {shown(run)}: hrbench run SUITE --out {shown(run)}")
    return read_side(run, Path(), needs)


def _is_run(place: str) -> bool:
    return bool(place) and is_run(place)


def _policy(args: Namespace, run: Path, before: Path) -> tuple[Policy, list[str]]:
    """The policy in force, and what should be known about it first."""
    policy = read_policy(Path(args.policy)) if args.policy else policy_of_run(run)
    if policy == policy_of_run(before):
        return policy, []
    why = "" if args.policy else ": the release may have loosened its own gate"
    return policy, [f"the policy of {args.policy or shown(run)} is not that of {shown(before)}{why}"]


def _remove_former(out: str | Path) -> None:
    remote = None if isinstance(out, Path) else remote_at(out)
    for name in _WRITTEN:
        if remote is not None:
            remote.delete(name)
        else:
            (Path(out) / name).unlink(missing_ok=True)


def _text(decision: Decision, notes: Sequence[str]) -> str:
    lines = [*notes, *decision.comparison.damaged]
    for heading, rows in (("blocks", decision.blocking), ("told", decision.told)):
        if rows:
            lines += [f"{heading}:", table(difference.ordered(rows, "verdict")), ""]
    return "\n".join([*lines, decision.words])


def baseline(args: Namespace, echo: Echo) -> int:
    """save, list, show, remove."""
    folder = place_of(args.baselines)
    return {"save": _save, "list": _list, "show": _show, "remove": _remove}[args.action](args, folder, echo)


def _save(args: Namespace, folder: str | Path, echo: Echo) -> int:
    run, entry = split_entry(args.run)
    if entry and not _is_run(args.run) and _is_run(run):
        raise UsageError(f"a baseline is of a whole run, not of {entry}: hrbench baseline save {run} {args.name}")
    if not _is_run(args.run):
        raise UsageError(f"there is no run folder {shown(args.run)}")
    saved = baselines.save(args.run, args.name, folder, args.note, args.replace, args.gallery)
    for told in saved.left_out.values():
        echo(f"left out: {told}")
    entries = units.amount(len(saved.baseline.entries), "entry", "entries")
    echo(f"{shown(saved.path)}: {entries}, {saved.bytes / 1e6:.2f} MB")
    return 0


def _list(args: Namespace, folder: str | Path, echo: Echo) -> int:
    rows = [("name", "saved", "entries", "note")]
    for name in baselines.names(folder):
        one = baselines.read(name, folder)
        rows.append((name, units.date(one.created), str(len(one.entries)), one.note))
    none = f"no baseline in {shown(folder)}; hrbench baseline save RUN NAME saves one"
    echo(columns(rows) if len(rows) > 1 else none)
    return 0


def _show(args: Namespace, folder: str | Path, echo: Echo) -> int:
    one = baselines.read(args.name, folder)
    side = read_side(str(below(folder, args.name)), folder, Needs.RESULTS)
    echo(
        facts(
            {
                "name": one.name,
                "saved": f"{units.date(one.created, clock=True)}, by hrbench {one.hrbench}",
                "note": one.note or "-",
                "entries": "\n".join(_main(result) for result in side.results.values()) or "-",
                **({"damaged": "\n".join(side.damaged.values())} if side.damaged else {}),
            }
        )
    )
    return 0


def _main(result: Result) -> str:
    """An entry with its first number."""
    first = next((score for score in result.scores if score.value is not None), None)
    if first is None or first.value is None:
        return f"{result.name}: {result.status}"
    return f"{result.name}: {first.quantity.label} {units.show(first.value, first.quantity.unit, 2)}"


def _remove(args: Namespace, folder: str | Path, echo: Echo) -> int:
    echo(f"removed {shown(baselines.remove(args.name, folder))}")
    return 0
