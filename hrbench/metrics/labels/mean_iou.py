"""Mean IoU and accuracies of label maps from one confusion matrix over a whole set.

Synopsis:

    metric = MeanIoU(names=("background", "aeroplane", ...), ignore=(255,))
    target = metric.read_target(Path("VOC2012/SegmentationClass"))
    state = metric.measure(metric.read_predictions(Path("results"), target), target)
    scores = metric.summarise(metric.merge([state]))

n_tp pixels of true class t are predicted as class p; t_t = sum over p of n_tp. As the papers write them (Long et al.,
CVPR 2015, section 5): pixel accuracy = sum n_tt / sum t_t, mean accuracy = mean n_tt / t_t, IoU = n_tt / (t_t + sum
over t of n_tp - n_tt), frequency-weighted IoU = sum t_t IoU_t / sum t_t. A class that occurs neither in ground
truth nor in predictions has no IoU and is left out of the mean; one that is not annotated has no accuracy. Training
code (`testval` of HRNet-Semantic-Segmentation) divides by at least 1 and averages over all classes: those numbers have
other names.

A state has a block of pairs of class indices (`labels.states`); C in a prediction means no class, which is a miss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.formats.label_folders import Kind, LabelFolder, in_order, write_label_maps
from hrbench.formats.label_runs import histogram
from hrbench.formats.labels import read_labels
from hrbench.metrics.existing import by_name, mean
from hrbench.metrics.labels.asked import AskedNumbers, Empty, Over, ToldNumbers
from hrbench.metrics.labels.classes import IGNORED
from hrbench.metrics.labels.label_analysis import VERSION as ANALYSIS_VERSION
from hrbench.metrics.labels.label_analysis import label_analysis
from hrbench.metrics.labels.maps import WORDS, LabelMaps, Maps
from hrbench.metrics.labels.notes import map_notes, misnumbered
from hrbench.metrics.labels.overlap import iou
from hrbench.metrics.labels.states import (
    AT_ONCE,
    CELLS,
    cells_of,
    class_sums,
    form_of,
    group_numbers,
    map_bytes,
    scores_of,
    state_of,
)
from hrbench.metrics.states import TRUTH, arrays_of, merge, truth_digests
from hrbench.statistics.bootstrap import intervals
from hrbench.types import (
    Analysis,
    ByImage,
    Measurement,
    Note,
    Prediction,
    PredictionForm,
    Quantity,
    State,
)

FORM = replace(form_of("miou", 1, cells=CELLS), extra=(TRUTH, "ignored"))
DTYPES: dict[str, type] = {"truth": np.uint16, "predicted": np.uint16, "pixels": np.int64}
MEANS = (
    Quantity("mIoU", "mIoU", "fraction", "higher", "Mean IoU of the classes that occur; n is images."),
    Quantity(
        "pixel_acc", "pixel acc.", "fraction", "higher", "Share of the judged pixels that are right; n is images."
    ),
    Quantity(
        "mean_acc",
        "mean acc.",
        "fraction",
        "higher",
        "Mean over the annotated classes of the share of pixels that are right; n is images.",
    ),
    Quantity("fwIoU", "fw. IoU", "fraction", "higher", "Mean IoU weighted by annotated pixels; n is images."),
    Quantity(
        "mIoU_training",
        "mIoU (train.)",
        "fraction",
        "higher",
        "Mean IoU as training code counts it: over all classes, 0 for one that does not occur; n is images.",
    ),
    Quantity(
        "mean_acc_training",
        "mean acc. (train.)",
        "fraction",
        "higher",
        "Mean accuracy as training code counts it: over all classes, 0 for one not annotated; n is images.",
    ),
)


class MeanIoU:
    """mIoU, IoU of every class and accuracies of any set of label maps.

    names: of the C classes in the order of a network's outputs.
    classes: how many classes there are, where they have no names.
    ids: the label of each class in the ground truth's files, by default 0 to C - 1.
    mapping: further labels -> the index of the class they count as.
    ignore: labels that are not evaluated.
    files: label files relative to the ground truth's folder, None for all maps in and below it.
    labels: what predicted maps hold: "indices" of classes, "ids" as the ground truth does, or "auto" to find out.
    interval: what the bootstrap resamples: every "image", or each "group" (folder).
    label_suffix: what follows the image's name in names of label files (Cityscapes: _gtFine_labelIds.png).
    values: the number in the ground truth's files -> the index of its class, for all numbers: {0: 0, 255: 1}; instead
        of ids and mapping.
    palette: the colour (red, green, blue) of each class, to read maps in colours.
    ignore_colours: further colours, which are not evaluated.
    channels: "equal" reads maps of several channels that are equal as one.
    class_accuracy: whether to tell the accuracy of each class, too, as "acc/<name>".
    dice: whether to tell Dice, and what it is of a class that is neither annotated nor predicted: "left_out", "one" or
        "zero"; None for no Dice.
    dice_over: "set" counts Dice over all pixels, "image" averages those of images (`asked`).
    """

    name = FORM.metric
    version = FORM.version
    analysis_version = ANALYSIS_VERSION
    prediction_file = "predictions"
    prediction_form = PredictionForm(
        "a folder with a PNG of each image, named after the image, in the same folders; or a .npy of it",
        "one number a pixel of the original image, of its size: the index of its class from 0, or its id in the ground "
        "truth",
    )
    oracle = "a plain count, class by class,"
    quality_is = "mean IoU of the classes in the image"
    main = "mIoU"
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
        class_accuracy: bool = False,
        dice: Empty | None = None,
        dice_over: Over = "set",
    ) -> None:
        if interval not in ("image", "group"):
            raise UsageError(f"interval {interval!r}: say image or group")
        self.maps = LabelMaps(names, ids, ignore, classes, files, mapping, labels, label_suffix, values, palette,
                              ignore_colours, channels)  # fmt: skip
        self.classes, self.form, self.interval = self.maps.classes, self.maps.form, interval
        self.asked = AskedNumbers(class_accuracy, dice, dice_over)
        self.quantities = quantities_of(self.classes.names, self.asked)

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
            return self._counted(target.labels[name], predictions.files[name], truths, guesses)

        rows = list(in_order(counted, names))
        groups = [name.rpartition("/")[0] for name in names]
        params = self.maps.params(predictions.kind) | self.asked.params()
        return state_of(FORM, params, names, groups, rows, DTYPES)

    def input_notes(self, predictions: LabelFolder, target: Maps, state: State) -> list[Note]:
        """What in the label maps changes these numbers, or may."""
        ignored, judged = int(state.arrays["ignored"].sum()), int(state.arrays["pixels"].sum())
        table = self.matrix(state)
        second = bool((state.arrays["truth"] == 1).any())
        seen = np.flatnonzero(table[:, :-1].any(axis=0))
        notes = map_notes(self.maps, predictions, (ignored, judged, int(table[:, -1].sum())), second, seen)
        return notes + misnumbered(table, *self._written(predictions.kind))

    def analyse(self, predictions: LabelFolder, target: Maps, state: State) -> Analysis:
        """Confusions, IoU by class, pixels near edges, objects by size; see `label_analysis`, which maps it reads."""
        arrays = arrays_of(state, FORM)
        truths, guesses = self.classes.truths(), self.classes.guesses(predictions.kind)

        def maps(name: str) -> tuple[np.ndarray, np.ndarray]:
            pair = self.maps.paired(target.labels[name], predictions.files[name], truths, guesses)
            return truths[pair.truth], guesses[pair.predicted]

        groups = group_numbers(arrays) if self.interval == "group" else None
        sums, names = class_sums(arrays, len(self.classes)), self.classes.names
        return label_analysis(self.name, names, self.matrix(state), sums, arrays["image"].tolist(), maps, groups)

    def _written(self, kind: Kind) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """What `misnumbered` asks for: the column of each class, what was written for each column, and what numbers
        mean in the kind that they are read as and in the other.
        """
        order = sorted(WORDS, key=lambda each: each != kind)
        meanings = {WORDS[each]: np.minimum(self.classes.guesses(each), len(self.classes)) for each in order}
        places = np.arange(len(self.classes))
        unjudged = self.classes.unjudged
        none = unjudged[0] if len(unjudged) == 1 else -1
        written = np.array([*(self.classes.ids if kind == "ids" else places), none], np.int64)
        return places, written, {word: meaning.astype(np.int64) for word, meaning in meanings.items()}

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image name. Raises InputError if an image occurs twice or params differ."""
        return merge(states, FORM)

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """All numbers with their 95 % intervals over images or folders (none with resamples=0)."""
        arrays = arrays_of(state, FORM)
        images, told = len(arrays["image"]), self._told(state, arrays)
        groups = group_numbers(arrays) if self.interval == "group" else None
        # whole numbers below 2^53 are exact in any order of summing
        ends = intervals(told.at, images, resamples, seed, groups, at_once=AT_ONCE)
        values, alone = told.all(), (~np.isnan(told.images())).sum(axis=0).tolist()
        quantities = quantities_of(self.classes.names, told.asked)
        return scores_of(self.name, quantities, values.tolist(), ends, alone, images)

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The means as a function of image weights, then the numbers of each class if `classes`."""
        arrays, names = arrays_of(state, FORM), state.params["names"]
        sums = class_sums(arrays, len(names))
        told = told_numbers(sums, AskedNumbers.of_params(state.params))
        shown = [each.name for each in quantities_of(names, told.asked) if classes or "/" not in each.name]
        overall = len(MEANS) + len(told.asked.overall())

        def at(weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
            return told.at(weights, once)[:, : len(shown)]

        qualities = lambda: by_name(arrays["image"], numbers(sums)[:, 0])  # noqa: E731
        truth, groups = arrays.get(TRUTH), arrays["group"]
        return ByImage(arrays["image"], tuple(shown), overall, at, qualities, AT_ONCE, truth, groups, resampled=at)

    def matrix(self, state: State) -> np.ndarray:
        """(C, C + 1) int64, evaluated pixels: rows true class, columns predicted class, the last no class."""
        shape = (len(self.classes), len(self.classes) + 1)
        arrays = arrays_of(state, FORM)
        total = np.zeros(shape, np.int64)
        np.add.at(total, (arrays["truth"], arrays["predicted"]), arrays["pixels"])
        return total

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image name -> its own mean IoU, in [0, 1], over the classes in it; images without classes are absent."""
        arrays = arrays_of(state, FORM)
        return by_name(arrays["image"], self._told(state, arrays).usual.images()[:, 0])

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """All numbers by counting pixels class by class in each image; NaN if there is none."""
        maps = self.read_target(target)
        folder = self.read_predictions(predictions, maps)
        names = self.maps.chosen(images, folder, maps)
        counts = np.zeros((len(names), 3, len(self.classes)))
        truths, guesses = self.classes.truths(), self.classes.guesses(folder.kind)
        for table, name in zip(counts, names, strict=True):
            truth = truths[read_labels(maps.labels[name], "a label map", self.form)]
            guess = guesses[read_labels(folder.files[name], "a predicted label map", self.form)]
            judged = truth != IGNORED
            for index in range(len(self.classes)):
                annotated, predicted = truth == index, judged & (guess == index)
                table[:, index] = [np.count_nonzero(part) for part in (annotated & predicted, annotated, predicted)]
        values = told_numbers(counts, self.asked).all().tolist()
        return {quantity.name: value for quantity, value in zip(self.quantities, values, strict=True)}

    def _counted(self, truth: Path, prediction: Path, truths: np.ndarray, guesses: np.ndarray) -> dict[str, np.ndarray]:
        """The rows of one image. Raises InputError naming the file at fault."""
        pair = self.maps.paired(truth, prediction, truths, guesses)
        own, found = pair.indices
        judged = own != IGNORED
        shape = (len(self.classes), len(self.classes) + 1)
        matrix = histogram(own[judged], found[judged], pair.lengths[judged], shape)
        ignored = np.array(pair.lengths[~judged].sum(), np.int64)
        return {**cells_of(matrix), "ignored": ignored, TRUTH: truth_digests([map_bytes(pair.truth)])}

    def _told(self, state: State, arrays: Mapping[str, np.ndarray]) -> ToldNumbers:
        """All that a state tells. Raises InputError if it is of other classes."""
        if state.params["names"] != list(self.classes.names):
            raise InputError(
                f"a state of {len(state.params['names'])} classes was given to {self.name} of {len(self.classes)}; "
                "construct it with the same names"
            )
        return told_numbers(class_sums(arrays, len(self.classes)), AskedNumbers.of_params(state.params))


