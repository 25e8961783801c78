"""What a policy makes of one number: its tier, its margin, its floors, its waivers.

By default each metric's main number is required and its others are watched; parameters and operations are required,
times, memory, and operations on images, which other weights change, are watched. Rules are read from top to bottom,
and the last that fits decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from hrbench.core import units
from hrbench.core.text import suggestion
from hrbench.judge.evidence import Evidence
from hrbench.judge.verdict import default_margin
from hrbench.types import Better, Floor, Margin, Policy, Quantity, Result, Rule, Tier, Waiver


@dataclass(frozen=True, slots=True)
class Place:
    """Tier and margin of a row, and "file:line" of the rule that decided the tier ("default" if none did)."""

    tier: Tier
    margin: Margin
    where: str


Mains = Mapping[tuple[str, str], str]
"""(entry, metric) -> the name of the metric's main number."""


def mains_of(pairs: Iterable[tuple[Result | None, Result | None]]) -> Mains:
    """The main numbers of entries on two sides: a metric's scores begin with it, on the former side if it has any."""
    found: dict[tuple[str, str], str] = {}
    for pair in pairs:
        name = next(result.name for result in reversed(pair) if result is not None)
        for result in reversed(pair):  # what the former side says comes last, and stays
            for score in reversed(result.scores if result is not None else ()):
                found[name, score.metric] = score.quantity.name
    return found


def place(policy: Policy, evidence: Evidence, mains: Mains) -> Place:
    """What the policy makes of a number."""
    tier, margin, where = default_tier(evidence, mains), default_margin(evidence), "default"
    for rule in policy.rules:
        if fits(rule, evidence):
            margin = rule.margin or margin
            if rule.tier is not None:
                tier, where = rule.tier, rule.where
    return Place(tier, margin, where)


def tiers_of(policy: Policy, entry: str, results: Iterable[Result]) -> list[Tier]:
    """What the policy makes of each score of an entry, as far as its results so far tell which scores it has.

    results: of the entry, such as the former release's; several tell the same.
    """
    found: dict[tuple[str, str], Tier] = {}
    for result in results:
        mains = mains_of([(result, replace(result, name=entry))])
        for score in result.scores:
            evidence = Evidence(entry, result.name, score.metric, score.quantity, first=score.value)
            found[score.metric, score.quantity.name] = place(policy, evidence, mains).tier
    return list(found.values())


def default_tier(evidence: Evidence, mains: Mains) -> Tier:
    """The tier of a number that no rule names."""
    if not evidence.metric:
        counted = evidence.quantity.unit in ("count", "operations")
        return "required" if counted and not evidence.on_images else "watched"
    if evidence.is_part or (evidence.state == "missing" and evidence.first is None):
        return "watched"  # of a number that neither side has nothing can be required
    main = mains.get((evidence.entry, evidence.metric), evidence.quantity.name)
    return "required" if evidence.quantity.name == main else "watched"


def fits(rule: Rule | Floor | Waiver, evidence: Evidence) -> bool:
    """Whether a rule names this number: its NAME or METRIC/NAME, of this entry. Classes and slices need their own."""
    if not fnmatchcase(evidence.entry, rule.entry):
        return False
    name, key = evidence.quantity.name, evidence.key
    if evidence.slice and ":" not in rule.quantity:
        return False
    if evidence.single_class and "/" not in rule.quantity.removeprefix(f"{evidence.metric}/"):
        return False
    return any(fnmatchcase(each, rule.quantity) for each in (name, key))


def names_classes(policy: Policy, metrics: Iterable[str]) -> bool:
    """Whether a rule, floor or waiver may name a single class, which is looked at only if it is asked for.

    metrics: that scored the results; METRIC/NAME names no class.
    """
    known = tuple(metrics)
    patterns = (one.quantity for one in (*policy.rules, *policy.floors, *policy.waivers))
    return any("/" in name for pattern in patterns for name in _stripped(pattern, known))


def _stripped(pattern: str, metrics: Sequence[str]) -> list[str]:
    """The pattern without the name of the metric that it begins with, if it begins with one."""
    found = [pattern.removeprefix(f"{metric}/") for metric in metrics if pattern.startswith(f"{metric}/")]
    return found or [pattern]


def absent_slices(policy: Policy, found: Sequence[Evidence], slices: Sequence[str]) -> list[Evidence]:
    """A row for each number of a slice that the policy requires of an entry and that was not judged.

    A slice is only judged if its file is given, and of an entry that was compared: of one that failed, is missing or is
    not comparable, the slice is so too.

    slices: names of those that were given.
    """
    rows = []
    for rule in policy.rules:
        if rule.tier == "required" and ":" in rule.quantity:
            whole = replace(rule, quantity=rule.quantity.rpartition(":")[0])
            own = [one for one in found if one.metric and not one.is_part and fits(whole, one)]
            for entry in dict.fromkeys(one.entry for one in own):
                mine = [one for one in own if one.entry == entry]
                rows += _absent_slices(policy, rule, mine, found, slices)
    return rows


