"""The JSON files of COCO's panoptic format: which images there are, and the segments of each.

    {"images": [{"id", "file_name", "width", "height"}],
     "annotations": [{"image_id", "file_name", "segments_info": [{"id", "category_id", "iscrowd", "area"}]}],
     "categories": [{"id", "name", "isthing"}]}

`file_name` of an annotation is that of a PNG of segment ids (`pixels`). A file of predictions has annotations alone,
and neither crowds nor areas. Cityscapes has the same form with ids of images as text ("ulm_000000_000019"), once
cityscapesscripts has written it (csCreatePanopticImgs). Sources: https://cocodataset.org/#format-data and
#format-results, panoptic segmentation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import numpy as np

from hrbench.core.files import reading
from hrbench.errors import InputError, MissingError, UsageError
from hrbench.formats.coco.columns import READ_ERRORS, Whole
from hrbench.formats.coco.forms import COCO, annotations_in
from hrbench.formats.coco.json_faults import categories_in_words
from hrbench.formats.panoptic.pixels import MOST, VOID
from hrbench.formats.panoptic.segments import Segments
from hrbench.formats.paths import hidden, inside

TRUTH = "a panoptic annotation file in COCO's form: an object with images, annotations, categories"
PREDICTIONS = "panoptic predictions in COCO's form: a JSON file of an object with annotations"
TRUTH_PNG = "a PNG of annotated segment ids"
PREDICTED_PNG = "a PNG of predicted segment ids"
MOST_AREA = 2.0**52
"""Pixels of a segment, so that sums of areas are exact."""

ImageId = int | str
Content = TypeVar("Content", bound=msgspec.Struct)
Area = Literal["file", "pixels"]


@dataclass(frozen=True, slots=True)
class PanopticForm:
    """How annotations deviate from COCO's form.

    truth_area: whose area of an annotated segment is taken: that of the "file", as panopticapi does, or its "pixels".
    iscrowd: "file": every segment says whether it is a crowd; 0: one that does not say is none.
    """

    truth_area: Area = "file"
    iscrowd: Literal["file", 0] = "file"

    def __post_init__(self) -> None:
        if self.truth_area not in ("file", "pixels"):
            raise UsageError(f"truth_area: file or pixels was expected, not {self.truth_area!r}")
        if self.iscrowd not in ("file", 0) or isinstance(self.iscrowd, bool):
            raise UsageError(f"iscrowd: file or 0 was expected, not {self.iscrowd!r}")

    def stated(self) -> dict[str, str | int]:
        """The options that are not COCO's own, by name."""
        area = {} if self.truth_area == "file" else {"truth_area": self.truth_area}
        return {**area, **({} if self.iscrowd == "file" else {"iscrowd": self.iscrowd})}


PLAIN = PanopticForm()


@dataclass(frozen=True)
class Categories:
    """C categories in the order of the file.

    ids: (C,) int64.
    names: a label for each: its name, or its id if it has no name or shares it.
    things: (C,) bool, whether it is of things that can be counted.
    """

    ids: np.ndarray
    names: tuple[str, ...]
    things: np.ndarray

    def places(self, ids: Sequence[int]) -> np.ndarray:
        """(S,) int64 the position of each category id, -1 for one that is not listed."""
        known = {int(one): place for place, one in enumerate(self.ids.tolist())}
        return np.array([known.get(one, -1) for one in ids], np.int64)


@dataclass(frozen=True)
class AnnotatedImage:
    """An image with its PNG of segment ids and its segments. size: (width, height) as listed, None if it is not."""

    id: ImageId
    png: Path
    segments: Segments
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class PanopticTruth:
    """Ground truth. images: by rising id."""

    path: Path
    folder: Path
    images: Mapping[ImageId, AnnotatedImage]
    categories: Categories


@dataclass(frozen=True)
class PanopticResults:
    """Predictions. path: the JSON file. images: those that are predicted."""

    path: Path
    folder: Path
    images: Mapping[ImageId, AnnotatedImage]


# --- the files as they are -------------------------------------------------------------------------------------------


class _PanopticSegment(msgspec.Struct, gc=False):
    id: Whole
    category_id: Whole
    iscrowd: Whole | None = None
    area: float | None = None


class _PanopticRow(msgspec.Struct):
    image_id: Whole | str
    file_name: str
    segments_info: list[_PanopticSegment]


class PanopticImage(msgspec.Struct):
    """An image as the file lists it."""

    id: Whole | str
    file_name: str = ""
    width: Whole | None = None
    height: Whole | None = None


