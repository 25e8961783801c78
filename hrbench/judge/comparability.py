"""When two numbers may be compared."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from typing import Any

from hrbench.types import Measurement, Result


def same_value(one: Any, other: Any) -> bool:
    """Whether two plain values are equal, independent of how they are written: numbers are compared as numbers.

    >>> same_value(1, 1.0), same_value("0.20", 0.2), same_value(True, "true"), same_value([1, "2"], (1.0, 2))
    (True, True, True, True)
    >>> same_value("detector", "ground_truth"), same_value(0, None), same_value("", 0), same_value(True, "1x")
    (False, False, False, False)
    """
    return _value(one) == _value(other)


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(item) for item in value]
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        try:
            number = float(text)
        except ValueError:
            return text
        return number if math.isfinite(number) else text
    return value


_ALIKE = ("convention", "batch", "device", "dtype", "percentile", "threads")
"""Conditions in which costs must agree. Sizes of inputs and networks may differ: that is what a table compares."""


def comparison_key(result: Result, measurement: Measurement) -> Hashable:
    """Equal for measurements that may be compared; None for one that cannot be compared with any.

    Scores: same data, protocol and metric, none of them limited. Costs: measured under the same conditions.
    """
    if measurement.metric:
        return _score_key(result, measurement)
    conditions = measurement.conditions.stated()
    return (measurement.quantity.name, *((name, conditions[name]) for name in _ALIKE if name in conditions))


def _score_key(result: Result, score: Measurement) -> Hashable:
    if result.limited is not None or result.entry.dataset is None:
        return None
    return (*measured_on(result), digest_of(result), score.metric, score.quantity.name)


def digest_of(result: Result) -> str:
    """SHA-256 of the data a result was measured on, from its provenance; "" if it is not known."""
    data = result.provenance.dataset
    return (data.sha256 or "") if data is not None else ""


def measured_on(result: Result) -> tuple[str, str]:
    """Name of the data set, and the protocol, of a result that has a data set."""
    assert result.entry.dataset is not None
    return result.entry.dataset.name, json.dumps(result.entry.protocol, sort_keys=True, default=str)
