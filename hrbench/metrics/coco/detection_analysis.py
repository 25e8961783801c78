"""Why box and mask AP are what they are: the sections of the analysis that `CocoBoxes` and `CocoMasks` offer.

What scoring found already comes from the state: AP by size and class, curves, calibration. Error types and confusions
need pairs of different classes, which are compared again here (`image_pairs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hrbench.formats.coco.instance_results import InstanceResults
from hrbench.formats.coco.instances import InstanceTruth
from hrbench.formats.coco.rle import Masks
from hrbench.metrics.coco.assignment import Similarity
from hrbench.metrics.coco.box_iou import box_iou
from hrbench.metrics.coco.confusion import SCORE, confusion
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.error_types import BACKGROUND, FOREGROUND, KINDS, ErrorTypes, Matched, error_types, matched
from hrbench.metrics.coco.image_pairs import ImagePairs, image_pairs
from hrbench.metrics.coco.mask_iou import mask_iou
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.coco.recall_points import coco_precision
from hrbench.metrics.coco.score_calibration import calibration_sections, judged_detections
from hrbench.metrics.told_table import told_table
from hrbench.statistics.calibration import BINS
from hrbench.types import Analysis, AnalysisCurves, AnalysisMatrix, AnalysisSection, AnalysisTable

VERSION = 1
"""Of the analysis; raised when one of its numbers would change."""

TIDE = "Bolya et al., TIDE, ECCV 2020; equal to tidecv 1.0.1"
COCO = "cocodataset.org/#detection-eval; equal to pycocotools"

COLUMNS = ("AP50", 0.5), ("AP75", 0.75)
"""AP at single thresholds, where the settings have them."""


@dataclass(frozen=True)
class Grounds:
    """Whose rules the numbers follow.

    errors: source of the types of errors.
    ap: source of AP.
    remark: sentences that end the definitions of errors and confusions, each after a space; "" for none.
    left_out: which detections do not count, in words.
    """

    errors: str = TIDE
    ap: str = COCO
    remark: str = ""
    left_out: str = "those in crowds do not count"


COCO_GROUNDS = Grounds()


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
    categories = np.asarray(params["categories"], np.int64)
    limit, one_class = settings.max_detections[-1], settings.class_agnostic
    pairs = compared_pairs(predictions, target, matches.images, categories, limit, one_class)
    sections = detection_sections(pairs, matched(pairs), matches, settings, params)
    return Analysis(metric, VERSION, told_params(settings), tuple(sections))


def told_params(settings: MatchSettings) -> dict[str, Any]:
    """What the numbers of `detection_sections` depend on."""
    return {
        "foreground_iou": FOREGROUND,
        "background_iou": BACKGROUND,
        "detections_of_an_image": settings.max_detections[-1],
        "confusion_score": SCORE,
        "calibration_iou": settings.thresholds[0],
        "calibration_bins": BINS,
    }


def detection_sections(
    pairs: ImagePairs,
    match: Matched,
    matches: Matches,
    settings: MatchSettings,
    params: Mapping[str, Any],
    by: Grounds = COCO_GROUNDS,
    confusions: Sequence[AnalysisSection] | None = None,
) -> list[AnalysisSection]:
    """All sections.

    pairs: of the detections and objects of the state.
    match: of these pairs.
    matches, settings, params: as of `detection_analysis`.
    by: whose rules the numbers follow.
    confusions: sections in place of the confusion matrix; None for that.
    """
    labels = ["object"] if settings.class_agnostic else list(params["names"])
    classes = [] if settings.class_agnostic else labels
    errors = error_types(pairs, match)
    if confusions is None:
        confusions = [_confusion(confusion(pairs, match), labels, by)]
    return [
        *error_tables(errors, settings, by),
        *sizes_and_classes(matches, settings, classes, by),
        *([class_errors(errors, classes, by)] if classes else []),
        precision_curves(matches, settings, by),
        *confusions,
        *calibration_sections(*judged_detections(matches, settings), by.left_out),
    ]


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


def error_tables(errors: ErrorTypes, settings: MatchSettings, by: Grounds = COCO_GROUNDS) -> list[AnalysisTable]:
    """What each type costs, and all false positives or negatives."""
    counts = errors.counts.sum(axis=0).tolist()
    none = "no object and no detection is there, or would be left"
    columns = ("errors", "count"), ("dAP", "fraction"), ("AP50 if fixed", "fraction")
    types = told_table(
        "errors",
        "What each type of error costs",
        f"Errors of the at most {settings.max_detections[-1]} highest-scored detections of an image: an IoU of "
        f"{FOREGROUND:g} or more with an object of another class (classification), of {BACKGROUND:g} to {FOREGROUND:g} "
        "with one of its own (localisation), neither (both), with one that is taken (duplicate), below "
        f"{BACKGROUND:g} with all (background); objects that none of these would find (missed). dAP is what AP at IoU "
        f"{FOREGROUND:g} gains if all errors of the type are set right. Costs do not add up.{by.remark}",
        by.errors,
        KINDS,
        columns,
        [[many, cost, errors.ap + cost] for many, cost in zip(counts, errors.costs.tolist(), strict=True)],
        none,
        main=1,
    )
    wrong, unfound = sum(counts[:-1]), int(errors.objects.sum())
    totals = told_table(
        "totals",
        "All false positives, all false negatives",
        f"What AP at IoU {FOREGROUND:g} gains if all wrong detections come last, or if all objects that were not found "
        "are no longer asked for. As it is: mean over classes with objects or detections, of the at most "
        f"{settings.max_detections[-1]} highest-scored detections of an image.",
        by.errors,
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


def class_errors(errors: ErrorTypes, labels: Sequence[str], by: Grounds = COCO_GROUNDS) -> AnalysisTable:
    return told_table(
        "class-errors",
        "Errors of each class",
        f"How many errors of each type there are, of the class of the detection or of the missed object.{by.remark}",
        by.errors,
        labels,
        (("all", "count"), *((kind, "count") for kind in KINDS)),
        np.concatenate([errors.counts.sum(axis=1, keepdims=True), errors.counts], axis=1),
        "",
        main=0,
    )


def sizes_and_classes(
    matches: Matches, settings: MatchSettings, labels: Sequence[str], by: Grounds = COCO_GROUNDS
) -> tuple[AnalysisTable, ...]:
    """AP and AR by size; without `labels` that alone, else AP of each class, too."""
    columns, limit, areas = single_thresholds(settings), len(settings.max_detections) - 1, settings.areas
    of_size = [("precision", None), *(("precision", at) for _, at in columns), ("recall", None)]
    of_class = [(None, 0), *((at, 0) for _, at in columns), *((None, area) for area in range(1, len(areas)))]
    numbers = [Number("", kind, at, area, limit) for area in range(len(areas)) for kind, at in of_size]
    numbers += [Number("", "precision", at, area, limit, one) for one in range(len(labels)) for at, area in of_class]
    found = Accumulator(matches, settings, numbers).at()
    found = np.where(found < 0, np.nan, found)
    size, single = np.split(found, [len(areas) * len(of_size)])
    objects = matches.positives.sum(axis=0, dtype=np.int64)[:, None]
    sizes = told_table(
        "sizes",
        "AP by size of objects",
        "AP and AR (recall, at the most detections) over IoU as the score has them, of objects by their area in px².",
        by.ap,
        [size_in_words(*area) for area in areas],
        (("objects", "count"), ("AP", "fraction"), *((name, "fraction") for name, _ in columns), ("AR", "fraction")),
        np.concatenate([objects, size.reshape(len(areas), -1)], axis=1),
        "there is no such object",
        main=1,
    )
    if not labels:
        return (sizes,)
    objects = np.bincount(matches.object_category, matches.positives[:, 0], len(labels))[:, None]
    headings = ["AP", *(name for name, _ in columns), *(f"AP {name}" for name, _, _ in areas[1:])]
    classes = told_table(
        "classes",
        "AP by class",
        "AP of each class over IoU as the score has it, of all its objects and of those of a size.",
        by.ap,
        labels,
        (("objects", "count"), *((heading, "fraction") for heading in headings)),
        np.concatenate([objects, single.reshape(len(labels), -1)], axis=1),
        "the class has no such object",
        main=1,
    )
    return sizes, classes


def precision_curves(matches: Matches, settings: MatchSettings, by: Grounds = COCO_GROUNDS) -> AnalysisCurves:
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
        by.ap,
        "recall",
        "precision",
        tuple(lines),
        np.asarray(settings.recalls, np.float64),
        np.stack(list(lines.values())),
    )


def _confusion(counts: np.ndarray, labels: Sequence[str], by: Grounds) -> AnalysisMatrix:
    names = (*labels, "background" if "background" not in labels else "(background)")
    return AnalysisMatrix(
        "confusion",
        "What objects were found as",
        f"Detections of a score of {SCORE:g} or more take, by falling score, objects of their own class at an IoU of "
        f"{FOREGROUND:g} or more, then those left the free object of another class with the greatest IoU of "
        f"{FOREGROUND:g} or more. A detection that took nothing was found in the background, an object that was not "
        f"taken was found as background.{by.remark}",
        "hrbench's own rule; thresholds as of mmdetection's confusion_matrix.py",
        "ground truth",
        "detection",
        names,
        names,
        counts,
    )


def single_thresholds(settings: MatchSettings) -> list[tuple[str, int]]:
    """AP50 and AP75 with the place of their threshold, where the settings have it and more than one."""
    known = [round(one, 9) for one in settings.thresholds]
    return [(name, known.index(at)) for name, at in COLUMNS if at in known and len(known) > 1]


def size_in_words(name: str, low: float, high: float) -> str:
    """A range of areas in words.

    >>> size_in_words("all", 0.0, 1e10), size_in_words("small", 0.0, 1024.0)
    ('all', 'small to 32²')
    >>> size_in_words("medium", 1024.0, 9216.0), size_in_words("l", 9216.0, 1e10)
    ('medium 32² to 96²', 'l from 96²')
    """
    ends = [f"{round(end**0.5)}²" if round(end**0.5) ** 2 == end else f"{end:g}" for end in (low, high)]
    if low <= 0:
        return name if high >= 1e10 else f"{name} to {ends[1]}"
    return f"{name} from {ends[0]}" if high >= 1e10 else f"{name} {ends[0]} to {ends[1]}"
