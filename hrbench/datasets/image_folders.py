"""Images in folders by class, or all in one folder with a list of their classes: ImageNet and sets like it.

    <data>/{folder}/{split}/{class}/*.JPEG          one folder for each class; for ImageNet named by synsets
    <data>/{folder}/{split}/*.JPEG                  the official flat validation images, and next to {split} one of
    <data>/{folder}/{split}.txt                       lines "NAME.JPEG LABEL", labels from 0 (Caffe's val.txt)
    <data>/{folder}/LOC_val_solution.csv              Kaggle's
    <data>/{folder}/ILSVRC2012_devkit_t12/data/       the devkit: ILSVRC2012_validation_ground_truth.txt and meta.mat

`labels` names another list (ImageNet-ReaL's real.json); its images may lie in one folder or in folders by class.
`class_lists` describes all lists that can be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from hrbench.datasets.image_files import digest_of, file_sizes, missing_images
from hrbench.errors import InputError, UsageError
from hrbench.formats.class_lists import ENDINGS, ClassLists, class_folders, read, stem
from hrbench.formats.images import image_faults
from hrbench.formats.orientation import Orientation
from hrbench.formats.orientation import checked as checked_orientation
from hrbench.formats.paths import hidden
from hrbench.types import ClassScheme, Note, Remark, Sample

CLASSES = Path(__file__).parent / "classes"
DEVKIT = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
OWN = "check the paths of the data set in the suite"


class ImageFolders:
    """A split of images with one class each, or several valid ones; construction reads nothing.

    root: the folder of --data, `folder` in it.
    labels: a list below `folder`; "" to find it: folders by class if there are any, else one of the lists above.
    classes: "imagenet" (its 1,000 synsets), names in the order of the network's outputs, or only how many there are;
        left out, the folders' names in sorted order.
    images: a user-defined folder instead of `split`.
    part: whether folders of some of `classes` are enough: the others are classes without images.
    count: how many images there should be.
    home: where to get the data, in words.
    orientation: the picture that annotations belong to: "stored", as in the file, or "applied", turned as EXIF says;
        None: stored for data sets of the catalog; other data must say if a file has such a tag.
    """

    task = "classification"

    def __init__(
        self,
        root: str | Path,
        folder: str = "imagenet",
        split: str = "val",
        labels: str = "",
        classes: str | int | Sequence[str] | None = None,
        images: str = "",
        count: int | None = None,
        home: str = OWN,
        orientation: str | None = None,
        part: bool = False,
    ) -> None:
        self.folder = Path(root) / folder
        self.images = self.folder / (images or split)
        self.split, self.labels, self.count, self.home = split, labels, count, home
        self.classes, self.part = _checked(classes), part
        if part and not isinstance(self.classes, (str, tuple)):
            raise UsageError("part: true needs all classes: set `classes` to imagenet, or to their names in order")
        self.orientation: Orientation = checked_orientation(orientation, official=home != OWN)

    @cached_property
    def target(self) -> Path:
        """The source of the classes: the folder of class folders, or the list."""
        if self.labels:
            return self.folder / self.labels
        if self.images.is_dir() and class_folders(self.images):
            return self.images
        found = (path for path in self._lists() if path.is_file())
        return next(found, self._lists()[0])

    def _lists(self) -> list[Path]:
        official = ["LOC_val_solution.csv", DEVKIT] if self.split == "val" else []
        return [self.folder / name for name in (f"{self.split}.txt", f"{self.split}.csv", *official)]

    @cached_property
    def lists(self) -> ClassLists:
        """Images and classes. Raises InputError for an unexpected folder or an invalid list; MissingError."""
        names = tuple(name for name, _ in self._named)
        if self.target.is_dir() and isinstance(self.classes, int):
            found = class_folders(self.target)
            if len(found) > self.classes:
                raise InputError(
                    f"{self.target} has {len(found)} class folders where {self.classes} are expected: "
                    f"{found[0]} to {found[-1]}; {_odd(found)} is least like the others: take out what is too many"
                )
        return read(self.target, names)

    @cached_property
    def _named(self) -> list[tuple[str, str]]:
        """(folder, title) of each class, if the arguments give them."""
        if self.classes == "imagenet":
            return list(_imagenet())
        return [(name, name) for name in self.classes] if isinstance(self.classes, tuple) else []

    @cached_property
    def scheme(self) -> ClassScheme:
        """The classes by their titles, or by their numbers if there are no titles."""
        names = tuple(title for _, title in self._named) or self.lists.classes
        if not names:
            most = max((max(labels, default=-1) for labels in self.lists.labels), default=-1)
            many = self.classes if isinstance(self.classes, int) else most + 1
            names = tuple(map(str, range(many)))
        return ClassScheme(names, tuple(range(len(names))))

    @cached_property
    def _files(self) -> dict[int | str, str]:
        """Image id -> its file below `images`. For a name without suffix, any image file of that name."""
        if self.target == self.images:
            return dict(self.lists.files)
        here: dict[str, str] = {}
        folders = class_folders(self.images)
        inside = read(self.images).files.values() if folders else []
        flat = (path.name for path in sorted(self.images.iterdir()) if path.suffix.lower() in ENDINGS)
        for name in (*inside, *(name for name in flat if not hidden(name))):
            here[stem(name)] = name
            here.setdefault(stem(name.rpartition("/")[2]), name)
        return {key: here.get(str(key), self._called(key)) for key in self.lists.ids}

    def _called(self, key: int | str) -> str:
        """The expected file of a missing image: as in its list, or as in ImageNet."""
        file = self.lists.files.get(key, str(key))
        return file if Path(file).suffix.lower() in ENDINGS else f"{file}.JPEG"

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for each folder, list, class or kind of image that is not there.

        Raises InputError if there is an unexpected class folder, or the list is invalid.
        """
        gaps = []
        if not self.images.is_dir():
            gaps.append(f"images are missing: {self.images}; {self.home}")
        if not self.target.exists() and (self.labels or not gaps):
            others = [] if self.labels else self._lists()[1:]
            also = "".join(f", {path.relative_to(self.folder)}" for path in others)
            nor = f", or{also[1:]}, or folders by class" if others else ""
            gaps.append(f"the list of classes is missing: {self.target}{nor}; {self.home}")
        if gaps:
            return gaps
        if self.target == self.images:
            used = {labels[0] for labels in self.lists.labels}
            empty = [name for index, name in enumerate(self.lists.classes) if index not in used]
            if empty and not self.part:
                many = f"{len(empty)} of {len(self.lists.classes)} class folders"
                remedy = "set `part: true` if the set has only a part of the classes, or give a list by `labels:`"
                here = len(self.lists.classes) - len(empty)
                how = remedy if self.home == OWN and here else self.home
                gaps.append(f"{many} are missing from {self.images} or empty, the first is {empty[0]}; {how}")
        else:
            gaps += missing_images(self.images, [*self._files.values()], self.home)
        if self.count is not None and len(self.lists.ids) < self.count:
            short = self.count - len(self.lists.ids)
            gaps.append(f"{short} of {self.count} images are missing from {self.target}; {self.home}")
        return gaps

    def metric_options(self) -> dict[str, Any]:
        """Names of the classes as in folders and lists, if the arguments give them."""
        return {"names": [name for name, _ in self._named]} if self._named else {}

    def digest(self, protocol: Mapping[str, Any]) -> str:
        """SHA-256 of the list of classes and of the images' names and sizes; folders are part of the names."""
        lists = [path for path in (self.target, self.target.with_name("meta.mat")) if path.is_file()]
        return digest_of(lists, file_sizes(self.images, self._files.values()))

    def samples(self, protocol: Mapping[str, Any]) -> list[Sample]:
        """One sample for each image: by class and name, or in the order of the list; group: the class's title."""
        titles = self.scheme.names
        known = not self.lists.unmapped  # only the metric maps the ids of the devkit
        return [
            Sample(
                key,
                self.images / self._files[key],
                group=titles[labels[0]] if known and len(labels) == 1 else "",
                orientation=self.orientation,
            )
            for key, labels in zip(self.lists.ids, self.lists.labels, strict=True)
        ]

    def notes(self, protocol: Mapping[str, Any]) -> list[Remark]:
        notes: list[Remark] = []
        if self.count is not None and len(self.lists.ids) > self.count:
            more = len(self.lists.ids) - self.count
            notes.append(f"{len(self.lists.ids)} images are there, {more} more than the set has")
        if self.part:
            used, every = len({label for labels in self.lists.labels for label in labels}), len(self.scheme.names)
            effect = "a network may choose any of all classes"
            notes.append(Note("part_of_the_classes", "classes have images", used, every, effect, "part"))
        return notes

    def facts(self) -> dict[str, int]:
        """Numbers of images, of images with a valid class, and of classes."""
        sizes = file_sizes(self.images, self._files.values())
        judged = sum(bool(labels) for labels in self.lists.labels)
        return {
            "images": sum(size is not None for size in sizes.values()),
            "labelled images": judged,
            "classes": len(self.scheme.names),
        }

    def look(self, sample: Sample) -> list[str]:
        """Faults of an image."""
        return image_faults(sample.path, None, sample.orientation)


