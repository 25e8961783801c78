"""Numbers that a suite sets: positive ones, one or several."""

from __future__ import annotations

from typing import Any

import numpy as np

from hrbench.errors import UsageError


def positive(name: str, given: Any) -> tuple[float, ...]:
    """One or more positive numbers, thresholds each once. Raises UsageError for anything else, texts among them.

    name: of the option.
    """
    numbers = (given,) if isinstance(given, (int, float)) else () if isinstance(given, str) else tuple(given)
    right = all(isinstance(one, (int, float)) and not isinstance(one, bool) and 0 < one < np.inf for one in numbers)
    named = {f"{one:g}" for one in numbers} if right else set()
    if not named or (len(named) != len(numbers) and name == "thresholds"):
        once = ", each once in six digits" if name == "thresholds" else ""
        raise UsageError(f"{name} {given!r}: give positive numbers{once}")
    return tuple(map(float, numbers))
