"""Boundary IoU of label maps: IoU of the classes' boundaries alone, and its mean over classes.

Synopsis:

    metric = BoundaryIoU(names=("background", "aeroplane", ...), ignore=(255,))
    target = metric.read_target(Path("VOC2012/SegmentationClass"))
    state = metric.measure(metric.read_predictions(Path("results"), target), target)
    scores = metric.summarise(metric.merge([state]))

Source: Cheng et al., Boundary IoU, CVPR 2021: of the pixels of a class, annotated or predicted, only those within d
px of the class's edge are compared (`metrics.boundaries`), d being `dilation_ratio` of the image's diagonal. As for
mIoU, pixels are counted over all images before they are divided, and a class without any boundary pixel is left out of
the mean.

Pixels that are not judged are no class in either map: their edge is one of the classes beside them in both, so that
ground truth as prediction has a boundary IoU of 1.

A state has a row for each image and class that has boundary pixels: `boundaries` (I,) int64, how many classes an image
has; their rows are `class` (N,) uint16, and how many boundary pixels are `shared`, `annotated` and `predicted`, int64.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.formats.label_folders import LabelFolder, in_order, write_label_maps
from hrbench.metrics.boundaries import RATIO, checked_ratio, everywhere, width_of
from hrbench.metrics.existing import by_name, mean
from hrbench.metrics.labels.boundary_reference import counts_by_opencv
from hrbench.metrics.labels.classes import IGNORED
from hrbench.metrics.labels.maps import LabelMaps, Maps
from hrbench.metrics.labels.mean_iou import MeanIoU
from hrbench.metrics.labels.notes import map_notes
from hrbench.metrics.labels.overlap import iou
from hrbench.metrics.labels.states import AT_ONCE, form_of, group_numbers, map_bytes, scores_of, state_of
from hrbench.metrics.states import TRUTH, arrays_of, merge, truth_digests
from hrbench.statistics.bootstrap import intervals
from hrbench.types import ByImage, Measurement, Note, Prediction, Quantity, State

COUNTS = ("shared", "annotated", "predicted")
SEEN = ("ignored", "judged", "no_class")
"""Of each image: annotated pixels that are not judged, the others, and those of the others predicted as no class."""

FORM = replace(form_of("boundary-miou", 1, boundaries=("class", *COUNTS)), extra=(TRUTH, *SEEN))
DTYPES: dict[str, type] = {"class": np.uint16, **dict.fromkeys(COUNTS, np.int64)}


class BoundaryIoU:
    """Mean boundary IoU, and that of every class, of any set of label maps.

    names, ids, ignore, classes, files, mapping, labels, interval, label_suffix, values: as of `MeanIoU`.
    palette, ignore_colours, channels: as of `MeanIoU`.
    dilation_ratio: the width of boundaries in parts of the image's diagonal, rounded to whole px, at least 1.
    """

    name = FORM.metric
    version = FORM.version
    prediction_file = "predictions"
    prediction_form = MeanIoU.prediction_form
    oracle = "OpenCV, class by class,"
    quality_is = "mean boundary IoU of the classes in the image"
    main = "boundary_mIoU"
    quantities: tuple[Quantity, ...]

    def __init__(
        self,
        names: Sequence[str] | None = None,
        ids: Sequence[int] | None = None,
        ignore: Sequence[int] = (255,),
        classes: int | None = None,
        files: Sequence[str] | None = None,
        mapping: Mapping[Any, int] | None = None,
        labels: Literal["auto", "ids", "indices"] = "auto",
        interval: Literal["image", "group"] = "image",
        label_suffix: str = ".png",
        values: Mapping[Any, int] | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        ignore_colours: Sequence[Sequence[int]] = (),
        channels: Literal["one", "equal"] = "one",
        dilation_ratio: float = RATIO,
    ) -> None:
        if interval not in ("image", "group"):
            raise UsageError(f"interval {interval!r}: say image or group")
        self.maps = LabelMaps(names, ids, ignore, classes, files, mapping, labels, label_suffix, values, palette,
                              ignore_colours, channels)  # fmt: skip
        self.classes, self.interval, self.ratio = self.maps.classes, interval, checked_ratio(dilation_ratio)
        self.quantities = quantities_of(self.classes.names, self.ratio)

    def own_criteria(self) -> dict[str, Any]:
        """The width of boundaries if it is not the paper's."""
        return {"dilation_ratio": self.ratio} if self.ratio != RATIO else {}

    def read_target(self, path: Path) -> Maps:
        """The files of ground truth, which `measure` reads. Raises MissingError for one that is not there."""
        return self.maps.read_target(path)

    def read_predictions(self, path: Path, target: Maps) -> LabelFolder:
        """The files of predictions, which `measure` reads, and what they hold. Images without one are left out.

        Raises MissingError, InputError if names are ambiguous or of no image, or the kind of the numbers is unclear.
        """
        return self.maps.read_predictions(path, target)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Writes a folder of class-index PNGs, named as the samples; see `write_label_maps`."""
        write_label_maps(predictions, Path(path), None, len(self.classes), "indices")

    def measure(self, predictions: LabelFolder, target: Maps, images: Sequence[int | str] | None = None) -> State:
        """Counts of all images, or of those in `images`. A few are read at a time.

        Raises InputError for a damaged file, other sizes, an unknown label, an image without prediction.
        """
        names = self.maps.chosen(images, predictions, target)
        truths, guesses = self.classes.truths(), self.classes.guesses(predictions.kind)

        def counted(name: str) -> dict[str, np.ndarray]:
            pair = self.maps.paired(target.labels[name], predictions.files[name], truths, guesses)
            truth, guess = truths[pair.truth], guesses[pair.predicted]
            rows = boundary_counts(truth, guess, len(self.classes), self.ratio)
            judged = truth != IGNORED
            seen = (truth.size - judged.sum(), judged.sum(), (judged & (guess == len(self.classes))).sum())
            return {**rows, **dict(zip(SEEN, seen, strict=True)), TRUTH: truth_digests([map_bytes(pair.truth)])}

        rows = list(in_order(counted, names))
        groups = [name.rpartition("/")[0] for name in names]
        params = {**self.maps.params(predictions.kind), "dilation_ratio": self.ratio}
        return state_of(FORM, params, names, groups, rows, DTYPES)

    def input_notes(self, predictions: LabelFolder, target: Maps, state: State) -> list[Note]:
        """What in the label maps changes these numbers, or may."""
        ignored, judged, none = (int(state.arrays[name].sum()) for name in SEEN)
        of_class = state.arrays["class"]
        second = bool(state.arrays["annotated"][of_class == 1].any())
        seen = np.unique(of_class[state.arrays["predicted"] > 0])
        return map_notes(self.maps, predictions, (ignored, judged, none), second, seen)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image name. Raises InputError if an image occurs twice or params differ."""
        return merge(states, FORM)

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """All numbers with their 95 % intervals over images or folders (none with resamples=0).

        Raises InputError for a state of other classes, or of boundaries of another width.
        """
        arrays, ratio = arrays_of(state, FORM), state.params["dilation_ratio"]
        if state.params["names"] != list(self.classes.names) or ratio != self.ratio:
            raise InputError(
                f"a state of {len(state.params['names'])} classes with the dilation_ratio {ratio} was given to "
                f"{self.name} of {len(self.classes)} with {self.ratio:g}; construct it with the same names and "
                "dilation_ratio"
            )
        images, table = len(arrays["image"]), _sums(arrays, len(self.classes))
        groups = group_numbers(arrays) if self.interval == "group" else None
        # whole numbers below 2^53 are exact in any order of summing
        ends = intervals(lambda weights: numbers(np.tensordot(weights, table, 1)), images, resamples, seed, groups,
                         at_once=AT_ONCE)  # fmt: skip
        alone = (~np.isnan(numbers(table))).sum(axis=0).tolist()
        return scores_of(self.name, self.quantities, numbers(table.sum(axis=0)).tolist(), ends, alone, images)

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The mean as a function of image weights, then the boundary IoU of each class if `classes`."""
        arrays, names = arrays_of(state, FORM), state.params["names"]
        table = _sums(arrays, len(names))
        told = quantities_of(names, state.params["dilation_ratio"])
        shown = [each.name for each in (told if classes else told[:1])]

        def at(weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
            held = None if once is None else np.tensordot(once, table, 1)
            return numbers(np.tensordot(weights, table, 1), held)[:, : len(shown)]

        qualities = lambda: by_name(arrays["image"], numbers(table)[:, 0])  # noqa: E731
        truth, groups = arrays.get(TRUTH), arrays["group"]
        return ByImage(arrays["image"], tuple(shown), 1, at, qualities, AT_ONCE, truth, groups, resampled=at)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image name -> its own mean boundary IoU, in [0, 1], of the classes in it; images without are absent."""
        arrays = arrays_of(state, FORM)
        return by_name(arrays["image"], numbers(_sums(arrays, len(state.params["names"])))[:, 0])

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """All numbers by eroding whole masks of each class in each image with OpenCV; NaN if there is none."""
        maps = self.read_target(target)
        folder = self.read_predictions(predictions, maps)
        truths, guesses = self.classes.truths(), self.classes.guesses(folder.kind)
        total = np.zeros((3, len(self.classes)))
        for name in self.maps.chosen(images, folder, maps):
            pair = self.maps.paired(maps.labels[name], folder.files[name], truths, guesses)
            total += counts_by_opencv(truths[pair.truth], guesses[pair.predicted], len(self.classes), self.ratio)
        values = numbers(total).tolist()
        return {quantity.name: value for quantity, value in zip(self.quantities, values, strict=True)}


