"""When two numbers may be compared."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from typing import Any

from hrbench.types import Result, Score


def same_value(one: Any, other: Any) -> bool:
    """Whether two plain values are the same, however they are written: numbers are compared as numbers.

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


def score_key(result: Result, score: Score) -> Hashable:
    """Equal for scores that may be compared: same data, protocol and metric, none of them limited."""
    if result.limited is not None or result.entry.dataset is None:
        return None
    return (*_measured_on(result), digest_of(result), score.metric, score.quantity.name)


def digest_of(result: Result) -> str:
    """SHA-256 of the data a result was measured on, as its provenance has it, or ""."""
    return str(_data(result).get("sha256") or "")


def _measured_on(result: Result) -> tuple[str, str]:
    """Name of the data set, and the protocol, of a result that has a data set."""
    assert result.entry.dataset is not None
    return result.entry.dataset.name, json.dumps(result.entry.protocol, sort_keys=True, default=str)


def _data(result: Result) -> Mapping[str, Any]:
    found = result.provenance.get("dataset")
    return found if isinstance(found, Mapping) else {}
