"""Why Top-k accuracies are what they are: confused pairs, hard classes, the curve over k, calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hrbench.formats.class_predictions import ClassPredictions, ClassTruth
from hrbench.statistics.calibration import BINS, calibration
from hrbench.types import Analysis, AnalysisCurves, AnalysisSection, AnalysisTable

VERSION = 1
MOST_PAIRS, MOST_CLASSES = 50, 1000
"""Pairs that are told, and classes: the most frequent, and the hardest."""

GUO = "Guo et al., On Calibration of Modern Neural Networks, ICML 2017"
_TOLERANCE = 1e-6
"""By which a probability may leave its range through rounding."""

_NO_PROBABILITIES = (
    "the scores are not probabilities of the first class: those lie above 0 and up to 1, which logits do not, and "
    "scores that the file lacks do not either"
)


def class_analysis(
    metric: str, predictions: ClassPredictions, target: ClassTruth, rows: np.ndarray, rank: np.ndarray
) -> Analysis:
    """The analysis of a measurement; without sections if no image has a valid class.

    rows: (N,) of the target, the images that are judged.
    rank: (N,) int64, the place from 0 of the best valid class among those predicted, -1 if none is.
    """
    params = {"bins": BINS, "most_pairs": MOST_PAIRS, "most_classes": MOST_CLASSES}
    valid = [target.labels[row] for row in rows.tolist()]
    some = np.array([bool(each) for each in valid], bool)
    place = np.full(len(target.ids), -1, np.int64)
    place[predictions.row] = np.arange(len(predictions.row))
    rows, rank = rows[some], rank[some]
    labels = predictions.labels[place[rows]]
    if not len(rows) or not labels.shape[1]:
        return Analysis(metric, VERSION, params, ())
    single = np.array([len(each) == 1 for each in valid if each], bool)
    own = np.array([each[0] for each in valid if each], np.int64)[single]
    confidence = predictions.confidence[place[rows]]
    sections: list[AnalysisSection] = [_curve(rank, labels.shape[1])]
    if len(own):
        sections += [
            _pairs(own, labels[single, 0], target.classes),
            _classes(own, labels[single, 0], rank[single], target.classes),
        ]
    sections += _calibrated(confidence, rank == 0)
    return Analysis(metric, VERSION, params, tuple(sections))


def _name(label: int, classes: Sequence[str]) -> str:
    return classes[label] if label < len(classes) else f"class {label}"


def _curve(rank: np.ndarray, given: int) -> AnalysisCurves:
    """Top-k for all k that the predictions allow."""
    counts = np.bincount(rank[rank >= 0], minlength=given)[:given]
    right = np.cumsum(counts) / len(rank)
    definition = (
        "Share of the images with a valid class of which one is among the first k predicted classes, for each k that "
        "the predictions name classes for."
    )
    return AnalysisCurves(
        "topk", "Top-k accuracy by k", definition, "Russakovsky et al., ImageNet Large Scale Visual Recognition "
        "Challenge, IJCV 2015, section 4.1", "k", "accuracy", ("Top-k",), np.arange(1.0, given + 1), right[None],
    )  # fmt: skip


def _pairs(own: np.ndarray, first: np.ndarray, names: Sequence[str]) -> AnalysisTable:
    """own, first: (n,) the only valid class of each image, and the first predicted one."""
    wrong = own != first
    pairs, many = np.unique(np.stack([own[wrong], first[wrong]], axis=1), axis=0, return_counts=True)
    order = np.argsort(-many, kind="stable")[:MOST_PAIRS]
    pairs, many = pairs[order], many[order]
    total = np.bincount(own)[pairs[:, 0]]
    back = np.array([int(((own == b) & (first == a)).sum()) for a, b in pairs.tolist()], np.int64)
    values = np.column_stack([many, many / total, many / max(int(wrong.sum()), 1), back]).astype(np.float64)
    definition = (
        f"The {MOST_PAIRS} most frequent pairs of an image's only valid class and the first predicted one, if they "
        "differ; images with several valid classes are left out. Of the class: among its images; of the errors: among "
        "all images whose first class is wrong; the other way: images of the second class taken for the first."
    )
    return AnalysisTable(
        "pairs", "Most confused classes", definition, "",
        tuple(f"{_name(a, names)} → {_name(b, names)}" for a, b in pairs.tolist()),
        ("images", "of the class", "of the errors", "the other way"), ("count", "fraction", "fraction", "count"),
        values.reshape(len(pairs), 4), main=0,
    )  # fmt: skip


def _classes(own: np.ndarray, first: np.ndarray, rank: np.ndarray, names: Sequence[str]) -> AnalysisTable:
    here, place, many = np.unique(own, return_inverse=True, return_counts=True)
    right = [np.bincount(place, (rank >= 0) & (rank < k), len(here)) / many for k in (1, 5)]
    taken = np.bincount(first, minlength=int(here.max()) + 1)[here]
    precise = np.bincount(place, first == own, len(here)) / np.maximum(taken, 1)
    precise = np.where(taken > 0, precise, np.nan)
    order = np.argsort(right[0], kind="stable")[:MOST_CLASSES]
    values = np.column_stack([many, *right, precise, taken])[order].astype(np.float64)
    reasons = {(row, 3): "it is the first class of no image" for row in np.flatnonzero(np.isnan(values[:, 3])).tolist()}
    definition = (
        f"Classes by rising accuracy, at most {MOST_CLASSES}, over images with one valid class. Top-1 and Top-5: share "
        "of the class's images whose class is the first, or among the first five; precision: share of the images whose "
        "first class it is that are of it."
    )
    return AnalysisTable(
        "classes", "Hardest classes", definition, "", tuple(_name(label, names) for label in here[order].tolist()),
        ("images", "Top-1", "Top-5", "precision", "predicted"), ("count", "fraction", "fraction", "fraction", "count"),
        values, reasons, main=1,
    )  # fmt: skip


def _calibrated(confidence: np.ndarray, right: np.ndarray) -> list[AnalysisSection]:
    definition = (
        f"Images by the probability of their first class in {BINS} bins of equal width. ECE is the mean of |accuracy - "
        "confidence| over images, with those of their bin; MCE is that of the worst bin."
    )
    columns = ("images", "accuracy", "mean confidence", "ECE", "MCE")
    units = ("count", *("fraction",) * 4)
    n = float(len(confidence))
    if not are_probabilities(confidence):
        values = np.array([[n, right.mean(), np.nan, np.nan, np.nan]])
        reasons = {(0, column): _NO_PROBABILITIES for column in (2, 3, 4)}
        return [_calibration_table(definition, columns, units, values, reasons)]
    found = calibration(np.clip(confidence, 0.0, 1.0), right)
    values = np.array([[n, right.mean(), confidence.mean(), found.ece, found.largest]])
    diagram = AnalysisCurves(
        "reliability", "Reliability diagram",
        f"{definition} Accuracy of the images of a bin, at the middle of the bin; a bin without images has none. Above "
        "the diagonal the network is right more often than its confidence says, below it less often.",
        GUO, "confidence", "accuracy", ("accuracy",), (found.edges[:-1] + found.edges[1:]) / 2, found.accuracy[None],
        diagonal=True,
    )  # fmt: skip
    bins = np.column_stack([found.counts, found.confidence, found.accuracy]).astype(np.float64)
    none = {(row, column): "no image" for row in np.flatnonzero(found.counts == 0).tolist() for column in (1, 2)}
    labels = tuple(f"{low:.3f}-{high:.3f}" for low, high in zip(found.edges, found.edges[1:], strict=False))
    table = AnalysisTable(
        "bins", "Calibration by bins", definition, GUO, labels, ("images", "mean confidence", "accuracy"),
        ("count", "fraction", "fraction"), bins, none, main=0,
    )  # fmt: skip
    return [_calibration_table(definition, columns, units, values, {}), diagram, table]


def _calibration_table(
    definition: str,
    columns: tuple[str, ...],
    units: tuple[str, ...],
    values: np.ndarray,
    reasons: dict[tuple[int, int], str],
) -> AnalysisTable:
    return AnalysisTable(
        "calibration", "Calibration", definition, GUO, ("first class",), columns, units, values, reasons
    )


def are_probabilities(confidence: np.ndarray) -> bool:
    """Whether scores of first classes (N,) can be their probabilities: the greatest of any number is above 0.

    >>> are_probabilities(np.array([0.4, 1.0])), are_probabilities(np.array([0.0])), are_probabilities(np.array([7.1]))
    (True, False, False)
    """
    return bool(len(confidence)) and bool(confidence.min() > 0) and bool(confidence.max() <= 1 + _TOLERANCE)
