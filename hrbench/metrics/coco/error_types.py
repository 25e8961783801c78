"""Types of detection errors, and the AP that each costs, in the manner of TIDE.

Source: Bolya et al., TIDE: A General Toolbox for Identifying Object Detection Errors, ECCV 2020, and tidecv 1.0.1,
which gives the same numbers (`tests/golden/tide`).

* Of each image the detections with the highest scores, of all classes together (100), take the free object of their
  class with the greatest IoU of at least t_f = 0.5, by falling score; of equal IoUs the first in the file.
* A detection that took none is, by the first that holds: of wrong *localisation* (IoU of t_b = 0.1 to t_f with an
  object of its class), of wrong *class* (IoU of t_f or more with one of another), a *duplicate* (t_f or more with one
  that is taken), *background* (at most t_b with all), else *both* wrong in class and place. An object that no detection
  took, or would take if its class or place were right, is *missed*.
* Errors of a type are set right in turn: the detection of wrong class or place with the highest score becomes right if
  its object is free, all others of the type go; missed objects are no longer asked for. The AP gained is what the type
  costs, at least 0. All false positives go to the end, or all objects that were not found are no longer asked for: the
  totals.
* AP is the mean over classes with objects or detections at 101 recalls, IoU t_f. Of equal scores errors come before
  what is right once anything was set right; images go by their ids, in tidecv in the order of the file.
* A detection of which more than t_f lies in a crowd of its class does not count in AP; tidecv looks for its error all
  the same and may set it right. So do the costs here, but it is not among the errors that are counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrbench.metrics.coco.groups import order_of
from hrbench.metrics.coco.image_pairs import ImagePairs, best, taken
from hrbench.metrics.coco.recall_points import precision_at, ranks_of

FOREGROUND, BACKGROUND = 0.5, 0.1
"""The paper's t_f and t_b."""

KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")
"""In the paper's order; the last is of objects, the others of detections."""

CLASS, PLACE, BOTH, DUPLICATE, NOTHING, MISSED = range(6)
_RIGHT = -1

RECALLS = np.arange(101) / 100


@dataclass(frozen=True)
class ErrorTypes:
    """What is wrong, and what it costs.

    ap: mean AP at t_f, in [0, 1], as everything is; NaN if there is neither an object nor a detection.
    costs: (6,) float64, the AP that each of `KINDS` costs.
    false_positives, false_negatives: the AP that all of them cost.
    counts: (C, 6) int64, errors of each class, that of the detection or of the missed object.
    spared: (6,) int64, errors that tidecv counts, too, of detections that do not count in AP.
    objects: (C,) int64, objects that were not found, whether missed or not.
    """

    ap: float
    costs: np.ndarray
    false_positives: float
    false_negatives: float
    counts: np.ndarray
    spared: np.ndarray
    objects: np.ndarray


@dataclass(frozen=True)
class Matched:
    """What the detections of `ImagePairs` took.

    took: (N,) int64, the object that each took, or -1.
    used: (G,) bool, the objects that were taken.
    spared: (N,) bool, detections that took none and do not count, since they lie in a crowd.
    """

    took: np.ndarray
    used: np.ndarray
    spared: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """(N,) bool."""
        return self.took >= 0


def matched(pairs: ImagePairs) -> Matched:
    """Each detection with the object of its class that it takes."""
    near = np.flatnonzero(pairs.same & (pairs.iou >= FOREGROUND))
    group = pairs.image[pairs.detection] * max(pairs.classes, 1) + pairs.found[pairs.detection]
    detection, row = taken(pairs, near, group)
    took, used = np.full(len(pairs.score), -1, np.int64), np.zeros(len(pairs.truth), bool)
    took[detection], used[row] = row, True
    return Matched(took, used, (took < 0) & (pairs.in_region > FOREGROUND))


