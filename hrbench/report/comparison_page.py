"""comparison.html: what a comparison or a gate says, as one self-contained page for a person who has to decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from hrbench.core import units
from hrbench.judge.baseline import GALLERY
from hrbench.judge.gate import Decision
from hrbench.judge.images import ImageChange, metrics_of, most_changed
from hrbench.judge.rows import Comparison, Row
from hrbench.judge.sides import Side
from hrbench.report.difference import (
    MARKS,
    ORDER,
    difference_text,
    heading,
    margin_text,
    value_text,
    verdict_text,
)
from hrbench.report.figures import data_uri
from hrbench.report.forest import forest
from hrbench.report.page import environment, text_of
from hrbench.types import Result
from hrbench.version import __version__

SHOWN = 6
"""Images of each entry that changed most."""


@dataclass(frozen=True, slots=True)
class ChangedImage:
    """An image with its scores before and after, and the pictures that either side has of it, as data URIs."""

    change: ImageChange
    pictures: tuple[tuple[str, str], ...]


def render_comparison(comparison: Comparison, sides: tuple[Side, Side], decision: Decision | None = None) -> str:
    """The whole page.

    sides: that were compared; their folders hold the pictures.
    decision: of a gate; None for a comparison without one.
    """
    templates = environment()
    templates.globals.update(
        mark=lambda row: MARKS[row.verdict], heading=heading, value=value_text, difference=difference_text,
        margin=margin_text, said=verdict_text, forest=lambda row: Markup(forest(row)),
    )  # fmt: skip
    rows = [row for row in comparison.rows if row.counts]
    blocking = [] if decision is None else list(decision.blocking)
    return templates.get_template("comparison.html.j2").render(
        comparison=comparison,
        decision=decision,
        verdict=decision.words if decision is not None else sentence(rows),
        counts=counts(rows),
        blocking={id(row) for row in blocking},
        identity=id,
        entries=[(entry, list(some)) for entry, some in groupby(rows, key=lambda row: row.entry)],
        notes=list(dict.fromkeys(f"{row.entry}: {note}" for row in rows for note in row.evidence.notes)),
        images=changed_images(comparison, sides),
        method=method(rows),
        version=__version__,
        css=text_of("report.css"),
        own_css=text_of("comparison.css"),
    )


def sentence(rows: Sequence[Row]) -> str:
    """What a comparison comes to, in words, most important first."""
    required = [row for row in rows if row.tier == "required"]
    worse = [row for row in required if row.verdict == "regressed"]
    if worse:
        many = units.amount(len(worse), "required number")
        return f"{many} regressed, the first is {worse[0].key} of {worse[0].entry}"
    broken = [row for row in required if row.verdict in ("failed", "missing", "not comparable")]
    if broken:
        return f"{units.amount(len(broken), 'required number')} could not be compared, the first is {broken[0].key}"
    open_rows = [row for row in required if row.verdict == "cannot tell"]
    if open_rows:
        return (
            f"nothing regressed as far as can be told; of {units.amount(len(open_rows), 'required number')} it cannot"
        )
    return "no required number is worse than its margin allows" if required else "there is nothing to compare"


def counts(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """(verdict, how many rows have it), most important first."""
    found = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ORDER}
    return [(verdict, many) for verdict, many in found.items() if many]


def changed_images(comparison: Comparison, sides: tuple[Side, Side]) -> list[tuple[str, str, list[ChangedImage]]]:
    """(entry, metric, images that changed most) of entries whose numbers were resampled or counted by image."""
    found = []
    by_image = [row.evidence for row in comparison.rows if row.evidence.means in ("bootstrap", "score test")]
    judged = {(evidence.entry, evidence.former) for evidence in by_image}
    for entry, former in sorted(judged):
        first, second = sides[0].results.get(former), sides[1].results.get(entry)
        if first is None or second is None:
            continue
        for metric in metrics_of(second)[:1]:
            images = most_changed(first, second, metric, SHOWN)
            if images:
                found.append((entry, metric, [ChangedImage(one, _pictures(one, first, second)) for one in images]))
    return found


def _pictures(change: ImageChange, first: Result, second: Result) -> tuple[tuple[str, str], ...]:
    """("before" or "after", data URI) of the pictures that were drawn of this image."""
    found = []
    for when, result in (("before", first), ("after", second)):
        for drawing in result.drawings:
            if str(drawing.sample) != str(change.image):
                continue
            small = f"{GALLERY}/{Path(drawing.file).name}"  # of a baseline
            folder = Path(result.folder)
            if uri := data_uri(folder, drawing.file) or data_uri(folder, small):
                found.append((when, uri))
                break
    return tuple(found)


def method(rows: Sequence[Row]) -> str:
    """How it was judged, in a paragraph that can be copied into a paper."""
    means = {row.evidence.means for row in rows}
    parts = []
    if "bootstrap" in means:
        most = max(row.evidence.replicates for row in rows)
        parts.append(
            f"Differences of accuracy are paired over test images: percentile intervals at 95 % of a bootstrap over "
            f"images with common multiplicities ({most:,} replicates)."
        )
    if "score test" in means:
        parts.append("Differences of Top-1 and Top-5 have Tango's score interval for paired proportions.")
    if "equal predictions" in means:
        parts.append("Predictions with equal SHA-256 count as unchanged.")
    if "exact" in means:
        parts.append("Parameters and operations are exact.")
    parts.append(
        "A number regressed if the hypothesis that it is worse by at most its margin is rejected at one-sided 2.5 %, "
        "after Holm's correction over the required numbers. The intervals cover the choice of test images, not of "
        f"training seeds. Judged by hrbench {__version__}."
    )
    return " ".join(parts)
