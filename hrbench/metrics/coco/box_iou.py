"""Intersection over union of boxes, for many pairs at once.

The order of operations is that of pycocotools 2.0.11 (`bbIou` of maskApi.c), so that results agree to the last bit.
For a crowd it is the part of the detection inside the crowd: intersection over the area of the detection.
"""

from __future__ import annotations

import numpy as np

from hrbench.core.native.calls import In, NativeCall, Out
from hrbench.core.native.loader import library
from hrbench.metrics.coco.matching import Similarity

CHUNK_PAIRS = 1 << 14  # the working set stays in a core's cache

_PAIRS = NativeCall(
    "hrb_box_pairs", In(np.float64), In(np.uint8), In(np.float64), In(np.int64), In(np.int64), Out(np.float64)
)


def box_iou(truth: np.ndarray, crowd: np.ndarray, found: np.ndarray) -> Similarity:
    """The similarity of detections (N) and truths (G).

    truth: (G, 4) float64 x, y, width, height in px, sizes zero or more.
    crowd: (G,) bool.
    found: (N, 4) as `truth`.

    The similarity is NaN if an area is smaller than the smallest float64 although its sides are not zero.
    """
    if library() is not None:
        return _compiled(truth, crowd, found)
    g, d = _Sides(truth), _Sides(found)

    def similarity(detection: np.ndarray, truth: np.ndarray) -> np.ndarray:
        result = np.zeros(len(detection))
        for start in range(0, len(detection), CHUNK_PAIRS):
            i, j = detection[start : start + CHUNK_PAIRS], truth[start : start + CHUNK_PAIRS]
            width = np.minimum(d.right[i], g.right[j]) - np.maximum(d.left[i], g.left[j])
            height = np.minimum(d.bottom[i], g.bottom[j]) - np.maximum(d.top[i], g.top[j])
            some = np.flatnonzero((width > 0) & (height > 0))
            i, j = i[some], j[some]
            shared, area = width[some] * height[some], d.area[i]
            with np.errstate(invalid="ignore"):  # 0 / 0 if areas are smaller than the smallest float64: NaN
                result[start + some] = shared / np.where(crowd[j], area, area + g.area[j] - shared)
        return result

    return similarity


def _compiled(truth: np.ndarray, crowd: np.ndarray, found: np.ndarray) -> Similarity:
    boxes, other, crowds = np.ascontiguousarray(truth), np.ascontiguousarray(found), crowd.view(np.uint8)

    def similarity(detection: np.ndarray, truth: np.ndarray) -> np.ndarray:
        result = np.empty(len(detection))
        rows = np.ascontiguousarray(detection, np.int64), np.ascontiguousarray(truth, np.int64)
        _PAIRS(boxes, crowds, other, *rows, result)
        return result

    return similarity


class _Sides:
    def __init__(self, box: np.ndarray) -> None:
        self.left, self.top, width, height = np.ascontiguousarray(box.T)
        self.right, self.bottom, self.area = width + self.left, height + self.top, width * height
