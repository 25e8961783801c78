"""Why mIoU is what it is: confusions, classes, pixels near edges and inside, objects by size.

Confusions and classes come from a state alone. Edges and objects need the maps, which are read again: of at most
`MOST_IMAGES` images, at even distances among all of them by name, so that the analysis of a large set takes a part of
the time of its scoring; params say how many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import TypeVar

import numpy as np

from hrbench.formats.label_folders import in_order
from hrbench.metrics.existing import mean
from hrbench.metrics.labels.bands import BANDS, WIDTHS, ring_counts
from hrbench.metrics.labels.class_confusions import (
    MOST_CLASSES,
    RESAMPLES,
    SEED,
    class_table,
    confusion_matrix,
    confusion_table,
)
from hrbench.metrics.labels.objects import FOUND, HALVES, HITS, OBJECTS, PIXELS, SIDES, object_counts
from hrbench.metrics.labels.overlap import iou
from hrbench.types import Analysis, AnalysisCurves, AnalysisSection, AnalysisTable

VERSION = 1
MOST_IMAGES = 100
"""Whose maps are read again."""

TRIMAPS = (
    "Kohli et al., Robust Higher Order Potentials for Enforcing Label Consistency, IJCV 2009; Krähenbühl and Koltun, "
    "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials, NIPS 2011"
)
_THIRDS = (0, 2, 4, len(SIDES))

Name = TypeVar("Name", int, str, int | str)

Maps = Callable[[str], tuple[np.ndarray, np.ndarray]]
"""Name of an image -> its maps (H, W) uint16: class indices or IGNORED, and predicted class indices or C for none."""


def label_analysis(
    metric: str,
    names: Sequence[str],
    matrix: np.ndarray,
    sums: np.ndarray,
    images: Sequence[str],
    maps: Maps,
    groups: np.ndarray | None,
) -> Analysis:
    """The analysis of a measurement; without sections if no pixel is judged.

    names: of the C classes.
    matrix: (C, C + 1) int64, judged pixels, rows ground truth, the last column no class.
    sums: (I, 3, C) float64, pixels right, annotated and predicted of each class in each image.
    images: names of the I images, sorted.
    groups: (I,) as of `bootstrap.intervals`; None to resample images.
    """
    read = spread(images)
    params = {
        "resamples": RESAMPLES, "seed": SEED, "widths": list(WIDTHS), "sides": list(SIDES), "found": FOUND,
        "images": len(images), "images_read": len(read),
    }  # fmt: skip
    if not matrix.any():
        return Analysis(metric, VERSION, params, ())
    sections: list[AnalysisSection] = [confusion_table(matrix, names), class_table(sums, names, groups)]
    if len(names) <= MOST_CLASSES:
        sections.append(confusion_matrix(matrix, names))
    classes = len(names)

    def counted(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        truth, guess = maps(name)
        return ring_counts(truth, guess, classes), *object_counts(truth, guess, classes)

    rings = np.zeros((BANDS, 3, classes), np.int64)
    objects, shares = np.zeros((4, classes, len(SIDES)), np.int64), np.zeros((classes, len(SIDES)))
    for ring, some, share in in_order(counted, read):
        rings += ring
        objects += some
        shares += share
    if rings.any():
        sections += _edges(rings, len(read) < len(images))
        sections += _sizes(objects, shares, names, len(read) < len(images))
    return Analysis(metric, VERSION, params, tuple(sections))


def spread(images: Sequence[Name]) -> list[Name]:
    """At most `MOST_IMAGES` of them, at even distances.

    >>> spread(["a", "b"]), len(spread([str(n) for n in range(1000)]))
    (['a', 'b'], 100)
    """
    many = len(images)
    places = range(many) if many <= MOST_IMAGES else np.linspace(0, many - 1, MOST_IMAGES).round().astype(int).tolist()
    return [images[place] for place in places]


def _of_some(part: bool) -> str:
    return f" Counted over at most {MOST_IMAGES} images, at even distances by name." if part else ""


def _accuracy(counts: np.ndarray) -> np.ndarray:
    """(..., 2): accuracy of pixels and mean IoU of (..., 3, C) int64; NaN for none."""
    right, annotated = counts[..., 0, :].sum(axis=-1), counts[..., 1, :].sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return np.stack([right / annotated, mean(iou(counts))], axis=-1)


def _edges(rings: np.ndarray, part: bool) -> list[AnalysisSection]:
    """rings: (BANDS, 3, C) of all images read."""
    bands = np.array(list(accumulate(rings[:-1])))
    rule = (
        "A pixel lies within w px of an edge if the square of 2 w + 1 around it holds two labels of the ground truth, "
        "that of pixels which are not judged among them; the border of the image is no edge." + _of_some(part)
    )
    curves = AnalysisCurves(
        "trimap", "Pixels near edges", f"Accuracy and mean IoU of the judged pixels within w px of an edge. {rule}",
        TRIMAPS, "w (px)", "accuracy, mean IoU", ("accuracy", "mean IoU"), np.array(WIDTHS, np.float64),
        np.ascontiguousarray(_accuracy(bands).T),
    )  # fmt: skip
    annotated, right = rings[:, 1].sum(axis=1), rings[:, 0].sum(axis=1)
    with np.errstate(invalid="ignore"):
        wrong = (annotated - right) / (annotated - right).sum()
        values = np.column_stack([annotated / annotated.sum(), _accuracy(rings), wrong, annotated])
    reasons = {}
    for row, column in np.argwhere(np.isnan(values)).tolist():
        reasons[row, column] = "no pixel is wrong" if column == 3 else "no pixel lies there"
    between = (f"{low + 1}-{high} px" if low + 1 < high else f"{high} px" for low, high in pairwise(WIDTHS))
    table = AnalysisTable(
        "edges", "Boundary against interior",
        f"Judged pixels by their distance from the nearest edge, which parts them all; errors are wrong pixels. {rule}",
        TRIMAPS, (f"within {WIDTHS[0]} px", *between, f"interior, over {WIDTHS[-1]} px"),
        ("of all pixels", "accuracy", "mean IoU", "of the errors", "pixels"), ("fraction",) * 4 + ("count",), values,
        reasons, main=1,
    )  # fmt: skip
    return [curves, table]


def _sizes(objects: np.ndarray, shares: np.ndarray, names: Sequence[str], part: bool) -> list[AnalysisSection]:
    """objects: (4, C, S), shares: (C, S), as `object_counts` gives them, of all images read."""
    rule = (
        "An object is a connected region of one annotated class (pixels that share a side), so that a region of stuff "
        "is one, too, and things that touch are one together. Recall: share of its pixels that are predicted with its "
        f"class; found: objects whose recall is {FOUND:g} or more." + _of_some(part)
    )
    total = objects.sum(axis=1)
    with np.errstate(invalid="ignore"):
        parts = [total[HITS] / total[PIXELS], shares.sum(axis=0) / total[OBJECTS], total[HALVES] / total[OBJECTS]]
        values = np.column_stack([total[OBJECTS], total[PIXELS] / total[PIXELS].sum(), *parts]).astype(np.float64)
    reasons = _absent(values, "no such object")
    labels = tuple(_between(start, start + 1) for start in range(len(SIDES)))
    sizes = AnalysisTable(
        "sizes", "Objects by size", rule, "", labels,
        ("objects", "of all pixels", "recall of pixels", "mean recall", "found"), ("count",) + ("fraction",) * 4,
        values, reasons, main=3,
    )  # fmt: skip
    columns, cells = [], []
    for start, end in pairwise(_THIRDS):
        some = objects[:, :, start:end].sum(axis=2)
        with np.errstate(invalid="ignore"):
            cells += [some[OBJECTS], shares[:, start:end].sum(axis=1) / some[OBJECTS]]
        label = _between(start, end)
        columns += [f"objects {label}", f"recall {label}"]
    table = np.column_stack(cells).astype(np.float64)
    none = _absent(table, "no such object")
    by_class = AnalysisTable(
        "class_sizes", "Objects of each class by size", f"Mean recall of objects. {rule}", "", tuple(names),
        tuple(columns), ("count", "fraction") * 3, table, none, main=1,
    )  # fmt: skip
    return [sizes, by_class]


def _between(start: int, end: int) -> str:
    """Areas from SIDES[start]^2 to below SIDES[end]^2 in words."""
    if not start:
        return f"below {SIDES[end]}² px"
    return f"from {SIDES[start]}² px" if end == len(SIDES) else f"{SIDES[start]}²-{SIDES[end]}² px"


def _absent(values: np.ndarray, reason: str) -> dict[tuple[int, int], str]:
    """The reason at each NaN of a table (R, C)."""
    return {
        (row, column): reason for row in range(len(values)) for column in np.flatnonzero(np.isnan(values[row])).tolist()
    }
