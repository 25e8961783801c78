"""Results as a pandas table, one row for each number."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from hrbench.types import Result

COLUMNS = (
    "entry", "model", "dataset", "status", "metric", "quantity", "unit", "value", "low", "high", "n", "batch", "dtype",
    "limited", "reason", "use", "mode", "stability", "p90_bound", "p99_bound",
)  # fmt: skip

_NUMBERS = ("value", "low", "high", "p90_bound", "p99_bound")


def frame(results: Iterable[Result]) -> pd.DataFrame:
    """One row for each number of each result; the columns are `COLUMNS`.

    value, low, high: in the base unit that `unit` names; NaN if there is no number, and
        `reason` says why; of an unstable one, what disturbed it.
    metric: "cost" for costs.
    mode, stability: of a time: how long it was measured, and whether it is stable.
    p90_bound, p99_bound: of a latency: upper bounds of these percentiles in seconds; NaN if there are none.
    use: what builds the network, "timm:hrnet_w18".

    An entry without any number has one row with its reason.
    """
    rows = []
    for result in results:
        entry = result.entry
        head = {
            "entry": result.name,
            "model": entry.variant.name,
            "dataset": entry.dataset.name if entry.dataset else None,
            "status": result.status,
            "limited": result.limited,
            "use": entry.variant.use,
        }
        for one in (*result.scores, *result.costs):
            low, high = one.interval or (None, None)
            rows.append(
                {
                    **head,
                    "metric": one.metric or "cost",
                    "quantity": one.quantity.name,
                    "unit": one.quantity.unit,
                    "value": one.value,
                    "low": low,
                    "high": high,
                    "n": one.n if one.metric else None,
                    "batch": one.conditions.batch,
                    "dtype": one.conditions.dtype or None,
                    "mode": one.conditions.mode or None,
                    "stability": one.conditions.stability or None,
                    "p90_bound": one.conditions.p90_bound,
                    "p99_bound": one.conditions.p99_bound,
                    "reason": str(one.reason or "; ".join(one.conditions.stability_reasons)),
                }
            )
        if not result.scores and result.reason:
            rows.append({**head, "reason": result.reason})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(_NUMBERS, float))
