"""Label maps of any set as metrics read them: which files belong together, and what the numbers in them stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import InputError, MissingError, UsageError
from hrbench.formats.label_colours import OTHER_COLOURS, LabelForm, colours_of, meanings
from hrbench.formats.label_folders import (
    KINDS,
    Kind,
    LabelFolder,
    Values,
    by_path,
    detect_kind,
    map_files,
    refuse_unknown_files,
)
from hrbench.formats.label_runs import runs
from hrbench.formats.labelme import LABELME, TO_MAPS, annotation_of, first_labelme
from hrbench.formats.labels import read_labels, unknown_label_remedy
from hrbench.metrics.labels.classes import NOTHING, LabelClasses, classes_of

WORDS: dict[Kind, str] = {"ids": "ids", "indices": "indices"}


@dataclass(frozen=True)
class Maps:
    """Ground truth. labels: image id, the label file's path without `label_suffix`, -> that file, in official order."""

    path: Path
    labels: dict[str, Path]


@dataclass(frozen=True)
class PairedMaps:
    """The maps of one image, and the runs of equal pairs in them.

    truth: (H, W), numbers as in its file.
    predicted: (H, W), likewise.
    indices: (R,) uint16 of each run: the annotated class or IGNORED, and the predicted class or C.
    lengths: (R,) int64, pixels of each run.
    """

    truth: np.ndarray
    predicted: np.ndarray
    indices: tuple[np.ndarray, np.ndarray]
    lengths: np.ndarray


