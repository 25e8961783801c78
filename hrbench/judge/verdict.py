"""Whether one number is worse than it was, said so that it can be trusted to block a release.

d is the difference in the better direction, [l, u] its 95 % interval, m the margin:

    regressed    the hypothesis d >= -m is rejected at one-sided 2.5 %, after Holm in a family of required rows
    improved     l > m
    unchanged    -m < l and u < m
    not worse    -m < l and u >= m
    cannot tell  everything else, and it says what would settle it

Exact numbers (parameters, operations) compare d with m. A number that is missing, new, failed or not comparable has no
difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

from hrbench.judge.costs import TIMES
from hrbench.judge.evidence import Evidence
from hrbench.statistics import paired, proportions
from hrbench.statistics.multiplicity import HolmStep, benjamini_hochberg, holm
from hrbench.types import Margin

Verdict = Literal[
    "regressed", "improved", "unchanged", "not worse", "cannot tell", "missing", "new", "not comparable", "failed"
]

LEVEL = paired.TAIL
"""One-sided level of "regressed", of a family of rows after Holm."""

FALSE_DISCOVERIES = 0.05
"""Expected share of wrong ones among classes that are told as worse (Benjamini and Hochberg)."""

TOO_FEW_IMAGES = 30
"""Below so many images an interval covers less than 90 %, as simulated (docs/judging.md)."""

MANY_TIMES = 100
"""More than so many times as many images are told as that."""

DEFAULT_MARGINS: dict[str, Margin] = {
    "top1": Margin(points=0.1),
    "top5": Margin(points=0.1),
    "latency": Margin(relative=0.03),
}
"""Margin of a quantity by its name, before those of its unit."""

UNIT_MARGINS: dict[str, Margin] = {
    "fraction": Margin(points=0.3),
    "seconds": Margin(relative=0.03),
    "joules": Margin(relative=0.03),
    "bytes": Margin(relative=0.02),
    "rate": Margin(relative=0.03),
    "intensity": Margin(relative=0.03),
    "speed": Margin(relative=0.03),
    "count": Margin(points=0.0),
    "operations": Margin(points=0.0),
    "pixels": Margin(relative=0.03),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on one number.

    margin: m, in the unit of the evidence's difference.
    p: of the hypothesis d >= -m; None without a test.
    level: that p was compared with.
    reasons: in words, for a person; what would settle it, for "cannot tell".
    """

    evidence: Evidence
    margin: float
    verdict: Verdict
    p: float | None = None
    level: float = LEVEL
    reasons: tuple[str, ...] = ()


def default_margin(evidence: Evidence) -> Margin:
    """The margin of a number for which nobody has set one."""
    quantity = evidence.quantity
    name = quantity.name.removesuffix(f":{evidence.slice}") if evidence.slice else quantity.name
    return DEFAULT_MARGINS.get(name) or UNIT_MARGINS[quantity.unit]


def margin_of(evidence: Evidence, margin: Margin) -> float:
    """A margin in the unit of the difference; of an absolute and a relative one the larger counts."""
    first = abs(evidence.first or 0.0)
    if evidence.quantity.unit in TIMES:
        absolute = math.log1p(margin.points / first) if margin.points and first else 0.0
        return max(absolute, math.log1p(margin.relative or 0.0))
    points = margin.points or 0.0
    absolute = points / 100 if evidence.quantity.unit == "fraction" else points
    return max(absolute, (margin.relative or 0.0) * first)


def judge(
    family: Sequence[tuple[Evidence, Margin]], corrected: bool = True, most: int = paired.BLOCK, others: int = 0
) -> list[Judgement]:
    """The verdicts on the rows of a family.

    corrected: whether a regression must hold after Holm; else each row is judged at `LEVEL` alone.
    most: replicates that a row may use; more blocks are computed while its p is close to a level that decides.
    others: rows of the family that are judged elsewhere; they count as if none of them regressed, so that the family
        has a regression if and only if some part of it has one.
    """
    rows = [(evidence, margin_of(evidence, margin)) for evidence, margin in family]
    levels = [LEVEL / many for many in range(others + 1, others + _tests(rows) + 1)] if corrected else [LEVEL]
    rows = [(_settled(evidence, margin, levels, most), margin) for evidence, margin in rows]
    tested = [place for place, (evidence, _) in enumerate(rows) if _is_tested(evidence)]
    p = {place: _p(*rows[place]) for place in tested}
    known = [*(p[place] for place in tested), *([1.0] * others)]
    steps = dict(zip(tested, holm(known, LEVEL)[: len(tested)], strict=True)) if corrected else {}
    return [
        _judged(evidence, margin, p.get(place), steps.get(place), len(known), levels)
        for place, (evidence, margin) in enumerate(rows)
    ]


