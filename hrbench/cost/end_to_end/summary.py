"""One pipeline of what several processes measured. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hrbench.cost.latency.summary import of_processes as one_of
from hrbench.types import Measurement


def of_processes(parts: Sequence[Sequence[Measurement]]) -> list[Measurement]:
    """Each quantity's median over the processes, with the interval of these; without a value if one process has none.

    parts: the quantities of each process, in the same order.
    """
    merged = [one_of(each) for each in zip(*parts, strict=True)]
    if any(one.conditions.stages_apart is None for each in parts for one in each[:1]):
        return merged
    apart = max((each[0].conditions.stages_apart or 0.0 for each in parts), key=abs)
    shared = replace(merged[0].conditions, p90_bound=None, p99_bound=None, stages_apart=apart)
    return [replace(one, conditions=shared) for one in merged]
