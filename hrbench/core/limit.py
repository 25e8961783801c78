"""Which images `--limit N` takes: N of them, spread evenly over the official order of the data set.

The first N would be one class of a set of class folders, or one city of Cityscapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

RULE = "spread"
"""The rule below, by name: in the keys of limited measurements, and recorded beside them. Earlier versions took the
first N images, which no record names."""


def limited(samples: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` of the samples, in their order: of n the samples i * n // limit; all of them without a limit.

    >>> limited(range(10), 4), limited(range(3), 4), limited(range(3), None)
    ([0, 2, 5, 7], [0, 1, 2], [0, 1, 2])
    """
    count = len(samples)
    if limit is None or limit >= count:
        return list(samples)
    return [samples[number * count // limit] for number in range(limit)]
