"""Numbers of which some do not exist, those being NaN: their means, and those of single images by name."""

from __future__ import annotations

import numpy as np


def mean(values: np.ndarray) -> np.ndarray:
    """(...) mean of those of (..., C) that exist, as `numpy.sum` adds them; NaN if none does.

    >>> mean(np.array([[1.0, np.nan, 0.5], [np.nan, np.nan, np.nan]])).tolist()
    [0.75, nan]
    """
    exist = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(exist, values, 0.0).sum(axis=-1) / exist.sum(axis=-1)


def mean_in_order(values: np.ndarray) -> np.ndarray:
    """(...) mean of those of (..., C) that exist, added one after the other; NaN if none does.

    >>> mean_in_order(np.array([1.0, np.nan, 0.5])).tolist(), mean_in_order(np.zeros((1, 0))).tolist()
    (0.75, [nan])
    """
    if not values.shape[-1]:
        return np.full(values.shape[:-1], np.nan)
    exist = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.cumsum(np.where(exist, values, 0.0), axis=-1)[..., -1] / exist.sum(axis=-1)


def by_name(images: np.ndarray, values: np.ndarray) -> dict[int | str, float]:
    """Image -> its number, of images (I,) whose number (I,) exists."""
    pairs = zip(images.tolist(), values.tolist(), strict=True)
    return {image: value for image, value in pairs if value == value}
