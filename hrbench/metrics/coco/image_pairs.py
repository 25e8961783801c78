"""Detections and objects of one image whatever their classes: the pairs that overlap, which explaining errors needs.

Scores come from pairs of one class alone (`matching`). What a detection that found nothing met instead, an object of
another class or one that it overlaps too little, is told by all pairs of an image, of which only those that overlap
enough are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrbench.formats.coco.columns import Detections, Truths
from hrbench.metrics.coco.assignment import PART_PAIRS, Similarity, pairs_in_parts, take_in_turn
from hrbench.metrics.coco.groups import RowGroups, group_keys


@dataclass(frozen=True)
class ImagePairs:
    """The detections that are looked at (N), the objects (G, all of the file), and the pairs that overlap (P).

    classes: C, how many classes are evaluated.
    image: (N,) positions of the detections' images, rising.
    score: (N,) float64, falling within an image, equal scores in the order of the file.
    found: (N,) int64, the class of each detection, an index.
    truth: (G,) int64, the class of each object, -1 if it is not evaluated.
    counted: (G,) bool, the objects that are evaluated and can be found; the others that are evaluated are regions in
        which detections do not count, such as crowds.
    detection, object: (P,) int64, by detection, then in the order of the file; only pairs with counted objects.
    iou: (P,) float64, `least` or more.
    in_region: (N,) float64, how much of a detection lies in the region of its class that holds most of it.
    rows: (N,) int64, the row of each detection in its file.
    """

    classes: int
    image: np.ndarray
    score: np.ndarray
    found: np.ndarray
    truth: np.ndarray
    counted: np.ndarray
    detection: np.ndarray
    object: np.ndarray
    iou: np.ndarray
    in_region: np.ndarray
    rows: np.ndarray

    @property
    def same(self) -> np.ndarray:
        """(P,) bool: whether detection and object of a pair have one class."""
        return self.found[self.detection] == self.truth[self.object]


def image_pairs(
    truths: Truths,
    detections: Detections,
    similarity: Similarity,
    images: np.ndarray,
    categories: np.ndarray,
    limit: int,
    least: float,
    one_class: bool = False,
) -> ImagePairs:
    """The pairs of some images.

    similarity: of any detection and object of an image.
    images, categories: ids that are evaluated, rising.
    limit: how many detections of an image are looked at, those with the highest scores.
    least: IoU of the pairs that are kept.
    one_class: whether all classes count as one.
    """
    many = max(len(categories), 1)
    keys = [group_keys(rows.image, rows.category, images, categories) for rows in (truths, detections)]
    objects, found = RowGroups.of(keys[0] // many), RowGroups.of(keys[1] // many, detections.score, limit)
    truth, classes = [np.where(key < 0, -1, 0 if one_class else key % many) for key in keys]
    kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for _, position, row in pairs_in_parts(found, objects, PART_PAIRS):
        iou = similarity(found.rows[position], row)
        some = np.flatnonzero(iou >= least)
        kept.append((position[some], row[some], iou[some]))
    none = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    position, row, iou = (np.concatenate(parts) for parts in zip(none, *kept, strict=True))
    own = classes[found.rows]
    counted = (truth >= 0) & ~truths.ignore
    real = counted[row]
    region = ~real & (own[position] == truth[row])
    in_region = np.zeros(len(own))
    np.maximum.at(in_region, position[region], iou[region])
    return ImagePairs(
        1 if one_class else len(categories),
        np.repeat(found.keys, np.diff(found.starts)),
        detections.score[found.rows],
        own,
        truth,
        counted,
        position[real],
        row[real],
        iou[real],
        in_region,
        found.rows,
    )


def taken(pairs: ImagePairs, some: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(detections, objects) (M,) that are matched if detections choose in turn, by falling score.

    Each takes of the objects that are free the one of greatest IoU; of equal ones the first in the file.

    some: places of the pairs that may be matched.
    group: (P,) int64, pairs of different groups share neither detections nor objects.
    """
    order = some[np.lexsort((pairs.object[some], -pairs.iou[some], pairs.detection[some], group[some]))]
    detection, row = pairs.detection[order], pairs.object[order]
    every, no_crowd = np.ones(len(order), np.uint64), np.zeros(len(pairs.truth), bool)
    took = take_in_turn(group[order], detection, row, every, no_crowd, len(pairs.score)) > 0
    return detection[took], row[took]


def best(detection: np.ndarray, row: np.ndarray, iou: np.ndarray, detections: int) -> tuple[np.ndarray, np.ndarray]:
    """(IoU, object) (N,) of each detection's best pair, of equal ones the first; 0 and -1 without a pair.

    detection, row, iou: (P,) the pairs, by detection, then by object.
    detections: N.
    """
    most, which = np.zeros(detections), np.full(detections, -1, np.int64)
    starts = np.flatnonzero(np.diff(detection, prepend=-1))
    if len(starts):
        most[detection[starts]] = np.maximum.reduceat(iou, starts)
        top = np.flatnonzero(iou == most[detection])[::-1]  # from the last on, so that the first one stays
        which[detection[top]] = row[top]
    return most, which
