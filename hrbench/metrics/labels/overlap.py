"""Overlap of what is annotated and what is predicted of each class, from counts of pixels."""

from __future__ import annotations

import numpy as np


def iou(counts: np.ndarray) -> np.ndarray:
    """(..., C) float64 of pixels right, annotated and predicted (..., 3, C); NaN for a class that has none."""
    right, annotated, predicted = (counts[..., row, :] for row in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        return right / (annotated + predicted - right)


def dice(counts: np.ndarray) -> np.ndarray:
    """Likewise."""
    right, annotated, predicted = (counts[..., row, :] for row in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        return 2 * right / (annotated + predicted)