def by_interval(evidence: Evidence) -> Verdict:
    """The verdict on one accuracy by itself, from its interval, under the default margin: for tables, which keep no p.

    evidence: compared, with `difference`, `interval` and `units`. Of equal predictions the interval is (0, 0).

    A release's rows are judged together, where a regression must hold after Holm: `judge`.
    """
    assert evidence.interval is not None and evidence.difference is not None
    low, high = evidence.interval
    margin = margin_of(evidence, default_margin(evidence))
    if low == high:
        return _exact(evidence.difference, margin)
    if evidence.units < TOO_FEW_IMAGES:
        return "cannot tell"
    if high < -margin:
        return "regressed"
    if low > -margin:
        return "improved" if low > margin else "unchanged" if high < margin else "not worse"
    return "cannot tell"


def discoveries(judged: Sequence[Judgement]) -> list[bool]:
    """Which of many rows, such as classes, are worse by more than their margin, by Benjamini and Hochberg at 5 %.

    A row without a p was not tested: it is none of them, and makes the level of the others no stricter.
    """
    tested = [place for place, one in enumerate(judged) if one.p is not None]
    confirmed = benjamini_hochberg([one.p for one in judged if one.p is not None], FALSE_DISCOVERIES)
    found = {place for place, yes in zip(tested, confirmed, strict=True) if yes}
    return [place in found for place in range(len(judged))]


def _tests(rows: Sequence[tuple[Evidence, float]]) -> int:
    return max(1, sum(_is_tested(evidence) for evidence, _ in rows))


def _is_tested(evidence: Evidence) -> bool:
    """Whether chance has a part in it: counts are exact and in no family."""
    return evidence.p is not None and evidence.means != "exact"


def _p(evidence: Evidence, margin: float) -> float:
    assert evidence.p is not None
    return evidence.p(-margin)


def _settled(evidence: Evidence, margin: float, levels: Sequence[float], most: int) -> Evidence:
    """The evidence with as many replicates as its p needs, and at most so many."""
    while (
        evidence.means == "bootstrap"
        and evidence.more is not None
        and evidence.replicates + paired.BLOCK <= most
        and not paired.settled(_p(evidence, margin), evidence.replicates, levels)
    ):
        evidence = evidence.more()
    return evidence


def _judged(
    evidence: Evidence, margin: float, p: float | None, step: HolmStep | None, tests: int, levels: Sequence[float]
) -> Judgement:
    if evidence.state != "compared":
        return Judgement(evidence, margin, evidence.state, reasons=evidence.reasons)
    if evidence.difference is None:
        return Judgement(evidence, margin, "cannot tell", reasons=evidence.reasons)
    level = LEVEL if step is None else step.level
    made = Judgement(evidence, margin, "cannot tell", p, level, evidence.reasons)
    if evidence.means in ("exact", "equal predictions"):
        return replace(made, verdict=_exact(evidence.difference, margin))
    if p is None or evidence.interval is None:
        return replace(made, reasons=(*made.reasons, *_as_stored(evidence, margin)))
    if evidence.means == "interleaved":
        return _interleaved(made, margin, p, p <= LEVEL if step is None else step.rejected)
    if evidence.means != "measured apart" and evidence.units < TOO_FEW_IMAGES:
        return replace(made, reasons=(*made.reasons, f"too few images: {evidence.units}, at least {TOO_FEW_IMAGES}"))
    if evidence.replicates >= paired.MOST and not paired.settled(p, evidence.replicates, levels):
        return replace(
            made, reasons=(*made.reasons, f"Monte Carlo: p is {p:.4f} after {evidence.replicates:,} replicates")
        )
    regressed = p <= LEVEL if step is None else step.rejected
    return replace(made, **_by_interval(evidence, margin, p, regressed, level, tests, made.reasons))