def error_types(pairs: ImagePairs, match: Matched) -> ErrorTypes:
    """The errors of all detections, pairs of an IoU of `BACKGROUND` or more given."""
    kind, meant = _kinds(pairs, match)
    fixed, usable = _fixable(kind, meant, match)
    missed = pairs.counted & ~match.used & ~usable
    classes = pairs.classes
    objects = np.bincount(pairs.truth[pairs.counted], minlength=classes)
    gone = np.bincount(pairs.truth[missed], minlength=classes)
    unfound = np.bincount(pairs.truth[pairs.counted & ~match.used], minlength=classes)
    curves = _Rankings(pairs, match, classes)

    ap = curves.ap(curves.base, objects)
    costs = np.zeros(len(KINDS))
    for one in range(MISSED):
        costs[one] = curves.without(kind == one, fixed & (kind == one), meant, objects) - ap
    costs[MISSED] = curves.ap(curves.plain, objects - gone) - ap
    counts = np.zeros((classes, len(KINDS)), np.int64)
    for one in range(MISSED):
        counts[:, one] = np.bincount(pairs.found[(kind == one) & ~match.spared], minlength=classes)
    counts[:, MISSED] = gone
    spared = np.bincount(kind[match.spared], minlength=len(KINDS))
    return ErrorTypes(
        ap,
        np.maximum(costs, 0.0) if ap == ap else np.full(len(KINDS), np.nan),
        curves.ap(curves.best_first, objects) - ap,
        curves.ap(curves.plain, objects - unfound) - ap,
        counts,
        spared,
        unfound,
    )


def _kinds(pairs: ImagePairs, match: Matched) -> tuple[np.ndarray, np.ndarray]:
    """The kind of error of each detection (N,), `_RIGHT` for none, and the object that it was meant for, or -1."""
    many, same = len(pairs.score), pairs.same

    def among(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return best(pairs.detection[some], pairs.object[some], pairs.iou[some], many)

    own, own_object = among(same)
    other, other_object = among(~same)
    again, _ = among(same & match.used[pairs.object])
    misplaced = (own >= BACKGROUND) & (own <= FOREGROUND)
    holds = [match.right, misplaced, other >= FOREGROUND, again >= FOREGROUND, np.maximum(own, other) <= BACKGROUND]
    kind = np.select(holds, [_RIGHT, PLACE, CLASS, DUPLICATE, NOTHING], BOTH)
    return kind, np.select([kind == PLACE, kind == CLASS], [own_object, other_object], -1)


def _fixable(kind: np.ndarray, meant: np.ndarray, match: Matched) -> tuple[np.ndarray, np.ndarray]:
    """(N,) bool, the detections that become right if their type is set right, and (G,) bool, the objects they take."""
    some = np.flatnonzero(meant >= 0)
    some = some[~match.used[meant[some]]]
    _, first = np.unique(meant[some], return_index=True)  # the highest score of each object
    fixed, usable = np.zeros(len(kind), bool), np.zeros(len(match.used), bool)
    fixed[some[first]] = usable[meant[some]] = True
    return fixed, usable


class _Rankings:
    """AP of detections by falling score, in the two orders of equal scores."""

    def __init__(self, pairs: ImagePairs, match: Matched, classes: int) -> None:
        self.pairs, self.match, self.classes = pairs, match, classes
        counts = ~match.spared
        rows = self._by_class(np.flatnonzero(counts), pairs.found)
        self.base = pairs.found[rows], match.right[rows]
        self.errors_first = np.concatenate([np.flatnonzero(~match.right), np.flatnonzero(match.right)])
        self.every = self._by_class(self.errors_first, pairs.found)
        some = self.every[counts[self.every]]
        self.plain = pairs.found[some], match.right[some]
        first = np.lexsort((~self.base[1], self.base[0]))
        self.best_first = self.base[0][first], self.base[1][first]

    def _by_class(self, rows: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Some detections by class, then by falling score. found: (N,) the classes of all."""
        return rows[order_of(found[rows], self.pairs.score[rows])]

    def without(self, wrong: np.ndarray, fixed: np.ndarray, meant: np.ndarray, objects: np.ndarray) -> float:
        """AP if of the detections that are `wrong` (N,) those that are `fixed` are right.

        meant: (N,) objects whose class these then have.
        objects: (C,) how many there are.
        """
        keep = fixed | ~(wrong | self.match.spared)
        found = self.pairs.found.copy()
        found[fixed] = self.pairs.truth[meant[fixed]]
        if (found == self.pairs.found).all():
            rows = self.every[keep[self.every]]
        else:
            rows = self._by_class(self.errors_first[keep[self.errors_first]], found)
        return self.ap((found[rows], self.match.right[rows] | fixed[rows]), objects)

    def ap(self, points: tuple[np.ndarray, np.ndarray], objects: np.ndarray) -> float:
        """Mean over classes that have objects or detections; NaN if there is none."""
        category, right = points
        ranks = ranks_of(category, right, self.classes)
        there = np.flatnonzero((np.bincount(category, minlength=self.classes) > 0) | (objects > 0)).tolist()
        each = [
            float(precision_at(ranks[one], int(objects[one]), RECALLS).sum()) / len(RECALLS) if objects[one] else 0.0
            for one in there
        ]
        return sum(each) / len(each) if each else float("nan")
