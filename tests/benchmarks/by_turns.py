"""CPU seconds of several works that take turns, so that what a busy machine adds falls on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable


def least_cpu(rounds: int, *works: Callable[[], object]) -> list[float]:
    """The least CPU seconds that this process spent in each work, all its threads together, after one call unmeasured.

    The least of several: what other programs on the machine add is not the work's to count.
    """
    spent: list[list[float]] = [[] for _ in works]
    for number in range(rounds + 1):
        for work, its in zip(works, spent, strict=True):
            started = time.process_time()
            work()
            if number:
                its.append(time.process_time() - started)
    return [min(its) for its in spent]
