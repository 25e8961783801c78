"""Which images `--limit N` takes: N of them, spread evenly over the official order of the data set.

The first N images would all be of one class in a data set of class folders, or of one city in Cityscapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

RULE = "spread"
"""Name of the rule below, part of the keys of limited measurements and stored with them. Earlier versions took the
first N images and stored no rule."""


def limited(samples: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` of the samples, in their order: of n the samples i * n // limit; all of them without a limit.

    >>> limited(range(10), 4), limited(range(3), 4), limited(range(3), None)
    ([0, 2, 5, 7], [0, 1, 2], [0, 1, 2])
    """
    count = len(samples)
    if limit is None or limit >= count:
        return list(samples)
    return [samples[number * count // limit] for number in range(limit)]
