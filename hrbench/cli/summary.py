"""What a terminal says at the end of a run: every entry, the best of each data set, what is missing, how much there is.

Nothing is wider than the terminal, and never wider than `WIDTH`, except a path or a command, which are never broken.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hrbench.cli import listing
from hrbench.cli.text import columns
from hrbench.core import units
from hrbench.types import Measurement, Result

if TYPE_CHECKING:
    from hrbench.report.summary import FirstScreen, Leader, Spent, Unmeasured

WIDTH, NARROWEST = 100, 72
MAX_MISSING = 8
"""How many reasons why something is missing are told."""


def summary_text(
    results: Sequence[Result], first: FirstScreen, notes: Sequence[str], page: Path, width: int = WIDTH
) -> str:
    """The whole text.

    first: what the first screen of the report says.
    notes: a line for each.
    page: the report.
    width: of a line, in characters; at least `NARROWEST` are taken.
    """
    leaders = first.leaders
    width = max(NARROWEST, min(width, WIDTH))
    blocks = ["", _entries(results, width)]
    more = any(leader.published or leader.change for leader in leaders)
    if more or sum(bool(result.scores) for result in results) > len(leaders):
        blocks += ["", _best(first, width)]
    if changes := _changes(first, page):
        blocks += ["", *(_wrapped(change, width) for change in changes)]
    if signs := _signs(results, leaders):
        blocks += ["", *(_wrapped(sign, width) for sign in signs)]
    if told := _missing(first.missing, results, width):
        blocks += ["", *told]
    if notes:
        blocks += ["", *(_wrapped(note, width) for note in notes)]
    return "\n".join([*blocks, "", first.counts, f"report: {page}"])


def shortened(text: str, width: int) -> str:
    """Text that is no longer than a width: what is left out of its middle is an ellipsis.

    >>> shortened("seg_hrnet_miniature-flip", 30), shortened("seg_hrnet_miniature-flip-true", 20)
    ('seg_hrnet_miniature-flip', 'seg_hrnet_…flip-true')
    """
    if len(text) <= width:
        return text
    head = width // 2
    return f"{text[:head]}…{text[len(text) - (width - head - 1) :]}"


def _fitted(rows: list[list[str]], shorten: Sequence[int], right: Sequence[int], width: int) -> str:
    """Rows as aligned text no wider than so many characters: columns that are shortened give way, the widest first.

    shorten: indices of columns of names.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    over = sum(widths) + 2 * (len(widths) - 1) - width
    while over > 0 and (widest := max(shorten, key=lambda i: widths[i])) is not None and widths[widest] > 12:
        widths[widest] -= 1
        over -= 1
    return columns([[shortened(text, most) for text, most in zip(row, widths, strict=True)] for row in rows], right)


def _entries(results: Sequence[Result], width: int) -> str:
    """A line for each entry: its first score with its interval, what a pass takes, and how many operations it is."""
    from hrbench.report.summary import spent

    firsts = [next((score for score in result.scores if score.value is not None), None) for result in results]
    found = {units.NAMES[one.quantity.unit] for one in firsts if one is not None}
    unit = next(iter(found)) if len(found) == 1 else "" if found else "points"
    apart = _shared_labels(results)
    rows = [["entry", "score", unit or "value", "95 % interval", "p50 ms", "GMACs", ""]]
    for result, first in zip(results, firsts, strict=True):
        costs = [_starred(spent(result, "latency")), _starred(spent(result, "macs"))]
        if first is None or first.value is None:
            rows.append([result.name, "", "-", "", *costs, _status(result)])
            continue
        points = listing.show(first.value, first.quantity.unit)
        ends = listing.interval(*first.interval, first.quantity.unit) if first.interval else ""
        rows.append([result.name, _named(first, apart, not unit), points, ends, *costs, _limited(result)])
    kept = [i for i in range(7) if i < 4 or any(row[i] for row in rows[1:])]
    return _fitted(
        [[row[i] for i in kept] for row in rows], [0], [i for i, k in enumerate(kept) if k in (2, 4, 5)], width
    )


def _named(score: Measurement, apart: Collection[tuple[str, str]], with_unit: bool) -> str:
    """What a score is called. apart: metrics and labels that other metrics of an entry have, too."""
    from hrbench.report.words import name_apart

    quantity = score.quantity
    label = quantity.label or quantity.name
    name = name_apart(score.metric, label) if (score.metric, label) in apart else label
    return f"{name} ({units.NAMES[quantity.unit]})" if with_unit and units.NAMES[quantity.unit] else name