def quantities_of(names: Sequence[str], asked: AskedNumbers) -> tuple[Quantity, ...]:
    """The means, then IoU of each class, then what else is asked for of them."""
    parts = [Quantity(f"IoU/{name}", name, "fraction", "higher", f"IoU of {name}; n is images.") for name in names]
    return (*MEANS, *asked.overall(), *parts, *asked.single(names))


@dataclass(frozen=True)
class ClassSums:
    """The usual numbers as a function of image weights. table: as of `class_sums`."""

    table: np.ndarray

    def at(self, weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
        """(B, 6 + C) under weights (B, I); once: as of `AskedTable.at`."""
        held = None if once is None else np.tensordot(once, self.table, 1)
        return numbers(np.tensordot(weights, self.table, 1), held)

    def all(self) -> np.ndarray:
        """(6 + C,) of all images."""
        return numbers(self.table.sum(axis=0))

    def images(self) -> np.ndarray:
        """(I, 6 + C) of each single image."""
        return numbers(self.table)


def told_numbers(table: np.ndarray, asked: AskedNumbers) -> ToldNumbers:
    """All numbers, in the order of `quantities_of`. table: as of `class_sums`."""
    return ToldNumbers(ClassSums(table), len(MEANS), asked, table)


def numbers(counts: np.ndarray, held: np.ndarray | None = None) -> np.ndarray:
    """(..., 6 + C) float64: the means in their order, then IoU of each class; NaN if one does not exist.

    counts: (..., 3, C): pixels right, annotated, predicted of each class.
    held: (3, C), of all images of which `counts` are resamples: in means, a class without any pixel in a resample
        keeps its number of them. None if they are no resamples.
    """
    right, annotated = counts[..., 0, :], counts[..., 1, :]
    own = iou(counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = right / annotated
        total = annotated.sum(axis=-1)
        pixels = right.sum(axis=-1) / total
        weighted = np.where(annotated > 0, annotated * own, 0.0).sum(axis=-1) / total
        over, within = own, accuracy
        if held is not None:
            over = np.where(np.isnan(own), iou(held), own)
            within = np.where(annotated > 0, accuracy, held[0] / held[1])
        means = [mean(over), pixels, mean(within), weighted, *(_mean_of_all(part) for part in (over, within))]
    return np.concatenate([np.stack(means, axis=-1), own], axis=-1)


def _mean_of_all(values: np.ndarray) -> np.ndarray:
    """(...) mean of (..., C), in which NaN counts as 0."""
    return np.where(np.isnan(values), 0.0, values).mean(axis=-1)
