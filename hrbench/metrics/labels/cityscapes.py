"""The Cityscapes metric: IoU and instance-weighted IoU (iIoU) of classes and categories, as the official scripts.

Synopsis:

    metric = CityscapesIoU()
    target = metric.read_target(Path("gtFine/val"))
    state = metric.measure(metric.read_predictions(Path("results"), target), target)
    scores = metric.summarise(metric.merge([state]))

Ground truth: a folder of cities with {city}_{sequence}_{frame}_gtFine_labelIds.png and ..._gtFine_instanceIds.png, used
as in the official script. Predictions: PNGs anywhere below a folder whose names begin with
{city}_{sequence}_{frame}, holding label ids or train ids (`label_folders` finds out which). What a state holds is in
`labels.states` and `cityscapes_counts`, what the numbers are in `cityscapes_scores`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hrbench.errors import InputError, MissingError, UsageError
from hrbench.formats.label_folders import (
    Kind,
    LabelFolder,
    Values,
    by_prefix,
    detect_kind,
    in_order,
    map_files,
    refuse_unknown_files,
    write_label_maps,
)
from hrbench.formats.labels import read_labels
from hrbench.metrics.existing import by_name
from hrbench.metrics.labels import cityscapes_reference as reference
from hrbench.metrics.labels.asked import AskedNumbers, Empty, Over
from hrbench.metrics.labels.cityscapes_counts import COUNT, FORM, KINDS, OUTSIDE, UnknownLabelError, count
from hrbench.metrics.labels.cityscapes_labels import CLASSES, VOID
from hrbench.metrics.labels.cityscapes_scores import QUANTITIES, quantities_of, sums, told_numbers
from hrbench.metrics.labels.evaluated_labels import evaluated_guesses, evaluated_sums, evaluated_truths
from hrbench.metrics.labels.label_analysis import VERSION as ANALYSIS_VERSION
from hrbench.metrics.labels.label_analysis import label_analysis
from hrbench.metrics.labels.notes import found_out, ignored_note, misnumbered, unevaluated_note
from hrbench.metrics.labels.states import AT_ONCE, group_numbers, map_bytes, matrices, scores_of, state_of
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

LABEL_SUFFIX, INSTANCE_SUFFIX = "_gtFine_labelIds.png", "_gtFine_instanceIds.png"
WORDS: dict[Kind, str] = {"ids": "ids", "indices": "trainIds"}
IDS = tuple(label.id for label in CLASSES)


@dataclass(frozen=True)
class Scenes:
    """Ground truth. labels: "{city}/{city}_{sequence}_{frame}" -> its file of label ids, in the official order."""

    path: Path
    labels: dict[str, Path]


class CityscapesIoU:
    """The official evaluation of Cityscapes' pixel-level labels, equal to cityscapesScripts 2.3.0 to the last bit.

    ids: the label id of each class of a network's output; by default the 19 evaluated ones.
    labels: what predicted maps hold: "ids", "trainIds" (indices into `ids`), or "auto" to find out.
    interval: what the bootstrap resamples: "image", or "group" for whole cities.
    files: label files of the ground truth, relative to it; None for all.
    class_accuracy, dice, dice_over: what else to tell, as of `mean_iou.MeanIoU`, of the evaluated pixels.
    names, ignore, label_suffix: taken as other metrics of a data set take them; the evaluation decides by itself.
    """

    name = FORM.metric
    version = FORM.version
    analysis_version = ANALYSIS_VERSION
    prediction_file = "predictions"
    prediction_form = PredictionForm(
        "a folder with a PNG of each image, named after the image, in the same folders; or a .npy of it",
        "one number a pixel of the original image, of its size: label ids of Cityscapes, or train ids",
    )
    oracle = "cityscapesscripts"
    quality_is = "mean IoU of the classes in the image"
    main = "mIoU"
    gained = ("fwIoU",)
    quantities: tuple[Quantity, ...] = QUANTITIES

    def __init__(
        self,
        ids: Sequence[int] = IDS,
        labels: Literal["auto", "ids", "trainIds"] = "auto",
        interval: Literal["image", "group"] = "image",
        files: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        label_suffix: str = LABEL_SUFFIX,
        ignore: Sequence[int] | None = None,
        class_accuracy: bool = False,
        dice: Empty | None = None,
        dice_over: Over = "set",
    ) -> None:
        if labels not in ("auto", *WORDS.values()):
            raise UsageError(f"labels {labels!r}: say ids, trainIds or auto")
        if interval not in ("image", "group"):
            raise UsageError(f"interval {interval!r}: say image or group")
        if not ids or len(set(ids)) < len(ids) or not all(0 <= label < COUNT for label in ids):
            raise UsageError(f"ids {list(ids)}: give different label ids of Cityscapes, 0 to {COUNT - 1}")
        self.ids, self.labels, self.interval, self.files = tuple(ids), labels, interval, files
        self.asked = AskedNumbers(class_accuracy, dice, dice_over)
        self.quantities = quantities_of(self.asked)

    def read_target(self, path: Path) -> Scenes:
        """The files of ground truth, which `measure` reads. Raises MissingError for a file that is not there."""
        path = Path(path)
        if not path.is_dir():
            raise MissingError(f"{path}: there is no such folder; it should be gtFine/val, with a folder for each city")
        found = path.glob(f"*/*{LABEL_SUFFIX}") if self.files is None else (path / file for file in self.files)
        labels = {file.relative_to(path).as_posix().removesuffix(LABEL_SUFFIX): file for file in found}
        if not labels:
            raise MissingError(f"{path}: holds no {{city}}/*{LABEL_SUFFIX}; it should be gtFine/val")
        for file in labels.values():
            for needed in (file, _instances_of(file)):
                if not needed.is_file():
                    raise MissingError(f"{needed}: is missing from the ground truth; fetch gtFine again")
        return Scenes(path, dict(sorted(labels.items())))

    def read_predictions(self, path: Path, target: Scenes) -> LabelFolder:
        """The files of predictions, which `measure` reads, and what they hold. Images without one are left out.

        Raises MissingError; InputError if two files are of one image, a file is of no image, or the kind of the numbers
        cannot be found out.
        """
        files = map_files(path, "predicted label maps, PNGs or .npy files, named by city, sequence and frame")
        found = by_prefix(files, {name: name.rpartition("/")[2] for name in target.labels})
        refuse_unknown_files(files, found, target.path, lambda file: _label_file(target.path, file).is_file())
        indices = frozenset((*range(len(self.ids)), VOID))
        values: dict[Kind, Values] = {
            # of the labels that are not evaluated, networks predict only "unlabeled"
            "ids": Values(frozenset(range(COUNT)), frozenset((0, *IDS))),
            "indices": Values(indices, indices),
        }
        asked = "" if self.labels == "auto" else self.labels
        return LabelFolder(Path(path), found, detect_kind(Path(path), found.values(), values, asked, WORDS))

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Writes a folder of label-id PNGs, named as the samples, from class indices (H, W); see `write_label_maps`."""
        write_label_maps(predictions, Path(path), np.array(self.ids, np.uint8), len(self.ids), "ids")

    def measure(self, predictions: LabelFolder, target: Scenes, images: Sequence[int | str] | None = None) -> State:
        """Counts of all images, or of those in `images`. A few are read at a time.

        Raises InputError for a damaged file, other sizes, numbers that are no label, an image without prediction.
        """
        names = self._chosen(images, target)
        _complete(names, predictions, target)
        table = self._table(predictions.kind)

        def counted(name: str) -> dict[str, np.ndarray]:
            return _counted(target.labels[name], predictions.files[name], table)

        rows = list(in_order(counted, names))
        groups = [name.rpartition("/")[0] for name in names]
        params = {"labels": WORDS[predictions.kind], **self.asked.params()}
        return state_of(FORM, params, names, groups, rows, KINDS)

    def input_notes(self, predictions: LabelFolder, target: Scenes, state: State) -> list[Note]:
        """What in the label maps changes these numbers, or may."""
        pixels, judged = state.arrays["pixels"], np.isin(state.arrays["truth"], IDS)
        ignored = int(pixels[~judged].sum())
        notes = ignored_note(ignored, int(pixels[judged].sum()), "labels that Cityscapes leaves out")
        found, other = WORDS[predictions.kind], WORDS["indices" if predictions.kind == "ids" else "ids"]
        notes += found_out(predictions, self.labels, (found, other))
        every = np.arange(COUNT)
        written = every if predictions.kind == "ids" else np.full(COUNT, -1)
        numbers = np.full(VOID + 1, COUNT)
        numbers[: len(self.ids)] = self.ids
        if predictions.kind != "ids":
            written[list(self.ids)] = np.arange(len(self.ids))
        ids = np.full(VOID + 1, COUNT)
        ids[:COUNT] = every
        meanings = {found: ids, other: numbers} if predictions.kind == "ids" else {found: numbers, other: ids}
        evaluated = np.array(IDS)
        table = self.matrix(state)[evaluated]
        missed = int(table.sum() - table[:, evaluated].sum())
        notes += unevaluated_note(missed, int(table.sum()), "a label that Cityscapes leaves out")
        return notes + misnumbered(table, evaluated, written, meanings)

    def analyse(self, predictions: LabelFolder, target: Scenes, state: State) -> Analysis:
        """Confusions, IoU by class, pixels near edges, objects by size of the evaluated classes; see `label_analysis`,
        which maps it reads.
        """
        arrays, table = arrays_of(state, FORM), self._table(predictions.kind)
        truths, guesses = evaluated_truths(), evaluated_guesses(table)

        def maps(name: str) -> tuple[np.ndarray, np.ndarray]:
            truth = read_labels(target.labels[name], "label ids of Cityscapes")
            guess = read_labels(predictions.files[name], "a predicted label map")
            return truths[truth], guesses[guess]

        groups = group_numbers(arrays) if self.interval == "group" else None
        names, (counts, matrix) = [label.name for label in CLASSES], evaluated_sums(arrays)
        return label_analysis(self.name, names, matrix, counts, arrays["image"].tolist(), maps, groups)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image name. Raises InputError if an image occurs twice or params differ."""
        return merge(states, FORM)

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """All numbers with their 95 % intervals over images or cities (none with resamples=0)."""
        arrays = arrays_of(state, FORM)
        images, told = len(arrays["image"]), told_numbers(sums(arrays), AskedNumbers.of_params(state.params))
        groups = group_numbers(arrays) if self.interval == "group" else None
        ends = intervals(told.at, images, resamples, seed, groups, at_once=AT_ONCE)
        alone = (~np.isnan(told.images())).sum(axis=0).tolist()
        return scores_of(self.name, quantities_of(told.asked), told.all().tolist(), ends, alone, images)

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The means as a function of image weights, then the numbers of each class and category if `classes`."""
        arrays = arrays_of(state, FORM)
        totals = sums(arrays)
        told = told_numbers(totals, AskedNumbers.of_params(state.params))
        shown = [each.name for each in quantities_of(told.asked) if classes or "/" not in each.name]

        def at(weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
            return told.at(weights, once)[:, : len(shown)]

        overall = sum("/" not in name for name in shown)
        qualities = lambda: by_name(arrays["image"], totals.images()[:, 0])  # noqa: E731
        truth, groups = arrays.get(TRUTH), arrays["group"]
        return ByImage(arrays["image"], tuple(shown), overall, at, qualities, AT_ONCE, truth, groups, resampled=at)

    def matrix(self, state: State) -> np.ndarray:
        """(34, 34) int64, pixels by label ids: rows ground truth, columns predictions, as the script's confMatrix."""
        table = matrices(arrays_of(state, FORM), (COUNT, COUNT))
        return table.sum(axis=0).astype(np.int64).reshape(COUNT, COUNT)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image name -> its own mean IoU, in [0, 1], over the classes in it; images without classes are absent."""
        arrays = arrays_of(state, FORM)
        return by_name(arrays["image"], sums(arrays).images()[:, 0])

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """All numbers by the official script, NaN if it has none. Raises UsageError if it is not installed."""
        scenes = self.read_target(target)
        folder = self.read_predictions(predictions, scenes)
        names = self._chosen(images, scenes)
        _complete(names, folder, scenes)
        with reference.as_ids([folder.files[name] for name in names], self._table(folder.kind)) as files:
            truths = [scenes.labels[name] for name in names]
            official = reference.official_numbers(reference.official_results(files, truths))
            official |= reference.asked_numbers(files, truths, self.asked)
        return {quantity.name: official[quantity.name] for quantity in self.quantities}

    def _chosen(self, images: Sequence[int | str] | None, target: Scenes) -> list[str]:
        if images is None:
            return list(target.labels)
        for image in images:
            if image not in target.labels:
                raise InputError(f"{target.path}: image {image!r}, asked for, is not among its {len(target.labels)}")
        return sorted({str(image) for image in images})

    def _table(self, kind: Kind) -> np.ndarray | None:
        """(256,) label id of each predicted number, OUTSIDE for none; None if predictions are label ids."""
        if kind == "ids":
            return None
        table = np.full(VOID + 1, OUTSIDE, np.uint16)
        table[: len(self.ids)] = self.ids
        table[VOID] = 0
        return table


def _instances_of(labels: Path) -> Path:
    return labels.with_name(labels.name.removesuffix(LABEL_SUFFIX) + INSTANCE_SUFFIX)


def _label_file(folder: Path, prediction: Path) -> Path:
    """The label file of a prediction, by the beginning of its name."""
    city, *scene = prediction.stem.split("_")[:3]
    return folder / city / ("_".join((city, *scene)) + LABEL_SUFFIX)


def _complete(names: Sequence[str], predictions: LabelFolder, target: Scenes) -> None:
    """Raises InputError if an image has no prediction, naming its city if no image of that city has one."""
    for name in names:
        if name in predictions.files:
            continue
        city, _, scene = name.rpartition("/")
        same = [other for other in names if other.rpartition("/")[0] == city]
        if len(same) > 1 and not any(other in predictions.files for other in same):
            raise InputError(f"{predictions.path}: no prediction for any of the {len(same)} images of {city}")
        raise InputError(f"{predictions.path}: no prediction for {target.labels[name]}; none is called {scene}*.png")


def _counted(labels: Path, prediction: Path, table: np.ndarray | None) -> dict[str, np.ndarray]:
    """Rows of one image. Raises InputError naming the file at fault."""
    paths = {"truth": labels, "instances": _instances_of(labels), "prediction": prediction}
    words = ("label ids of Cityscapes", "instance ids of Cityscapes", "a predicted label map")
    maps = [read_labels(path, what) for path, what in zip(paths.values(), words, strict=True)]
    height, width = maps[0].shape
    for (which, path), one in zip(paths.items(), maps, strict=True):
        if one.shape != (height, width):
            beside = "label ids" if which == "instances" else "ground truth"
            raise InputError(f"{path}: is {one.shape[1]}x{one.shape[0]} pixels, its {beside} {labels} {width}x{height}")
    try:
        rows = count(maps[0], maps[1], maps[2], table)
    except UnknownLabelError as error:
        kind = "instance" if error.which == "instances" else "label"
        known = f"label ids run from 0 to {COUNT - 1}"
        if error.which == "prediction" and table is not None:
            known = (
                f"this folder's train ids run from 0 to {np.count_nonzero(table[:VOID] != OUTSIDE) - 1}, 255 is none"
            )
        if error.which == "instances":
            known = "ids above 1000 are 1000 x a label that has instances + a number"
        raise InputError(f"{paths[error.which]}: holds {kind} {error.number}, which does not exist; {known}") from None
    return {**rows, TRUTH: truth_digests([map_bytes(maps[0], maps[1])])}
