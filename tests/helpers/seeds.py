"""What every run tries, and what waits to be asked for (`-m exhaustive`): of random cases, and of cases much alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def halved(count: int) -> list[Any]:
    """The numbers below `count` as parameters; those of the second half are marked `exhaustive`."""
    later = pytest.mark.exhaustive
    return [number if 2 * number < count else pytest.param(number, marks=later) for number in range(count)]


def some(names: Iterable[str], later: Collection[str]) -> list[Any]:
    """The names as parameters; those in `later` are marked `exhaustive`: another shows nearly the same."""
    return [pytest.param(name, marks=[pytest.mark.exhaustive] if name in later else []) for name in names]