def quantities_of(names: Sequence[str], ratio: float) -> tuple[Quantity, ...]:
    """The mean, then each class."""
    wide = f"boundaries of {ratio:g} of the image's diagonal, over all images; n is images."
    mean = Quantity("boundary_mIoU", "boundary mIoU", "fraction", "higher", f"Mean boundary IoU of the classes, {wide}")
    parts = [
        Quantity(f"boundary_IoU/{name}", name, "fraction", "higher", f"Boundary IoU of {name}, {wide}")
        for name in names
    ]
    return (mean, *parts)


def boundary_counts(truth: np.ndarray, guess: np.ndarray, classes: int, ratio: float) -> dict[str, np.ndarray]:
    """The rows of one image.

    truth: (H, W) uint16, class indices or IGNORED.
    guess: (H, W) uint16, class indices or C for no class.
    """
    guess = np.where(truth == IGNORED, IGNORED, guess)
    width = width_of(ratio, *truth.shape)
    own, found = (near_edges(one, width) for one in (truth, guess))
    # beside the classes there is a place for all that is none: C, IGNORED
    here, there = (np.minimum(one, classes).astype(np.intp) for one in (truth, guess))
    annotated, predicted, shared = (
        np.bincount(one, minlength=classes + 1)[:classes]
        for one in (here[own], there[found], here[own & found & (truth == guess)])
    )
    some = np.flatnonzero(annotated + predicted)
    columns = (some, shared[some], annotated[some], predicted[some])
    return {name: column.astype(DTYPES[name]) for name, column in zip(("class", *COUNTS), columns, strict=True)}


