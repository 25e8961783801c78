"""Pictures of the page: what is annotated beside what was predicted, in folds that are loaded when they are opened.

The page is to stay one file that can be sent and read without a network, so pictures are in it, as data URIs in inert
JSON: a browser decodes none before its fold is opened. Dozens of networks would make such a page too large to open, so
it holds pictures of `EMBEDDED` bytes, the first images of every fold before the second ones, and each once; further
ones are files beside the page, which it names.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from hrbench.core import units
from hrbench.report.rows import is_miniature
from hrbench.store.side_by_side import FOLDER, SideBySide, read_side_by_side
from hrbench.types import Result

EMBEDDED = 1_100_000
"""Bytes of pictures that a page holds, four thirds of it as text."""

BESIDE = "report-pictures"
"""Folder beside a page for pictures that are neither in it nor below its folder."""

TYPES = {".webp": "image/webp", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}
KINDS = {"worst": "worst", "disagreed": "most disagreed", "typical": "typical"}


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture.

    label: "ground truth", or the network that predicted.
    path: of its file; None if there is none.
    quality: of the prediction; None for the ground truth, and where it is not known.
    gone: the name of a file that is missing; "" if it is there.
    number: in the list of addresses of the page; None for a file that is missing.
    """

    label: str
    path: Path | None
    quality: float | None = None
    gone: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class ImageShots:
    """The pictures of one image.

    name: its id.
    kind: why it is shown, in words.
    caption: what the run noted with it, where quality and classes are not known.
    classes: numbers of the classes in it, in the list of the page.
    quality: the lowest of its predictions; None if none is known.
    """

    name: str
    kind: str
    shots: tuple[Shot, ...]
    caption: str = ""
    classes: tuple[int, ...] = ()
    quality: float | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """A fold of the page with pictures.

    title: the data set, or the entry.
    detail: what is in it.
    quality_is: what quality means in it, in words.
    shared: whether it has the same images for several networks.
    miniature: whether a tag says so.
    reason: why nothing was rendered.
    """

    title: str
    detail: str
    images: tuple[ImageShots, ...]
    quality_is: str = ""
    shared: bool = False
    miniature: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Gallery:
    """All folds.

    addresses: of the pictures, by their numbers: data URIs and relative addresses of files.
    classes: names of the classes in the images.
    copies: pictures to put beside the page: name there -> file.
    beside: how many pictures are files beside the page.
    """

    folds: tuple[Fold, ...]
    addresses: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    copies: Mapping[str, Path] = field(default_factory=dict)
    beside: int = 0


def gallery(
    results: Sequence[Result],
    labels: Sequence[str],
    folder_of: Callable[[Result], Path],
    page_folder: Path | None = None,
    embedded: int = EMBEDDED,
) -> Gallery:
    """The folds of these results: those with the same images for several networks first, then one for each entry.

    labels: what the results are called.
    folder_of: returns the folder of an entry's pictures.
    page_folder: where the page will lie; None for a page that holds all pictures.
    embedded: bytes of pictures that the page holds.
    """
    classes: dict[str, int] = {}
    folds = [*_shared_folds(results, labels, classes)]
    folds += [
        _entry_fold(result, label, folder_of(result), classes)
        for result, label in zip(results, labels, strict=True)
        if result.drawings
    ]
    store = _Addresses(page_folder, embedded)
    for images in zip_longest(*(fold.images for fold in folds)):
        for shot in (shot for image in images if image is not None for shot in image.shots):
            store.add(shot.path)
    return Gallery(
        tuple(replace(fold, images=tuple(_numbered(image, store) for image in fold.images)) for fold in folds),
        tuple(store.addresses),
        tuple(classes),
        store.copies,
        store.beside,
    )


# --- folds -----------------------------------------------------------------------------------------------------------


def _entry_fold(result: Result, label: str, folder: Path, classes: dict[str, int]) -> Fold:
    """The worst and typical images of one entry, worst ones first."""
    dataset = result.entry.dataset
    images = []
    order = list(KINDS)
    for drawing in sorted(result.drawings, key=lambda one: order.index(one.kind) if one.kind in order else len(order)):
        truth = [_shot("ground truth", folder, drawing.truth)] if drawing.truth else []
        images.append(
            ImageShots(
                str(drawing.sample),
                KINDS.get(drawing.kind, drawing.kind),
                (*truth, _shot("prediction", folder, drawing.file, drawing.quality)),
                drawing.caption if drawing.quality is None else "",
                tuple(classes.setdefault(name, len(classes)) for name in drawing.classes),
                drawing.quality,
            )
        )
    of = [units.size(result.entry.variant.input), (dataset.title or dataset.name) if dataset else ""]
    said = next((one.quality_is for one in result.drawings if one.quality_is), "")
    return Fold(label, ", ".join(filter(None, of)), tuple(images), said, miniature=is_miniature(result))


