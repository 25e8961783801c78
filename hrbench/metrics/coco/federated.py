"""Matching where an image is annotated with a few classes only, as in LVIS: COCO's, with three rules before it.

The rules are those of the `lvis` package 0.5.3 (`LVISResults`, `LVISEval`; the tests compare bit for bit):

* Of an image the best detections of all classes together are taken, `settings.max_detections[-1]` of them, equal scores
  in the order of the file; whether a detection can be judged does not matter for that.
* Rows whose area is 0 are left out: objects, which then verify no class, and detections.
* Only detections of classes that are verified in their image are judged: those with an object in it, and its
  `neg_category_ids`. Where a class is in `not_exhaustive_category_ids`, a detection that finds nothing is ignored.

No object is a crowd; an object with a key `ignore` that is set does not count.
"""

from __future__ import annotations

import numpy as np

from hrbench.formats.coco.columns import Detections, Truths, sorted_unique
from hrbench.formats.coco.federation import Federation
from hrbench.metrics.coco.assignment import Similarity
from hrbench.metrics.coco.groups import RowGroups, group_keys, order_of, positions, ranks, starts_of
from hrbench.metrics.coco.matching import Matches, MatchSettings, match_groups
from hrbench.metrics.states import truth_digests


def federated_match(
    truths: Truths,
    detections: Detections,
    similarity: Similarity,
    settings: MatchSettings,
    images: np.ndarray,
    categories: np.ndarray,
    federation: Federation,
) -> Matches:
    """Matches the judged detections of `images` and `categories` (ids, in any order); other rows are left out."""
    images, categories = sorted_unique(images), sorted_unique(categories)
    objects, found, verified = judged_groups(truths, detections, settings, images, categories, federation)
    found = found.only(among_keys(found.keys, verified))
    lenient = among_keys(found.keys, group_numbers(federation.partial, images, categories))
    return match_groups(truths, detections, similarity, settings, images, categories, objects, found, lenient)


def judged_groups(
    truths: Truths,
    detections: Detections,
    settings: MatchSettings,
    images: np.ndarray,
    categories: np.ndarray,
    federation: Federation,
) -> tuple[RowGroups, RowGroups, np.ndarray]:
    """Objects, detections that are within the limit of their image, and the keys of groups that are verified, rising.

    images, categories: rising ids.
    """
    keys = group_keys(truths.image, truths.category, images, categories)
    keys[truths.area <= 0] = -1
    objects = RowGroups.of(keys)
    verified = sorted_unique(np.concatenate([objects.keys, group_numbers(federation.negative, images, categories)]))
    keys = group_keys(detections.image, detections.category, images, categories)
    keys[(detections.area <= 0) | beyond(detections, settings.max_detections[-1], images)] = -1
    return objects, RowGroups.of(keys, detections.score), verified


def beyond(detections: Detections, most: int, images: np.ndarray) -> np.ndarray:
    """(N,) bool: whether a detection comes after the first `most` of its image. images: (I,) rising ids."""
    place = positions(detections.image, images)
    many = np.bincount(place[place >= 0], minlength=len(images))
    result = np.zeros(len(place), bool)
    if many.max(initial=0) > most:
        place[~(many > most)[place]] = -1  # place -1 reads the last image's number, and stays -1 either way
        order = order_of(place, detections.score)
        result[order[ranks(starts_of(place[order])) >= most]] = True
    return result


def group_numbers(pairs: np.ndarray, images: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Rising keys of the groups that pairs (P, 2) of ids are, without those that are not evaluated."""
    keys = group_keys(pairs[:, 0], pairs[:, 1], images, categories)
    return sorted_unique(keys[keys >= 0])


def among_keys(keys: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(U,) bool: which keys are in `known`, which rises."""
    return positions(keys, known) >= 0


def looked_for(digests: np.ndarray, images: np.ndarray, federation: Federation) -> np.ndarray:
    """(I,) uint64: digests (I,) of what is annotated in each of `images`, with what is said of classes there."""
    pairs = np.concatenate([federation.negative, federation.partial])
    partial = np.arange(len(pairs)) >= len(federation.negative)
    place = positions(pairs[:, 0], images)
    order = np.lexsort((pairs[:, 1], partial, place))
    ends = np.searchsorted(place[order], np.arange(len(images) + 1)).tolist()
    said = np.stack([partial[order], pairs[order, 1]], axis=1).astype("<i8").tobytes()
    own = digests.astype("<u8").tobytes()
    bounds = zip(range(0, len(own), 8), ends[:-1], ends[1:], strict=True)
    return truth_digests(own[at : at + 8] + said[16 * start : 16 * end] for at, start, end in bounds)
