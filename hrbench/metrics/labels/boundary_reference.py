"""Boundary pixels of each class by OpenCV, mask by mask: the reference of boundary IoU for tests and --verify."""

from __future__ import annotations

import math

import numpy as np

from hrbench.metrics.labels.classes import IGNORED


def counts_by_opencv(truth: np.ndarray, guess: np.ndarray, classes: int, ratio: float) -> np.ndarray:
    """(3, C) float64: boundary pixels shared, annotated and predicted of each class, in one image.

    truth: (H, W) uint16, class indices or IGNORED.
    guess: (H, W) uint16, class indices or C for no class.
    """
    judged, found = truth != IGNORED, np.zeros((3, classes))
    for index in range(classes):
        own, other = (_edge((one == index) & judged, ratio) for one in (truth, guess))
        found[:, index] = np.count_nonzero(own & other), np.count_nonzero(own), np.count_nonzero(other)
    return found


def _edge(mask: np.ndarray, ratio: float) -> np.ndarray:
    """As the paper's code has it: single erosions of the image with a border of zeros."""
    import cv2

    steps = max(1, round(ratio * math.hypot(*mask.shape)))
    inner = cv2.erode(np.pad(mask.astype(np.uint8), 1), np.ones((3, 3), np.uint8), iterations=steps)
    return mask & (inner[1:-1, 1:-1] == 0)
