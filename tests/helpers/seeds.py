"""Random cases of suites that compare to the last bit: half of them at every run, all of them if asked for."""

from __future__ import annotations

from typing import Any

import pytest


def halved(count: int) -> list[Any]:
    """The numbers below `count` as parameters; those of the second half are marked `exhaustive`."""
    later = pytest.mark.exhaustive
    return [number if 2 * number < count else pytest.param(number, marks=later) for number in range(count)]
