"""Joint histograms of label maps by their runs.

Many neighbouring pixels have the same label, so the maps, flattened row by row, are split wherever one of them changes.
Then some ten thousand runs with their lengths are counted, not millions of pixels. Counts are exact: a float64 adds
whole numbers up to 2^53 without rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def runs(maps: Sequence[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """The values of K maps of one shape at the start of each of R runs, K x (R,), and the run lengths (R,) int64.

    >>> runs([np.array([[7, 7, 8], [8, 8, 8]]), np.array([[1, 1, 1], [1, 2, 2]])])
    ([array([7, 8, 8]), array([1, 1, 2])], array([2, 2, 2]))
    """
    flat = [labels.reshape(-1) for labels in maps]
    size = flat[0].size
    if not size:
        return flat, np.zeros(0, np.int64)
    starts = np.empty(size, np.bool_)
    starts[0] = True
    np.not_equal(flat[0][1:], flat[0][:-1], out=starts[1:])
    more = np.empty(size - 1, np.bool_)
    for labels in flat[1:]:
        np.not_equal(labels[1:], labels[:-1], out=more)
        np.logical_or(starts[1:], more, out=starts[1:])
    at = np.flatnonzero(starts)
    lengths = np.empty(len(at), np.int64)
    np.subtract(at[1:], at[:-1], out=lengths[:-1])
    lengths[-1] = size - at[-1]
    return [labels.take(at) for labels in flat], lengths


def histogram(rows: np.ndarray, columns: np.ndarray, lengths: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """`shape` int64: how many pixels have each pair of values. rows, columns: (R,) integers smaller than shape."""
    cells = rows.astype(np.intp)
    cells *= shape[1]
    cells += columns
    return np.bincount(cells, lengths, shape[0] * shape[1]).astype(np.int64).reshape(shape)
