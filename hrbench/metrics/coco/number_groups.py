"""Numbers of several matchings, or of some of the images, as one summary: CrowdPose's splits, parts of the whole body.

A group is what one `Accumulator` gives: numbers of one matching, of all images or of some. All groups of a summary are
of the same images in the same order, so that one weighting of the images, a resample for example, holds for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.matching import Matches
from hrbench.statistics.bootstrap import intervals
from hrbench.types import Measurement, Quantity, Reason


@dataclass(frozen=True)
class NumberGroup:
    """Some numbers of a summary.

    matches: what they are of.
    accumulator: of these matches; its `numbers` are those of the group.
    absent: a number -> why it has no value, if it has none.
    some: (I,) bool, the images that they are of; None: all.
    """

    matches: Matches
    accumulator: Accumulator
    absent: Callable[[Number], str]
    some: np.ndarray | None = None

    def at_each(self, weights: np.ndarray) -> np.ndarray:
        """(B, numbers) under `weights` (B, I) of all images; -1 if nothing counts."""
        return self.accumulator.at_each(weights if self.some is None else weights * self.some)

    def objects(self) -> np.ndarray:
        """(areas,) int64: how many objects count in each range of areas."""
        positives = self.matches.positives
        if self.some is not None:
            images = np.repeat(np.arange(len(self.matches.images)), np.diff(self.matches.object_offsets))
            positives = positives[self.some[images]]
        return positives.sum(axis=0, dtype=np.int64)


def numbers_at(groups: Sequence[NumberGroup]) -> Callable[[np.ndarray], np.ndarray]:
    """weights (B, I) -> (B, Q): the numbers of all groups, one group after the other; NaN if nothing counts."""

    def at(weights: np.ndarray) -> np.ndarray:
        values = np.concatenate([group.at_each(weights) for group in groups], axis=1)
        return np.where(values > -1, values, np.nan)

    return at


def numbers_resampled(groups: Sequence[NumberGroup]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """As `numbers_at`, for weights that resample the images of `once`; see `types.ByImage.resampled`."""

    def resampled(weights: np.ndarray, once: np.ndarray) -> np.ndarray:
        found = []
        for group in groups:
            some = 1 if group.some is None else group.some
            found.append(group.accumulator.at_each(weights * some, once * some))
        values = np.concatenate(found, axis=1)
        return np.where(values > -1, values, np.nan)

    return resampled


def block_of(groups: Sequence[NumberGroup]) -> int:
    """How many weightings `numbers_at` is best given at once."""
    return min(group.accumulator.block for group in groups)


def scored_groups(
    metric: str, groups: Sequence[NumberGroup], quantities: Sequence[Quantity], resamples: int, seed: int
) -> list[Measurement]:
    """All numbers with their 95 % intervals over images; n is the objects that count. quantities: in their order."""
    at, images = numbers_at(groups), len(groups[0].matches.images)
    values = at(np.ones((1, images), np.int32))[0]
    ends = intervals(at, images, resamples, seed, at_once=block_of(groups))
    owners = [(group, number, group.objects()) for group in groups for number in group.accumulator.numbers]
    scores = []
    for (group, number, objects), quantity, value, interval in zip(owners, quantities, values, ends, strict=True):
        if value == value:
            scores.append(Measurement(quantity, float(value), metric, interval, int(objects[number.area])))
        else:
            scores.append(Measurement(quantity, None, metric, reason=Reason(group.absent(number))))
    return scores
