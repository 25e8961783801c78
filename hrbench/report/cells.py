"""One cell of a table: its text, the number behind it, and what a reader may ask about it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hrbench.core import units
from hrbench.judge.comparability import score_key
from hrbench.report.layout import ColumnLayout
from hrbench.report.words import limited_text, plain_text, protocol_text, reason_text
from hrbench.types import Better, Cost, Quantity, Result, Score, Unit

Kind = Literal["text", "measured", "interval", "published", "difference", "empty"]
Facts = tuple[tuple[str, str], ...]

CONVENTIONS = {
    "macs": "multiply-adds of convolutions and linear layers / 10⁹",
    "flops": "2 × multiply-adds / 10⁹",
    "fvcore": "multiply-adds / 10⁹ with batch norm and upsampling, as fvcore counts",
    "hrnet-paper": "multiply-adds / 2³⁰, transposed convolutions by their output, as the HRNet papers count",
}
_INNER = ("uncounted", "divisor", "device_type", "flags", "input")  # of no use in a hover text
_SPANS = ("first_pass", "budget", "p99")
_ALIKE = ("batch", "device", "dtype", "percentile", "threads", "view")
_COST_UNITS: dict[str, Unit] = {"parameters": "count", "latency": "seconds", "memory": "bytes", "energy": "joules"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell shows and knows.

    text: as typeset, "" where there is nothing. values: the numbers behind it in the column's unit, unrounded: one,
    or two for an interval; none where the cell is empty. detail: facts about this number; conditions: facts shared
    with other cells (protocol, device); both label -> text. reason: why it is empty. notes: numbers of footnotes of
    the table. notable: a difference larger than the interval explains. peers: number of the group of comparable cells
    in its column, None for a cell that is comparable with nothing.
    """

    text: str = ""
    kind: Kind = "empty"
    values: tuple[float, ...] = ()
    bold: bool = False
    detail: Facts = ()
    conditions: Facts = ()
    reason: str = ""
    notes: tuple[int, ...] = ()
    notable: bool = False
    peers: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a result holds for a column: a score, a cost, or neither and then `reason` says why.

    doubt: why a number that is there should be taken with care, "" where there is no reason to.
    """

    value: float | None
    quantity: Quantity | None
    interval: tuple[float, float] | None = None
    detail: Facts = ()
    conditions: Facts = ()
    reason: str = ""
    comparable: Hashable = None
    doubt: str = ""


def unit_of(column: ColumnLayout, quantity: Quantity | None) -> Unit:
    """The unit of a column, also where no result has its quantity yet."""
    if quantity is not None:
        return quantity.unit
    return column.unit or ("fraction" if column.source == "score" else _COST_UNITS.get(column.name, "operations"))


def better_of(column: ColumnLayout, quantity: Quantity | None) -> Better:
    """Which way is better, also where no result has the quantity yet."""
    return quantity.better if quantity is not None else "higher" if column.source == "score" else "lower"


def find(result: Result, column: ColumnLayout) -> Found:
    """What `result` holds for a score or cost column."""
    if column.source == "score":
        score = find_score(result, column.name, column.metric)
        return _no_score(result, column) if score is None else _from_score(result, score)
    cost = find_cost(result, column.name, column.where)
    return _no_cost(result, column) if cost is None else _from_cost(cost)


def find_score(result: Result, name: str, metric: str = "") -> Score | None:
    """The result's score of that quantity; the first one where no metric is asked for."""
    fits = (score for score in result.scores if score.quantity.name == name and metric in ("", score.metric))
    return next(fits, None)


def find_cost(result: Result, name: str, where: Mapping[str, Any]) -> Cost | None:
    """The result's cost of that quantity whose conditions hold `where`."""
    for cost in result.costs:
        if cost.quantity.name == name and all(cost.conditions.get(key) == value for key, value in where.items()):
            return cost
    return None


def _from_score(result: Result, score: Score) -> Found:
    quantity = score.quantity
    detail: list[tuple[str, str]] = []
    if score.value is not None:
        detail.append((quantity.label or quantity.name, units.exact(score.value, quantity.unit)))
    if score.interval is not None:
        detail.append(("95 % interval", units.interval(*score.interval, quantity.unit, 2)))
    if score.n:
        detail.append(("n", f"{score.n:,}"))
    if quantity.description:
        detail.append(("", quantity.description))
    reason = score.reason or _why_empty(result)
    conditions = score_conditions(result, score.metric)
    return Found(score.value, quantity, score.interval, tuple(detail), conditions, reason, score_key(result, score))


