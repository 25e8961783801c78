"""Results as a pandas table, one row for each number."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from hrbench.types import Result

COLUMNS = (
    "entry", "model", "dataset", "status", "metric", "quantity", "unit", "value", "low", "high", "n", "batch", "dtype",
    "limited", "reason", "use",
)  # fmt: skip


def frame(results: Iterable[Result]) -> pd.DataFrame:
    """Columns: see COLUMNS. value, low, high: fractions, counts, operations or seconds, as `unit` says; NaN where
    `reason` says why there is none. metric: "cost" for costs. use: what makes the network, "timm:hrnet_w18". An entry
    with no number has one row with its reason.
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
        for score in result.scores:
            low, high = score.interval or (None, None)
            numbers = {"value": score.value, "low": low, "high": high, "n": score.n, "reason": score.reason}
            named = {"metric": score.metric, "quantity": score.quantity.name, "unit": score.quantity.unit}
            rows.append({**head, **named, **numbers})
        for cost in result.costs:
            conditions = {key: cost.conditions.get(key) for key in ("batch", "dtype")}
            named = {"metric": "cost", "quantity": cost.quantity.name, "unit": cost.quantity.unit}
            rows.append({**head, **named, **conditions, "value": cost.value, "reason": cost.reason})
        if not result.scores and result.reason:
            rows.append({**head, "reason": result.reason})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"value": float, "low": float, "high": float})
