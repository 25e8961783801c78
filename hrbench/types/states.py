"""The sufficient statistics of a metric, and its numbers as a function of image weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # annotations only: this module imports nothing at run time
    import numpy as np


@dataclass(frozen=True, slots=True)
class State:
    """The sufficient statistics of a metric: named NumPy arrays (rows keyed by sample id) and JSON parameters.

    Stored as states.npz, read without pickle. Rows can be merged only if their `params` are equal.
    """

    metric: str
    version: int
    params: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class ByImage:
    """The numbers of a state as a function of how often each image occurs: what judging two states needs.

    images: (I,) ids of the images, rising, each once. Only these are resampled.
    names: of the Q numbers, as their quantities have them.
    overall: how many of them, from the first, are not of a single class.
    at: weights (B, I) int64 -> (B, Q) float64, NaN for a number that does not exist under them. With every weight 1 the
        numbers are the metric's scores, to the last bit (Cityscapes' iIoU: to rounding, since its official sum runs
        over instances).
    at_once: how many weightings `at` is best given at once.
    resampled: (weights (B, I), once (I,)) -> (B, Q), as `at`, for weights that resample the images of `once`. A class
        that occurs in these images, and not in a resample, keeps in a mean over classes its number of all of them, so
        that a mean is over the same classes in every resample. None if it is the same as `at`.
    truth: (I,) uint64 digests of each image's ground truth; None if the state has none (files of format 1).
    groups: (I,) names of the groups that images belong to, such as cities; None if there are none.
    qualities: what `Metric.qualities` gives: image -> how good it is, in [0, 1]; images without a value are absent.
    right: (I, Q) bool if each number is a share of images: whether an image is right; None for other metrics.
    """

    images: np.ndarray
    names: tuple[str, ...]
    overall: int
    at: Callable[[np.ndarray], np.ndarray]
    qualities: Callable[[], Mapping[int | str, float]]
    at_once: int = 1
    truth: np.ndarray | None = None
    groups: np.ndarray | None = None
    right: np.ndarray | None = None
    resampled: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
