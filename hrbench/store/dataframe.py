"""Results as a pandas table, one row for each number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from hrbench.types import Measurement, Result

COLUMNS = (
    "entry", "model", "dataset", "status", "metric", "quantity", "unit", "value", "low", "high", "n", "batch", "dtype",
    "limited", "reason", "use", "mode", "stability", "p90_bound", "p99_bound", "device", "runtime", "threads", "inputs",
    "weights", "caches", "passes", "spread", "unstable_because",
)  # fmt: skip

_NUMBERS = ("value", "low", "high", "p90_bound", "p99_bound", "spread")
_WHOLE = ("threads", "passes")
"""Whole numbers that may be missing; pandas' Int64 has both."""


def frame(results: Iterable[Result]) -> pd.DataFrame:
    """One row for each number of each result; the columns are `COLUMNS`.

    value, low, high: in the base unit that `unit` names; NaN if there is no number, and
        `reason` says why; of an unstable one, what disturbed it.
    metric: "cost" for costs.
    batch, dtype: of a cost.
    mode, stability: of a time: how long it was measured, and whether it is stable.
    p90_bound, p99_bound: of a latency: upper bounds of these percentiles in seconds; NaN if there are none.
    use: what builds the network, "timm:hrnet_w18".
    device, threads: of a cost that was measured and not counted: the name of the processor or GPU, and CPU threads.
    runtime: of an accuracy and of a cost that was measured: how the network was run, "eager", "compile, threads 2".
    inputs, weights: of a cost: what was fed, "standard normal" or "8 images of NAME", and whose weights the network
        had: one of its sources, or "random"; none for a network in a file.
    caches: of a latency: "warm", or "cold" if they were flushed before each pass.
    passes: so many samples were taken.
    spread: of a cost on several images: standard deviation over these, in the unit; NaN for none.
    unstable_because: what disturbed a measurement, or why its stability is not known; "" for nothing.

    An entry without any number has one row with its reason.
    """
    rows = []
    for result in results:
        head = _head(result)
        rows += [{**head, **_number(one), **_measured(result, one)} for one in (*result.scores, *result.costs)]
        if not result.scores and result.reason:
            rows.append({**head, "reason": result.reason})
    types: dict[Any, Any] = {**dict.fromkeys(_NUMBERS, float), **dict.fromkeys(_WHOLE, "Int64")}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(types)


def _head(result: Result) -> dict[str, Any]:
    """What all rows of a result have."""
    entry = result.entry
    return {
        "entry": result.name,
        "model": entry.variant.name,
        "dataset": entry.dataset.name if entry.dataset else None,
        "status": result.status,
        "limited": result.limited,
        "use": entry.variant.use,
    }


def _number(one: Measurement) -> dict[str, Any]:
    """A number, how certain it is, and why it is not there."""
    low, high = one.interval or (None, None)
    disturbed = "; ".join(one.conditions.stability_reasons)
    return {
        "metric": one.metric or "cost",
        "quantity": one.quantity.name,
        "unit": one.quantity.unit,
        "value": one.value,
        "low": low,
        "high": high,
        "n": one.n if one.metric else None,
        "reason": str(one.reason or disturbed),
        "stability": one.conditions.stability or None,
        "p90_bound": one.conditions.p90_bound,
        "p99_bound": one.conditions.p99_bound,
        "passes": one.conditions.passes,
        "spread": one.conditions.spread,
        "unstable_because": disturbed,
    }


def _measured(result: Result, one: Measurement) -> dict[str, Any]:
    """What a number was measured under."""
    under, entry = one.conditions, result.entry
    names = ("batch", "dtype", "mode", "device", "threads", "caches", "inputs", "weights", "runtime")
    stated = {name: getattr(under, name) or None for name in names}
    if one.metric:
        return stated | {"runtime": None if entry.predictions else str(entry.runtime)}
    if not under.device:
        return stated
    own = entry.runtime.name == "own"
    stated["runtime"] = under.runtime or (str(entry.runtime) if own else "eager")
    stated["inputs"] = under.inputs or "standard normal"
    if stated["inputs"] == "standard normal" and not own:
        stated["weights"] = under.weights or "random"
    return stated
