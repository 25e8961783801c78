"""A result as a flat dictionary of names and numbers, as trackers of experiments log them."""

from __future__ import annotations

import math
import re

from hrbench.types import Measurement, Result

_OTHER = re.compile(r"[^A-Za-z0-9_./-]+")


def flat(result: Result) -> dict[str, float]:
    """Name -> number; `hrbench.flat` tells the names."""
    found: dict[str, float] = {}
    for one in (*result.scores, *result.costs):
        low, high = one.interval or (None, None)
        key = _key(one)
        if key in found:  # names that differ only in characters that a key cannot have
            key = next(f"{key}-{number}" for number in range(2, len(found) + 3) if f"{key}-{number}" not in found)
        for ending, value in (("", one.value), ("/low", low), ("/high", high)):
            if value is not None and math.isfinite(value):
                found[key + ending] = float(value)
    return found


def _key(one: Measurement) -> str:
    """METRIC/NAME of a score, cost/NAME/CONDITIONS of a cost."""
    under = one.conditions
    if one.metric:
        parts = [one.metric, one.quantity.name]
    else:
        stated = [f"batch-{under.batch}" if under.batch is not None and one.quantity.per_batch else "", under.dtype]
        told = [part for part in (*stated, under.caches) if part and part not in ("float32", "warm")]
        parts = ["cost", one.quantity.name, *told]
    return _OTHER.sub("_", "/".join(part for part in parts if part).replace("@", "_at_")).strip("/")
