"""Intersection over union of run-length encoded masks, by pycocotools' own codec, where it can matter.

The codec is called once for every image and category, as pycocotools does it, but only with detections that may find
anything: for most pairs the areas and surrounding boxes alone show that they cannot reach the lowest threshold.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from pycocotools import mask as codec

from .coco import Similarity, Truths
from .rle import Masks

CHUNK = 1 << 14  # pairs or masks at a time


def mask_iou(truths: Truths, truth: Masks, found: Masks, lowest: float) -> Similarity:
    """The similarity of detections (N) and truths (G); 0 for pairs that are known to lie below `lowest`.

    Of a crowd it is the part of the detection that lies in the crowd. Pairs must come by image and category.
    """
    group, slot, order, starts = _groups(truths.image, truths.category)

    def similarity(detection: np.ndarray, which: np.ndarray) -> np.ndarray:
        result = np.zeros(len(detection))
        some = np.flatnonzero(_may_reach(truths, truth, found, which, detection, lowest))
        i, j = detection[some], which[some]
        here = group[j]
        cuts = [0, *(np.flatnonzero(np.diff(here)) + 1).tolist(), len(some)] if len(some) else [0]
        for start, end in pairwise(cuts):
            columns = order[starts[here[start]] : starts[here[start] + 1]]
            turn = np.diff(i[start:end], prepend=-1) != 0
            rows = i[start:end][turn]
            crowd = truths.crowd[columns].astype(np.uint8).tolist()
            table = np.asarray(codec.iou(found.codes(rows), truth.codes(columns), crowd))
            result[some[start:end]] = table[np.cumsum(turn) - 1, slot[j[start:end]]]
        return result

    return similarity


def _groups(image: np.ndarray, category: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Number of each truth's image and category (G,), its place among those, all truths by number, and their starts."""
    order = np.lexsort((category, image))
    new = (np.diff(image[order], prepend=-1) != 0) | (np.diff(category[order], prepend=-1) != 0)
    new[:1] = True
    starts = np.append(np.flatnonzero(new), len(order))
    group, slot = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    group[order] = np.cumsum(new) - 1
    slot[order] = np.arange(len(order)) - starts[group[order]]
    return group, slot, order, starts


def _may_reach(truths: Truths, truth: Masks, found: Masks, j: np.ndarray, i: np.ndarray, lowest: float) -> np.ndarray:
    """(P,) bool, False where no overlap of these areas within these boxes comes to `lowest`."""
    result = np.empty(len(i), bool)
    truth_box, found_box = _boxes(truth, j), _boxes(found, i)
    for start in range(0, len(i), CHUNK):
        a, b = j[start : start + CHUNK], i[start : start + CHUNK]
        g, d = truth_box[a], found_box[b]
        width, height = (np.minimum(g[:, 2:], d[:, 2:]) - np.maximum(g[:, :2], d[:, :2])).clip(0).T
        area, own = truth.area[a], found.area[b]
        shared = np.minimum(width * height, np.minimum(area, own))
        most = shared / np.maximum(np.where(truths.crowd[a], own, own + area - shared), 1)
        # the codec does strange things to codes with empty runs, and shall do them here too
        result[start : start + CHUNK] = (most >= lowest * (1 - 1e-9)) | ~(truth.plain[a] & found.plain[b])
    return result


def _boxes(masks: Masks, rows: np.ndarray) -> np.ndarray:
    """(N, 4) left, top, right, bottom in px of the masks in `rows`; zeros for all others."""
    wanted = np.zeros(len(masks), bool)
    wanted[rows] = True
    some = np.flatnonzero(wanted)
    box = np.zeros((len(masks), 4))
    for start in range(0, len(some), CHUNK):
        part = some[start : start + CHUNK]
        box[part] = codec.toBbox(masks.codes(part))
    box[:, 2:] += box[:, :2]
    return box