def _shared_labels(results: Sequence[Result]) -> set[tuple[str, str]]:
    """(metric, label) of scores whose label another metric of the same entry has, too."""
    found: set[tuple[str, str]] = set()
    for result in results:
        metrics: dict[str, set[str]] = {}
        for score in result.scores:
            metrics.setdefault(score.quantity.label or score.quantity.name, set()).add(score.metric)
        found |= {(metric, label) for label, several in metrics.items() if len(several) > 1 for metric in several}
    return found


def _starred(cost: Spent) -> str:
    """A cost with a star if the machine disturbed it."""
    return cost.text + ("*" if cost.unstable else "")


def _limited(result: Result) -> str:
    """Which images a limited result was measured on: by earlier versions the first ones."""
    if not result.limited:
        return ""
    rule = result.provenance.limit_rule
    some = f"{result.limited} images only, spread over the set" if rule else f"first {result.limited} images only"
    return f"{some}: not comparable"


def _status(result: Result) -> str:
    """Why there is no score, in a word or two; the list of what is missing says more."""
    if result.status == "submitted":
        return "to be submitted"
    return "no score" if result.status == "done" else result.status.replace("_", " ")


def _best(first: FirstScreen, width: int) -> str:
    """A line for each task and data set."""
    leaders = first.leaders
    titles = [one.subject.partition(", ")[2] for one in leaders]
    told = len({*titles}) == len(titles) and all(titles)  # then the task says nothing more
    rows = [
        [
            "data set" if told else "task, data set",
            "best",
            f"score ({first.unit})" if first.unit else "score",
            "95 % interval",
            "p50 ms",
            "GMACs",
            "publ.",
            "Δ",
        ]
    ]
    for one, title in zip(leaders, titles, strict=True):
        score = " ".join(filter(None, [first.scored(one), one.value]))
        network = one.network or one.reason
        costs = [_starred(one.latency), one.macs.text, one.published, one.difference]
        rows.append([title if told else one.subject, network, score, one.interval, *costs])
    kept = [i for i in range(8) if i < 4 or any(row[i] for row in rows[1:])]
    right = [i for i, k in enumerate(kept) if k > 3]
    return _fitted([[row[i] for i in kept] for row in rows], [0, 1], right, width)


def _changes(first: FirstScreen, page: Path) -> list[str]:
    """How far the best are from what they are held against; where that is nothing, how to name something."""
    if not any(one.score for one in first.leaders):
        return []
    than = f"against {first.against}" if first.against else "against the last run"
    if not first.any_change:
        return [f"{than}: - (hrbench report {page.parent} --against RUN|BASELINE)"]
    told = []
    for one in first.leaders:
        if one.change:
            ends = " ".join(filter(None, [one.change, one.change_interval]))
            told.append(f"{than}: {one.subject}: {one.score.rpartition(' ')[0]} {ends}: {one.verdict}")
    return told


def _signs(results: Sequence[Result], leaders: Sequence[Leader]) -> list[str]:
    """What the star beside a time says, and that the best was sought among entries of one protocol."""
    costs = [cost for result in results for cost in result.costs]
    starred = any(one.quantity.name == "latency" and one.conditions.stability == "unstable" for one in costs)
    told = ["* the machine was disturbed while this was timed: the report says how"] if starred else []
    if any(one.under for one in leaders):
        told.append("best: of the entries under one protocol, the one that most of them have")
    return told


def _missing(every: Sequence[Unmeasured], results: Sequence[Result], width: int) -> list[str]:
    """What is missing or failed, and how to get it; what is to be submitted to a server, and where it lies."""
    lines = []
    for one in every[:MAX_MISSING]:
        names = f"{', '.join(one.entries[:3])}{', ...' if len(one.entries) > 3 else ''}"
        lines.append(_wrapped(f"missing: {names}: {one.reason}", width))
    if len(every) > MAX_MISSING:
        lines.append(f"{len(every) - MAX_MISSING} further reasons are in the report")
    for result in results:
        if archive := result.provenance.submission:
            where = Path(result.folder) / archive.file
            lines.append(_wrapped(f"{result.name}: no public ground truth: submit {where}", width))
    return lines


def _wrapped(text: str, width: int) -> str:
    text = " ".join(text.split())
    return textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
