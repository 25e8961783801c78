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
* Where classes do not count, all rows of an image are one group, in the order of their categories and then of the file.
* An object is ignored when it is a crowd, when its annotation says so (a person without keypoints), or when its area
  lies outside the range. A detection is ignored when it found an ignored object, or found nothing and its own area
  lies outside the range.

Why it is fast: one bit stands for one (area range, threshold), so that a whole match at all thresholds and ranges is
a few integer operations on 64-bit words (`assignment`); only pairs of an image and a category that have rows take time
or memory (`groups`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hrbench.formats.coco.columns import Detections, Truths, sorted_unique
from hrbench.metrics.coco.assignment import Similarity, assigned
from hrbench.metrics.coco.groups import RowGroups, group_keys

MOST_THRESHOLDS = 16
"""Bits of `Matches.hits`."""

WORD_BITS = 64
"""Pairs of an area range and a threshold that are matched together."""


@dataclass(frozen=True)
class MatchSettings:
    """What is evaluated.

    thresholds: rising similarities (T).
    recalls: rising recalls (R) at which precision is read.
    areas: (name, minimum, maximum) in px^2, both ends included.
    max_detections: rising numbers of detections per image and category.
    class_agnostic: whether all categories count as one, as with `useCats = 0` of pycocotools.
    """

    thresholds: tuple[float, ...]
    recalls: tuple[float, ...]
    areas: tuple[tuple[str, float, float], ...]
    max_detections: tuple[int, ...]
    class_agnostic: bool = False

    def __post_init__(self) -> None:
        if not 0 < len(self.thresholds) <= MOST_THRESHOLDS:
            raise ValueError(f"at least one and at most {MOST_THRESHOLDS} thresholds")


THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
RECALLS = tuple(np.linspace(0.0, 1.0, 101).tolist())
ONE_CLASS = np.array([-1], np.int64)
"""The categories of class-agnostic matches, by pycocotools' id for them."""


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
    """Matches all detections of `images` and `categories` (ids, in any order); other rows are left out.

    The matches of a class-agnostic measurement have one category, `ONE_CLASS`.
    """
    images, categories = sorted_unique(images), sorted_unique(categories)
    if settings.class_agnostic:
        truths, detections, similarity = _as_one_class(truths, detections, similarity, categories)
        categories = ONE_CLASS
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
    outside: Sequence[np.ndarray] | None = None,
) -> Matches:
    """Matches the detections `found` with `objects`, both by image and category.

    images, categories: rising ids, by whose positions the groups are numbered.
    lenient: (U,) bool, the groups of `found` in which a detection that finds nothing is ignored; None for none.
    outside: for each area range, (G,) bool, the objects that do not count in it, whatever their area and that of
        detections; None for those that lie outside it.
    """
    by_area = outside is None
    outside = _outside(truths, settings) if outside is None else outside
    hits, spared = _assigned(found, objects, truths, outside, similarity, settings)
    if by_area:
        _spare_outside(spared, hits, detections.area[found.rows], settings)
    if lenient is not None:
        every = np.uint16((1 << len(settings.thresholds)) - 1)
        spared |= (np.repeat(lenient, np.diff(found.starts)) * every)[:, None] & ~hits

    image, category = np.divmod(found.keys, max(len(categories), 1))
    every = np.arange(len(images) + 1)
    object_image, object_category, positives = _positives(objects, outside, len(categories))
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


def _as_one_class(
    truths: Truths, detections: Detections, similarity: Similarity, categories: np.ndarray
) -> tuple[Truths, Detections, Similarity]:
    """Rows of the single category `ONE_CLASS`, in pycocotools' order: by rising category, then as in the file.

    Of two objects that are equally near the one of the later category is then taken, of two detections with one score
    the one of the earlier category comes first. Rows of other categories than `categories` get the id -2.
    """
    rows = np.argsort(truths.category, kind="stable"), np.argsort(detections.category, kind="stable")
    ids = [
        np.where(np.isin(category[order], categories), ONE_CLASS[0], ONE_CLASS[0] - 1)
        for category, order in zip((truths.category, detections.category), rows, strict=True)
    ]
    t, d = rows
    objects = Truths(truths.image[t], ids[0], truths.area[t], truths.crowd[t], truths.ignore[t])
    found = Detections(detections.image[d], ids[1], detections.score[d], detections.area[d])
    return objects, found, lambda detection, truth: similarity(d[detection], t[truth])


def _assigned(
    found: RowGroups,
    objects: RowGroups,
    truths: Truths,
    outside: Sequence[np.ndarray],
    similarity: Similarity,
    settings: MatchSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """(hits, spared), each (N, A): as `assigned`, for as many area ranges at a time as a word has bits for.

    outside: for each area range, (G,) bool, which objects do not count in it.
    """
    thresholds, parts = np.asarray(settings.thresholds), []
    at_once = WORD_BITS // len(thresholds)
    for start in range(0, len(outside), at_once):
        some = outside[start : start + at_once]
        ignored = _ignored(some, len(truths.area), len(thresholds))
        parts.append(assigned(found, objects, truths.crowd, ignored, similarity, thresholds, len(some)))
    if len(parts) == 1:
        return parts[0]
    hits, spared = (np.concatenate(bits, axis=1) for bits in zip(*parts, strict=True))
    return hits, spared


def _ignored(outside: Sequence[np.ndarray], objects: int, thresholds: int) -> np.ndarray:
    """(G,) uint64: bit a x T + t set if the object does not count in area range a."""
    bits = np.zeros(objects, np.uint64)
    for a, without in enumerate(outside):
        bits[without] |= np.uint64(((1 << thresholds) - 1) << (a * thresholds))
    return bits


def _outside(truths: Truths, settings: MatchSettings) -> list[np.ndarray]:
    """For each area range, (G,) bool, which objects do not count in it."""
    ends = [(minimum, maximum) for _, minimum, maximum in settings.areas]
    return [truths.ignore | (truths.area < minimum) | (truths.area > maximum) for minimum, maximum in ends]


def _spare_outside(spared: np.ndarray, hits: np.ndarray, area: np.ndarray, settings: MatchSettings) -> None:
    """Sets the bits at which a detection found nothing and its own area lies outside the range; in place, (N, A)."""
    every = np.uint16((1 << len(settings.thresholds)) - 1)
    for a, (_, minimum, maximum) in enumerate(settings.areas):
        outside = (area < minimum) | (area > maximum)
        if outside.any():
            spared[:, a] |= outside * every & ~hits[:, a]


def _positives(
    objects: RowGroups, outside: Sequence[np.ndarray], categories: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image index (P,), category index (P,), how many objects count (P, A), for the groups in which some do."""
    counts = np.zeros((len(objects.keys), len(outside)), np.int32)
    for a, without in enumerate(outside if len(objects.rows) else ()):
        counts[:, a] = np.add.reduceat(~without[objects.rows], objects.starts[:-1], dtype=np.int32)
    some = counts.any(axis=1)
    image, category = np.divmod(objects.keys[some], max(categories, 1))
    return image, category.astype(index_type(categories)), counts[some]