def near_edges(labels: np.ndarray, width: int) -> np.ndarray:
    """(H, W) bool: the pixels on the boundary of their own label's mask, for all labels at once.

    A pixel is on none if the square of 2 `width` + 1 around it lies in the image and has one label: all of its rows are
    constant, and its first column is.
    """
    side, edge = 2 * width + 1, np.ones(labels.shape, bool)
    if min(labels.shape) < side:
        return edge
    rows = everywhere(labels[:, 1:] == labels[:, :-1], side - 1, 1)  # (H, W - 2 width)
    column = everywhere((labels[1:] == labels[:-1])[:, : rows.shape[1]], side - 1, 0)
    edge[width:-width, width:-width] = ~(everywhere(rows, side, 0) & column)
    return edge


def numbers(counts: np.ndarray, held: np.ndarray | None = None) -> np.ndarray:
    """(..., 1 + C) float64: the mean, then boundary IoU of each class; NaN if one does not exist.

    counts: (..., 3, C): boundary pixels shared, annotated and predicted of each class.
    held: (3, C), of all images of which `counts` are resamples: in the mean, a class without any boundary pixel in a
        resample keeps its number of them. None if they are no resamples.
    """
    own = iou(counts)
    over = own if held is None else np.where(np.isnan(own), iou(held), own)
    return np.concatenate([mean(over)[..., None], own], axis=-1)


def _sums(arrays: Mapping[str, np.ndarray], classes: int) -> np.ndarray:
    """(I, 3, C) float64, whole numbers, of each image: boundary pixels shared, annotated, predicted by class."""
    images = len(arrays["image"])
    table = np.zeros((images, 3, classes))
    at = np.repeat(np.arange(images), arrays["boundaries"])
    for row, name in enumerate(COUNTS):
        table[at, row, arrays["class"]] = arrays[name]
    return table
