"""Whether a score says how often its prediction is right: reliability by bins, and the expected calibration error.

Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2: bins of equal width, of which the
m-th of M holds the scores in ((m - 1) / M, m / M]. A score of 0, which lies in none of these, goes to the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15
"""Of the paper's figures and tables."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Predictions by bins of their scores.

    edges: (M + 1,) float64, from 0 to 1.
    counts: (M,) int64, predictions in each bin.
    confidence: (M,) float64, mean score of a bin; NaN if it is empty.
    accuracy: (M,) float64, share of a bin that is right; NaN if it is empty.
    ece: expected calibration error, the mean of |accuracy - confidence| over predictions; NaN without any.
    largest: maximum calibration error, the largest |accuracy - confidence| of a bin; NaN without any.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    ece: float
    largest: float


def calibration(scores: np.ndarray, right: np.ndarray, bins: int = BINS) -> Calibration:
    """Predictions by bins of their scores.

    scores: (N,) float in [0, 1].
    right: (N,) bool, whether each is right.
    bins: M, 1 or more.

    Raises ValueError for scores outside [0, 1], NaN among them, other lengths, or no bin.

    >>> calibration(np.array([0.25, 0.75, 1.0]), np.array([False, True, True]), bins=2).ece
    0.16666666666666666
    """
    scores = np.asarray(scores, np.float64)
    if scores.shape != np.shape(right) or scores.ndim != 1 or bins < 1:
        raise ValueError(f"scores {scores.shape} and right {np.shape(right)} in {bins} bins")
    if len(scores) and not (scores.min() >= 0 and scores.max() <= 1):
        raise ValueError(f"scores from {scores.min():g} to {scores.max():g} are not all in [0, 1]")
    edges = np.arange(bins + 1) / bins
    # rounding may put a score into the bin beside its own, which the edges tell
    place = np.clip(np.ceil(scores * bins).astype(np.int64) - 1, 0, bins - 1)
    place -= (scores <= edges[place]) & (place > 0)
    place += scores > edges[place + 1]
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(place, scores, bins) / counts
        accuracy = np.bincount(place, np.asarray(right, np.float64), bins) / counts
    some = counts > 0
    gap = np.abs(accuracy - confidence)[some]
    if not len(gap):
        return Calibration(edges, counts, confidence, accuracy, float("nan"), float("nan"))
    ece = float((counts[some] * gap).sum() / len(scores))
    return Calibration(edges, counts, confidence, accuracy, ece, float(gap.max()))