def _shared_folds(results: Sequence[Result], labels: Sequence[str], classes: dict[str, int]) -> Iterator[Fold]:
    """Of each run the images that several of these results share; results that were replaced since are left out."""
    runs: dict[Path, dict[str, int]] = {}
    for place, result in enumerate(results):
        folder = Path(result.folder)
        if result.folder and folder.parent.name == "entries":
            runs.setdefault(folder.parents[1], {})[result.name] = place
    for run, places in runs.items():
        for group in read_side_by_side(run):
            there = {
                name: labels[places[name]]
                for name, key in group.score_keys.items()
                if name in places and results[places[name]].score_key == key
            }
            if len(there) > 1:
                yield _shared_fold(group, there, run / FOLDER, results[places[next(iter(there))]], classes)


def _shared_fold(
    group: SideBySide, labels: Mapping[str, str], folder: Path, one: Result, classes: dict[str, int]
) -> Fold:
    images = []
    for image in group.images:
        shots = [_shot("ground truth", folder, image.truth)] if image.truth else []
        shots += [_shot(labels[each.entry], folder, each.file, each.quality) for each in image.networks
                  if each.entry in labels]  # fmt: skip
        qualities = [shot.quality for shot in shots if shot.quality is not None]
        numbers = tuple(classes.setdefault(name, len(classes)) for name in image.classes)
        kind = KINDS.get(image.kind, image.kind)
        images.append(ImageShots(str(image.sample), kind, tuple(shots), "", numbers, min(qualities, default=None)))
    best = f" with the best scores of {group.networks}" if group.networks > len(group.score_keys) else ""
    dataset = one.entry.dataset
    title = group.dataset if dataset is None else dataset.title or dataset.name
    return Fold(
        title,
        f"the same images for {'the ' if best else ''}{units.amount(len(labels), 'network')}{best}",
        tuple(images),
        group.quality_is,
        shared=True,
        miniature=is_miniature(one),
        reason=group.reason,
    )


def _shot(label: str, folder: Path, file: str, quality: float | None = None) -> Shot:
    path = picture_file(folder, file)
    return Shot(label, path, quality, "" if path else file)


def picture_file(folder: Path, file: str) -> Path | None:
    """The file of a picture; None if it is missing, is no image, or lies outside the folder."""
    try:
        path = (folder / file).resolve()
        fits = path.suffix.lower() in TYPES and path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, links in a circle
        return None
    return path if fits else None


def _numbered(image: ImageShots, store: _Addresses) -> ImageShots:
    shots = (shot if shot.path is None else replace(shot, number=store.numbers[shot.path]) for shot in image.shots)
    return replace(image, shots=tuple(shots))


# --- addresses -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Addresses:
    """Addresses of pictures, as data URIs as long as there is room.

    page_folder: of the page, None if all are to be in it.
    room: bytes that are left.
    numbers: file -> number of its address. contents: digest of a picture in the page -> the same.
    """

    page_folder: Path | None
    room: int
    addresses: list[str] = field(default_factory=list)
    numbers: dict[Path, int] = field(default_factory=dict)
    contents: dict[bytes, int] = field(default_factory=dict)
    copies: dict[str, Path] = field(default_factory=dict)
    beside: int = 0

    def add(self, path: Path | None) -> None:
        if path is None or path in self.numbers:
            return
        if self.page_folder is not None and path.stat().st_size > self.room:
            self.beside += 1
            self.numbers[path] = self._new(self._relative(path, self.page_folder.resolve()))
            return
        data = path.read_bytes()
        content = hashlib.sha256(data).digest()
        if content not in self.contents:
            self.room -= len(data)
            self.contents[content] = self._new(_uri(path, data))
        self.numbers[path] = self.contents[content]

    def _new(self, address: str) -> int:
        self.addresses.append(address)
        return len(self.addresses) - 1

    def _relative(self, path: Path, page_folder: Path) -> str:
        if path.is_relative_to(page_folder):
            return quote(os.path.relpath(path, page_folder).replace(os.sep, "/"))
        name = f"{hashlib.sha256(path.read_bytes()).hexdigest()[:24]}{path.suffix.lower()}"
        self.copies[name] = path
        return f"{BESIDE}/{name}"


def data_uri(folder: Path, file: str) -> str:
    """A picture as a data URI, which a template prints as it is; "" where `picture_file` finds none."""
    path = picture_file(folder, file)
    return "" if path is None else _uri(path, path.read_bytes())


def _uri(path: Path, data: bytes) -> Markup:
    return Markup(f"data:{TYPES[path.suffix.lower()]};base64,{base64.b64encode(data).decode()}")
