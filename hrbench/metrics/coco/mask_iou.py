"""Intersection over union of run-length encoded masks: the numbers of pycocotools' codec, to the last bit.

With the compiled helper by the ends of runs, else by the codec itself, and so are masks with an empty run within.
The codec is called once for every image and category, as in pycocotools, but only with detections that may reach the
lowest threshold: for most pairs, areas and bounding boxes show that they cannot.
"""

from __future__ import annotations

import numpy as np
from pycocotools import mask as codec

from hrbench.core.native.calls import In, NativeCall, Out
from hrbench.core.native.loader import library
from hrbench.formats.coco.columns import Truths
from hrbench.formats.coco.rle import Masks
from hrbench.metrics.coco.matching import Similarity

CHUNK_PAIRS = 1 << 14  # also masks
CHUNK_GROUPS = 512  # a group is one category in one image

_SIDE = In(np.uint8), In(np.int64), In(np.float64), In(np.int32), In(np.uint8)  # text, starts, area, box, plain
_PAIRS = NativeCall("hrb_mask_pairs", *_SIDE, In(np.uint8), *_SIDE, In(np.int64), In(np.int64), float, Out(np.float64))


def mask_iou(truths: Truths, truth: Masks, found: Masks, lowest: float) -> Similarity:
    """The similarity of detections (N) and truths (G); 0 for pairs that are known to be below `lowest`.

    For a crowd it is the part of the detection inside the crowd. Pairs must be sorted by image, category and detection.
    """
    group, slot, order, starts = _groups(truths.image, truths.category)
    crowd = truths.crowd[order].astype(np.uint8)

    def similarity(detection: np.ndarray, which: np.ndarray) -> np.ndarray:
        result = np.zeros(len(detection))
        if library() is not None and truth.box is not None and found.box is not None:
            left = _by_runs(truths, truth, found, which, detection, lowest, result)
            some = np.flatnonzero(result < 0) if left else np.zeros(0, np.int64)
        else:
            some = np.flatnonzero(_may_reach(truths, truth, found, which, detection, lowest))
        i, j = detection[some], which[some]
        here = group[j]
        cuts = np.append(np.flatnonzero(np.diff(here, prepend=-1)), len(some))  # of the groups, among the pairs
        turn = np.diff(i, prepend=-1) != 0
        rows, row = i[turn], np.cumsum(turn) - 1
        for first in range(0, len(cuts) - 1, CHUNK_GROUPS):
            mine = cuts[first : first + CHUNK_GROUPS + 1]
            begin, end = row[mine[:-1]], row[mine[1:] - 1] + 1  # of each group's detections, among `rows`
            left, right = starts[here[mine[:-1]]], starts[here[mine[:-1]] + 1]  # of its truths, among `order`
            d = found.codes(rows[begin[0] : end[-1]])
            g, crowds = truth.codes(order[left[0] : right[-1]]), crowd[left[0] : right[-1]].tolist()
            bounds = np.stack((begin - begin[0], end - begin[0], left - left[0], right - left[0]), 1).tolist()
            tables = [np.ravel(codec.iou(d[a:b], g[c:e], crowds[c:e])) for a, b, c, e in bounds]
            # a table has a row for each detection of its group and a column for each truth
            many, size = np.diff(mine), (end - begin) * (right - left)
            pairs = slice(mine[0], mine[-1])
            within = (row[pairs] - np.repeat(begin, many)) * np.repeat(right - left, many) + slot[j[pairs]]
            result[some[pairs]] = np.concatenate(tables)[within + np.repeat(np.cumsum(size) - size, many)]
        return result

    return similarity


def _by_runs(
    truths: Truths, truth: Masks, found: Masks, j: np.ndarray, i: np.ndarray, lowest: float, result: np.ndarray
) -> int:
    """Fills `result` (P,) by the ends of runs, with -1 for pairs that only the codec knows: how many these are."""
    sides = [
        (np.frombuffer(each.text, np.uint8), each.starts, each.area, each.box, each.plain.view(np.uint8))
        for each in (truth, found)
    ]
    rows = np.ascontiguousarray(i, np.int64), np.ascontiguousarray(j, np.int64)
    left = _PAIRS(*sides[0], truths.crowd.view(np.uint8), *sides[1], *rows, lowest, result)
    assert left >= 0, "codes are checked where they are read"
    return left


def _groups(image: np.ndarray, category: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Group of each truth (G,), its position in the group, all truths sorted by group, and the groups' starts."""
    order = np.lexsort((category, image))
    new = (np.diff(image[order], prepend=-1) != 0) | (np.diff(category[order], prepend=-1) != 0)
    new[:1] = True
    starts = np.append(np.flatnonzero(new), len(order))
    group, slot = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    group[order] = np.cumsum(new) - 1
    slot[order] = np.arange(len(order)) - starts[group[order]]
    return group, slot, order, starts


def _may_reach(truths: Truths, truth: Masks, found: Masks, j: np.ndarray, i: np.ndarray, lowest: float) -> np.ndarray:
    """(P,) bool, False if masks of these areas in these boxes cannot reach `lowest`."""
    result = np.empty(len(i), bool)
    truth_box, found_box = mask_boxes(truth, j), mask_boxes(found, i)
    for start in range(0, len(i), CHUNK_PAIRS):
        a, b = j[start : start + CHUNK_PAIRS], i[start : start + CHUNK_PAIRS]
        g, d = truth_box[a], found_box[b]
        width, height = (np.minimum(g[:, 2:], d[:, 2:]) - np.maximum(g[:, :2], d[:, :2])).clip(0).T
        truth_area, found_area = truth.area[a], found.area[b]
        shared = np.minimum(width * height, np.minimum(truth_area, found_area))
        union = np.where(truths.crowd[a], found_area, found_area + truth_area - shared)
        bound = shared / np.maximum(union, 1)
        # codes with empty runs always go to the codec, whose results for them are peculiar
        result[start : start + CHUNK_PAIRS] = (bound >= lowest * (1 - 1e-9)) | ~(truth.plain[a] & found.plain[b])
    return result


def mask_boxes(masks: Masks, rows: np.ndarray) -> np.ndarray:
    """(N, 4) left, top, right, bottom in px of the masks in `rows`; zeros for all others."""
    wanted = np.zeros(len(masks), bool)
    wanted[rows] = True
    some = np.flatnonzero(wanted)
    box = np.zeros((len(masks), 4))
    for start in range(0, len(some), CHUNK_PAIRS):
        part = some[start : start + CHUNK_PAIRS]
        box[part] = codec.toBbox(masks.codes(part))
    box[:, 2:] += box[:, :2]
    return box
