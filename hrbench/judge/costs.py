"""How far apart two costs are: counts are exact; times that were measured apart are told, and judged only if asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from hrbench.cost.quantities import probe_of
from hrbench.judge import comparability
from hrbench.judge.evidence import Evidence, Options
from hrbench.statistics import paired
from hrbench.types import Measurement, Result

TIMES = ("seconds", "joules", "bytes", "rate", "intensity", "speed")
"""Units that are compared by their ratio."""


def cell_of(one: Measurement) -> str:
    """Under which of several conditions a cost was measured, in words: "batch 8"; "" if there is only one."""
    conditions = one.conditions
    if one.metric or one.quantity.unit not in TIMES:
        return ""
    parts = [f"batch {conditions.batch}" if conditions.batch is not None else "", conditions.dtype, conditions.caches]
    return " ".join(part for part in parts if part and part not in ("float32", "warm"))


def cost_evidence(first: Result, second: Result, options: Options) -> list[Evidence]:
    """The evidence for every cost that either side has, those without a better direction left out."""
    one, other = ({(each.quantity.name, cell_of(each)): each for each in result.costs} for result in (first, second))
    found = []
    for key in dict.fromkeys([*other, *one]):
        known = other.get(key) or one[key]
        if known.quantity.better == "neither":
            continue
        was, now = (side[key].value if key in side else None for side in (one, other))
        fed = any(side[key].conditions.images is not None for side in (one, other) if key in side)
        row = Evidence(second.name, first.name, "", known.quantity, key[1], on_images=fed, first=was, second=now)
        if row.first is None and row.second is None:
            continue  # a cost that neither side measured is no news
        if row.second is None or row.first is None:
            found.append(_one_cost(row, one.get(key), other.get(key), second))
        else:
            found.append(_cost(row, one[key], other[key], options))
    return found


def _one_cost(row: Evidence, one: Measurement | None, other: Measurement | None, second: Result) -> Evidence:
    if row.second is None:
        reason = str(other.reason) if other is not None else "it was not measured"
        state = "failed" if second.status == "failed" and other is None else "missing"
        return replace(row, state=state, reasons=(second.reason if state == "failed" else reason,))
    reason = str(one.reason) if one is not None else "it was not measured"
    return replace(row, state="new", reasons=(f"the former result: {reason}",))


def _cost(row: Evidence, one: Measurement, other: Measurement, options: Options) -> Evidence:
    if differ := comparability.cost_differences(one, other, options.across):
        return replace(row, state="not comparable", reasons=tuple(differ))
    assert row.first is not None and row.second is not None
    sign = -1.0 if row.quantity.better == "lower" else 1.0
    if row.quantity.unit not in TIMES:
        exact = sign * (row.second - row.first) + 0.0  # no negative zero
        return replace(
            row, difference=exact, interval=(exact, exact), means="exact", p=lambda bound: float(exact >= bound)
        )
    if row.first <= 0 or row.second <= 0:
        return replace(row, state="not comparable", reasons=("a value of 0 has no ratio",))
    if row.quantity.unit == "bytes" and not one.conditions.device and not other.conditions.device:
        exact = sign * math.log(row.second / row.first) + 0.0  # counted, as parameters are
        return replace(
            row, difference=exact, interval=(exact, exact), means="exact", p=lambda bound: float(exact >= bound)
        )
    if reasons := not_judged(one, other):
        return replace(row, means="measured apart", reasons=reasons)
    difference = sign * math.log(row.second / row.first)
    note = "measured apart: at most a warning, unless --trust-stored"
    if quick := quick_sides(one, other):
        note, options = quick, replace(options, trust_stored=False)
    if row.quantity.unit == "bytes" and options.trust_stored:
        # a peak of memory is the same in every process within a percent, so one has no interval
        p = _by_interval(difference, difference)
        return replace(row, difference=difference, interval=(difference, difference), means="measured apart", p=p)
    if one.interval is None or other.interval is None or min(*one.interval, *other.interval) <= 0:
        return replace(row, difference=difference, means="measured apart", reasons=(note,))
    ends = sign * math.log(other.interval[0] / one.interval[1]), sign * math.log(other.interval[1] / one.interval[0])
    return replace(
        row,
        difference=difference,
        interval=(min(ends), max(ends)),
        means="measured apart",
        reasons=() if options.trust_stored else (note,),
        p=_by_interval(min(ends), max(ends)) if options.trust_stored else None,
    )


def not_judged(one: Measurement, other: Measurement) -> tuple[str, ...]:
    """Why two times are not compared: the machine disturbed one of them, or it is of three passes only."""
    sides = ("the former", one), ("this one", other)
    found = []
    for side, measurement in sides:
        under = measurement.conditions
        if under.mode == "smoke":
            found.append(f"{side} was measured in mode smoke, which only shows that the network runs")
        elif under.stability == "unstable":
            found.append(f"{side} is unstable: {'; '.join(under.stability_reasons)}")
    remedy = "--remeasure measures both in turns" if _is_remeasured(one) else "measure it again"
    return (*found, remedy) if found else ()


def quick_sides(one: Measurement, other: Measurement) -> str:
    """Why two times cannot be gated: one of them was measured for a look; "" if neither was."""
    if "quick" not in (one.conditions.mode, other.conditions.mode):
        return ""
    setting = f"cost: {{{probe_of(one.quantity.name)}: {{mode: gate}}}}"
    told = f"measured in mode quick, which is not gated: measure with `{setting}`"
    return f"{told}, or --remeasure" if _is_remeasured(one) else told


def _is_remeasured(one: Measurement) -> bool:
    """Whether `--remeasure` measures such a cost."""
    return one.quantity.name == "latency"


def _by_interval(low: float, high: float) -> Callable[[float], float]:
    """A p as far as two intervals tell: at the level of the interval, or none."""
    return lambda bound: paired.TAIL / 2 if high < bound else 1.0
