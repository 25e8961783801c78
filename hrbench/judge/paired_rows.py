"""How far a number of one result is from that of another, paired over images: of many rows of a table, cheaply.

What `hrbench compare` says of two results, for one number and without a verdict: the 95 % interval of the difference
by the bootstrap over images with common multiplicities, of shares of images Tango's score interval. The replicates of a
side are computed once, whatever it is compared with, and kept by the digest of its state; intervals are kept by the
digests of both, so that a report that is written again computes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from hrbench.contracts import JudgedByImage
from hrbench.core.digests import digest
from hrbench.core.plugins import resolve
from hrbench.errors import HrbenchError
from hrbench.judge.comparability import metric_options
from hrbench.judge.sides import state_digest, state_of
from hrbench.statistics import paired, proportions
from hrbench.statistics.bootstrap import VERSION
from hrbench.types import ByImage, Result


class Interval(NamedTuple):
    """The 95 % interval of a difference, in the unit of the number, and how many images it was paired over."""

    low: float
    high: float
    images: int


@dataclass(frozen=True, slots=True)
class _Judged:
    """One number of a state, ready to be compared.

    how: version and options of the metric, that two sides must share.
    images, truth: as of `ByImage`.
    right: (I,) bool of a share of images; None for another number.
    replicates: (B,) the number in each resample; None for a share.
    """

    how: Any
    images: np.ndarray
    truth: np.ndarray | None
    right: np.ndarray | None
    replicates: np.ndarray | None


@dataclass(slots=True)
class PairedRows:
    """Differences between results, with all that was computed for them.

    known: intervals of former reports, by key; None for two results that cannot be paired.
    used: those that were asked for, for the next report.
    """

    known: Mapping[str, Interval | None] = field(default_factory=dict)
    used: dict[str, Interval | None] = field(default_factory=dict)
    _judged: dict[tuple[str, str, str], _Judged | None] = field(default_factory=dict)

    def interval(self, first: Result, second: Result, metric: str, number: str) -> Interval | None:
        """The 95 % interval of second minus first, in the unit of the number.

        metric, number: which score, by name; both results were measured under one protocol.

        None if that is not known: a result has no state, the metric does not tell its numbers by image, or the two were
        not judged on the same images with the same truth by the same metric.
        """
        states = [state_digest(result, metric) for result in (first, second)]
        if not all(states):
            return None
        key = digest([*states, metric, number, VERSION, paired.BLOCK])
        if key not in self.used:
            self.used[key] = self.known[key] if key in self.known else self._computed(first, second, metric, number)
        return self.used[key]

    def _computed(self, first: Result, second: Result, metric: str, number: str) -> Interval | None:
        one, other = (self._of(result, metric, number) for result in (first, second))
        if one is None or other is None or one.how != other.how or not np.array_equal(one.images, other.images):
            return None
        if one.truth is not None and other.truth is not None and not np.array_equal(one.truth, other.truth):
            return None
        if state_digest(first, metric) == state_digest(second, metric):
            return Interval(0.0, 0.0, len(one.images))
        if one.right is not None and other.right is not None:
            gained, lost = int((other.right & ~one.right).sum()), int((one.right & ~other.right).sum())
            return Interval(*proportions.score_interval(gained, lost, len(one.right)), len(one.right))
        if one.replicates is None or other.replicates is None:
            return None
        ends = paired.interval(other.replicates - one.replicates)
        return None if ends is None else Interval(*ends, len(one.images))

    def _of(self, result: Result, metric: str, number: str) -> _Judged | None:
        key = (state_digest(result, metric), metric, number)
        if key not in self._judged:
            try:
                self._judged[key] = _judged(result, metric, number)
            except HrbenchError:  # a state that is damaged, missing, or of a metric that is not installed
                self._judged[key] = None
        return self._judged[key]


def _judged(result: Result, metric: str, number: str) -> _Judged | None:
    offered = resolve("hrbench.metrics", metric)
    if not isinstance(offered, JudgedByImage):
        return None
    state = state_of(result, metric)
    side = offered.by_image(state, False)
    if number not in side.names or len(side.images) < 2:
        return None
    column, how = side.names.index(number), (state.version, metric_options(state))
    if side.right is not None:
        return _Judged(how, side.images, side.truth, side.right[:, column], None)
    return _Judged(how, side.images, side.truth, None, _replicates(side, column))


def _replicates(side: ByImage, column: int) -> np.ndarray:
    """(B,) float64: one number of a side in each resample of a block."""
    images = len(side.images)
    once, found = np.ones(images, np.int64), []
    for weights in paired.multiplicities(images, 0, 0, at_once=max(1, side.at_once)):
        found.append((side.at(weights) if side.resampled is None else side.resampled(weights, once))[:, column])
    return np.concatenate(found)
