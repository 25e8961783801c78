"""Numbers of several matchings, or of some of the images, as one summary: CrowdPose's splits, parts of the whole body.

A group is what one `Accumulator` gives: numbers of one matching, of all images or of some. All groups of a summary are
of the same images in the same order, so that one weighting of the images, a resample for example, holds for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.coco.states import image_scores
from hrbench.statistics.bootstrap import intervals
from hrbench.types import ByImage, Measurement, Quantity, Reason


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

    def at_each(self, weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
        """(B, numbers) under `weights` (B, I) of all images; -1 if nothing counts. once: as of `Accumulator`."""
        if self.some is not None:
            weights, once = weights * self.some, None if once is None else once * self.some
        return self.accumulator.at_each(weights, once)

    def objects(self) -> np.ndarray:
        """(areas,) int64: how many objects count in each range of areas."""
        positives = self.matches.positives
        if self.some is not None:
            images = np.repeat(np.arange(len(self.matches.images)), np.diff(self.matches.object_offsets))
            positives = positives[self.some[images]]
        return positives.sum(axis=0, dtype=np.int64)


def at_of(groups: Sequence[NumberGroup]) -> Callable[..., np.ndarray]:
    """weights (B, I), and `once` if they resample its images -> (B, Q): the numbers of all groups, one group after the
    other; NaN if nothing counts. See `types.ByImage.resampled`.
    """

    def at(weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
        values = np.concatenate([group.at_each(weights, once) for group in groups], axis=1)
        return np.where(values > -1, values, np.nan)

    return at


def raw_groups(groups: Sequence[NumberGroup]) -> np.ndarray:
    """(Q,) float64: the numbers of all groups over all images, -1 if one does not exist."""
    images = np.ones((1, len(groups[0].matches.images)), np.int32)
    return np.concatenate([group.at_each(images)[0] for group in groups])


def groups_by_image(
    groups: Sequence[NumberGroup], names: Sequence[str], settings: MatchSettings, truth: np.ndarray | None
) -> ByImage:
    """The numbers as a function of image weights; the quality of an image is that by the matches of the first group.

    names: of the numbers, in their order.
    settings: of the first group's matches.
    truth: (I,) digests of what is annotated, or None.
    """
    at, matches = at_of(groups), groups[0].matches

    def qualities() -> dict[int | str, float]:
        return image_scores(matches, settings)

    return ByImage(matches.images, tuple(names), len(names), at, qualities, _block(groups), truth, resampled=at)


def _block(groups: Sequence[NumberGroup]) -> int:
    """How many weightings are best given at once."""
    return min(group.accumulator.block for group in groups)


def scored_groups(
    metric: str, groups: Sequence[NumberGroup], quantities: Sequence[Quantity], resamples: int, seed: int
) -> list[Measurement]:
    """All numbers with their 95 % intervals over images; n is the objects that count. quantities: in their order."""
    at, images = at_of(groups), len(groups[0].matches.images)
    values = at(np.ones((1, images), np.int32))[0]
    ends = intervals(at, images, resamples, seed, at_once=_block(groups))
    owners = [(group, number, group.objects()) for group in groups for number in group.accumulator.numbers]
    scores = []
    for (group, number, objects), quantity, value, interval in zip(owners, quantities, values, ends, strict=True):
        if value == value:
            scores.append(Measurement(quantity, float(value), metric, interval, int(objects[number.area])))
        else:
            scores.append(Measurement(quantity, None, metric, reason=Reason(group.absent(number))))
    return scores
