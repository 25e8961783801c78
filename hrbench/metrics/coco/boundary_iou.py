"""The similarity of boundary AP: the lower of a pair's mask IoU and the IoU of the masks' boundaries.

Source: Cheng et al., Boundary IoU, CVPR 2021, section 6, and its code (boundary-iou-api, `computeBoundaryIoU`): crowds
keep their mask IoU, the part of the detection inside the crowd.

Boundaries are made only of masks in a pair whose mask IoU reaches the lowest threshold, each within the mask's box and
of one group (an image and a category) at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hrbench.formats.coco.columns import Truths, sorted_unique
from hrbench.formats.coco.rle import Masks, run_lengths
from hrbench.metrics.boundaries import boundary, width_of
from hrbench.metrics.coco.assignment import Similarity
from hrbench.metrics.coco.mask_iou import mask_boxes, mask_iou

CHUNK_PAIRS = 1 << 12
"""Pairs whose codes are decoded to lengths of runs together."""


def boundary_iou(truths: Truths, truth: Masks, found: Masks, lowest: float, ratio: float) -> Similarity:
    """The similarity of detections (N) and truths (G); 0 for pairs whose mask IoU is known to be below `lowest`.

    ratio: the width of boundaries in parts of the image's diagonal.
    Pairs must be sorted by image, category and detection.
    """
    of_masks = mask_iou(truths, truth, found, lowest)

    def similarity(detection: np.ndarray, which: np.ndarray) -> np.ndarray:
        alike = of_masks(detection, which)
        near = np.flatnonzero((alike >= lowest) & ~truths.crowd[which])
        alike[near] = np.minimum(alike[near], edge_iou(truths, truth, found, detection[near], which[near], ratio))
        return alike

    return similarity


def edge_iou(
    truths: Truths, truth: Masks, found: Masks, detection: np.ndarray, which: np.ndarray, ratio: float
) -> np.ndarray:
    """(P,) float64: the IoU of the boundaries of pairs; parameters as of `boundary_iou`, and the rows of each pair."""
    result = np.empty(len(which))
    for start in range(0, len(which), CHUNK_PAIRS):
        some = slice(start, start + CHUNK_PAIRS)
        edges = _pairs_iou(truth, found, truths, which[some], detection[some], ratio)
        result[some] = np.fromiter(edges, np.float64, len(which[some]))
    return result


def _pairs_iou(
    truth: Masks, found: Masks, truths: Truths, which: np.ndarray, detection: np.ndarray, ratio: float
) -> Iterator[float]:
    """The IoU of the boundaries of each pair of a truth and a detection, by image, category and detection."""
    own, others = _Edges(truth, which, ratio), _Edges(found, detection, ratio)
    kept: dict[int, _Edge] = {}  # of the truths of one group
    group, last, edge = None, -1, None
    columns = (which, detection, truths.image[which], truths.category[which])
    for one, other, image, category in zip(*(column.tolist() for column in columns), strict=True):
        if (image, category) != group:
            group = image, category
            kept.clear()
        if other != last or edge is None:
            last, edge = other, others.of(other)
        if one not in kept:
            kept[one] = own.of(one)
        yield _iou(kept[one], edge)


class _Edge:
    """A boundary (w, h) bool, column by column, of a mask whose box begins at (left, top) px."""

    def __init__(self, left: int, top: int, pixels: np.ndarray) -> None:
        self.left, self.top, self.pixels = left, top, pixels
        self.right, self.bottom = left + pixels.shape[0], top + pixels.shape[1]
        self.area = int(np.count_nonzero(pixels))


def _iou(one: _Edge, other: _Edge) -> float:
    left, right = max(one.left, other.left), min(one.right, other.right)
    top, bottom = max(one.top, other.top), min(one.bottom, other.bottom)
    if left >= right or top >= bottom:
        return 0.0
    a = one.pixels[left - one.left : right - one.left, top - one.top : bottom - one.top]
    b = other.pixels[left - other.left : right - other.left, top - other.top : bottom - other.top]
    shared = int(np.count_nonzero(a & b))
    return shared / (one.area + other.area - shared) if shared else 0.0


class _Edges:
    """Boundaries of some masks, made when they are asked for."""

    def __init__(self, masks: Masks, rows: np.ndarray, ratio: float) -> None:
        self.masks, self.ratio = masks, ratio
        some = sorted_unique(rows)
        self.runs = dict(zip(some.tolist(), run_lengths(masks, some), strict=True))
        boxes = mask_boxes(masks, some)[some].astype(np.int64)
        # the codec's boxes of codes with empty runs are not relied on
        height, width = masks.size[some].T
        whole = np.stack([np.zeros_like(width), np.zeros_like(width), width, height], axis=1)
        boxes = np.where(masks.plain[some, None], boxes, whole)
        self.boxes = dict(zip(some.tolist(), boxes.tolist(), strict=True))

    def of(self, row: int) -> _Edge:
        """The boundary of one mask."""
        left, top, right, bottom = self.boxes[row]
        height, width = self.masks.size[row].tolist()
        lengths = self.runs[row].copy()
        ones = np.arange(len(lengths)) & 1 == 1
        # of all columns those of the box are drawn: the first run, of zeros, begins before, the last may end behind
        lengths[0] -= left * height
        lengths[-1] -= (width - right) * height
        columns = np.repeat(ones, lengths).reshape(right - left, height)
        return _Edge(left, top, boundary(columns[:, top:bottom], width_of(self.ratio, height, width)))