def _absent_slices(
    policy: Policy, rule: Rule, whole: Sequence[Evidence], found: Sequence[Evidence], slices: Sequence[str]
) -> list[Evidence]:
    """Of one entry, for the first of its numbers whose slice a rule requires in vain.

    whole: the entry's numbers on all images that the rule asks for on a slice.
    """
    name = rule.quantity.rpartition(":")[2]
    for one in whole:
        quantity = replace(one.quantity, name=f"{one.quantity.name}:{name}", label=f"{one.quantity.label}, {name}")
        row = replace(one, quantity=quantity, slice=name, first=None, second=None, difference=None, interval=None,
                      means="", p=None, p_none=None, more=None, gained_lost=None)  # fmt: skip
        there = [each for each in found if each.entry == one.entry and each.metric == one.metric and each.slice]
        if one.state == "new" or any(fits(rule, each) and _is_on_slice(each, one) for each in there):
            continue
        if place(policy, row, {}).tier != "required":  # a later rule takes it back
            continue
        if one.state != "compared":
            return [row]
        why = f"the slice {name} was not judged: give its file by --slices FILE"
        if slices:
            why = f"there is no slice {name} in the file of --slices; {suggestion(name, slices)}"
        return [replace(row, state="missing", reasons=(f"{why} ({rule.where})",))]
    return []


def _is_on_slice(part: Evidence, whole: Evidence) -> bool:
    return part.quantity.name.rpartition(":")[0] == whole.quantity.name


def without_number(policy: Policy, found: Sequence[Evidence]) -> list[Evidence]:
    """A row for each floor, and each required slice, that no number of any entry is held to.

    What is not there cannot keep a floor.
    """
    rows = []
    for rule in policy.rules:
        asks = rule.tier == "required" and ":" in rule.quantity
        if asks and not any(fits(rule, one) for one in found) and not _is_taken_back(policy, rule):
            reason = f"no entry has a number {rule.quantity} ({rule.where})"
            rows.append(replace(_absent(rule, reason), slice=rule.quantity.rpartition(":")[2]))
    for floor in policy.floors:
        held = [one for one in found if fits(floor, one) and one.second is not None]
        if not held:
            sign = ">=" if floor.least else "<="
            reason = f"there is no such number for the floor {floor.quantity} {sign} {floor.bound:g} ({floor.where})"
            reason += _meant(floor.quantity, found)
            rows.append(_absent(floor, reason, "higher" if floor.least else "lower"))
    return rows


def _is_taken_back(policy: Policy, rule: Rule) -> bool:
    """Whether a later rule of the same numbers sets another tier."""
    later = policy.rules[policy.rules.index(rule) + 1 :]
    return any(
        one.tier not in (None, "required") and (one.quantity, one.entry) == (rule.quantity, rule.entry) for one in later
    )


def _absent(rule: Rule | Floor, reason: str, better: Better = "higher") -> Evidence:
    """A row that says why what a rule asks for is not there."""
    quantity = Quantity(rule.quantity, rule.quantity, "fraction", better)
    return Evidence(rule.entry, rule.entry, "", quantity, state="missing", reasons=(reason,))


def idle(policy: Policy, found: Sequence[Evidence], today: date) -> list[str]:
    """What a person should know of a policy: rules and waivers that fit no number, and waivers that have expired."""
    told = [
        f"{rule.where}: no number fits {rule.quantity!r} of {rule.entry!r}{_meant(rule.quantity, found)}"
        for rule in (*policy.rules, *policy.waivers)
        if not any(fits(rule, one) for one in found)
    ]
    late = [waiver for waiver in policy.waivers if today > date.fromisoformat(waiver.until)]
    return told + [f"{waiver.where}: the waiver of {waiver.quantity} ended on {waiver.until}" for waiver in late]


def _meant(pattern: str, found: Sequence[Evidence]) -> str:
    """A number that may be meant by a name that fits none: by its label in tables, or by what is nearly its name."""
    names = dict.fromkeys(one.quantity.name for one in found)
    labelled = next((one.quantity.name for one in found if one.quantity.label == pattern), "")
    hint = f"did you mean {labelled}?" if labelled else suggestion(pattern, names)
    return f"; {hint}" if hint.startswith("did you mean") and pattern not in names else ""


def below(policy: Policy, evidence: Evidence) -> str:
    """The first floor that the second side's number does not keep, in words; "" if it keeps all."""
    for floor in policy.floors:
        value = evidence.second
        gone = value is None and evidence.first is not None and evidence.state in ("missing", "failed")
        if gone and fits(floor, evidence):
            return f"there is no number now, and a floor is asked for ({floor.where})"
        if (
            fits(floor, evidence)
            and value is not None
            and (value < floor.bound if floor.least else value > floor.bound)
        ):
            unit, own = evidence.quantity.unit, evidence.quantity.divisor
            word = "at least" if floor.least else "at most"
            shown = [units.with_unit(one, unit, own=own) for one in (value, floor.bound)]
            if unit in ("count", "operations"):
                shown = [f"{one:,.15g}" for one in (value, floor.bound)]
            hint = (
                "; a fraction is at most 1: write 0.8 for 80 points" if unit == "fraction" and floor.bound > 1 else ""
            )
            if unit in ("count", "operations") and floor.bound < 1000 < value:
                hint = "; a count is a plain number: write 2e7 for 20 million"
            return f"{shown[0]}, {word} {shown[1]} is asked for ({floor.where}{hint})"
    return ""


def waived(policy: Policy, evidence: Evidence, today: date) -> str:
    """Why a regression of this number is accepted today, in words; "" if it is not. An expired waiver is none."""
    for waiver in policy.waivers:
        if fits(waiver, evidence) and today <= date.fromisoformat(waiver.until):
            return f"{waiver.reason} (until {waiver.until}, {waiver.where})"
    return ""
