"""Whether scores of detections say how often these are right: their calibration, as sections of an analysis."""

from __future__ import annotations

import numpy as np

from hrbench.metrics.coco.confusion import SCORE
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.told_table import told_table
from hrbench.statistics.calibration import BINS, Calibration, calibration
from hrbench.types import AnalysisCurves, AnalysisSection

D_ECE = (
    "Guo et al., On Calibration of Modern Neural Networks, ICML 2017; of detections: D-ECE of Küppers et al., "
    "Multivariate Confidence Calibration for Object Detection, CVPR Workshops 2020, by score alone"
)


def judged_detections(matches: Matches, settings: MatchSettings) -> tuple[np.ndarray, np.ndarray, float]:
    """(M,) bool whether each detection that counts is right, their scores (M,), at the lowest IoU of the settings."""
    bit = np.uint16(1)
    counts = (matches.ignored[:, 0] & bit) == 0
    return (matches.hits[counts, 0] & bit) > 0, matches.score[counts], settings.thresholds[0]


def calibration_sections(
    right: np.ndarray, score: np.ndarray, at: float, left_out: str = "those in crowds do not count"
) -> list[AnalysisSection]:
    """The table of expected calibration errors, and the reliability diagram where scores are probabilities.

    right, score: (M,) whether each of the detections that count is right, and its score.
    at: IoU from which on it is.
    left_out: which detections do not count, in words.
    """
    valid = not len(score) or bool(score.min() >= 0 and score.max() <= 1)
    parts = {"all detections": np.ones(len(score), bool), f"score of {SCORE:g} or more": score >= SCORE}
    values, every = [], None
    for some in parts.values():
        found = calibration(score[some], right[some]) if valid else None
        every = every or found
        values.append(
            [
                int(some.sum()),
                score[some].mean() if valid and some.any() else np.nan,
                right[some].mean() if some.any() else np.nan,
                np.nan if found is None else found.ece,
                np.nan if found is None else found.largest,
            ]
        )
    what = f"A detection is right if it found an object at an IoU of {at:g} or more; {left_out}."
    table = told_table(
        "calibration",
        "Calibration of scores",
        f"{what} ECE is the mean over detections of the distance between the share that is right and the mean score "
        f"in their bin, of {BINS} bins of equal width; the largest distance is that of a bin.",
        D_ECE,
        tuple(parts),
        (("detections", "count"), ("mean score", "fraction"), ("precision", "fraction"), ("ECE", "fraction"),
         ("largest", "fraction")),
        values,
        "there is no such detection" if valid else "scores lie outside 0 to 1, so that they are no probabilities",
    )  # fmt: skip
    return [table, *([] if every is None else _reliability(every, what))]


def _reliability(found: Calibration, what: str) -> list[AnalysisCurves]:
    some = found.counts > 0
    # a mean is rounded: it must not leave its bin, whose neighbour may begin there
    x = np.clip(found.confidence[some], found.edges[:-1][some], found.edges[1:][some])
    if not some.any() or not (np.diff(x) > 0).all():
        return []
    curves = AnalysisCurves(
        "reliability",
        "Reliability of scores",
        f"{what} The share that is right against the mean score, of each of {BINS} bins of equal width that is not "
        "empty. On the diagonal scores say how often they are right; below it they are too high.",
        D_ECE,
        "mean score",
        "precision",
        ("precision",),
        x,
        found.accuracy[None, some],
        diagonal=True,
    )
    return [curves]
