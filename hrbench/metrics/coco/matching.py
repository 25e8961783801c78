"""COCO matching: which detection finds which annotated object, for any similarity (OKS, IoU of boxes or masks).

Synopsis:

    matches = match(truths, detections, similarity, settings, images, categories)
    values = Accumulator(matches, settings, numbers).at(weights)      # curves.py

The rules are those of pycocotools 2.0.11 (`COCOeval.evaluateImg`; the tests compare bit for bit):

* Within an image and a category, detections are taken by falling score, equal scores in the order of the file, and
  only the first `settings.max_detections[-1]` of them.
* At a threshold t a detection takes the free object of greatest similarity >= min(t, 1 - 1e-10); of equal ones the
  later in the file. Objects that count come first; only if none of them matches may it take an ignored one. A crowd can
  be taken by any number of detections.
* An object is ignored when it is a crowd, when its annotation says so (a person without keypoints), or when its area
  lies outside the range. A detection is ignored when it found an ignored object, or found nothing and its own area
  lies outside the range.

Why it is fast: one bit stands for one (area range, threshold), so that a whole match at all thresholds and ranges is
a few integer operations on 64-bit words; only pairs above the lowest threshold are kept; and all images are
processed together, one pair of each per step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hrbench.formats.coco.columns import Detections, Truths, sorted_unique

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(detections (P,), truths (P,)) -> similarity (P,) in [0, 1], float64; both are row numbers of the columns below."""


@dataclass(frozen=True)
class MatchSettings:
    """What is evaluated.

    thresholds: rising similarities (T).
    recalls: rising recalls (R) at which precision is read.
    areas: (name, minimum, maximum) in px^2, both ends included. most: rising numbers of detections per image and
        category. len(areas) x len(thresholds) is at most 64, len(thresholds) at most 16.
    """

    thresholds: tuple[float, ...]
    recalls: tuple[float, ...]
    areas: tuple[tuple[str, float, float], ...]
    max_detections: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.thresholds) > 16 or len(self.thresholds) * len(self.areas) > 64:
            raise ValueError("at most 16 thresholds, and at most 64 thresholds times area ranges")


THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
RECALLS = tuple(np.linspace(0.0, 1.0, 101).tolist())


@dataclass(frozen=True)
class Matches:
    """The result of matching: all that scores and intervals need. I images, N kept detections, C categories, A ranges.

    images: (I,) int64, rising.
    categories: (C,) int64, rising.
    offsets: (I + 1,) int64, the detections of image i are offsets[i]:offsets[i + 1], by category and falling score.
    score: (N,) float64.
    category: (N,) uint16, an index.
    hits: (N, A) uint16, bit t set if the detection found an object that counts at threshold t.
    ignored: (N, A) uint16, bit t set if the detection is ignored at threshold t.
    positives: (I, C, A) int32, objects that count.
    """

    images: np.ndarray
    categories: np.ndarray
    offsets: np.ndarray
    score: np.ndarray
    category: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    positives: np.ndarray


def match(
    truths: Truths,
    detections: Detections,
    similarity: Similarity,
    settings: MatchSettings,
    images: np.ndarray,
    categories: np.ndarray,
) -> Matches:
    """Matches all detections of `images` and `categories` (ids, in any order); other rows are left out."""
    images, categories = sorted_unique(images), sorted_unique(categories)
    groups = len(images) * len(categories)
    # a group is one category in one image; numbered by image first, as in the official order
    truth_group = _groups(truths.image, truths.category, images, categories)
    group = _groups(detections.image, detections.category, images, categories)

    kept = np.flatnonzero(group >= 0)
    kept = kept[np.lexsort((-detections.score[kept], group[kept]))]
    kept = kept[_rank(group[kept], groups) < settings.max_detections[-1]]
    group = group[kept]

    ignored = _ignored(truths, settings)
    found = _assign(kept, group, truth_group, truths.crowd, ignored, similarity, settings, groups)

    t, full = len(settings.thresholds), np.uint16((1 << len(settings.thresholds)) - 1)
    shifts = np.arange(len(settings.areas), dtype=np.uint64) * np.uint64(t)
    hits, spared = ((bits[:, None] >> shifts).astype(np.uint16) & full for bits in found)
    area = detections.area[kept]
    for a, (_, minimum, maximum) in enumerate(settings.areas):
        outside = (area < minimum) | (area > maximum)
        spared[outside, a] |= full & ~hits[outside, a]

    inside = truth_group >= 0
    positives = np.empty((len(images), len(categories), len(settings.areas)), np.int32)
    for a, shift in enumerate(shifts):
        counts = inside & ((ignored >> shift) & np.uint64(1) == 0)
        positives[:, :, a] = np.bincount(truth_group[counts], minlength=groups).reshape(positives.shape[:2])

    image_of = group // max(len(categories), 1)
    offsets = np.zeros(len(images) + 1, np.int64)
    np.cumsum(np.bincount(image_of, minlength=len(images)), out=offsets[1:])
    category = (group - image_of * len(categories)).astype(np.uint16)
    return Matches(images, categories, offsets, detections.score[kept], category, hits, spared, positives)


