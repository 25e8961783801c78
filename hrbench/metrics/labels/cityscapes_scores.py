"""The numbers of Cityscapes' official evaluation from counts, equal to the last bit.

Source: `evaluation/evalPixelLevelSemanticLabeling.py` of cityscapesScripts 2.3.0. How its numbers are defined:

- Pixels whose true label is not evaluated count nowhere. On all others a prediction of a label that is not evaluated
  is a miss, and no false positive of any class.
- IoU = TP / (TP + FP + FN). In a category's IoU confusions within the category are right.
- iIoU weighs the TP and FN of each instance by the mean size of its class over its own size, and does not weigh FP. In
  a category's iIoU any label of the category is right, caravans and trailers too.
- A class that occurs neither in ground truth nor in predictions has no number and is left out of means.

The script adds weights up image after image and instance after instance; `Sums.weighted` repeats that order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hrbench.metrics.existing import mean_in_order
from hrbench.metrics.labels.asked import AskedNumbers, ToldNumbers
from hrbench.metrics.labels.cityscapes_labels import (
    CATEGORIES,
    CATEGORY_OF,
    CLASSES,
    INSTANCE_CATEGORIES,
    INSTANCE_CLASSES,
    LABELS,
)
from hrbench.metrics.labels.states import matrices
from hrbench.types import Quantity

_COUNT = len(LABELS)
_EVALUATED = np.array([label.evaluated for label in LABELS])
_CLASS = np.array([label.id for label in CLASSES])
_THING = np.array([n for n, label in enumerate(CLASSES) if label.size])
_THING_ID = np.array([label.id for label in INSTANCE_CLASSES])
_THING_SIZE = np.array([label.size for label in INSTANCE_CLASSES])
_HERE = [np.equal(CATEGORY_OF, n) for n in range(1, len(CATEGORIES) + 1)]
_THING_HERE = [_HERE[CATEGORIES.index(category)] for category in INSTANCE_CATEGORIES]
_THING_CATEGORY = np.array([INSTANCE_CATEGORIES.index(label.category) for label in INSTANCE_CLASSES])


def _quantities() -> tuple[Quantity, ...]:
    official = "as the official scripts count; n is images."
    means = [
        ("mIoU", "mIoU", f"Mean IoU of the 19 classes, {official}"),
        ("iIoU_class", "iIoU cla.", f"Mean instance-weighted IoU of the 8 classes that have instances, {official}"),
        ("IoU_category", "IoU cat.", f"Mean IoU of the 7 categories, {official}"),
        ("iIoU_category", "iIoU cat.", f"Mean instance-weighted IoU of the categories human and vehicle, {official}"),
        ("pixel_acc", "pixel acc.", "Share of the evaluated pixels that are right; n is images."),
        (
            "mean_acc",
            "mean acc.",
            "Mean over the annotated classes of the share of pixels that are right; n is images.",
        ),
        ("fwIoU", "fw. IoU", "Mean IoU of the classes weighted by annotated pixels; n is images."),
        (
            "mIoU_training",
            "mIoU (train.)",
            "Mean IoU as training code counts it: over all 19 classes, 0 for one that does not occur; n is images.",
        ),
        (
            "mean_acc_training",
            "mean acc. (train.)",
            "Mean accuracy as training code counts it: over all 19 classes, 0 for one not annotated; n is images.",
        ),
    ]
    parts = [(f"IoU/{label.name}", label.name, f"IoU of {label.name}, {official}") for label in CLASSES]
    parts += [
        (f"iIoU_class/{label.name}", f"i {label.name}", f"Instance-weighted IoU of {label.name}, {official}")
        for label in INSTANCE_CLASSES
    ]
    parts += [
        (f"IoU_category/{name}", f"{name} cat.", f"IoU of the category {name}, {official}") for name in CATEGORIES
    ]
    parts += [
        (f"iIoU_category/{name}", f"i {name} cat.", f"Instance-weighted IoU of the category {name}, {official}")
        for name in INSTANCE_CATEGORIES
    ]
    return tuple(Quantity(name, label, "fraction", "higher", text) for name, label, text in (*means, *parts))


QUANTITIES = _quantities()
_OVERALL = sum("/" not in quantity.name for quantity in QUANTITIES)


def quantities_of(asked: AskedNumbers) -> tuple[Quantity, ...]:
    """The usual numbers, with those that are asked for behind the means and at the end."""
    single = asked.single([label.name for label in CLASSES])
    return (*QUANTITIES[:_OVERALL], *asked.overall(), *QUANTITIES[_OVERALL:], *single)


def _projection() -> np.ndarray:
    """(34 x 34, 80) of 0 and 1: which pairs of labels each sum of pixels consists of, in the order of `_split`."""
    columns = []

    def add(rows: np.ndarray, predicted: np.ndarray) -> None:
        columns.append(np.outer(rows, predicted).ravel())

    everything = np.ones(_COUNT, np.bool_)
    one = [np.arange(_COUNT) == label for label in range(_COUNT)]
    for label in _CLASS:
        add(one[label], one[label])
    for label in _CLASS:
        add(one[label], everything)
    for label in _CLASS:
        add(_EVALUATED & ~one[label], one[label])
    for here in _HERE:
        add(_EVALUATED & here, _EVALUATED & here)
    for here in _HERE:
        add(_EVALUATED & here, everything)
    for here in _HERE:
        add(_EVALUATED & ~here, _EVALUATED & here)
    for here in _THING_HERE:
        add(_EVALUATED & ~here, here)
    return np.array(columns, np.float64).T


_PROJECTION = _projection()
_ENDS = np.cumsum([len(CLASSES)] * 3 + [len(CATEGORIES)] * 3)


@dataclass(frozen=True)
class Sums:
    """Per image, the sums behind the numbers.

    pixels: (I, P) float64, whole numbers.
    weighted: (I, W) float64, TP then FN of the 8 classes and of the 2 categories.
    total: (W,) float64, `weighted` summed in the official order.
    """

    pixels: np.ndarray
    weighted: np.ndarray
    total: np.ndarray

    def at(self, weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
        """(B, Q) the numbers if image i counts `weights`[b, i] times; weights (B, I).

        once: (I,) the weights of the images of which `weights` are resamples: in means, a class that does not occur in
            a resample keeps its number of them. None if they are no resamples.
        """
        # pixels are whole numbers, exact in any order; the others are added row by row, in the same order every time
        weighted = [(times[:, None] * self.weighted).sum(axis=0) for times in weights]
        held = None if once is None else _parts(once @ self.pixels, (once[:, None] * self.weighted).sum(axis=0))
        return numbers(weights @ self.pixels, np.stack(weighted), held)

    def all(self) -> np.ndarray:
        """(Q,) the numbers over all images, NaN if one does not exist."""
        return numbers(self.pixels.sum(axis=0), self.total)

    def images(self) -> np.ndarray:
        """(I, Q) the numbers of each single image."""
        return numbers(self.pixels, self.weighted)


def sums(arrays: Mapping[str, np.ndarray]) -> Sums:
    """The sums of a state's arrays, images in their order."""
    images = len(arrays["image"])
    instance = arrays["instance"].astype(np.int64)
    kind = np.searchsorted(_THING_ID, instance // 1000)
    size = arrays["size"].astype(np.float64)
    weight = _THING_SIZE[kind] / size
    image = np.repeat(np.arange(images), arrays["things"])
    weighted, total = [], []
    for hits, place, many in (
        (arrays["hits"], kind, len(_THING_ID)),
        (arrays["category_hits"], _THING_CATEGORY[kind], len(INSTANCE_CATEGORIES)),
    ):
        for terms in (hits.astype(np.float64) * weight, (arrays["size"] - hits).astype(np.float64) * weight):
            # bincount adds one row after the other, as the script does
            total.append(np.bincount(place, terms, many))
            weighted.append(np.bincount(image * many + place, terms, images * many).reshape(images, many))
    pixels = matrices(arrays, (_COUNT, _COUNT)) @ _PROJECTION
    return Sums(pixels, np.concatenate(weighted, axis=1), np.concatenate(total))


def told_numbers(totals: Sums, asked: AskedNumbers) -> ToldNumbers:
    """All numbers, in the order of `quantities_of`, as a function of image weights."""
    hit, row, false = np.split(totals.pixels[:, : _ENDS[2]], _ENDS[:2], axis=-1)
    return ToldNumbers(totals, _OVERALL, asked, np.stack([hit, row, hit + false], axis=1))


class _Parts(NamedTuple):
    """The numbers of single classes and categories, NaN if one does not exist; `pixel` and `weighted` over all
    pixels.
    """

    classes: np.ndarray
    things: np.ndarray
    categories: np.ndarray
    thing_categories: np.ndarray
    accuracy: np.ndarray
    pixel: np.ndarray
    weighted: np.ndarray


def numbers(pixels: np.ndarray, weighted: np.ndarray, held: _Parts | None = None) -> np.ndarray:
    """(..., Q) float64 in the order of QUANTITIES, NaN if one does not exist.

    pixels, weighted: (..., P) and (..., W), as `Sums` has them of each image.
    held: what a class or category that does not exist has in means; None for nothing.
    """
    own = parts = _parts(pixels, weighted)
    if held is not None:
        parts = _Parts._make(np.where(np.isnan(part), whole, part) for part, whole in zip(own, held, strict=True))
    means = [
        *(mean_in_order(part) for part in parts[:4]),
        parts.pixel,
        mean_in_order(parts.accuracy),
        parts.weighted,
        *(np.where(np.isnan(part), 0.0, part).mean(axis=-1) for part in (parts.classes, parts.accuracy)),
    ]
    return np.concatenate([np.stack(means, axis=-1), *own[:4]], axis=-1)


def _parts(pixels: np.ndarray, weighted: np.ndarray) -> _Parts:
    hit, row, false, near, rows, stray, thing_stray = np.split(pixels, _ENDS, axis=-1)
    eight, two = len(INSTANCE_CLASSES), len(INSTANCE_CATEGORIES)
    tp, fn, near_tp, near_fn = np.split(weighted, (eight, 2 * eight, 2 * eight + two), axis=-1)
    classes = _iou(hit, false, row - hit)
    categories = _iou(near, stray, rows - near)
    things = _iou(tp, false[..., _THING], fn)
    thing_categories = _iou(near_tp, thing_stray, near_fn)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = hit / row
        total = row.sum(axis=-1)
        pixel = hit.sum(axis=-1) / total
        weighted = np.where(row > 0, row * classes, 0.0).sum(axis=-1) / total
    return _Parts(classes, things, categories, thing_categories, accuracy, pixel, weighted)


def _iou(right: np.ndarray, false: np.ndarray, missed: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return right / (right + false + missed)
