"""Why PQ is what it is: what it loses by class, what segments without a match are, segments by size.

Numbers by class come from the state. Pairs of different classes and sizes need the PNGs, which are read again: of at
most `MOST_IMAGES` images, at even distances by id, as params tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from hrbench.formats.label_folders import in_order
from hrbench.formats.panoptic.files import PREDICTED_PNG, TRUTH_PNG, AnnotatedImage, PanopticResults, PanopticTruth
from hrbench.formats.panoptic.pixels import read_ids
from hrbench.metrics.existing import mean
from hrbench.metrics.labels.label_analysis import MOST_IMAGES, spread
from hrbench.metrics.labels.objects import SIDES
from hrbench.metrics.panoptic.counts import MatchedSegments, area_of, matched_segments, pairs_of
from hrbench.metrics.panoptic.scores import PanopticSums, sums
from hrbench.metrics.told_table import told_table
from hrbench.types import Analysis, AnalysisSection, AnalysisTable

VERSION = 1
"""Of the analysis; raised when one of its numbers would change."""

MOST_PAIRS = 50
NEAR = 0.1
"""IoU from which on a segment is in the wrong place rather than nowhere: TIDE's t_b."""

PQ = "Kirillov et al., Panoptic Segmentation, CVPR 2019; equal to panopticapi"
TIDE = "after Bolya et al., TIDE, ECCV 2020, of segments that do not overlap"
_KINDS = ("another class", "its class, wrong place", "neither")
SEGMENTS, MATCHED, IOU, PREDICTED, RIGHT = range(5)
"""Rows of counts by size: annotated segments, those matched, the sum of their IoU, predicted ones, those matched."""


def panoptic_analysis(
    metric: str,
    arrays: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
    predictions: PanopticResults,
    target: PanopticTruth,
) -> Analysis:
    """The analysis of a measurement; without sections if nothing is judged.

    arrays, params: of the state.
    predictions, target: what the metric read.
    """
    images, names = arrays["image"].tolist(), list(params["names"])
    read = spread(images)
    told = {"images": len(images), "images_read": len(read), "near": NEAR, "sides": list(SIDES)}
    totals = sums(arrays, params)
    if not totals.segments().any():
        return Analysis(metric, VERSION, told, ())
    classes = _class_values(totals)
    some = (np.ones(len(names), bool), totals.things, ~totals.things)
    sections: list[AnalysisSection] = [_losses(classes, some), _classes(classes, totals, names)]

    def counted(image: int | str) -> tuple[np.ndarray, ...]:
        return _image_counts(target.images[image], predictions.images[image], len(names))

    kinds, sizes = np.zeros((2, len(_KINDS)), np.int64), np.zeros((5, len(SIDES)))
    pairs, missed = np.zeros((len(names), len(names)), np.int64), np.zeros(len(names), np.int64)
    for own in in_order(counted, read):
        for whole, part in zip((kinds, sizes, pairs, missed), own, strict=True):
            whole += part
    part = len(read) < len(images)
    sections += [_unmatched(kinds, part), _sizes(sizes, part)]
    if pairs.any():
        sections.insert(3, _confusions(pairs, missed, names, part))
    return Analysis(metric, VERSION, told, tuple(sections))


def _image_counts(image: AnnotatedImage, predicted: AnnotatedImage, classes: int) -> tuple[np.ndarray, ...]:
    """Of an image: kinds of false and missed segments (2, 3), by size (5, S), confusions (C, C), missed ones (C,)."""
    truth, found = image.segments, predicted.segments
    pairs = pairs_of(read_ids(image.png, TRUTH_PNG), read_ids(predicted.png, PREDICTED_PNG))
    own = matched_segments(pairs, truth, found)
    counts = ~truth.crowd[own.row]
    alike = truth.category[own.row] == found.category[own.column]
    other, near = counts & ~alike & (own.overlap > 0.5), counts & alike & (own.overlap > NEAR)
    kinds = np.zeros((2, len(_KINDS)), np.int64)
    for side, (left, places) in enumerate(((own.false, own.column), (own.missed, own.row))):
        mistaken, misplaced = np.zeros(len(left), bool), np.zeros(len(left), bool)
        mistaken[places[other]] = misplaced[places[near]] = True
        kinds[side] = [
            (left & mistaken).sum(),
            (left & ~mistaken & misplaced).sum(),
            (left & ~mistaken & ~misplaced).sum(),
        ]
    confused = other & own.missed[own.row] & own.false[own.column]
    keys = truth.category[own.row[confused]] * classes + found.category[own.column[confused]]
    missed = np.bincount(truth.category[own.missed], minlength=classes)

    by_size = _by_size(own, truth.crowd, area_of(pairs, found))
    pairs_found = np.bincount(keys, minlength=classes * classes).reshape(classes, classes)
    return kinds, by_size, pairs_found, missed


def _by_size(own: MatchedSegments, crowd: np.ndarray, area: np.ndarray) -> np.ndarray:
    """(5, S). crowd: (T,) bool, of annotated segments; area: (F,) pixels of predicted ones."""
    right = np.zeros(len(area), bool)
    right[own.other] = True
    bounds, many = np.array(SIDES[1:]) ** 2, len(SIDES)
    size, predicted = (np.searchsorted(bounds, each, side="right") for each in (own.area, area))
    counts = [
        np.bincount(size[~crowd], minlength=many),
        np.bincount(size[own.one], minlength=many),
        np.bincount(size[own.one], own.iou, many),
        np.bincount(predicted[right | own.false], minlength=many),
        np.bincount(predicted[right], minlength=many),
    ]
    return np.array(counts, np.float64)