def _groups(image: np.ndarray, category: np.ndarray, images: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """(P,) int64: image index x C + category index, or -1 for a row that is not evaluated."""
    if not len(images) or not len(categories):
        return np.full(len(image), -1, np.int64)
    i = np.minimum(np.searchsorted(images, image), len(images) - 1)
    c = np.minimum(np.searchsorted(categories, category), len(categories) - 1)
    return np.where((images[i] == image) & (categories[c] == category), i * len(categories) + c, -1)


def _rank(group: np.ndarray, groups: int) -> np.ndarray:
    """(P,) int64: position within its own group, for rows sorted by group."""
    starts = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(group, minlength=groups), out=starts[1:])
    return np.arange(len(group)) - starts[group]


def _ignored(truths: Truths, settings: MatchSettings) -> np.ndarray:
    """(G,) uint64: bit a x T + t set if the object does not count in area range a."""
    bits = np.zeros(len(truths.area), np.uint64)
    t = len(settings.thresholds)
    for a, (_, minimum, maximum) in enumerate(settings.areas):
        outside = truths.ignore | (truths.area < minimum) | (truths.area > maximum)
        bits[outside] |= np.uint64(((1 << t) - 1) << (a * t))
    return bits


def _assign(
    kept: np.ndarray,
    group: np.ndarray,
    truth_group: np.ndarray,
    crowd: np.ndarray,
    ignored: np.ndarray,
    similarity: Similarity,
    settings: MatchSettings,
    groups: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(hits, spared), each (N,) uint64 over `kept`: bits at which a counting, or an ignored object was found."""
    position, truth = _pairs(group, truth_group, groups)
    alike = similarity(kept[position], truth)
    lowest = np.minimum(np.asarray(settings.thresholds), 1 - 1e-10)
    near = np.flatnonzero(alike >= lowest[0])
    position, truth, alike = position[near], truth[near], alike[near]

    above = _above(alike, lowest, len(settings.areas))
    # best first; of equals the later in the file, because the official loop replaces on equality
    order = np.lexsort((-truth, -alike, position))
    position, truth, above = position[order], truth[order], above[order]
    # every pair is tried twice: for the area ranges in which the object counts, then for those in which it is ignored
    position, truth = np.concatenate((position, position)), np.concatenate((truth, truth))
    wanted = np.concatenate((above & ~ignored[truth[: len(above)]], above & ignored[truth[: len(above)]]))
    second = np.repeat([False, True], len(above))
    tried = np.flatnonzero(wanted)
    order = tried[np.lexsort((second[tried], position[tried]))]
    position, truth, wanted, second = position[order], truth[order], wanted[order], second[order]

    taken = _take_in_turn(group[position], position, truth, wanted, crowd, len(kept), groups)
    hits, spared = np.zeros(len(kept), np.uint64), np.zeros(len(kept), np.uint64)
    np.bitwise_or.at(hits, position[~second], taken[~second])
    np.bitwise_or.at(spared, position[second], taken[second])
    return hits, spared


def _pairs(group: np.ndarray, truth_group: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (kept detection, truth) of the same group: two (P,) int64, sorted by detection, then truth."""
    order = np.argsort(truth_group, kind="stable")
    order = order[np.searchsorted(truth_group[order], 0) :]  # those that are not evaluated have group -1
    starts = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(truth_group[order], minlength=groups), out=starts[1:])
    many = starts[group + 1] - starts[group]
    position = np.repeat(np.arange(len(group)), many)
    within = np.arange(len(position)) - np.repeat(np.cumsum(many) - many, many)
    return position, order[np.repeat(starts[group], many) + within]


def _above(alike: np.ndarray, lowest: np.ndarray, areas: int) -> np.ndarray:
    """(P,) uint64: bit a x T + t set, for every range a, if the similarity reaches threshold t."""
    reached = np.searchsorted(lowest, alike, side="right")
    words = [sum(((1 << n) - 1) << (a * len(lowest)) for a in range(areas)) for n in range(len(lowest) + 1)]
    return np.array(words, np.uint64)[reached]


def _take_in_turn(
    group: np.ndarray,
    position: np.ndarray,
    truth: np.ndarray,
    wanted: np.ndarray,
    crowd: np.ndarray,
    kept: int,
    groups: int,
) -> np.ndarray:
    """(P,) uint64: the bits at which each pair is matched. Rows are in the order in which pairs are tried.

    One step tries the next pair of every group at once: within a step all detections and all objects differ, so
    indexed reads and writes are safe.
    """
    taken = np.zeros(len(group), np.uint64)
    step = _rank(group, groups)
    order = np.argsort(step, kind="stable")
    bounds = np.concatenate(([0], np.cumsum(np.bincount(step))))
    free = np.full(len(crowd), ~np.uint64(0))  # bits at which the object is not taken
    open_ = np.full(kept, ~np.uint64(0))  # bits at which the detection has found nothing yet
    position, truth, wanted = position[order], truth[order], wanted[order]
    used_up = np.where(crowd[truth], np.uint64(0), ~np.uint64(0))
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        d, g = position[start:end], truth[start:end]
        take = wanted[start:end] & open_[d] & free[g]
        open_[d] &= ~take
        free[g] &= ~(take & used_up[start:end])
        taken[order[start:end]] = take
    return taken
