"""The command `hrbench compare`: two or more sides, number by number."""

from __future__ import annotations

import csv
import io
import shutil
import sys
import textwrap
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hrbench.cli.drawing import drawing, needed
from hrbench.cli.remeasuring import judging, on_replicates, remeasuring
from hrbench.cli.shared import Echo, write_text
from hrbench.cli.text import columns
from hrbench.core import units
from hrbench.errors import UsageError
from hrbench.judge.compare import compare as compared
from hrbench.judge.evidence import OnReplicates, Options
from hrbench.judge.rows import Comparison, Row, row_values
from hrbench.judge.sides import read_side, selected
from hrbench.judge.slices import read_slices
from hrbench.judge.values import as_json, comparison_values
from hrbench.report import difference
from hrbench.report.comparison_page import render_comparison
from hrbench.store.elsewhere.connections import remote_at
from hrbench.store.places import place_of

_IN = "     "
"""Before what is told below a row."""


def compare(args: Namespace, echo: Echo) -> int:
    """0 if anything could be compared, else 2."""
    if len(args.sides) < 2:
        raise UsageError("compare takes two sides or more: hrbench compare A B")
    if args.html and len(args.sides) > 2:
        raise UsageError("--html shows one comparison: give two sides")
    needs = needed(args, bool(args.html))
    sides = [selected(read_side(text, args.baselines, needs), args.only) for text in args.sides]
    if args.html:
        check_place(args.html)
    with judging() as on_event, remeasuring(args, sides, on_event) as again:
        options = options_of(args, on_replicates(on_event))
        found = [
            compared(sides[0], side, options=options, matches=args.match, most=args.replicates, remeasure=again)
            for side in sides[1:]
        ]
    texts = {"table": _table, "md": _markdown, "csv": _csv}
    if args.format == "json":
        echo(as_json([comparison_values(one) for one in found]))
    else:
        echo("\n\n".join(texts[args.format](one, _rows(one, args)) for one in found))
    if args.html:
        with drawing(args, sides) as draw:
            write_text(args.html, render_comparison(found[0], (sides[0], sides[1]), draw=draw))
    return 0 if any(one.compared for one in found) else 2


def check_place(file: str | Path) -> None:
    """Raises UsageError for a file that cannot be written, before anything is judged."""
    file = place_of(file)
    if isinstance(file, str):
        remote_at(file)  # an address that is not understood
        return
    if file.is_dir():
        raise UsageError(f"{file} is a folder: name a file")
    above = next((each for each in file.parents if each.exists()), None)
    if above is not None and not above.is_dir():
        raise UsageError(f"{file} cannot be written: {above} is a file")


def options_of(args: Namespace, on_replicates: OnReplicates) -> Options:
    """How to look, as the arguments say."""
    return Options(
        args.seed,
        args.classes,
        tuple(args.across),
        args.common_images,
        args.groups,
        read_slices(Path(args.slices)) if args.slices else {},
        args.trust_stored,
        on_replicates,
    )


def _rows(comparison: Comparison, args: Namespace) -> list[Row]:
    rows = difference.ordered(comparison.rows, args.sort)
    return difference.changed(rows) if args.changed else rows


def _table(comparison: Comparison, rows: list[Row]) -> str:
    lines = [f"{comparison.second} against {comparison.first}", *comparison.damaged]
    lines += _changes(comparison)
    if rows:
        lines += ["", table(rows)]
    return "\n".join([*lines, "", _sum(comparison)])


def table(rows: Sequence[Row], width: int | None = None) -> str:
    """Rows as aligned text, an entry named in its first row; then what should be known of an entry's metric.

    width: of the terminal; what a verdict says besides then stands below its row where it would be too long. None to
        ask the terminal, 0 for no limit, as in a file.
    """
    if width is None:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    cells = [difference.cells(row) for row in rows]
    shown = [
        (one[0], "" if before and before[1] == one[1] else one[1], *one[2:])
        for before, one in zip([None, *cells], cells, strict=False)
    ]
    lines = columns([difference.HEADINGS, *shown], right=(3, 4)).splitlines()
    if width and max(map(len, lines)) > width:
        lines = _narrow(rows, cells, width)
    notes = dict.fromkeys(f"{row.entry}, {_about(row)}: {note}" for row in rows for note in row.evidence.notes)
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _about(row: Row) -> str:
    """What a note is on: the metric, or the cost."""
    return row.evidence.metric or row.key


def _narrow(rows: Sequence[Row], cells: Sequence[tuple[str, ...]], width: int) -> list[str]:
    """The rows without a column of entries: each entry stands above its rows, and what is told below each row."""
    metrics: dict[str, set[str]] = {}
    for row in rows:
        metrics.setdefault(row.entry, set()).add(row.evidence.metric)
    short = [
        (one[0], one[2] if len(metrics[row.entry] - {""}) > 1 else one[2].removeprefix(f"{row.evidence.metric}/"),
         *one[3:-1], row.verdict)
        for one, row in zip(cells, rows, strict=True)
    ]  # fmt: skip
    names = (*difference.HEADINGS[:1], *difference.HEADINGS[2:])
    heading, rule, *lines = columns([names, *short], right=(2, 3)).splitlines()
    found, entry = [heading, rule], ""
    for line, one, row in zip(lines, cells, rows, strict=True):
        if one[1] != entry:
            entry = one[1]
            found.append(entry)
        found.append(line)
        told = difference.verdict_text(row).removeprefix(row.verdict).removeprefix(": ")
        found += textwrap.wrap(told, max(width, 20), initial_indent=_IN, subsequent_indent=_IN)
    return found


def _changes(comparison: Comparison) -> list[str]:
    """What differs that is judged, once if it is the same for all entries."""
    found = {entry: changes for entry, changes in comparison.changes.items() if changes}
    if len(set(found.values())) == 1 and len(found) == len(comparison.changes) > 1:
        return [f"all entries: {'; '.join(next(iter(found.values())))}"]
    return [f"{entry}: {'; '.join(changes)}" for entry, changes in found.items()]


def _sum(comparison: Comparison) -> str:
    counted = dict.fromkeys(difference.ORDER, 0)
    for row in comparison.rows:
        counted[row.verdict] += 1
    told = ", ".join(f"{many} {verdict}" for verdict, many in counted.items() if many)
    replicates = max((row.evidence.replicates for row in comparison.rows), default=0)
    used = f"; {replicates:,} replicates of the bootstrap" if replicates else ""
    return f"{units.amount(len(comparison.rows), 'number')}: {told or 'nothing to compare'}{used}"


def _markdown(comparison: Comparison, rows: list[Row]) -> str:
    return f"{comparison.second} against {comparison.first}\n\n{difference.markdown_table(rows)}"


def _csv(comparison: Comparison, rows: list[Row]) -> str:
    out = io.StringIO()
    values: list[dict[str, Any]] = [
        {**asdict(row_values(row)), "first": comparison.first, "second": comparison.second} for row in rows
    ]
    for one in values:
        low, high = one.pop("interval") or ("", "")
        one |= {"low": low, "high": high, "reasons": "; ".join(one["reasons"]), "notes": "; ".join(one["notes"])}
    writer = csv.DictWriter(out, list(values[0]) if values else ["entry"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(values)
    return out.getvalue().rstrip("\n")