def _interleaved(made: Judgement, margin: float, p: float, regressed: bool) -> Judgement:
    """The judgement of a time that was measured in turns; none where the machine differs from itself as much."""
    evidence = made.evidence
    assert evidence.interval is not None
    rounds = f"{evidence.units} rounds"
    if evidence.quiet is None or not (-margin < evidence.quiet[0] and evidence.quiet[1] < margin):
        seen = "" if evidence.quiet is None else " to ".join(_percent(end) for end in evidence.quiet)
        told = f"the machine is not quiet enough: the same network differs from itself by {seen} in {rounds}"
        return replace(made, reasons=(*made.reasons, told))
    low, high = evidence.interval
    if regressed:
        return replace(made, verdict="regressed")
    if low > -margin:
        return replace(made, verdict="improved" if low > margin else "unchanged" if high < margin else "not worse")
    return replace(made, reasons=(*made.reasons, f"after {rounds}"))


def _percent(logarithm: float) -> str:
    share = 100 * math.expm1(logarithm)
    return f"{'+' if share > 0 else '−' if share < 0 else ''}{abs(share):.1f} %"


def _exact(difference: float, margin: float) -> Verdict:
    if difference < -margin:
        return "regressed"
    return "improved" if difference > margin else "unchanged"


def _as_stored(evidence: Evidence, margin: float) -> tuple[str, ...]:
    """What a time that was measured apart suggests, in words."""
    assert evidence.difference is not None
    if evidence.interval is None or (-margin <= evidence.interval[1] and evidence.interval[0] <= margin):
        return ()
    word = "slower" if evidence.quantity.unit in ("seconds", "rate") else "more"
    if evidence.difference > 0:
        word = "faster" if word == "slower" else "less"
    share = math.expm1(abs(evidence.difference))
    return (f"{share:.1%} {word} as stored".replace("%", " %"),)


def _by_interval(
    evidence: Evidence, margin: float, p: float, regressed: bool, level: float, tests: int, reasons: tuple[str, ...]
) -> dict[str, object]:
    """Verdict and reasons of a tested row."""
    assert evidence.interval is not None and evidence.difference is not None
    low, high = evidence.interval
    if regressed:
        return {"verdict": "regressed"}
    if low > -margin:
        verdict: Verdict = "improved" if low > margin else "unchanged" if high < margin else "not worse"
        told = ("the drop is significant, and smaller than the margin",) if high < 0 else ()
        return {"verdict": verdict, "reasons": (*reasons, *told)}
    told = []
    if p <= LEVEL:
        alone = f"worse by more than the margin by itself (p {p:.3g})"
        told.append(f"{alone}, not among {tests} rows (Holm asks for {level:.2g})")
    elif high < 0:
        told.append("worse than before, perhaps by less than the margin")
    elif low > 0:
        told.append("better than before")
    told.append(_needed(evidence, margin, level))
    return {"verdict": "cannot tell", "reasons": (*reasons, *told)}


def _needed(evidence: Evidence, margin: float, level: float) -> str:
    assert evidence.difference is not None
    if evidence.gained_lost is not None:
        many = _needed_of_share(evidence.units, *evidence.gained_lost, margin, level)
    else:
        z = NormalDist().inv_cdf(1 - level)
        many = paired.needed(evidence.units, evidence.error, abs(evidence.difference + margin), z)
    if not math.isfinite(many) or many > MANY_TIMES * evidence.units:
        return f"more than {MANY_TIMES} times as many images would settle it"
    return f"about {_rounded(max(many, evidence.units + 1)):,} images would settle it, {evidence.units:,} were judged"


def _needed_of_share(images: int, gained: int, lost: int, margin: float, level: float) -> float:
    """Of how many images the score test would have a verdict if as large a share of them were gained and lost."""
    for step in range(1, 60):
        times = 1.1**step
        counts = round(gained * times), round(lost * times), round(images * times)
        if proportions.score_interval(*counts)[0] > -margin or proportions.p_not_below(*counts, -margin) <= level:
            return images * times
    return math.inf


def _rounded(many: float) -> int:
    """To two significant digits, upwards."""
    step = 10 ** max(0, math.floor(math.log10(many)) - 1)
    return int(math.ceil(many / step) * step)
