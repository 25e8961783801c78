"""What every run tries, and what waits to be asked for (`-m exhaustive`): of random cases, and of cases much alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def halved(count: int) -> list[Any]:
    """The numbers below `count` as parameters; those of the second half are marked `exhaustive`."""
    later = pytest.mark.exhaustive
    return [number if 2 * number < count else pytest.param(number, marks=later) for number in range(count)]


def some(names: Iterable[Any], later: Collection[Any]) -> list[Any]:
    """The names, or tuples, as parameters; those in `later` are marked `exhaustive`: another shows nearly the same."""
    marks = {True: [pytest.mark.exhaustive], False: []}
    return [pytest.param(*(one if isinstance(one, tuple) else [one]), marks=marks[one in later]) for one in names]


VIEWS = some([("light", 1280), ("light", 400), ("dark", 1280), ("dark", 400)], later=[("light", 400), ("dark", 1280)])
"""Colour scheme and width in pixels under which a page is opened."""
