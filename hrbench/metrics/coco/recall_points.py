"""Precision at given recalls, from the ranks of what was found: the one step that COCO's AP and TIDE's share."""

from __future__ import annotations

import numpy as np

from hrbench.metrics.coco.groups import order_of
from hrbench.metrics.coco.matching import Matches, MatchSettings

COCO_EPS = float(np.spacing(1))
"""pycocotools adds it to the number of detections before it divides by that."""


def precision_at(ranks: np.ndarray, objects: int, recalls: np.ndarray, eps: float = 0.0) -> np.ndarray:
    """(R,) float64: the highest precision at each recall or beyond it, 0 where that is not reached.

    ranks: (K,) rising; how many detections of the class, by falling score, end with each one that is right.
    objects: how many there are; 1 or more.
    recalls: (R,) rising.
    eps: added to the ranks.

    >>> precision_at(np.array([1, 4]), 2, np.array([0.0, 0.5, 0.6, 1.0])).tolist()
    [1.0, 1.0, 0.5, 0.5]
    """
    found = np.arange(1, len(ranks) + 1)
    precision = np.maximum.accumulate((found / (ranks + eps))[::-1])[::-1]
    place = np.searchsorted(found / objects, recalls, side="left")
    return np.append(precision, 0.0)[place]


def ranks_of(category: np.ndarray, right: np.ndarray, classes: int) -> list[np.ndarray]:
    """For each class the ranks of its detections that are right, from 1. category: (N,) rising. right: (N,) bool."""
    starts = np.searchsorted(category, np.arange(classes + 1))
    hits = np.flatnonzero(right)
    cuts = np.searchsorted(hits, starts)
    return [hits[cuts[one] : cuts[one + 1]] - starts[one] + 1 for one in range(classes)]


def coco_precision(matches: Matches, settings: MatchSettings) -> np.ndarray:
    """(T, C, R) float64: COCO's precision of each class at each recall, of any area; NaN of one without objects."""
    classes, recalls = len(matches.categories), np.asarray(settings.recalls)
    order = order_of(matches.category.astype(np.int64), matches.score)
    category, hits, ignored = matches.category[order], matches.hits[order, 0], matches.ignored[order, 0]
    objects = np.bincount(matches.object_category, matches.positives[:, 0], classes).astype(np.int64)
    found = np.full((len(settings.thresholds), classes, len(recalls)), np.nan)
    for threshold, precision in enumerate(found):
        bit = np.uint16(1 << threshold)
        counts = (ignored & bit) == 0
        right = (hits[counts] & bit) > 0
        for one, ranks in enumerate(ranks_of(category[counts], right, classes)):
            if objects[one]:
                precision[one] = precision_at(ranks, int(objects[one]), recalls, COCO_EPS)
    return found
