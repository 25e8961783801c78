"""Which batches a throughput times, and which of them is its knee. Pure functions, no torch.

Batches double until a doubled one brings less than 3 % more images per second; the one before is the knee. The sweep
ends before that if a batch cannot be timed (memory, time) or is the largest that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from hrbench.types import BatchTime, Reason

LEAST_GAIN = 0.03
"""A doubled batch is worth it from this gain in images per second on."""

KEPT = 60
"""Samples of a batch that are kept: a result would grow by a megabyte with all."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep over batches found.

    curve: the batches that were timed, rising.
    ended: what ended it, in words.
    reason: why there is no curve; None if there is one.
    """

    curve: tuple[BatchTime, ...]
    ended: str
    reason: Reason | None = None


def sweep(first: int, largest: int, time_batch: Callable[[int], BatchTime | Reason]) -> Sweep:
    """Times batches until one is not worth it, or cannot be timed.

    first: the smallest batch; others are its doubles.
    largest: no larger batch is timed.
    time_batch: times one batch, or says why it cannot.
    """
    if first > largest:
        why = Reason(f"the network's file takes {first} images at once, and the largest batch is {largest}",
                     "raise largest")  # fmt: skip
        return Sweep((), "", why)
    curve: list[BatchTime] = []
    batch = first
    while batch <= largest:
        found = time_batch(batch)
        if isinstance(found, Reason):
            if not curve:
                return Sweep((), "", found)
            return Sweep(tuple(curve), f"batch {batch} was not measured: {found.what}")
        curve.append(found)
        if knee(curve)[1]:
            gain = 100 * (curve[-1].rate / curve[-2].rate - 1)
            return Sweep(tuple(curve), f"batch {batch} brought {gain:+.1f} %".replace("-", "−"))
        batch *= 2
    return Sweep(tuple(curve), f"batch {curve[-1].batch} was the largest asked for")


def knee(curve: Sequence[BatchTime]) -> tuple[BatchTime, bool]:
    """The first batch whose double brings less than `LEAST_GAIN`, and whether there is one; if not, the last batch."""
    for one, double in pairwise(curve):
        if double.rate < (1 + LEAST_GAIN) * one.rate:
            return one, True
    return curve[-1], False


def batch_time(batch: int, samples: Sequence[float]) -> BatchTime:
    """The time of a batch, of the seconds of its passes."""
    p50 = median(samples)
    return BatchTime(batch, batch / p50, p50, len(samples), spread_over(samples, KEPT))


def spread_over(samples: Sequence[float], most: int) -> tuple[float, ...]:
    """At most so many samples, evenly spread, in their order.

    >>> spread_over([1.0, 2.0, 3.0, 4.0, 5.0], 3)
    (1.0, 3.0, 5.0)
    """
    if len(samples) <= most:
        return tuple(samples)
    return tuple(samples[round(place * (len(samples) - 1) / (most - 1))] for place in range(most))


def of_curves(curves: Sequence[Sequence[BatchTime]]) -> tuple[BatchTime, ...]:
    """One curve of those of several processes: of the batches that all of them timed, medians of their medians."""
    common = [batch for batch in (one.batch for one in curves[0]) if all(_at(curve, batch) for curve in curves)]
    found = []
    for batch in common:
        ones = [one for curve in curves if (one := _at(curve, batch)) is not None]
        p50, samples = median(one.p50 for one in ones), [sample for one in ones for sample in one.samples]
        kept = spread_over(samples, KEPT)
        found.append(BatchTime(batch, batch / p50, p50, sum(one.passes for one in ones), kept))
    return tuple(found)


def _at(curve: Sequence[BatchTime], batch: int) -> BatchTime | None:
    return next((one for one in curve if one.batch == batch), None)