@cache
def _imagenet() -> tuple[tuple[str, str], ...]:
    """ImageNet's 1,000 (synset, title), in the order of the networks' outputs, which is that of the synsets."""
    lines = (CLASSES / "imagenet.txt").read_text(encoding="utf-8").splitlines()
    return tuple((synset, title) for synset, _, title in (line.partition(" ") for line in lines))


def _checked(classes: str | int | Sequence[str] | None) -> str | int | tuple[str, ...] | None:
    """The argument `classes`. Raises UsageError if it is invalid."""
    if classes is None or (isinstance(classes, int) and not isinstance(classes, bool) and classes > 0):
        return classes
    if isinstance(classes, str) and classes == "imagenet":
        return classes
    if isinstance(classes, (str, int)) or not classes or not all(isinstance(name, str) for name in classes):
        raise UsageError(f"classes: imagenet, a list of names, or how many there are, was expected, not {classes!r}")
    if len(set(classes)) < len(classes):
        raise UsageError(f"classes holds {next(name for name in classes if [*classes].count(name) > 1)!r} twice")
    return tuple(classes)


def _odd(names: Sequence[str]) -> str:
    """The name that is least similar to the others: with the rarest pattern of letters and digits.

    >>> _odd(["n01", "n02", "junk", "n03"])
    'junk'
    """
    patterns = ["".join("9" if c.isdigit() else "a" if c.isalpha() else c for c in name) for name in names]
    return min(zip(names, patterns, strict=True), key=lambda pair: patterns.count(pair[1]))[0]
