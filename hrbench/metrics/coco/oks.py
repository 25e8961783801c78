"""Object keypoint similarity of COCO, for many pairs at once.

For a person with visible joints: the mean over them of exp(-d^2 / (2 s^2 (2 sigma)^2)), s^2 the annotated segment area.
For a person without: d is how far a joint lies outside the person's box grown to three times its size, over all joints.
Source: https://cocodataset.org/#keypoints-eval and pycocotools 2.0.11 `COCOeval.computeOks`, whose order of operations
is kept so that results agree to the last bit.
"""

from __future__ import annotations

import numpy as np

from hrbench.core.native.calls import In, NativeCall, Out
from hrbench.core.native.loader import library
from hrbench.metrics.coco.matching import RECALLS, THRESHOLDS, MatchSettings, Similarity

KEYPOINTS = MatchSettings(
    thresholds=THRESHOLDS,
    recalls=RECALLS,
    areas=(("all", 0.0, 1e10), ("medium", 32.0**2, 96.0**2), ("large", 96.0**2, 1e10)),
    max_detections=(20,),
)

CHUNK_PAIRS = 2048  # the working set stays in a core's cache

_ERRORS = NativeCall(
    "hrb_joint_errors",
    In(np.float64), In(np.float64), In(np.float64), In(np.float64), In(np.float64),  # people, boxes, spread, variance
    In(np.int64), In(np.int64), int, Out(np.float64),  # pairs, visible joints
)  # fmt: skip


def oks(
    truth_keypoints: np.ndarray,
    truth_area: np.ndarray,
    truth_box: np.ndarray,
    keypoints: np.ndarray,
    sigmas: np.ndarray,
) -> Similarity:
    """The similarity of detections (N) and truths (G) with K joints.

    truth_keypoints: (G, K, 3) float64, x, y in px and visibility (> 0: annotated).
    truth_area: (G,) px^2.
    truth_box: (G, 4) x, y, w, h in px.
    keypoints: (N, K, 2) px.
    sigmas: (K,) the spread of each joint.
    """
    points, seen = np.ascontiguousarray(truth_keypoints[..., :2]), truth_keypoints[..., 2] > 0
    visible = np.count_nonzero(seen, axis=1)
    variances = (np.asarray(sigmas, np.float64) * 2) ** 2
    spread = truth_area + np.spacing(1)
    corner, size = truth_box[:, :2], truth_box[:, 2:]
    low, high = corner - size, corner + size * 2
    # numpy's exp in any case: that of a C library may differ in the last bit
    compiled = library() is not None
    truths, boxes, found = (np.ascontiguousarray(each, np.float64) for each in (truth_keypoints, truth_box, keypoints))

    def similarity(detection: np.ndarray, truth: np.ndarray) -> np.ndarray:
        result = np.empty(len(detection))
        count = visible[truth]
        # rows with equally many visible joints are summed together: a sum over zeros would round differently
        order = np.argsort(count, kind="stable")
        for number, some in _runs(count, order):
            d, g = detection[some].astype(np.int64, copy=False), truth[some].astype(np.int64, copy=False)
            if compiled:
                error = np.empty((len(some), number or len(variances)))
                _ERRORS(truths, boxes, spread, variances, found, d, g, number, error)
                result[some] = np.sum(np.exp(error, out=error), axis=1) / error.shape[1]
                continue
            if number:
                offset = keypoints[d] - points[g]
            else:
                at = keypoints[d]
                offset = np.maximum(0, low[g, None] - at) + np.maximum(0, at - high[g, None])
            offset *= offset
            error = (offset[..., 0] + offset[..., 1]) / variances / spread[g, None] / 2
            if number:
                error = error[seen[g]].reshape(-1, number)
            result[some] = np.sum(np.exp(-error), axis=1) / error.shape[1]
        return result

    return similarity


def _runs(count: np.ndarray, order: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(number of visible joints, row numbers) in pieces of at most CHUNK_PAIRS rows."""
    ends = np.cumsum(np.bincount(count)) if len(count) else np.zeros(0, np.int64)
    runs, start = [], 0
    for number, end in enumerate(ends.tolist()):
        runs += [(number, order[at : min(at + CHUNK_PAIRS, end)]) for at in range(start, end, CHUNK_PAIRS)]
        start = end
    return runs
