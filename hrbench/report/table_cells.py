"""One cell of a table: its text, its number, and the facts of its tooltip."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hrbench.core import units
from hrbench.cost.quantities import described, known_quantities
from hrbench.cost.telemetry.stability import in_short
from hrbench.judge.comparability import comparison_key, same_value
from hrbench.report.layout import ColumnLayout
from hrbench.report.words import limited_text, plain_text, protocol_text, reasons_of
from hrbench.store.number_rows import device_of
from hrbench.types import Better, Conditions, Measurement, Quantity, Reason, Result, Unit

CellKind = Literal["text", "measured", "interval", "bound", "published", "difference", "empty"]
Facts = tuple[tuple[str, str], ...]

_HIDDEN = ("uncounted", "divisor", "device_type", "flags", "input", "process_passes", "seen", "curve", "roofline",
           "spread")  # fmt: skip
"""Conditions that a tooltip does not show."""
_DURATIONS = ("first_pass", "budget", "p99", "p90_bound", "p99_bound", "load", "compile", "device_time", "window")


@dataclass(frozen=True, slots=True)
class Cell:
    """The content of one cell.

    text: as typeset, "" for nothing.
    values: unrounded numbers in the column's unit: one, two for an interval, none for an empty cell.
    bold: whether it is the best of its column among those that it is compared with, or not known to differ from that.
    second: whether it is the best of those that are not bold.
    detail: facts about this number, (label, text).
    conditions: facts shared with other cells, such as protocol and device, (label, text).
    reason: why it is empty.
    notes: numbers of footnotes of the table.
    notable: whether a difference is larger than the interval explains.
    unstable: whether the machine disturbed the measurement.
    peers: number of the group of comparable cells in its column, None for a cell that is comparable with nothing.
    front: whether a cost is on the Pareto front of the table's accuracy and this cost.
    """

    text: str = ""
    kind: CellKind = "empty"
    values: tuple[float, ...] = ()
    bold: bool = False
    second: bool = False
    detail: Facts = ()
    conditions: Facts = ()
    reason: str = ""
    notes: tuple[int, ...] = ()
    notable: bool = False
    unstable: bool = False
    peers: int | None = None
    front: bool = False


@dataclass(frozen=True, slots=True)
class ColumnValue:
    """The value of one result for a column.

    value: None if there is none.
    quantity: None if the result has no such measurement.
    interval: ends of the 95 % interval.
    detail, conditions: as of `Cell`.
    reasons: why there is no value.
    comparable: values with the same key may be compared; None for a value that is comparable with nothing.
    under: the conditions of a cost.
    doubt: why the value may be unreliable, "" if it is not.
    unstable: what disturbed its measurement, in words; "" for nothing. Such a value is comparable with nothing.
    random_detector: what a detector was fed in place of images, though its work depends on them; "" if it was not.
    """

    value: float | None
    quantity: Quantity | None
    interval: tuple[float, float] | None = None
    detail: Facts = ()
    conditions: Facts = ()
    reasons: tuple[Reason, ...] = ()
    comparable: Hashable = None
    under: Conditions = field(default_factory=Conditions)
    doubt: str = ""
    unstable: str = ""
    random_detector: str = ""


def unit_of(column: ColumnLayout, quantity: Quantity | None) -> Unit:
    """The unit of a column, also if no result has its quantity yet."""
    if quantity is not None:
        return quantity.unit
    if column.unit or column.source == "score":
        return column.unit or "fraction"
    known = known_quantities().get(column.name)
    return "operations" if known is None else known.unit


def divisor_of(column: ColumnLayout, quantity: Quantity | None) -> float | None:
    """The divisor of the quantity, in its unit, for the shown number; None for the default of the unit."""
    if column.source == "score":
        return None
    one = known_quantities().get(column.name) if quantity is None else described(quantity)
    return None if one is None else one.divisor


def better_of(column: ColumnLayout, quantity: Quantity | None) -> Better:
    """Which direction is better, also if no result has the quantity yet."""
    return quantity.better if quantity is not None else "higher" if column.source == "score" else "lower"


def column_value(result: Result, column: ColumnLayout) -> ColumnValue:
    """The value of a result for a score or cost column."""
    if column.source == "score":
        score = find_measurement(result.scores, column.name, metric=column.metric)
        return _no_score(result, column) if score is None else _value(result, score)
    cost = cost_of(result, column.name, column.where)
    return _no_cost(result) if cost is None else _value(result, cost)


def cost_of(result: Result, name: str, where: Mapping[str, Any]) -> Measurement | None:
    """A result's cost under these conditions; of several dtypes the one that its accuracy was computed in comes first.

    A cost without a value that does not state a condition has its reason under each.
    """
    for more in ({"dtype": result.entry.dtype}, {}):
        if found := find_measurement(result.costs, name, where={**more, **where}):
            return found
    without = [one for one in result.costs if one.value is None and one.quantity.name == name]
    return next((one for one in without if _agrees(one, where)), None)


def _agrees(one: Measurement, where: Mapping[str, Any]) -> bool:
    """Whether a measurement states none of these conditions with another value."""
    under = one.conditions.stated()
    return all(key not in under or same_value(under[key], value) for key, value in where.items())


def find_measurement(
    measurements: Iterable[Measurement], name: str, metric: str = "", where: Mapping[str, Any] | None = None
) -> Measurement | None:
    """The first measurement of a quantity, None if there is none.

    name: of the quantity.
    metric: of a score; "" for any.
    where: condition -> value, required of a cost.
    """
    for one in measurements:
        if one.quantity.name == name and metric in ("", one.metric):
            under = one.conditions.stated() if where else {}
            if all(same_value(under.get(key), value) for key, value in (where or {}).items()):
                return one
    return None


def is_fed_random(conditions: Conditions) -> bool:
    """Whether a network was run on a random input."""
    return conditions.inputs in ("", "standard normal") and conditions.device != ""


def _random_detector(result: Result, one: Measurement) -> str:
    """What a detector was fed in place of images; "" for all else. A network in a file has the weights of its file."""
    finds = result.entry.variant.task == "detection" or result.entry.protocol.get("boxes") == "none"
    if one.metric or one.value is None or not finds or not is_fed_random(one.conditions):
        return ""
    return "a random input" + ("" if result.entry.runtime.name == "own" else " with random weights")


def _value(result: Result, one: Measurement) -> ColumnValue:
    random = _random_detector(result, one)
    conditions = score_conditions(result, one.metric) if one.metric else cost_conditions(one.conditions)
    if random:
        conditions = (*(fact for fact in conditions if fact[0] != "inputs"), ("inputs", random))
    reasons = (one.reason,) if one.reason is not None else reasons_of(result) if one.metric else (_NOT_MEASURED,)
    return ColumnValue(
        one.value,
        one.quantity,
        one.interval,
        detail=tuple(_detail(one)),
        conditions=conditions,
        reasons=reasons,
        comparable=comparison_key(result, one),
        under=one.conditions,
        doubt=_doubt(one),
        unstable=unstable_text(one),
        random_detector=random,
    )


_NOT_MEASURED = Reason("not measured")


def _detail(one: Measurement) -> Iterator[tuple[str, str]]:
    """Facts about one number: all its digits, interval, number of images or samples, meaning."""
    quantity = one.quantity
    if one.value is not None:
        yield quantity.label or quantity.name, units.exact(one.value, quantity.unit)
    if one.interval is not None:
        decimals = 2 if quantity.unit == "fraction" else None
        yield "95 % interval", units.interval(*one.interval, quantity.unit, decimals)
    if one.conditions.spread is not None:
        yield "standard deviation", units.exact(one.conditions.spread, quantity.unit)
    if one.n:
        yield "n", f"{one.n:,}"
    convention = "" if one.metric else described(quantity).convention
    if convention:
        yield "convention", convention
    elif quantity.description:
        yield "", quantity.description
    if one.samples:
        low, high = (units.exact(end, quantity.unit) for end in (min(one.samples), max(one.samples)))
        yield "samples", f"{len(one.samples)}, {low} to {high}"


def unstable_text(one: Measurement) -> str:
    """What disturbed a measurement, without how much, so that many cells share a footnote; "" if nothing did."""
    if one.value is None or one.conditions.stability != "unstable":
        return ""
    return f"unstable: {'; '.join(map(in_short, one.conditions.stability_reasons))}"


def _doubt(one: Measurement) -> str:
    """A remark on a number of which it is not known whether it is stable."""
    if one.value is None:
        return ""
    if one.conditions.mode == "smoke":
        return "smoke: three passes, to see that the network runs; they measure nothing"
    if one.quantity.name == "latency" and one.conditions.mode == "gate" and one.conditions.p99_bound is None:
        return f"ended by its cap after {one.conditions.passes} passes, too few to bound p99"
    if one.conditions.knee_found is False:
        return f"a larger batch may be faster: {one.conditions.ended}"
    if one.conditions.stability == "unknown":
        return f"not known to be stable: {'; '.join(one.conditions.stability_reasons)}"
    return "" if one.conditions.stability else _doubt_of_passes(one)


def _doubt_of_passes(one: Measurement) -> str:
    """A remark if a latency of hrbench 0.2 did not settle while warming up and its passes then differed.

    A slow network has no time to settle within its budget; if its few passes agree, there is no remark.
    """
    if not one.samples or one.conditions.warm_up_settled is not False:
        return ""
    low, high = min(one.samples), max(one.samples)
    return "passes of this latency differ by more than a quarter: was the machine busy?" if high > 1.25 * low else ""


def _no_score(result: Result, column: ColumnLayout) -> ColumnValue:
    reasons = reasons_of(result)
    if not reasons and column.metric and column.metric not in result.entry.metrics:
        reasons = (Reason(f"not scored by {column.metric}"),)  # one footnote for all of a metric's columns
    absent = Reason(f"not measured: no {column.label or column.name} among this result's scores")
    return ColumnValue(None, None, reasons=reasons or (absent,), conditions=score_conditions(result, column.metric))


NOT_ASKED = Reason("not measured: not among the costs of this entry")
"""Why a cost is not there that nobody asked for; the column says which, so that a row needs one footnote."""


def _no_cost(result: Result) -> ColumnValue:
    if result.status == "failed":
        return ColumnValue(None, None, reasons=reasons_of(result))
    if result.costs_reason is not None:
        return ColumnValue(None, None, reasons=(result.costs_reason,))
    return ColumnValue(None, None, reasons=(NOT_ASKED,))


def score_conditions(result: Result, metric: str = "") -> Facts:
    """How an accuracy was measured: data set, protocol with every field, metric, precision, device."""
    entry = result.entry
    facts: list[tuple[str, str]] = []
    if entry.dataset is not None:
        facts.append(("data set", entry.dataset.title or entry.dataset.name))
    if entry.protocol or entry.predictions:
        facts.append(("protocol", protocol_text(entry.protocol)))
    if metric:
        facts.append(("metric", metric))
    if entry.predictions:
        facts.append(("predictions", f"from the file {Path(entry.predictions).name}"))
    else:
        facts.append(("computed in", f"{entry.dtype}, {entry.batch} to a batch" + on_device(result)))
    if result.limited is not None:
        facts.append(("limited", limited_text(result.limited)))
    return tuple(facts)


def cost_conditions(conditions: Conditions) -> Facts:
    """What a cost was measured under, in words."""
    shown = {key: value for key, value in conditions.stated().items() if key not in _HIDDEN}
    durations = {key: units.duration(value) for key, value in shown.items() if key in _DURATIONS}
    return tuple((_condition_label(key), durations.get(key) or plain_text(value)) for key, value in shown.items())


def _condition_label(condition: str) -> str:
    return {"convention": "counting convention"}.get(condition, str(condition).replace("_", " "))


def on_device(result: Result) -> str:
    device = device_of(result)
    return f" on {device}" if device else ""
