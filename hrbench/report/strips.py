"""Strips of samples: every time that was measured, with all that it was computed from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hrbench.core import units
from hrbench.judge.comparability import USUAL
from hrbench.report.condition_words import tells_threads, worded
from hrbench.report.rows import cost_labels, is_miniature, title_of
from hrbench.report.table_cells import cost_conditions, unstable_text
from hrbench.types import Conditions, Measurement, Result


@dataclass(frozen=True, slots=True)
class TimeStrip:
    """One time: the network, what was timed, the conditions, and its samples as SVG.

    quantity: what was timed, "End to end: decode".
    latency: whether it is the latency of a pass.
    p90, p99: their upper bounds; "" with too few samples.
    stability: whether it is stable, with all reasons.
    seconds: its samples, rising, of very many a selection that is spread evenly.
    p50_seconds, p90_seconds: the median and the bound as numbers; None without.
    """

    name: str
    model: str
    quantity: str
    latency: bool
    conditions: str
    median: str
    p90: str
    p99: str
    samples: str
    drawing: str
    stability: str
    unstable: bool
    seconds: tuple[float, ...] = ()
    p50_seconds: float | None = None
    p90_seconds: float | None = None


def strips(results: Sequence[Result]) -> list[TimeStrip]:
    """A strip for every time that has samples, latencies first, all on one logarithmic axis of seconds."""
    labels = cost_labels(results)
    timed = [
        (result, labels[place, cost.conditions.dtype], cost)
        for place, result in enumerate(results)
        for cost in result.costs
        if cost.quantity.unit == "seconds" and any(sample > 0 for sample in cost.samples)
    ]
    samples = [sample for *_, cost in timed for sample in cost.samples if sample > 0]
    low, high = (min(samples), max(samples)) if samples else (1.0, 1.0)
    timed.sort(key=lambda one: one[2].quantity.name != "latency")
    return [_strip(result, label, cost, low, high) for result, label, cost in timed]


_SHOWN = ("batch", "dtype", "device", "runtime", "threads", "mode", "inputs", "caches")


def _strip(result: Result, label: str, cost: Measurement, low: float, high: float) -> TimeStrip:
    stated = cost_conditions(cost.conditions)
    shown = {key: text for key, text in stated if key in _SHOWN and text != USUAL.get(key)}
    if tells_threads(shown.get("runtime", ""), shown.get("threads")):
        del shown["threads"]
    conditions = ", ".join(worded(key, shown[key]) for key in _SHOWN if key in shown)
    return TimeStrip(
        name=result.name,
        model=f"{label} {units.size(result.entry.variant.input)}".rstrip() + _mark(result),
        quantity=cost.quantity.label or cost.quantity.name,
        latency=cost.quantity.name == "latency",
        conditions=conditions,
        median="" if cost.value is None else units.show(cost.value, "seconds"),
        p90=_bound(cost.conditions.p90_bound),
        p99=_bound(cost.conditions.p99_bound),
        samples=f"{len(cost.samples):,}",
        drawing=_strip_svg(cost.samples, cost.value, low, high),
        stability=_stability(cost.conditions),
        unstable=bool(unstable_text(cost)),
        seconds=tuple(_spread(cost.samples)),
        p50_seconds=cost.value,
        p90_seconds=cost.conditions.p90_bound,
    )


def _bound(seconds: float | None) -> str:
    return "" if seconds is None else units.show(seconds, "seconds")


def _stability(conditions: Conditions) -> str:
    """Whether a time is stable, in words; "" if nobody looked."""
    return ": ".join(part for part in (conditions.stability, "; ".join(conditions.stability_reasons)) if part)


def _strip_svg(samples: Sequence[float], median: float | None, low: float, high: float) -> str:
    """SVG with a tick for each sample (for quantiles if there are very many), and a taller one for the median."""
    width, height = 220.0, 18.0

    def position(value: float) -> str:
        span = math.log(high / low)
        share = math.log(max(value, low) / low) / span if span else 0.5
        return f"{2 + share * (width - 4):.1f}"

    ticks = "".join(f"M{position(sample)} 5v8" for sample in _spread(samples))
    text = f"{len(samples)} samples from {units.duration(min(samples))} to {units.duration(max(samples))}"
    main = "" if median is None else f'<path class="median" d="M{position(median)} 1v16"/>'
    return (
        f'<svg class="strip" role="img" aria-label="{text}" viewBox="0 0 {width:g} {height:g}">'
        f'<title>{text}</title><path class="axis" d="M0 9H{width:g}"/><path class="ticks" d="{ticks}"/>{main}</svg>'
    )


def _spread(samples: Sequence[float], most: int = 120) -> list[float]:
    """The samples, rising; of more than `most` as many quantiles."""
    ordered = sorted(sample for sample in samples if sample > 0)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(index * (len(ordered) - 1) / (most - 1))] for index in range(most)]


def _mark(result: Result) -> str:
    return " (miniature)" if is_miniature(result) and "miniature" not in title_of(result).lower() else ""
