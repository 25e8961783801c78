"""Rows of people or faces by the image that they are in: found, cut and added up, image after image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def rows_in(image: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of each wanted image in their order, image after image, and how many each has, both int64.

    image: (n,) the image of each row, in any order.
    wanted: (I,) images.

    >>> rows, many = rows_in(np.array([7, 5, 7, 6]), np.array([5, 7, 8]))
    >>> rows.tolist(), many.tolist()
    ([1, 0, 2], [1, 2, 0])
    """
    order = np.argsort(image, kind="stable")
    starts, ends = (np.searchsorted(image[order], wanted, side) for side in ("left", "right"))
    many = ends - starts
    return order[np.repeat(starts - (np.cumsum(many) - many), many) + np.arange(many.sum())], many


def summed(rows: np.ndarray, place: np.ndarray, images: int) -> np.ndarray:
    """(I, ...) float64, sums of rows (n, ...) whose images are at `place` (n,), rising.

    One is added after the other: the same bits for any part of the images.
    """
    total = np.zeros((images, *rows.shape[1:]))
    np.add.at(total, place, rows)
    return total


def weighted(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """weights (B, I) @ rows (I, K), added image after image: one with weight 0 changes no bit."""
    total = np.zeros((len(weights), rows.shape[1]))
    for column, row in zip(weights.T, rows, strict=True):
        total += column[:, None] * row
    return total


def as_bytes(facts: np.ndarray, many: np.ndarray) -> Iterator[bytes]:
    """The rows of each image as bytes. facts: (n, ...), image after image; many: (I,) how many each has."""
    ends = np.cumsum(many)
    for start, end in zip((ends - many).tolist(), ends.tolist(), strict=True):
        yield facts[start:end].tobytes()
