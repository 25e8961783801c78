"""comparison.html: what a comparison or a gate says, as one self-contained page for a person who has to decide."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from hrbench.core import units
from hrbench.core.collector import paused_collector
from hrbench.judge.gate import Decision
from hrbench.judge.rows import Comparison, Row
from hrbench.judge.sides import Side
from hrbench.report.changed_classes import changed_classes
from hrbench.report.changed_images import RENDERED, Draw, changed_entries, changed_images, stored_pictures
from hrbench.report.difference import (
    MARKS,
    ORDER,
    difference_text,
    heading,
    margin_text,
    value_text,
    verdict_text,
)
from hrbench.report.forest import forest
from hrbench.report.page import environment, policy, text_of
from hrbench.version import __version__


@paused_collector()
def render_comparison(
    comparison: Comparison, sides: tuple[Side, Side], decision: Decision | None = None, draw: Draw = stored_pictures
) -> str:
    """The whole page.

    sides: that were compared.
    decision: of a gate; None for a comparison without one.
    draw: renders images; by default those pictures are shown that the runs made.
    """
    templates = environment()
    templates.globals.update(
        mark=lambda row: MARKS[row.verdict], heading=heading, value=value_text, difference=difference_text,
        margin=margin_text, said=verdict_text, forest=lambda row: Markup(forest(row)),
    )  # fmt: skip
    rows = [row for row in comparison.rows if row.counts]
    changed = list(changed_entries(comparison, sides))
    blocking = [] if decision is None else list(decision.blocking)
    css, own_css = text_of("report.css"), text_of("comparison.css")
    return templates.get_template("comparison.html.j2").render(
        comparison=comparison,
        decision=decision,
        verdict=decision.words if decision is not None else sentence(rows),
        counts=counts(rows),
        blocking={id(row) for row in blocking},
        identity=id,
        entries=[(entry, list(some)) for entry, some in groupby(rows, key=lambda row: row.entry)],
        notes=list(dict.fromkeys(f"{row.entry}: {note}" for row in rows for note in row.evidence.notes)),
        classes=changed_classes(changed),
        images=changed_images(changed, draw),
        rendered=RENDERED,
        classes_judged=any(row.evidence.single_class for row in rows),
        method=method(rows),
        version=__version__,
        css=css,
        own_css=own_css,
        policy=policy([css + own_css]),
    )


def sentence(rows: Sequence[Row]) -> str:
    """What a comparison comes to, in words, most important first; then how many watched numbers regressed."""
    watched = sum(row.verdict == "regressed" for row in rows if row.tier != "required")
    told = f"; {units.amount(watched, 'watched number')} regressed" if watched else ""
    return _of_required([row for row in rows if row.tier == "required"]) + told


def _of_required(required: Sequence[Row]) -> str:
    worse = [row for row in required if row.verdict == "regressed"]
    if worse:
        many = units.amount(len(worse), "required number")
        return f"{many} regressed, the first is {worse[0].key} of {worse[0].entry}"
    broken = [row for row in required if row.verdict in ("failed", "missing", "not comparable")]
    if broken:
        return f"{units.amount(len(broken), 'required number')} could not be compared, the first is {broken[0].key}"
    open_rows = [row for row in required if row.verdict == "cannot tell"]
    if open_rows:
        many = units.amount(len(open_rows), "required number")
        return f"no required number is known to have regressed; of {many} it cannot be told"
    return "no required number is worse than its margin allows" if required else "there is nothing to compare"


def counts(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """(verdict, how many rows have it), most important first."""
    found = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ORDER}
    return [(verdict, many) for verdict, many in found.items() if many]


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
