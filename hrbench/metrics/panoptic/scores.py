"""Panoptic quality of all classes, of things and of stuff, and of every class, from sums of counts.

Source: Kirillov et al., Panoptic Segmentation, CVPR 2019, section 4, in panopticapi's order of operations. With TP
matches, FP false positives and FN misses of a class, and the sum of its matches' IoU:

    PQ = sum of IoU / (TP + FP / 2 + FN / 2)
    SQ = sum of IoU / TP, 0 without a match
    RQ = TP / (TP + FP / 2 + FN / 2)

A class with none of the three has no number and is left out of means. panopticapi adds classes up one after the other,
and IoUs match after match; `PanopticSums.at` repeats that order, by rising image id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrbench.metrics.existing import mean_in_order
from hrbench.types import Measurement, Quantity, Reason

GROUPS = (("", "of all classes"), ("_things", "of the classes of things"), ("_stuff", "of the classes of stuff"))
PARTS = (
    ("PQ", "Panoptic quality: the sum of the matches' IoU over TP + FP / 2 + FN / 2"),
    ("SQ", "Segmentation quality: mean IoU of the matches, 0 without any"),
    ("RQ", "Recognition quality: TP over TP + FP / 2 + FN / 2"),
)
_SHORT = {"": "", "_things": " things", "_stuff": " stuff"}


def _means() -> tuple[Quantity, ...]:
    return tuple(
        Quantity(
            f"{part}{group}",
            f"{part}{_SHORT[group]}",
            "fraction",
            "higher",
            f"{text}; mean {words} that occur in ground truth or predictions, as panopticapi; n is these classes.",
        )
        for group, words in GROUPS
        for part, text in PARTS
    )


MEANS = _means()


def class_quantities(names: Sequence[str]) -> tuple[Quantity, ...]:
    """PQ of every class, then SQ, then RQ."""
    return tuple(
        Quantity(
            f"{part}/{name}",
            f"{part} {name}",
            "fraction",
            "higher",
            f"{text}; of {name}; n is its segments, annotated or predicted, those of a match as one.",
        )
        for part, text in PARTS
        for name in names
    )


@dataclass(frozen=True)
class PanopticSums:
    """Per image, the sums behind the numbers of C classes.

    counts: (3, I, C) float64, whole numbers: matches, false positives, misses.
    image, category: (M,) of every match, images in order.
    iou: (M,) float64.
    things: (C,) bool.
    """

    counts: np.ndarray
    image: np.ndarray
    category: np.ndarray
    iou: np.ndarray
    things: np.ndarray

    def at(self, weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
        """(B, 9 + 3C) the numbers if image i counts `weights`[b, i] times; weights (B, I).

        once: (I,) the weights of the images of which `weights` are resamples: in means, a class that does not occur in
            a resample keeps its numbers of them. None if they are no resamples.
        """
        held = None if once is None else self._classes(once[None])
        return numbers(self._classes(weights), self.things, held)

    def images(self) -> np.ndarray:
        """(I, 9 + 3C) the numbers of each single image."""
        many, classes = self.counts.shape[1:]
        iou = np.bincount(self.image * classes + self.category, self.iou, many * classes).reshape(many, classes)
        return numbers(class_numbers(iou, *self.counts), self.things)

    def segments(self) -> np.ndarray:
        """(C,) int64: matches, false positives and misses of each class together."""
        return self.counts.sum(axis=(0, 1)).astype(np.int64)

    def _classes(self, weights: np.ndarray) -> np.ndarray:
        """(B, 3, C) numbers of the classes."""
        classes = self.counts.shape[2]
        # bincount adds one match after the other, as panopticapi does; counts are whole and exact in any order
        iou = np.stack([np.bincount(self.category, self.iou * row[self.image], classes) for row in weights])
        return class_numbers(iou, *(weights @ part for part in self.counts))


def sums(arrays: Mapping[str, np.ndarray], params: Mapping[str, Any]) -> PanopticSums:
    """The sums of a state's arrays, images in their order."""
    things = np.array(params["things"], np.bool_)
    shape = len(arrays["image"]), len(things)
    every = np.arange(shape[0])
    image = np.repeat(every, arrays["matches"])
    category = arrays["match_category"].astype(np.int64)
    counts = np.zeros((3, *shape))
    counts[0] = np.bincount(image * shape[1] + category, minlength=shape[0] * shape[1]).reshape(shape)
    at = np.repeat(every, arrays["unmatched"]), arrays["category"].astype(np.int64)
    counts[1][at], counts[2][at] = arrays["false_positives"], arrays["misses"]
    return PanopticSums(counts, image, category, arrays["iou"], things)


def class_numbers(iou: np.ndarray, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """(B, 3, C) PQ, SQ and RQ of each class, NaN if it has none; arguments (B, C)."""
    whole = tp + 0.5 * fp + 0.5 * fn
    with np.errstate(invalid="ignore", divide="ignore"):
        segmentation = np.where(whole > 0, np.where(tp > 0, iou / tp, 0.0), np.nan)
        return np.stack([iou / whole, segmentation, tp / whole], axis=1)


def numbers(classes: np.ndarray, things: np.ndarray, held: np.ndarray | None = None) -> np.ndarray:
    """(B, 9 + 3C) the means in the order of MEANS, then the numbers of classes; NaN for one that does not exist.

    classes: (B, 3, C).
    things: (C,) bool.
    held: (1, 3, C) what a class that does not exist has in means; None for nothing.
    """
    over = classes if held is None else np.where(np.isnan(classes), held, classes)
    means = [mean_in_order(over[..., chosen]) for chosen in (np.ones_like(things), things, ~things)]
    return np.concatenate([*means, classes.reshape(len(classes), 3 * len(things))], axis=1)


def measurements(
    metric: str,
    quantities: Sequence[Quantity],
    values: Sequence[float],
    ends: Sequence[tuple[float, float] | None],
    totals: PanopticSums,
    names: Sequence[str],
) -> list[Measurement]:
    """Scores of these values, with a reason for those that are NaN. names: of the classes."""
    segments = totals.segments()
    occur = segments > 0
    many = [int((occur & chosen).sum()) for chosen in (np.ones_like(occur), totals.things, ~totals.things)]
    n = [each for each in many for _ in PARTS] + segments.tolist() * 3
    images = len(totals.counts[0])
    where = f"{images} image" + ("" if images == 1 else "s")
    what = ["what is judged"] * 3 + ["a class of things"] * 3 + ["a class of stuff"] * 3 + [*names] * 3
    scores = []
    for quantity, value, end, count, one in zip(quantities, values, ends, n, what, strict=False):
        if np.isnan(value):
            reason = Reason(f"{one} occurs neither in ground truth nor in predictions of {where}")
            scores.append(Measurement(quantity, None, metric, reason=reason))
        else:
            scores.append(Measurement(quantity, value, metric, end, count))
    return scores