class _PanopticCategory(msgspec.Struct):
    id: Whole
    isthing: Whole
    name: str = ""


class _TruthFile(msgspec.Struct):
    annotations: list[_PanopticRow]
    categories: list[_PanopticCategory]
    images: list[PanopticImage] = []


class _Results(msgspec.Struct):
    annotations: list[_PanopticRow]


def read_truth(path: Path, folder: Path | None = None, form: PanopticForm = PLAIN) -> PanopticTruth:
    """Annotations, checked whole; their PNGs are not read.

    path: the JSON file.
    folder: of its PNGs; None for that of the file's name without its ending, as panopticapi takes it.
    form: how the file deviates from COCO's form.

    Raises MissingError; InputError naming the first fault.
    """
    content = _decoded(path, TRUTH, _TruthFile)
    categories = _categories(path, content.categories)
    if not content.annotations:
        raise InputError(f"{path}: annotates no image")
    listed: dict[ImageId, PanopticImage] = {}
    for each in content.images:
        if each.id in listed:
            raise InputError(f"{path}: images lists the id {each.id!r} twice")
        listed[each.id] = each
    folder = path.with_suffix("") if folder is None else folder
    if not folder.is_dir():
        raise MissingError(
            f"{folder}: there is no such folder; it should hold the PNGs of {path.name} (COCO packs them as "
            f"{path.stem}.zip; option png_folder names another folder)"
        )
    images = {each.id: each for each in _images(path, folder, content.annotations, categories, form, listed)}
    return PanopticTruth(path, folder, images, categories)


def read_results(path: Path, truth: PanopticTruth) -> PanopticResults:
    """Predictions, checked whole; their PNGs are not read.

    path: the JSON file, whose PNGs lie in the folder of its name without ending, or beside it; or a folder with one
        such file.
    truth: whose categories and images they are of.

    Raises MissingError; InputError naming the first fault.
    """
    results = predicted_images(path, truth.categories, truth.path)
    for image in results.images:
        if image not in truth.images:
            some = f"whose ids are such as {next(iter(truth.images))!r}"
            raise InputError(f"{results.path}: image {image!r} is not annotated in {truth.path}, {some}")
    return results


def predicted_images(path: Path, categories: Categories, truth: Path | None = None) -> PanopticResults:
    """As `read_results`, whatever images are annotated. truth: the file that lists the categories, for messages."""
    path = _results_file(Path(path))
    annotations = _decoded(path, PREDICTIONS, _Results).annotations
    folder = path.with_suffix("")
    if not folder.is_dir():
        folder = path.parent
        if annotations and not any(folder.glob("*.png")):
            raise MissingError(f"{path}: its PNGs are neither in a folder {path.with_suffix('').name} nor beside it")
    images = {each.id: each for each in _images(path, folder, annotations, categories, None, {}, truth)}
    return PanopticResults(path, folder, images)


def listed_images(path: Path) -> list[PanopticImage]:
    """The images of an annotation file that it annotates, in its order. Raises MissingError, InputError."""
    content = _decoded(path, TRUTH, _TruthFile)
    annotated = {each.image_id for each in content.annotations}
    return [each for each in content.images if each.id in annotated]


def _results_file(path: Path) -> Path:
    """The JSON file of predictions. Raises MissingError; InputError if a folder holds another number of them."""
    if not path.is_dir():
        if not path.exists():
            raise MissingError(f"{path}: there is no such file or folder; it should be {PREDICTIONS}, or its folder")
        return path
    files = sorted(file for file in path.glob("*.json") if not hidden(file.name))
    if len(files) != 1:
        found = "no JSON file" if not files else f"{len(files)} JSON files ({files[0].name}, {files[1].name})"
        raise InputError(f"{path}: holds {found}; it should hold one of predictions, and their PNGs")
    return files[0]


def _decoded(path: Path, what: str, kind: type[Content]) -> Content:
    with reading(path, what) as stream:
        data = annotations_in(path, stream.read(), COCO)
    try:
        return msgspec.json.decode(data, type=kind)
    except READ_ERRORS as error:
        raise InputError(f"{path}: {error}; it should be {what}") from None