def _from_cost(cost: Cost) -> Found:
    quantity = cost.quantity
    detail: list[tuple[str, str]] = []
    if cost.value is not None:
        detail.append((quantity.label or quantity.name, units.exact(cost.value, quantity.unit)))
    if quantity.name in CONVENTIONS:
        detail.append(("convention", CONVENTIONS[quantity.name]))
    elif quantity.description:
        detail.append(("", quantity.description))
    if cost.samples:
        low, high = min(cost.samples), max(cost.samples)
        detail.append(("samples", f"{len(cost.samples)}, {units.exact(low, quantity.unit)} to "
                       f"{units.exact(high, quantity.unit)}"))  # fmt: skip
    conditions = cost_conditions(cost)
    # Sizes of inputs and networks may differ: that is what a table compares. What measures them may not.
    key = (quantity.name, *((name, text) for name, text in conditions if name in _ALIKE))
    return Found(
        cost.value, quantity, None, tuple(detail), conditions, cost.reason or "not measured", key, _doubt(cost)
    )


def _doubt(cost: Cost) -> str:
    """A latency that did not settle while warming up and whose passes then differed, as on a busy machine.

    A slow network has no room to settle in its budget; where its few passes agree there is nothing to doubt.
    """
    if cost.value is None or not cost.samples or cost.conditions.get("warm_up_settled", True):
        return ""
    low, high = min(cost.samples), max(cost.samples)
    return "passes of this latency differ by more than a quarter: was the machine busy?" if high > 1.25 * low else ""


def _no_score(result: Result, column: ColumnLayout) -> Found:
    reason = _why_empty(result)
    if not reason and column.metric and column.metric not in result.entry.metrics:
        reason = f"not judged by {column.metric}"  # one footnote for all of a metric's columns
    reason = reason or f"not measured: no {column.label or column.name} among this result's scores"
    return Found(None, None, reason=reason, conditions=score_conditions(result, column.metric))


def _no_cost(result: Result, column: ColumnLayout) -> Found:
    under = ", ".join(f"{key} {value}" for key, value in column.where.items())
    what = f"{column.name} at {under}" if under else column.name
    failed = f"failed: {result.reason}" if result.status == "failed" else ""
    return Found(None, None, reason=failed or f"not measured: this run holds no {what}")


def _why_empty(result: Result) -> str:
    if result.status == "failed":
        return f"failed: {result.reason}"
    return reason_text(result) if result.status == "empty" else ""


def score_conditions(result: Result, metric: str = "") -> Facts:
    """How an accuracy was made: data set, protocol with every field, metric, precision, device."""
    entry = result.entry
    facts: list[tuple[str, str]] = []
    if entry.dataset is not None:
        facts.append(("data set", entry.dataset.title or entry.dataset.name))
    if entry.protocol or entry.predictions:
        facts.append(("protocol", protocol_text(entry.protocol)))
    if metric:
        facts.append(("metric", metric))
    if entry.predictions:
        facts.append(("predictions", f"given as {Path(entry.predictions).name}"))
    else:
        facts.append(("computed in", f"{entry.dtype}, {entry.batch} to a batch" + on_device(result)))
    if result.limited is not None:
        facts.append(("limited", limited_text(result.limited)))
    return tuple(facts)


def cost_conditions(cost: Cost) -> Facts:
    """What a cost was measured under, as its conditions say."""
    shown = {key: value for key, value in cost.conditions.items() if key not in _INNER}
    spans = {key: units.duration(value) for key, value in shown.items() if key in _SPANS and value is not None}
    return tuple((str(key).replace("_", " "), spans.get(key) or plain_text(value)) for key, value in shown.items())


def device_of(result: Result) -> str:
    """The name of the device that computed the predictions, as the provenance has it, or ""."""
    device = str(result.provenance.get("device") or "")
    environment = result.provenance.get("environment") or {}
    gpus = environment.get("gpus") or []
    kind, _, index = device.partition(":")
    if kind == "cuda" and int(index or 0) < len(gpus):
        return str(gpus[int(index or 0)].get("name") or device)
    return str(environment.get("processor") or device) if kind == "cpu" else device


def on_device(result: Result) -> str:
    device = device_of(result)
    return f" on {device}" if device else ""
