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
a few integer operations on 64-bit words (`assignment`); only pairs of an image and a category that have rows take time
or memory (`groups`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrbench.formats.coco.columns import Detections, Truths, sorted_unique
from hrbench.metrics.coco.assignment import Similarity, assigned
from hrbench.metrics.coco.groups import RowGroups, group_keys


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
    category: (N,) uint16, or uint32 for more than 65,536 categories; an index.
    hits: (N, A) uint16, bit t set if the detection found an object that counts at threshold t.
    ignored: (N, A) uint16, bit t set if the detection is ignored at threshold t.
    object_offsets: (I + 1,) int64, the rows of image i in the next two; there is one for each category of which the
        image has objects that count, by category.
    object_category: (P,) as `category`.
    positives: (P, A) int32, how many objects count.
    """

    images: np.ndarray
    categories: np.ndarray
    offsets: np.ndarray
    score: np.ndarray
    category: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    object_offsets: np.ndarray
    object_category: np.ndarray
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
    objects = RowGroups.of(group_keys(truths.image, truths.category, images, categories))
    keys = group_keys(detections.image, detections.category, images, categories)
    found = RowGroups.of(keys, detections.score, settings.max_detections[-1])
    del keys
    return match_groups(truths, detections, similarity, settings, images, categories, objects, found)


def match_groups(
    truths: Truths,
    detections: Detections,
    similarity: Similarity,
    settings: MatchSettings,
    images: np.ndarray,
    categories: np.ndarray,
    objects: RowGroups,
    found: RowGroups,
    lenient: np.ndarray | None = None,
) -> Matches:
    """Matches the detections `found` with `objects`, both by image and category.

    images, categories: rising ids, by whose positions the groups are numbered.
    lenient: (U,) bool, the groups of `found` in which a detection that finds nothing is ignored; None for none.
    """
    ignored = _ignored(truths, settings)
    thresholds = np.asarray(settings.thresholds)
    hits, spared = assigned(found, objects, truths.crowd, ignored, similarity, thresholds, len(settings.areas))
    _spare_outside(spared, hits, detections.area[found.rows], settings)
    if lenient is not None:
        every = np.uint16((1 << len(settings.thresholds)) - 1)
        spared |= (np.repeat(lenient, np.diff(found.starts)) * every)[:, None] & ~hits

    image, category = np.divmod(found.keys, max(len(categories), 1))
    every = np.arange(len(images) + 1)
    object_image, object_category, positives = _positives(objects, ignored, settings, len(categories))
    return Matches(
        images,
        categories,
        found.starts[np.searchsorted(image, every)],
        detections.score[found.rows],
        np.repeat(category.astype(index_type(len(categories))), np.diff(found.starts)),
        hits,
        spared,
        np.searchsorted(object_image, every),
        object_category,
        positives,
    )


def index_type(categories: int) -> type[np.unsignedinteger]:
    """The type of an index of so many categories."""
    return np.uint16 if categories <= 1 << 16 else np.uint32


def _ignored(truths: Truths, settings: MatchSettings) -> np.ndarray:
    """(G,) uint64: bit a x T + t set if the object does not count in area range a."""
    bits = np.zeros(len(truths.area), np.uint64)
    t = len(settings.thresholds)
    for a, (_, minimum, maximum) in enumerate(settings.areas):
        outside = truths.ignore | (truths.area < minimum) | (truths.area > maximum)
        bits[outside] |= np.uint64(((1 << t) - 1) << (a * t))
    return bits


def _spare_outside(spared: np.ndarray, hits: np.ndarray, area: np.ndarray, settings: MatchSettings) -> None:
    """Sets the bits at which a detection found nothing and its own area lies outside the range; in place, (N, A)."""
    every = np.uint16((1 << len(settings.thresholds)) - 1)
    for a, (_, minimum, maximum) in enumerate(settings.areas):
        outside = (area < minimum) | (area > maximum)
        if outside.any():
            spared[:, a] |= outside * every & ~hits[:, a]


def _positives(
    objects: RowGroups, ignored: np.ndarray, settings: MatchSettings, categories: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image index (P,), category index (P,), how many objects count (P, A), for the groups in which some do."""
    counts, t = np.zeros((len(objects.keys), len(settings.areas)), np.int32), len(settings.thresholds)
    bits = ignored[objects.rows]
    for a in range(len(settings.areas) if len(bits) else 0):
        counting = bits & np.uint64(1 << (a * t)) == 0
        counts[:, a] = np.add.reduceat(counting, objects.starts[:-1], dtype=np.int32)
    some = counts.any(axis=1)
    image, category = np.divmod(objects.keys[some], max(categories, 1))
    return image, category.astype(index_type(categories)), counts[some]