class LabelMaps:
    """Reads ground truth and predictions of C classes; the options are those of `mean_iou.MeanIoU`.

    classes: the C classes.
    form: how maps are stored.
    """

    def __init__(
        self,
        names: Sequence[str] | None,
        ids: Sequence[int] | None,
        ignore: Sequence[int],
        classes: int | None,
        files: Sequence[str] | None,
        mapping: Mapping[Any, int] | None,
        labels: Literal["auto", "ids", "indices"],
        label_suffix: str,
        values: Mapping[Any, int] | None,
        palette: Sequence[Sequence[int]] | None,
        ignore_colours: Sequence[Sequence[int]],
        channels: Literal["one", "equal"],
    ) -> None:
        if labels not in ("auto", *WORDS.values()):
            raise UsageError(f"labels {labels!r}: say ids, indices or auto")
        if values is not None:
            if ids is not None or mapping:
                raise UsageError("values says what every number means: leave out ids and mapping")
            ids, mapping = meanings(values)
            ignore = [label for label in ignore if int(label) not in {*ids, *mapping}]
        if palette is not None and names is None and ids is None and classes is None:
            classes = len(palette)
        if ignore_colours:
            ignore = [*ignore, OTHER_COLOURS]
        self.classes: LabelClasses = classes_of(names, ids, classes, mapping, ignore)
        self.form = LabelForm(colours_of(palette, self.classes.ids, ignore_colours, OTHER_COLOURS), channels)
        self.files, self.labels, self.label_suffix = files, labels, label_suffix
        self._labelled: dict[Path, frozenset[str]] = {}

    def read_target(self, path: Path) -> Maps:
        """The files of ground truth, which are read later. Raises MissingError for one that is not there."""
        path = Path(path)
        files = self.files
        found = map_files(path, "label maps, PNGs or .npy files") if files is None else [path / file for file in files]
        labelme = annotation_of(found[0]) if found else first_labelme(path)
        if labelme is not None:
            raise InputError(f"{path}: holds no label maps: {labelme.name} in it {LABELME}; {TO_MAPS}")
        if not found:
            none = "holds no PNG and no .npy file" if files is None else "no file in it is listed"
            raise MissingError(f"{path}: {none}; it should hold the ground truth's label maps")
        absent = next((file for file in found if not file.is_file()), None)
        if absent is not None:
            raise MissingError(f"{absent}: there is no such file; it should be a label map of the ground truth")
        return Maps(path, {self._name_of(file.relative_to(path)): file for file in found})

    def _name_of(self, file: Path) -> str:
        name = file.as_posix()
        return name.removesuffix(self.label_suffix) if name.endswith(self.label_suffix) else str(file.with_suffix(""))

    def read_predictions(self, path: Path, target: Maps) -> LabelFolder:
        """The files of predictions, which are read later, and what they hold. Images without one are left out.

        Raises MissingError, InputError if names are ambiguous or of no image, or the kind of the numbers is unclear.
        """
        path = Path(path)
        files = map_files(path, "predicted label maps, PNGs or .npy files")
        found = by_path(path, files, target.labels)
        refuse_unknown_files(files, found, target.path, lambda file: file.stem in self._labelled_names(target.path))
        values: dict[Kind, Values] = {}
        for kind in KINDS:
            classes = self.classes.guesses(kind)
            every, likely = classes != NOTHING, classes < len(self.classes)  # no network predicts an ignored label
            values[kind] = Values(*(frozenset(np.flatnonzero(some).tolist()) for some in (every, likely)))
        asked = "" if self.labels == "auto" else self.labels
        return LabelFolder(path, found, detect_kind(path, found.values(), values, asked, WORDS, self.form))

    def _labelled_names(self, folder: Path) -> frozenset[str]:
        """Names of all images with labels, evaluated or not; searched at the first call."""
        if folder not in self._labelled:
            files = map_files(folder, "label maps, PNGs or .npy files") if self.files is not None else []
            self._labelled[folder] = frozenset(file.name.removesuffix(self.label_suffix) for file in files)
        return self._labelled[folder]

    def chosen(self, images: Sequence[int | str] | None, predictions: LabelFolder, target: Maps) -> list[str]:
        """Names of the images to evaluate, sorted. Raises InputError if one is unknown or has no prediction."""
        for image in images or ():
            if image not in target.labels:
                raise InputError(f"{target.path}: image {image!r}, asked for, is not among its {len(target.labels)}")
        names = sorted({str(image) for image in (target.labels if images is None else images)})
        absent = [name for name in names if name not in predictions.files]
        if absent:
            raise InputError(
                f"{predictions.path}: no prediction for {len(absent)} of {len(names)} images, the first is {absent[0]}"
            )
        return names

    def paired(self, truth: Path, prediction: Path, truths: np.ndarray, guesses: np.ndarray) -> PairedMaps:
        """The maps of one image. Raises InputError naming the file at fault.

        truths, guesses: the tables of `LabelClasses`.
        """
        maps = [
            read_labels(truth, "a label map", self.form),
            read_labels(prediction, "a predicted label map", self.form),
        ]
        (height, width), (rows, columns) = (one.shape for one in maps)
        if (height, width) != (rows, columns):
            raise InputError(
                f"{prediction}: is {columns}x{rows} pixels, its ground truth {truth} {width}x{height}; they must be "
                "alike"
            )
        (own, found), lengths = runs(maps)
        indices = truths.take(own), guesses.take(found)
        for path, numbers, index in zip((truth, prediction), (own, found), indices, strict=True):
            odd = numbers[index == NOTHING]
            if len(odd):
                option, advice = self._remedy(path == truth, numbers, index)
                many = int(lengths[numbers == odd[0]].sum())
                raise InputError(
                    f"{path}: holds {odd[0]} at {many} of {width * height} pixels, which is none of the "
                    f"{len(self.classes)} classes and not ignored; {advice}",
                    option,
                )
        return PairedMaps(maps[0], maps[1], indices, lengths)

    def _remedy(self, annotated: bool, labels: np.ndarray, indices: np.ndarray) -> tuple[str, str]:
        """Which option reads a map with these labels, some of which have no index, and the same in words. Those of two
        classes are guessed of ground truth alone: predictions would be read by its `values`.
        """
        known, classes = labels[indices != NOTHING], len(self.classes) if annotated else 0
        return unknown_label_remedy({*labels.tolist()}, {*known.tolist()}, classes, not annotated)

    def params(self, kind: Kind) -> dict[str, Any]:
        """The parameters of a state that say what was read. kind: of the predictions."""
        palette = {"palette": [[*colour, label] for colour, label in self.form.colours.items()]}
        channels = {"channels": self.form.channels}
        return {
            "names": list(self.classes.names),
            "ids": list(self.classes.ids),
            "ignore": list(self.classes.ignore),
            "mapping": sorted(map(list, self.classes.mapping.items())),
            "labels": WORDS[kind],
            **(palette if self.form.colours else {}),
            **(channels if self.form.channels != "one" else {}),
        }
