"""Why box and mask AP are what they are: the sections of the analysis that `CocoBoxes` and `CocoMasks` offer.

What scoring found already comes from the state: AP by size and class, curves, calibration. Error types and confusions
need pairs of different classes, which are compared again here (`image_pairs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hrbench.formats.coco.instance_results import InstanceResults
from hrbench.formats.coco.instances import InstanceTruth
from hrbench.formats.coco.rle import Masks
from hrbench.metrics.coco.assignment import Similarity
from hrbench.metrics.coco.box_iou import box_iou
from hrbench.metrics.coco.confusion import SCORE, confusion
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.error_types import BACKGROUND, FOREGROUND, KINDS, ErrorTypes, error_types, matched
from hrbench.metrics.coco.image_pairs import ImagePairs, image_pairs
from hrbench.metrics.coco.mask_iou import mask_iou
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.coco.recall_points import coco_precision
from hrbench.statistics.calibration import BINS, Calibration, calibration
from hrbench.types import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisSection, AnalysisTable

VERSION = 1
"""Of the analysis; raised when one of its numbers would change."""

TIDE = "Bolya et al., TIDE, ECCV 2020; equal to tidecv 1.0.1"
COCO = "cocodataset.org/#detection-eval; equal to pycocotools"
D_ECE = (
    "Guo et al., On Calibration of Modern Neural Networks, ICML 2017; of detections: D-ECE of Küppers et al., "
    "Multivariate Confidence Calibration for Object Detection, CVPR Workshops 2020, by score alone"
)

_COLUMNS = ("AP50", 0.5), ("AP75", 0.75)

Reasons = dict[tuple[int, int], str]


def detection_analysis(
    metric: str,
    predictions: InstanceResults,
    target: InstanceTruth,
    matches: Matches,
    settings: MatchSettings,
    params: Mapping[str, Any],
) -> Analysis:
    """The analysis of a metric of boxes or masks.

    metric: its name.
    predictions, target: what it read.
    matches, settings: in its state.
    params: of its state; `categories` with their `names`.
    """
    labels = ["object"] if settings.class_agnostic else list(params["names"])
    categories = np.asarray(params["categories"], np.int64)
    limit, one_class = settings.max_detections[-1], settings.class_agnostic
    pairs = compared_pairs(predictions, target, matches.images, categories, limit, one_class)
    match = matched(pairs)
    errors = error_types(pairs, match)
    right, score, at = _judged(matches, settings)
    classes = [] if settings.class_agnostic else labels
    sections: list[AnalysisSection] = [
        *_errors(errors, settings),
        *_sizes_and_classes(matches, settings, classes),
        *([_by_class(errors, classes)] if classes else []),
        _curves(matches, settings),
        _confusion(confusion(pairs, match), labels),
        *_calibration(score, right, at),
    ]
    told = {
        "foreground_iou": FOREGROUND,
        "background_iou": BACKGROUND,
        "detections_of_an_image": settings.max_detections[-1],
        "confusion_score": SCORE,
        "calibration_iou": at,
        "calibration_bins": BINS,
    }
    return Analysis(metric, VERSION, told, tuple(sections))


def compared_pairs(
    predictions: InstanceResults,
    target: InstanceTruth,
    images: np.ndarray,
    categories: np.ndarray,
    limit: int,
    one_class: bool = False,
) -> ImagePairs:
    """The pairs of detections and objects that error types and confusions need; parameters as of `image_pairs`."""
    similarity = _similarity(predictions, target)
    truths, found = target.truths, predictions.detections
    return image_pairs(truths, found, similarity, images, categories, limit, BACKGROUND, one_class)


def _similarity(predictions: InstanceResults, target: InstanceTruth) -> Similarity:
    """How alike any detection and object of an image are."""
    if isinstance(target.shape, Masks):
        assert isinstance(predictions.shape, Masks)
        of_images = replace(target.truths, category=np.zeros_like(target.truths.category))
        return mask_iou(of_images, target.shape, predictions.shape, BACKGROUND)
    assert isinstance(predictions.shape, np.ndarray)
    return box_iou(target.shape, target.truths.crowd, predictions.shape)


def _errors(errors: ErrorTypes, settings: MatchSettings) -> list[AnalysisTable]:
    """What each type costs, and all false positives or negatives."""
    counts = errors.counts.sum(axis=0).tolist()
    none = "no object and no detection is there, or would be left"
    columns = ("errors", "count"), ("dAP", "fraction"), ("AP50 if fixed", "fraction")
    types = _table(
        "errors",
        "What each type of error costs",
        f"Errors of the at most {settings.max_detections[-1]} highest-scored detections of an image: an IoU of "
        f"{FOREGROUND:g} or more with an object of another class (classification), of {BACKGROUND:g} to {FOREGROUND:g} "
        "with one of its own (localisation), neither (both), with one that is taken (duplicate), below "
        f"{BACKGROUND:g} with all (background); objects that none of these would find (missed). dAP is what AP at IoU "
        f"{FOREGROUND:g} gains if all errors of the type are set right. Costs do not add up.",
        TIDE,
        KINDS,
        columns,
        [[many, cost, errors.ap + cost] for many, cost in zip(counts, errors.costs.tolist(), strict=True)],
        none,
        main=1,
    )
    wrong, unfound = sum(counts[:-1]), int(errors.objects.sum())
    totals = _table(
        "totals",
        "All false positives, all false negatives",
        f"What AP at IoU {FOREGROUND:g} gains if all wrong detections come last, or if all objects that were not found "
        "are no longer asked for. As it is: mean over classes with objects or detections, of the at most "
        f"{settings.max_detections[-1]} highest-scored detections of an image.",
        TIDE,
        ("false positives", "false negatives", "as it is"),
        columns,
        [
            [wrong, errors.false_positives, errors.ap + errors.false_positives],
            [unfound, errors.false_negatives, errors.ap + errors.false_negatives],
            [wrong + unfound, 0.0 if errors.ap == errors.ap else np.nan, errors.ap],
        ],
        none,
        main=1,
    )
    return [types, totals]


def _by_class(errors: ErrorTypes, labels: Sequence[str]) -> AnalysisTable:
    return _table(
        "class-errors",
        "Errors of each class",
        "How many errors of each type there are, of the class of the detection or of the missed object.",
        TIDE,
        labels,
        (("all", "count"), *((kind, "count") for kind in KINDS)),
        np.concatenate([errors.counts.sum(axis=1, keepdims=True), errors.counts], axis=1),
        "",
        main=0,
    )


def _sizes_and_classes(matches: Matches, settings: MatchSettings, labels: Sequence[str]) -> tuple[AnalysisTable, ...]:
    """AP and AR by size; without `labels` that alone, else AP of each class, too."""
    columns, limit, areas = _thresholds(settings), len(settings.max_detections) - 1, settings.areas
    of_size = [("precision", None), *(("precision", at) for _, at in columns), ("recall", None)]
    of_class = [(None, 0), *((at, 0) for _, at in columns), *((None, area) for area in range(1, len(areas)))]
    numbers = [Number("", kind, at, area, limit) for area in range(len(areas)) for kind, at in of_size]
    numbers += [Number("", "precision", at, area, limit, one) for one in range(len(labels)) for at, area in of_class]
    found = Accumulator(matches, settings, numbers).at()
    found = np.where(found < 0, np.nan, found)
    size, single = np.split(found, [len(areas) * len(of_size)])
    objects = matches.positives.sum(axis=0, dtype=np.int64)[:, None]
    sizes = _table(
        "sizes",
        "AP by size of objects",
        "AP and AR (recall, at the most detections) over IoU as the score has them, of objects by their area in px².",
        COCO,
        [_size(*area) for area in areas],
        (("objects", "count"), ("AP", "fraction"), *((name, "fraction") for name, _ in columns), ("AR", "fraction")),
        np.concatenate([objects, size.reshape(len(areas), -1)], axis=1),
        "there is no such object",
        main=1,
    )
    if not labels:
        return (sizes,)
    objects = np.bincount(matches.object_category, matches.positives[:, 0], len(labels))[:, None]
    headings = ["AP", *(name for name, _ in columns), *(f"AP {name}" for name, _, _ in areas[1:])]
    classes = _table(
        "classes",
        "AP by class",
        "AP of each class over IoU as the score has it, of all its objects and of those of a size.",
        COCO,
        labels,
        (("objects", "count"), *((heading, "fraction") for heading in headings)),
        np.concatenate([objects, single.reshape(len(labels), -1)], axis=1),
        "the class has no such object",
        main=1,
    )
    return sizes, classes


def _curves(matches: Matches, settings: MatchSettings) -> AnalysisCurves:
    known = {f"{threshold:.2f}": place for place, threshold in enumerate(settings.thresholds)}
    every = coco_precision(matches, settings)
    some = ~np.isnan(every[0, :, 0])
    mean = every[:, some].mean(axis=1) if some.any() else np.full((len(every), len(settings.recalls)), np.nan)
    lines = {f"IoU {text}": mean[known[text]] for text in ("0.50", "0.75") if text in known}
    if len(mean) > 1:
        lines[f"mean of IoU {settings.thresholds[0]:.2f} to {settings.thresholds[-1]:.2f}"] = mean.mean(axis=0)
    elif not lines:
        lines[f"IoU {settings.thresholds[0]:.2f}"] = mean[0]
    return AnalysisCurves(
        "precision-recall",
        "Precision and recall",
        f"The highest precision at a recall or beyond it, at {len(settings.recalls)} recalls, mean over classes with "
        "objects; 0 where a class does not reach a recall. The area below a line is its AP.",
        COCO,
        "recall",
        "precision",
        tuple(lines),
        np.asarray(settings.recalls, np.float64),
        np.stack(list(lines.values())),
    )


def _confusion(counts: np.ndarray, labels: Sequence[str]) -> AnalysisMatrix:
    names = (*labels, "background" if "background" not in labels else "(background)")
    return AnalysisMatrix(
        "confusion",
        "What objects were found as",
        f"Detections of a score of {SCORE:g} or more take, by falling score, objects of their own class at an IoU of "
        f"{FOREGROUND:g} or more, then those left the free object of another class with the greatest IoU of "
        f"{FOREGROUND:g} or more. A detection that took nothing was found in the background, an object that was not "
        "taken was found as background.",
        "hrbench's own rule; thresholds as of mmdetection's confusion_matrix.py",
        "ground truth",
        "detection",
        names,
        names,
        counts,
    )


def _judged(matches: Matches, settings: MatchSettings) -> tuple[np.ndarray, np.ndarray, float]:
    """(M,) bool whether each detection that counts is right, their scores (M,), at the lowest IoU of the settings."""
    bit = np.uint16(1)
    counts = (matches.ignored[:, 0] & bit) == 0
    return (matches.hits[counts, 0] & bit) > 0, matches.score[counts], settings.thresholds[0]


def _calibration(score: np.ndarray, right: np.ndarray, at: float) -> list[AnalysisSection]:
    """The table of expected calibration errors, and the reliability diagram where scores are probabilities."""
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
    what = f"A detection is right if it found an object at an IoU of {at:g} or more; those in crowds do not count."
    table = _table(
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


def _thresholds(settings: MatchSettings) -> list[tuple[str, int]]:
    """AP50 and AP75 with the place of their threshold, where the settings have it and more than one."""
    known = [round(one, 9) for one in settings.thresholds]
    return [(name, known.index(at)) for name, at in _COLUMNS if at in known and len(known) > 1]


def _size(name: str, low: float, high: float) -> str:
    """A range of areas in words.

    >>> _size("all", 0.0, 1e10), _size("small", 0.0, 1024.0), _size("medium", 1024.0, 9216.0), _size("l", 9216.0, 1e10)
    ('all', 'small to 32²', 'medium 32² to 96²', 'l from 96²')
    """
    ends = [f"{round(end**0.5)}²" if round(end**0.5) ** 2 == end else f"{end:g}" for end in (low, high)]
    if low <= 0:
        return name if high >= 1e10 else f"{name} to {ends[1]}"
    return f"{name} from {ends[0]}" if high >= 1e10 else f"{name} {ends[0]} to {ends[1]}"


def _table(
    key: str,
    title: str,
    definition: str,
    source: str,
    rows: Sequence[str],
    columns: Sequence[tuple[str, str]],
    values: Any,
    absent: str,
    main: int | None = None,
) -> AnalysisTable:
    """A table whose missing numbers have one reason, `absent`. columns: headings with their units."""
    array = np.asarray(values, np.float64).reshape(len(rows), len(columns))
    reasons: Reasons = {(int(row), int(column)): absent for row, column in np.argwhere(np.isnan(array))}
    headings, units = tuple(name for name, _ in columns), tuple(unit for _, unit in columns)
    return AnalysisTable(key, title, definition, source, tuple(rows), headings, units, array, reasons, main)
