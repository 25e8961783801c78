"""A folder of images and a folder of label PNGs: most segmentation sets, and user-defined ones.

    <data>/{folder}/{images}/NAME.jpg
    <data>/{folder}/{labels}/NAME.png      one number per pixel: grey values, or indices of a palette
    <data>/{folder}/{list}                 which of them belong to the split; without it, all images

What differs between data sets (class names, colours, labels of the classes) is data: rows of
catalog/datasets_segmentation.yaml, or the fields of a suite's `dataset:`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.datasets.image_files import digest_of, file_sizes
from hrbench.errors import InputError, MissingError, UsageError
from hrbench.formats.images import image_faults
from hrbench.formats.label_colours import OTHER_COLOURS, LabelForm, colours_of, meanings
from hrbench.formats.labelme import LABELME, TO_MAPS, first_labelme
from hrbench.formats.labels import LABELS as MAP
from hrbench.formats.labels import class_map, label_faults, read_labels, unknown_label_advice
from hrbench.formats.orientation import Orientation
from hrbench.formats.orientation import checked as checked_orientation
from hrbench.formats.paths import below, inside
from hrbench.formats.submissions import recode, stored_kind, write_archive
from hrbench.types import ClassScheme, Sample

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Suffixes of image files, if the data set states none; in upper case, too."""

OWN = "check the paths of the data set in the suite"
LONGEST_NAME = 4096
"""Characters of a path: the limit of file systems."""


