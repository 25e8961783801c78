"""Two sides entry by entry: pairs them by name, and judges every number that either side has.

comparison = compare(read_side("runs/old", baselines), read_side("runs/new", baselines))
for row in comparison.rows: print(row.entry, row.key, row.verdict)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from hrbench.core.collector import paused_collector
from hrbench.errors import UsageError
from hrbench.judge import policies
from hrbench.judge.accuracy import accuracy_evidence
from hrbench.judge.comparability import changes
from hrbench.judge.costs import cell_of, cost_evidence
from hrbench.judge.evidence import Evidence, Options
from hrbench.judge.rounds import Remeasure
from hrbench.judge.rows import Comparison, Row
from hrbench.judge.sides import Side
from hrbench.judge.verdict import Judgement, discoveries, judge
from hrbench.statistics import paired
from hrbench.types import Policy, Result


@paused_collector()
def compare(
    first: Side,
    second: Side,
    policy: Policy | None = None,
    options: Options | None = None,
    matches: Sequence[str] = (),
    most: int = paired.BLOCK,
    today: date | None = None,
    remeasure: Remeasure | None = None,
    only: bool = False,
    others: int = 0,
) -> Comparison:
    """Judges the second side against the first.

    policy: tiers and margins; None for the default ones.
    options: how to look.
    matches: "OLD=NEW" for entries that were renamed, with one `*` each.
    most: replicates of the bootstrap that a row may use.
    today: for the dates of waivers.
    only: whether the sides are parts of what they are, so that a floor may have no number there.
    others: required accuracies of the same release that are judged by other calls.
    remeasure: measures latencies again, together; None to take the stored ones.

    Raises UsageError for a match of another form.
    """
    policy, options = policy or Policy(), options or Options()
    results = (*first.results.values(), *second.results.values())
    if policies.names_classes(policy, {score.metric for result in results for score in result.scores}):
        options = replace(options, classes=True)
    today = today or date.today()
    found: list[Evidence] = []
    differ: dict[str, tuple[str, ...]] = {}
    pairs = list(_pairs(first, second, matches))
    mains = policies.mains_of(pairs)
    for one, other in pairs:
        if one is not None and other is not None:
            costs = cost_evidence(one, other, options)
            if remeasure is not None:
                costs = [remeasure(one, other, each, policies.place(policy, each, mains).margin) for each in costs]
            found += [*accuracy_evidence(one, other, options), *costs]
            differ[other.name] = tuple(changes(one, other))
        else:
            found += _one_sided(one, other)
    found += policies.absent_slices(policy, found, tuple(options.slices))
    notes = [] if only else policies.idle(policy, found, today)
    if only:
        notes += [reason for row in policies.without_number(policy, found) for reason in row.reasons]
    else:
        found += policies.without_number(policy, found)
    rows = _judged(found, mains, policy, most, today, others)
    damaged = (*first.damaged.values(), *second.damaged.values())
    return Comparison(first.name, second.name, tuple(rows), differ, damaged, policy, tuple(notes))


def _pairs(first: Side, second: Side, matches: Sequence[str]) -> Iterator[tuple[Result | None, Result | None]]:
    """Results of the same entry. Two single entries are a pair whatever their names are."""
    if len(first.results) == len(second.results) == 1 and ":" in first.name and ":" in second.name:
        yield next(iter(first.results.values())), next(iter(second.results.values()))
        return
    renamed = _renamed(first, second, matches)
    for name, result in second.results.items():
        yield first.results.get(renamed.get(name, name)), result
    taken = {renamed.get(name, name) for name in second.results}
    for name, result in first.results.items():
        if name not in taken:
            yield result, None


def _renamed(first: Side, second: Side, matches: Sequence[str]) -> dict[str, str]:
    """Name on the second side -> name on the first, of entries that `matches` rename."""
    renamed: dict[str, str] = {}
    for match in matches:
        old, equals, new = match.partition("=")
        if not equals or old.count("*") != new.count("*") or old.count("*") > 1:
            raise UsageError(f"--match {match}: give OLD=NEW, with one * in both or in neither")
        head, star, tail = old.partition("*")
        for name in first.results:
            if name == old:
                renamed[new] = name
            elif star and len(name) >= len(head + tail) and name.startswith(head) and name.endswith(tail):
                renamed[new.replace("*", name[len(head) : len(name) - len(tail)])] = name
    unknown = [match for match in matches if not any(new in second.results for new in renamed)]
    if unknown:
        raise UsageError(f"--match {unknown[0]}: no entry of {second.name} is named so")
    return renamed


def _one_sided(first: Result | None, second: Result | None) -> list[Evidence]:
    """An entry that only one side has: the main number of each of its metrics, or the first of its costs."""
    only = first or second
    assert only is not None
    mains = {score.metric: score for score in reversed(only.scores)}
    found = []
    for one in [*reversed(mains.values())] or only.costs[:1]:
        row = Evidence(
            only.name, only.name, one.metric, one.quantity, cell_of(one), on_images=one.conditions.images is not None
        )
        if second is None:
            found.append(replace(row, state="missing", first=one.value, reasons=("the entry is not there any more",)))
        else:
            found.append(replace(row, state="new", second=one.value))
    return found


def _judged(
    found: Sequence[Evidence], mains: policies.Mains, policy: Policy, most: int, today: date, others: int
) -> list[Row]:
    """All rows with tiers and verdicts, in the order of `found`.

    Families: required rows of accuracy, and required costs. Other rows are judged one by one; of classes and slices
    that are worse by themselves those that Benjamini and Hochberg do not confirm are told as open.
    """
    placed = [policies.place(policy, evidence, mains) for evidence in found]
    made: dict[int, Judgement] = {}
    for accuracy in (True, False):
        mine = [place for place, evidence in enumerate(found) if bool(evidence.metric) == accuracy]
        family = [place for place in mine if placed[place].tier == "required"]
        watched = [place for place in mine if placed[place].tier == "watched"]
        ignored = [place for place in mine if placed[place].tier == "ignored"]
        # nobody waits for a number that is ignored: it has the replicates that others drew
        for places, corrected, bound in ((family, True, most), (watched, False, most), (ignored, False, 0)):
            beside = others if accuracy and corrected else 0
            judged = judge([(found[place], placed[place].margin) for place in places], corrected, bound, beside)
            made |= dict(zip(places, judged, strict=True))
    parts = [place for place in made if placed[place].tier != "required" and found[place].is_part]
    _confirm_parts(made, parts)
    return [
        Row(
            made[place],
            at.tier,
            at.where,
            "; ".join(evidence.reasons) if _is_floor(evidence) else policies.below(policy, evidence),
            policies.waived(policy, evidence, today) if made[place].verdict == "regressed" else "",
        )
        for place, (evidence, at) in enumerate(zip(found, placed, strict=True))
    ]


def _is_floor(evidence: Evidence) -> bool:
    """Whether it is no number of an entry but a floor that has none."""
    return not evidence.metric and not evidence.slice and evidence.state == "missing" and evidence.first is None


def _confirm_parts(made: dict[int, Judgement], places: Sequence[int]) -> None:
    """Of many classes and slices some look worse by chance: only those stay that their number does not explain."""
    for place, confirmed in zip(places, discoveries([made[place] for place in places]), strict=True):
        one = made[place]
        if one.verdict == "regressed" and one.evidence.means != "exact" and not confirmed:
            tested = sum(made[each].p is not None for each in places)
            told = f"worse by itself (p {one.p:.3g}), not among {tested} classes and slices"
            told += " (Benjamini-Hochberg at 5 %)"
            made[place] = replace(one, verdict="cannot tell", reasons=(*one.reasons, told))