def _categories(path: Path, rows: Sequence[_PanopticCategory]) -> Categories:
    if not rows:
        raise InputError(f"{path}: lists no categories")
    seen: set[int] = set()
    for each in rows:
        if each.id in seen:
            raise InputError(f"{path}: categories lists the id {each.id} twice")
        if each.isthing not in (0, 1):
            raise InputError(f"{path}: category {each.id} has isthing {each.isthing}; 1 is of things, 0 of stuff")
        seen.add(each.id)
    count = Counter(each.name for each in rows)
    names = tuple(each.name if each.name and count[each.name] == 1 else str(each.id) for each in rows)
    if len(set(names)) < len(names):  # a name that is another's id
        names = tuple(str(each.id) for each in rows)
    return Categories(
        np.array([each.id for each in rows], np.int64), names, np.array([each.isthing == 1 for each in rows])
    )


def _images(
    path: Path,
    folder: Path,
    rows: Sequence[_PanopticRow],
    categories: Categories,
    form: PanopticForm | None,
    listed: Mapping[ImageId, PanopticImage],
    truth: Path | None = None,
) -> list[AnnotatedImage]:
    """The images by rising id.

    path, folder: the JSON file, and where its PNGs lie.
    rows: as the file has them.
    categories: of the ground truth.
    form: of the ground truth; None for predictions.
    listed: what the file says of each image.
    truth: the file of ground truth, for predictions.
    """
    kinds = {type(row.image_id) for row in rows}
    if len(kinds) > 1:
        raise InputError(f"{path}: ids of images are numbers and texts; they are of one kind")
    seen: set[ImageId] = set()
    named: dict[str, ImageId] = {}
    made = []
    for row in rows:
        where = f"{path}: image {row.image_id!r}"
        if row.image_id in seen:
            raise InputError(f"{where} is annotated twice")
        seen.add(row.image_id)
        if (other := named.setdefault(row.file_name, row.image_id)) != row.image_id:
            raise InputError(f"{where} has the PNG {row.file_name} of image {other!r}; each has one of its own")
        png = folder / inside(row.file_name, where)
        segments = _segments(where, row.segments_info, categories, form, truth or path)
        image = listed.get(row.image_id)
        size = None if image is None or image.width is None or image.height is None else (image.width, image.height)
        if size is not None and min(size) < 1:
            raise InputError(f"{where} is listed with {size[0]}x{size[1]} pixels; both sides are above 0")
        made.append(AnnotatedImage(row.image_id, png, segments, size))
    return sorted(made, key=lambda each: each.id)


def _segments(
    where: str, rows: Sequence[_PanopticSegment], categories: Categories, form: PanopticForm | None, truth: Path
) -> Segments:
    """The segments of an image, each row checked. where: file and image, for messages; others as of `_images`."""
    ids = np.array([row.id for row in rows], np.int64)
    odd = (ids <= VOID) | (ids > MOST)
    if odd.any():
        raise InputError(f"{where}: a segment has the id {ids[odd][0]}; ids are 1 to {MOST}, and 0 is void")
    if len(set(ids.tolist())) < len(ids):
        twice = next(one for one, many in Counter(ids.tolist()).items() if many > 1)
        raise InputError(f"{where}: segments_info lists segment {twice} twice")
    places = categories.places([row.category_id for row in rows])
    for row, place in zip(rows, places.tolist(), strict=True):
        if place < 0:
            known = categories_in_words(zip(categories.ids.tolist(), categories.names, strict=True), 4)
            raise InputError(
                f"{where}: segment {row.id} has category_id {row.category_id}, which is none of the "
                f"{len(categories.ids)} of {truth.name}: {known}; write ids of categories, not indices of outputs"
            )
        if form is not None:
            _check_truth(f"{where}: segment {row.id}", row, form)
    stated = form is not None and form.truth_area == "file"
    area = np.array([row.area if stated else math.nan for row in rows], np.float64)
    crowd = np.array([form is not None and row.iscrowd == 1 for row in rows], np.bool_)
    return Segments(ids, places, crowd, area)


def _check_truth(where: str, row: _PanopticSegment, form: PanopticForm) -> None:
    if row.iscrowd is None and form.iscrowd == "file":
        raise InputError(f"{where} has no iscrowd; option iscrowd: 0 takes such segments for no crowds", "iscrowd: 0")
    if row.iscrowd not in (None, 0, 1):
        raise InputError(f"{where} has iscrowd {row.iscrowd}; it is 0 or 1")
    if form.truth_area == "pixels":
        return
    if row.area is None:
        raise InputError(f"{where} has no area; option truth_area: pixels counts its pixels", "truth_area: pixels")
    if not 0 <= row.area <= MOST_AREA:
        raise InputError(f"{where} has area {row.area:g}; option truth_area: pixels counts it", "truth_area: pixels")
