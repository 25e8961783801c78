"""Which class objects were found as: the confusion matrix of detections, with background on either side.

Thresholds as of mmdetection's `confusion_matrix.py`: detections of a score of 0.3 or more, IoU of 0.5 or more. The rule
is one of matching, so that every object and every detection counts once: detections take objects of their own class as
in `error_types.matched`; then those that are left take, by falling score, the free object of another class with the
greatest IoU. What took nothing was found in the background, what was not taken was found as background. Detections in
crowds of their class count nowhere.
"""

from __future__ import annotations

import numpy as np

from hrbench.metrics.coco.error_types import FOREGROUND, Matched
from hrbench.metrics.coco.image_pairs import ImagePairs, taken

SCORE = 0.3


def confusion(pairs: ImagePairs, match: Matched, score: float = SCORE) -> np.ndarray:
    """(C + 1, C + 1) int64: objects of a class (rows) by the class of what took them; the last of either: background.

    match: of these pairs. Detections of lower scores take only what is left, so that it holds for any `score`.
    """
    classes, own = pairs.classes, np.flatnonzero(match.right & (pairs.score >= score))
    left = (pairs.score >= score) & ~match.right & ~match.spared
    detection, row = mistaken(pairs, match, left, score)
    left[detection] = False
    used = np.zeros(len(pairs.truth), bool)
    used[match.took[own]] = used[row] = True
    counts = np.zeros((classes + 1) ** 2, np.int64)
    for truth, found in (
        (pairs.found[own], pairs.found[own]),
        (pairs.truth[row], pairs.found[detection]),
        (np.full(int(left.sum()), classes), pairs.found[left]),
        (pairs.truth[pairs.counted & ~used], np.full(int((pairs.counted & ~used).sum()), classes)),
    ):
        counts += np.bincount(truth * (classes + 1) + found, minlength=len(counts))
    return counts.reshape(classes + 1, classes + 1)


def mistaken(
    pairs: ImagePairs, match: Matched, left: np.ndarray, score: float = SCORE
) -> tuple[np.ndarray, np.ndarray]:
    """(detections, objects) (M,): the objects that detections of another class took.

    left: (N,) bool, the detections that may take one.
    score: of the detections that took an object of their own class, which is then not free.
    """
    used = np.zeros(len(pairs.truth), bool)
    used[match.took[match.right & (pairs.score >= score)]] = True
    others = (pairs.iou >= FOREGROUND) & ~pairs.same & left[pairs.detection] & ~used[pairs.object]
    return taken(pairs, np.flatnonzero(others), pairs.image[pairs.detection])
