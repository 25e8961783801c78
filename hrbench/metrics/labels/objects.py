"""Objects of a label map: its connected regions of one class, and how much of each was predicted.

Two pixels are connected if they have one class and share a side, as in SciPy's `ndimage.label`.
"""

from __future__ import annotations

import numpy as np

from hrbench.metrics.labels.classes import IGNORED

SIDES = (0, 16, 32, 64, 128, 256)
"""Objects are told by their area in pixels: from one of these squared to the next."""

FOUND = 0.5
"""Share of its pixels from which on an object is found."""

OBJECTS, PIXELS, HITS, HALVES = range(4)
"""Rows of `object_counts`."""


def regions(truth: np.ndarray, guess: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(label, area, hits), (R,) each, of the connected regions of equal labels, those not judged left out.

    truth, guess: (H, W) uint16.
    area, hits: int64, pixels, and those of them that are predicted with its label.
    """
    height, width = truth.shape
    if not truth.size:
        return np.zeros(0, np.uint16), np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = np.ones((height, width), bool)
    np.not_equal(truth[:, 1:], truth[:, :-1], out=starts[:, 1:])
    first = np.flatnonzero(starts)
    label = truth.ravel()[first]
    number = (np.cumsum(starts, dtype=np.int32) - 1).reshape(height, width)
    # two runs that touch are linked once: at the first column in which they do
    same = truth[1:] == truth[:-1]
    same &= starts[1:] | starts[:-1]
    region = _connected(number[:-1][same], number[1:][same], len(first))
    area = np.bincount(region, np.diff(first, append=truth.size)).astype(np.int64)
    hits = np.bincount(region, np.add.reduceat((truth == guess).ravel(), first, dtype=np.int32)).astype(np.int64)
    of = np.zeros(len(area), np.uint16)
    of[region] = label
    judged = of != IGNORED
    return of[judged], area[judged], hits[judged]


def _connected(one: np.ndarray, other: np.ndarray, many: int) -> np.ndarray:
    """(many,) number of the component of each of so many runs. one, other: (L,) runs that touch."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(many, many))
    return connected_components(links, directed=False)[1]


def object_counts(truth: np.ndarray, guess: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the objects of each class (C) and range of areas (S).

    truth: (H, W) uint16, class indices or IGNORED.
    guess: (H, W) uint16.

    Returns (4, C, S) int64: objects, their pixels, those predicted with their class, objects of which at least half is;
    and (C, S) float64, the sum of the shares of their pixels that are predicted so.
    """
    label, area, hits = regions(truth, guess)
    size = np.searchsorted(np.array(SIDES[1:]) ** 2, area, side="right")
    cell, shape = label.astype(np.intp) * len(SIDES) + size, classes * len(SIDES)
    share = hits / np.maximum(area, 1)
    weights = (None, area, hits, share >= FOUND)
    counts = [np.bincount(cell, weight, shape)[:shape] for weight in weights]
    shares = np.bincount(cell, share, shape)[:shape].reshape(classes, len(SIDES))
    return np.array(counts).astype(np.int64).reshape(4, classes, len(SIDES)), shares