class LabelFolders:
    """Images with their label maps; construction reads nothing.

    root: the folder of --data; `folder` lies in it, and all other paths are relative to `folder`.
    list: a file whose lines have one name, or an image and a label file below `images` and `labels`.
    image_suffix: suffix of image files, "" for any of the usual ones.
    label_suffix: of label files.
    names: C class names in the order of outputs.
    ids: label of each class in the files, 0 to C - 1 if left out.
    mapping: further labels -> index of the class they count as.
    ignore: labels that are not evaluated.
    palette: C colours (red, green, blue).
    colours: whether label maps hold these colours instead of numbers.
    ignore_colours: further colours in them, which are not evaluated.
    channels: "equal" reads label maps of several channels that are equal as one.
    values: label -> class index for all labels, {0: 0, 255: 1}; instead of ids and mapping.
    flip_pairs: pairs of class indices or names exchanged by a mirror.
    home: where to get the data, in words.
    labels: folder of the label maps; "" if no ground truth is public.
    server: which server evaluates predictions then, in words.
    submission: the archive it takes and the path of each prediction in it: "lip.zip:{name}.png".
    count: how many samples there should be, 0 for any.
    metric_args: further options of single metrics, by the metric's name, such as {miou: {dice: one}}.
    orientation: the picture that annotations belong to: "stored", as in the file, or "applied", turned as EXIF says;
        None: stored for data sets of the catalog; other data must say if a file has such a tag.
    """

    task = "segmentation"

    def __init__(
        self,
        root: str | Path,
        names: Sequence[str],
        folder: str = "",
        images: str = "images",
        labels: str = "labels",
        list: str = "",
        image_suffix: str = "",
        label_suffix: str = ".png",
        ids: Sequence[int] | None = None,
        mapping: Mapping[int, int] | None = None,
        ignore: Sequence[int] = (),
        palette: Sequence[Sequence[int]] | None = None,
        flip_pairs: Sequence[Sequence[int | str]] = (),
        home: str = OWN,
        server: str = "",
        submission: str = "",
        count: int = 0,
        orientation: str | None = None,
        values: Mapping[int, int] | None = None,
        colours: bool = False,
        ignore_colours: Sequence[Sequence[int]] = (),
        channels: Literal["one", "equal"] = "one",
        metric_args: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.folder = Path(root) / folder
        self.images, self.list = self.folder / images, self.folder / list if list else None
        self.target = self.folder / labels
        self.labelled, self.image_suffix, self.label_suffix = bool(labels), image_suffix, label_suffix
        if values is not None:
            if ids is not None or mapping:
                raise UsageError("values says what every label means: leave out ids and mapping")
            ids, mapping = meanings(values)
        self.scheme = _scheme(names, ids, palette, flip_pairs)
        self.mapping = {int(label): int(index) for label, index in (mapping or {}).items()}
        self.ignore = sorted(int(label) for label in ignore)
        self.form = _form(self.scheme, colours, ignore_colours, channels)
        self._stored = _stored(self.scheme, colours, ignore_colours, channels)
        self.home, self.server, self.submission, self.count = home, server, submission, count
        self.metric_args = metric_args or {}
        self.orientation: Orientation = checked_orientation(orientation, official=home != OWN)
        _check_labels(self.scheme, self.mapping, self.ignore)

    # --- which files belong together

    @cached_property
    def pairs(self) -> dict[str, tuple[str, str]]:
        """Sample id (label file without its last suffix) -> image and label file, both relative, in official order.

        Raises MissingError if the list is not there, InputError for one that cannot be read.
        """
        listed = self._listed() if self.list is not None else ((name, "", "") for name in sorted(self._images))
        found: dict[str, tuple[str, str]] = {}
        for name, image, label in listed:
            label = label or self._label_file(name + self.label_suffix)
            image = image or self._images.get(name, name + (self.image_suffix or ".jpg"))
            found[label[: len(label) - len(Path(label).suffix)]] = (image, label)
        return found

    def _label_file(self, name: str) -> str:
        """The label file that is meant: with this ending, or with that of a file whose ending is in other case."""
        head, dot, ending = name.rpartition(".")
        return self._labels.get(head + dot + ending.lower(), name) if name not in self._label_names else name

    @cached_property
    def _label_names(self) -> frozenset[str]:
        """All files below the folder of labels, hidden ones left out."""
        return frozenset(below(self.target)) if self.labelled else frozenset()

    @cached_property
    def _labels(self) -> dict[str, str]:
        """The same by their path with the ending in lower case."""
        found: dict[str, str] = {}
        for name in sorted(self._label_names):
            head, dot, ending = name.rpartition(".")
            found.setdefault(head + dot + ending.lower(), name)
        return found

    def _listed(self) -> Iterator[tuple[str, str, str]]:
        """(name, image, label) of each line of the list; "" for a part that follows from the suffixes."""
        assert self.list is not None
        try:
            lines = self.list.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            raise MissingError(f"no list {self.list}; {self.home}") from None
        except (UnicodeDecodeError, IsADirectoryError):
            raise InputError(f"{self.list} is no list of names, one a line") from None
        for number, line in enumerate(lines, 1):
            words = [inside(word.lstrip("/"), f"{self.list}:{number}") for word in line.split()]
            if len(words) > 2:
                raise InputError(
                    f"{self.list}:{number}: one name, or an image and its labels, was expected: {line[:200]!r}"
                )
            if max(map(len, words), default=0) > LONGEST_NAME:
                raise InputError(f"{self.list}:{number}: a name of {len(line):,} characters, which no file can have")
            if len(words) == 2:
                yield "", words[0], words[1]
            elif words:
                yield self._plain(words[0]), "", ""

    def _plain(self, name: str) -> str:
        """A name of the list without the suffix of an image or label file."""
        endings = (self.label_suffix, *((self.image_suffix,) if self.image_suffix else ENDINGS))
        return next((name[: -len(e)] for e in endings if e and name.lower().endswith(e.lower())), name)

    @cached_property
    def _images(self) -> dict[str, str]:
        """Name without suffix -> image file below the folder of images."""
        endings = (self.image_suffix,) if self.image_suffix else ENDINGS
        found = {}
        for path in below(self.images):
            ending = next((ending for ending in endings if path.lower().endswith(ending.lower())), None)
            if ending is not None:
                found.setdefault(path[: -len(ending)], path)
        return found

    # --- missing files

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for each folder, list or kind of file that is not there."""
        places = [("images", self.images), *([("labels", self.target)] if self.labelled else [])]
        gaps = [f"{what} are missing: {path}; {self.home}" for what, path in places if not path.is_dir()]
        if self.list is not None and not self.list.is_file():
            gaps.append(f"the list of names is missing: {self.list}; {self.home}")
        if gaps:
            return gaps
        if not self.pairs:
            what = f"{self.list} is empty" if self.list else f"no image is in {self.images}"
            return [f"images are missing: {what}; {self.home}"]
        gaps += self._absent("images", self.images, [image for image, _ in self.pairs.values()])
        if self.labelled:
            gaps += self._absent("label files", self.target, [label for _, label in self.pairs.values()])
        if self.count and len(self.pairs) < self.count:
            short = self.count - len(self.pairs)
            gaps.append(f"{short} of {self.count} images are missing from {self.list or self.images}; {self.home}")
        return gaps

    def _absent(self, what: str, folder: Path, files: Sequence[str]) -> list[str]:
        absent = [name for name, size in file_sizes(folder, files).items() if size is None]
        if not absent:
            return []
        how_many = "all" if len(absent) == len(files) else f"{len(absent)} of"
        remedy = self.home
        if folder == self.target and not self.label_suffix.endswith(".npy"):
            arrays = any(name.endswith(".npy") for name in self._labels)
            remedy = "there are NumPy arrays: set `label_suffix: .npy`" if arrays else remedy
            labelme = None if arrays else first_labelme(folder)
            remedy = remedy if labelme is None else f"{labelme.name} {LABELME}: {TO_MAPS}"
        return [f"{how_many} {len(files)} {what} are missing from {folder}, the first is {absent[0]}; {remedy}"]

    def metric_options(self) -> dict[str, Any]:
        """Classes with their labels, and the label files in order."""
        options: dict[str, Any] = {
            "names": [*self.scheme.names],
            "ids": [*self.scheme.ids],
            "files": [label for _, label in self.pairs.values()],
            "ignore": [*self.ignore],
            "interval": "image",
            **self._stored,
        }
        return {**options, "mapping": dict(self.mapping)} if self.mapping else options

    def digest(self, protocol: Mapping[str, Any]) -> str:
        labels = [self.target / label for _, label in self.pairs.values()] if self.labelled else []
        return digest_of(labels, file_sizes(self.images, [image for image, _ in self.pairs.values()]))

    def samples(self, protocol: Mapping[str, Any]) -> Sequence[Sample]:
        """One sample for each image in the order of the list, or of the names."""
        return [
            Sample(name, self.images / image, orientation=self.orientation) for name, (image, _) in self.pairs.items()
        ]

    def truth(self, samples: Sequence[Sample]) -> dict[int | str, np.ndarray]:
        """Sample id -> class indices (H, W) uint16 of its label file, NO_CLASS where a label is none that counts."""
        classes = {label: index for index, label in enumerate(self.scheme.ids)} | dict(self.mapping)
        files = {sample.id: self.target / self.pairs[str(sample.id)][1] for sample in samples}
        return {key: class_map(read_labels(path, MAP, self.form), classes) for key, path in files.items()}

    def notes(self, protocol: Mapping[str, Any]) -> Sequence[str]:
        if self.count and len(self.pairs) > self.count:
            return [f"{len(self.pairs)} images are there, {len(self.pairs) - self.count} more than the set has"]
        return []

    def facts(self) -> dict[str, int]:
        """Numbers of images, label files and classes of the split."""
        pairs = self.pairs.values()
        here = {"images": file_sizes(self.images, [image for image, _ in pairs])}
        if self.labelled:
            here["label files"] = file_sizes(self.target, [label for _, label in pairs])
        counts = {what: sum(size is not None for size in sizes.values()) for what, sizes in here.items()}
        return {**counts, "classes": len(self.scheme.names)}

    def look(self, sample: Sample) -> Sequence[str]:
        """Faults of an image and its labels: damaged files, different sizes, labels out of range."""
        if not self.labelled:
            return image_faults(sample.path, None, sample.orientation)
        known = {*self.scheme.ids, *self.mapping, *self.ignore, *self.form.colours.values()}
        path = self.target / self.pairs[str(sample.id)][1]
        advice = partial(unknown_label_advice, known=known, classes=len(self.scheme.names))
        return label_faults(sample.path, path, known, sample.orientation, self.form, advice)

    # --- submission to a server

    def submit(self, predictions: Mapping[str, Path], folder: Path) -> Path:
        """Writes the archive that the server takes: a PNG of labels, with the set's palette, for each image.

        predictions: name of the metric -> its folder of PNGs of class indices, named as the samples.

        Raises MissingError for an image without a PNG, InputError for an index that is no class.
        """
        place = next(iter(predictions.values()))
        archive, _, inner = self.submission.partition(":")
        coded = stored_kind(place, "indices") == "ids"

        def members() -> Iterator[tuple[str, bytes]]:
            for name in self.pairs:
                path = place / f"{name}.png"
                if not path.is_file():
                    raise MissingError(f"no prediction of {name} ({path}): the server takes all {len(self.pairs)}")
                yield inner.format(name=name), recode(path, self.scheme.ids, self.scheme.palette, coded)

        return write_archive(folder / archive, members())


def _scheme(
    names: Sequence[str],
    ids: Sequence[int] | None,
    palette: Sequence[Sequence[int]] | None,
    flip_pairs: Sequence[Sequence[int | str]],
) -> ClassScheme:
    """The classes, checked. Raises UsageError for lists of different lengths, and for invalid pairs and colours."""
    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        raise UsageError("names must be a list of class names, in the order of the network's outputs")
    if len(set(names)) < len(names):
        twice = next(name for name in names if [*names].count(name) > 1)
        raise UsageError(f"names holds {twice!r} twice")
    for what, values in (("ids", ids), ("palette", palette)):
        if values is not None and len(values) != len(names):
            raise UsageError(f"{what} has {len(values)} values for {len(names)} names")
    colours = tuple(tuple(int(value) for value in colour) for colour in palette or ())
    if not all(len(colour) == 3 and all(0 <= value <= 255 for value in colour) for colour in colours):
        raise UsageError("palette must be a list of colours [red, green, blue], each from 0 to 255")
    chosen = tuple(int(label) for label in ids) if ids is not None else tuple(range(len(names)))
    if len(set(chosen)) < len(chosen):
        raise UsageError(f"ids holds label {next(label for label in chosen if chosen.count(label) > 1)} twice")
    pairs = tuple(_pair(pair, names) for pair in flip_pairs)
    return ClassScheme(tuple(names), chosen, colours, pairs)  # type: ignore[arg-type]


def _form(
    scheme: ClassScheme, colours: bool, ignored: Sequence[Sequence[int]], channels: Literal["one", "equal"]
) -> LabelForm:
    """How label maps are stored. Raises UsageError for colours without a palette."""
    if colours and not scheme.palette:
        raise UsageError("colours: true needs `palette`, the colour of each class in the label maps")
    if not colours and ignored:
        raise UsageError("ignore_colours are those of label maps in colours: set `colours: true` as well")
    palette = scheme.palette if colours else None
    return LabelForm(colours_of(palette, scheme.ids, ignored, OTHER_COLOURS), channels)


def _stored(scheme: ClassScheme, colours: bool, ignored: Sequence[Sequence[int]], channels: str) -> dict[str, Any]:
    """The metric's options for maps that are not stored as one number a pixel."""
    options: dict[str, Any] = {"palette": [[*colour] for colour in scheme.palette]} if colours else {}
    options |= {"ignore_colours": [[*colour] for colour in ignored]} if ignored else {}
    return options | ({"channels": channels} if channels != "one" else {})


def _pair(pair: Sequence[int | str], names: Sequence[str]) -> tuple[int, int]:
    index = {name: position for position, name in enumerate(names)}
    try:
        left, right = (index[one] if isinstance(one, str) else int(one) for one in pair)
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"flip pair {pair!r} does not name two of the {len(names)} classes") from None
    if left == right or not (0 <= left < len(names) and 0 <= right < len(names)):
        raise UsageError(f"flip pair {pair!r} must be two different classes from 0 to {len(names) - 1}")
    return left, right


def _check_labels(scheme: ClassScheme, mapping: Mapping[int, int], ignore: Sequence[int]) -> None:
    """Raises UsageError for labels with two meanings, or a class that does not exist."""
    wrong = [index for index in mapping.values() if not 0 <= index < len(scheme.names)]
    if wrong:
        raise UsageError(f"mapping leads to class {wrong[0]}; there are {len(scheme.names)} classes")
    both = sorted(({*scheme.ids} & {*mapping}) | (({*scheme.ids} | {*mapping}) & {*ignore}))
    if both:
        raise UsageError(f"label {both[0]} is given two meanings among ids, mapping and ignore")