def _class_values(totals: PanopticSums) -> np.ndarray:
    """(C, 6) PQ, SQ, RQ and what is lost by IoU, false positives and misses; NaN of a class that does not occur."""
    classes = len(totals.things)
    tp, fp, fn = totals.counts.sum(axis=1)
    iou = np.bincount(totals.category, totals.iou, classes)
    whole = tp + fp / 2 + fn / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        segmentation = np.where(whole > 0, np.where(tp > 0, iou / tp, 0.0), np.nan)
        parts = [iou / whole, segmentation, tp / whole, (tp - iou) / whole, fp / 2 / whole, fn / 2 / whole]
    return np.column_stack(parts)


_RULE = (
    "PQ = sum of IoU / (TP + FP / 2 + FN / 2) = SQ x RQ. It loses sum of 1 - IoU of matches, FP / 2 and FN / 2 over "
    "the same: with PQ, the three sum to 1."
)
_LOST = ("lost by IoU", "lost by false positives", "lost by misses")


def _losses(classes: np.ndarray, some: Sequence[np.ndarray]) -> AnalysisTable:
    return told_table(
        "losses",
        "What PQ loses",
        f"{_RULE} Means over classes that occur, as the score: of all, of things, and of stuff.",
        PQ,
        ("IoU of matches", "false positives", "misses"),
        [(name, "fraction") for name in ("PQ lost", "by things", "by stuff")],
        np.column_stack([mean(classes[chosen, 3:].T) for chosen in some]),
        "no such class occurs",
        main=0,
    )


def _classes(classes: np.ndarray, totals: PanopticSums, names: Sequence[str]) -> AnalysisTable:
    columns = [(name, "fraction") for name in ("PQ", "SQ", "RQ", *_LOST)]
    return told_table(
        "classes",
        "PQ by class",
        f"{_RULE} TP: matches of an IoU above 0.5; FP: predicted segments without a match that do not lie in void or "
        "crowds; FN: annotated ones without a match.",
        PQ,
        names,
        [*columns, ("TP", "count"), ("FP", "count"), ("FN", "count")],
        np.column_stack([classes, totals.counts.sum(axis=1).T]),
        "the class is neither annotated nor predicted",
        main=0,
    )


def _of_some(part: bool) -> str:
    return f" Counted over at most {MOST_IMAGES} images, at even distances by id." if part else ""


def _unmatched(kinds: np.ndarray, part: bool) -> AnalysisTable:
    with np.errstate(invalid="ignore"):
        shares = kinds / kinds.sum(axis=1, keepdims=True)
    values = np.column_stack([kinds[0], shares[0], kinds[1], shares[1]])
    reasons = {
        (row, column): f"no segment is {'false' if column == 1 else 'missed'}"
        for row, column in np.argwhere(np.isnan(values)).tolist()
    }
    return AnalysisTable(
        "unmatched", "Segments without a match",
        "Predicted segments that are false, and annotated ones that are missed: those with an IoU above 0.5 with a "
        f"segment of another class; else, those with an IoU above {NEAR:g} with one of their own; else neither. IoU as "
        f"PQ has it, without void; crowds are left out.{_of_some(part)}",
        TIDE, _KINDS, ("false positives", "of all false", "misses", "of all missed"),
        ("count", "fraction", "count", "fraction"), values, reasons, main=0,
    )  # fmt: skip


def _confusions(pairs: np.ndarray, missed: np.ndarray, names: Sequence[str], part: bool) -> AnalysisTable:
    order = np.argsort(-pairs.ravel(), kind="stable")[:MOST_PAIRS]
    order = order[pairs.ravel()[order] > 0]
    own, other = np.divmod(order, len(names))
    many = pairs[own, other]
    values = np.column_stack([many, many / missed[own], many / pairs.sum(), pairs[other, own]]).astype(np.float64)
    return AnalysisTable(
        "confusions", "Most confused classes",
        f"The {MOST_PAIRS} most frequent pairs of the class of a missed segment and that of the false one with an IoU "
        "above 0.5 with it. Of the missed: among the missed segments of its class; of all: among all such pairs; the "
        f"other way: segments of the second class taken for the first.{_of_some(part)}",
        TIDE, tuple(f"{names[one]} → {names[two]}" for one, two in zip(own.tolist(), other.tolist(), strict=True)),
        ("segments", "of the missed", "of all", "the other way"), ("count", "fraction", "fraction", "count"), values,
        main=0,
    )  # fmt: skip


def _sizes(sizes: np.ndarray, part: bool) -> AnalysisTable:
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, precision = sizes[MATCHED] / sizes[SEGMENTS], sizes[RIGHT] / sizes[PREDICTED]
        values = np.column_stack([sizes[SEGMENTS], recall, sizes[IOU] / sizes[MATCHED], sizes[PREDICTED], precision])
    none = ("", "no such segment is annotated", "no such segment is matched", "", "no such segment is predicted")
    reasons = {(row, column): none[column] for row, column in np.argwhere(np.isnan(values)).tolist()}
    ends = (f"{low}²-{high}² px" if low else f"below {high}² px" for low, high in pairwise(SIDES))
    return AnalysisTable(
        "sizes", "Segments by size",
        "Annotated segments by their area, crowds left out: how many match (recall), and the mean IoU of those that "
        "do; predicted ones by theirs, those that lie in void or crowds left out: how many match (precision)."
        f"{_of_some(part)}",
        PQ, (*ends, f"from {SIDES[-1]}² px"), ("segments", "recall", "mean IoU", "predicted", "precision"),
        ("count", "fraction", "fraction", "count", "fraction"), values, reasons, main=1,
    )  # fmt: skip
