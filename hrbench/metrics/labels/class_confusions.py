"""Which classes of label maps are taken for which, and what each class loses by it: of counted pixels alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hrbench.metrics.labels.overlap import iou
from hrbench.metrics.labels.states import AT_ONCE
from hrbench.statistics.bootstrap import intervals
from hrbench.types import AnalysisMatrix, AnalysisTable

MOST_CLASSES, MOST_PAIRS = 64, 50
"""Up to so many classes have a matrix; so many pairs are told."""

RESAMPLES, SEED = 1000, 0

NO_CLASS = "no class"
_VOC = "Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2015, section 4.2"


def confusion_matrix(matrix: np.ndarray, names: Sequence[str]) -> AnalysisMatrix:
    """matrix: (C, C + 1) int64, rows ground truth, the last column no class."""
    definition = (
        "Pixels of each annotated class (row) by the class that was predicted (column). Divided by the sum of its row, "
        "an entry of the diagonal is the accuracy of the class."
    )
    return AnalysisMatrix(
        "confusion", "Confusion matrix", definition, "", "ground truth", "prediction", tuple(names),
        (*names, NO_CLASS), matrix.astype(np.int64),
    )  # fmt: skip


def confusion_table(matrix: np.ndarray, names: Sequence[str]) -> AnalysisTable:
    """The largest entries off the diagonal. matrix: (C, C + 1) int64."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong.ravel(), kind="stable")[:MOST_PAIRS]
    order = order[wrong.ravel()[order] > 0]
    own, other = np.divmod(order, matrix.shape[1])
    back = np.where(other < len(names), matrix[np.minimum(other, len(names) - 1), own], 0).astype(np.float64)
    back[other == len(names)] = np.nan
    pixels = wrong[own, other]
    total = max(int(wrong.sum()), 1)
    values = np.column_stack([pixels / total, pixels / matrix.sum(axis=1)[own], pixels, back]).astype(np.float64)
    found = (*names, NO_CLASS)
    definition = (
        f"The {MOST_PAIRS} largest entries of the confusion matrix off its diagonal: pixels of one class that were "
        "predicted as another. Of the errors: among all wrong pixels; of the class: among its annotated pixels; the "
        "other way: pixels of the second class that were predicted as the first."
    )
    reasons = {(row, 3): "no class is not annotated" for row in np.flatnonzero(np.isnan(back)).tolist()}
    return AnalysisTable(
        "confusions", "Largest confusions", definition, "",
        tuple(f"{found[one]} → {found[two]}" for one, two in zip(own.tolist(), other.tolist(), strict=True)),
        ("share of the errors", "share of the class", "pixels", "the other way"),
        ("fraction", "fraction", "count", "count"),
        values.reshape(len(order), 4), reasons, main=0,
    )  # fmt: skip


def class_table(sums: np.ndarray, names: Sequence[str], groups: np.ndarray | None) -> AnalysisTable:
    """IoU of each class with its interval, and what it loses by missed and by false pixels.

    sums: (I, 3, C) float64, whole numbers: pixels right, annotated and predicted of each class in each image.
    groups: (I,) as of `bootstrap.intervals`, to resample groups of images; None for images.
    """
    right, annotated, predicted = sums.sum(axis=0)
    ends = intervals(
        lambda weights: iou(np.tensordot(weights, sums, 1)), len(sums), RESAMPLES, SEED, groups, at_once=AT_ONCE
    )
    bounds = np.array([(np.nan, np.nan) if end is None else end for end in ends]).reshape(len(names), 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        union = annotated + predicted - right
        parts = [right / annotated, right / predicted, (annotated - right) / union, (predicted - right) / union]
        values = np.column_stack([right / union, bounds, *parts, annotated / annotated.sum()])
    reasons = {}
    for row, column in np.argwhere(np.isnan(values)).tolist():
        reasons[row, column] = _REASONS[column] if annotated.any() else "no pixel is judged"
    definition = (
        f"IoU = TP / (TP + FP + FN), pixels of all images together, with its 95 % interval ({RESAMPLES} resamples of "
        "the images, or of their groups, with replacement). Recall = TP / (TP + FN), precision = TP / (TP + FP). Lost "
        "by missed pixels: FN / (TP + FP + FN), by false ones: FP / (TP + FP + FN): with IoU they sum to 1."
    )
    return AnalysisTable(
        "classes", "IoU by class", definition, _VOC, tuple(names),
        ("IoU", "low", "high", "recall", "precision", "lost by missed", "lost by false", "of all pixels"),
        ("fraction",) * 8, values, reasons, main=0,
    )  # fmt: skip


_ABSENT = "the class is neither annotated nor predicted"
_REASONS = (
    _ABSENT, "no resample of the images has it", "no resample of the images has it", "the class is not annotated",
    "the class is not predicted", _ABSENT, _ABSENT, "no pixel is judged",
)  # fmt: skip
