"""How far the pixels of a label map lie from an edge of the ground truth: bands of growing width, as trimaps.

Source: Kohli et al., Robust Higher Order Potentials for Enforcing Label Consistency, IJCV 2009; Krähenbühl and Koltun,
Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials, NIPS 2011: accuracy in a narrow band around
the edges of the ground truth, as a function of the band's width. Here a pixel is in the band of width w if another
label lies within w px of it, diagonal steps counted as one: the square of 2 w + 1 around it holds two labels. Pixels
that are not judged are a label of their own; the border of the image is no edge.
"""

from __future__ import annotations

import numpy as np

from hrbench.formats.label_runs import runs
from hrbench.metrics.labels.classes import IGNORED

WIDTHS = (1, 2, 4, 8, 16, 32)
"""Of the bands, in px on either side of an edge."""

BANDS = len(WIDTHS) + 1
"""Rings between two widths, and the interior."""


def rings(truth: np.ndarray) -> np.ndarray:
    """(H, W) uint8: the number of the first of WIDTHS whose band holds a pixel, len(WIDTHS) for the interior.

    truth: (H, W) uint16.

    >>> rings(np.array([[0, 0, 0, 0, 7]], np.uint16)).tolist()
    [[2, 2, 1, 0, 0]]
    """
    import cv2

    square = np.ones((3, 3), np.uint8)
    inner = (cv2.dilate(truth, square) == cv2.erode(truth, square)).astype(np.uint8)
    if inner.all():
        return np.full(truth.shape, len(WIDTHS), np.uint8)
    distance = cv2.distanceTransform(inner, cv2.DIST_C, 3)  # 0 beside an edge
    number = np.searchsorted(WIDTHS, np.arange(1, WIDTHS[-1] + 2)).astype(np.uint8)
    return number.take(np.minimum(distance, WIDTHS[-1]).astype(np.uint8))


def ring_counts(truth: np.ndarray, guess: np.ndarray, classes: int) -> np.ndarray:
    """(BANDS, 3, C) int64: judged pixels of each ring that are right, annotated and predicted, by class.

    truth: (H, W) uint16, class indices or IGNORED.
    guess: (H, W) uint16, class indices or C for no class.
    """
    (ring, own, found), lengths = runs((rings(truth), truth, guess))
    judged = own != IGNORED
    ring, own, found = (each[judged].astype(np.intp) for each in (ring, own, found))
    lengths, width = lengths[judged], classes + 1
    counts = np.empty((BANDS, 3, classes), np.int64)
    for row, (label, many) in enumerate(((own, lengths * (own == found)), (own, lengths), (found, lengths))):
        cell = ring * width + np.minimum(label, classes)
        counts[:, row] = np.bincount(cell, many, BANDS * width).reshape(BANDS, width)[:, :classes]
    return counts
