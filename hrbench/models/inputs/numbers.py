"""Numbers that a library's file of settings may hold in any form, in the one that they must have."""

from __future__ import annotations

from typing import Any, TypeGuard

LEAST_STD = 1e-9
"""Of values in [0, 1]; by a smaller one a pixel becomes infinite in float32."""


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a plain value is a number, neither true nor false nor infinite."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a plain value is a whole number, and written as one."""
    return isinstance(value, int) and not isinstance(value, bool)


def of_colours(value: Any) -> tuple[float, float, float] | None:
    """A number for each of three colours; None if the value is anything else.

    >>> of_colours([0.5, 0.5, 1]), of_colours(0.5), of_colours([0.5, "0.5", 1])
    ((0.5, 0.5, 1.0), None, None)
    """
    if not isinstance(value, (list, tuple)) or len(value) != 3 or not all(map(is_number, value)):
        return None
    return float(value[0]), float(value[1]), float(value[2])


def short(value: Any) -> str:
    """A value for a message: its beginning, of letters that can be printed.

    >>> short("x" * 90)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."
    """
    text = repr(value)
    return (text if len(text) <= 60 else f"{text[:57]}...").encode("ascii", "backslashreplace").decode()
