"""COCO boxes and masks: annotations and results, from JSON files to columns, checked.

Typed decoding, then checks on whole columns (`columns`). If anything is wrong, `faults` reads the file again, slowly,
and names the first fault. Masks stay compressed, as pycocotools' codec has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from hrbench.core.files import reading
from hrbench.errors import InputError
from hrbench.formats.coco.columns import (
    READ_ERRORS,
    Detections,
    Four,
    Truths,
    Whole,
    blocks,
    joined,
    known,
    need,
    numbers,
    sorted_unique,
    whole,
    within_limits,
)
from hrbench.formats.coco.faults import explain_instance_results, explain_instance_truth
from hrbench.formats.coco.forms import COCO, CocoForm, annotations_in, file_ids, results_in, unused_root
from hrbench.formats.coco.masks import Counts, MaskColumns, annotated
from hrbench.formats.coco.rle import MAX_PIXELS, Masks

MASK_BLOCK_BYTES = 1 << 19  # text decoded at a time
_NONE = np.zeros(0)
DetectionArea = Literal["mask", "box"]


@dataclass(frozen=True)
class InstanceTruth:
    """An annotation file.

    images: (I,) and categories: (C,) int64 ids, rising.
    names: of the categories, or "".
    truths: columns (G).
    shape: (G, 4) float64, boxes x, y, w, h in px, or the masks.
    size: (I, 2) int64, height and width of the images; for boxes, which need none, zeros where the file has none.
    flagged: (G,) bool, whether a key `ignore` is set.
    by_name: names of image files -> ids, if images are matched by them (`forms.file_ids`).
    root: the id of the category that only names the others and has no annotation; None if there is none.
    """

    path: Path
    images: np.ndarray
    categories: np.ndarray
    names: tuple[str, ...]
    truths: Truths
    shape: np.ndarray | Masks
    size: np.ndarray
    flagged: np.ndarray
    by_name: Mapping[str, int | None] = field(default_factory=dict)
    root: int | None = None


@dataclass(frozen=True)
class InstanceResults:
    """A results file.

    detections: columns (N).
    shape: (N, 4) float64, boxes in px, or the masks.
    area_from: "box" or "mask": what the areas of detections are of.
    boxed: whether mask results carry a `bbox` too.
    """

    path: Path
    detections: Detections
    shape: np.ndarray | Masks
    area_from: str
    boxed: bool = False


class _Category(msgspec.Struct, gc=False):
    id: Whole
    name: Any = ""
    supercategory: Any = ""


class _Listed(msgspec.Struct, gc=False):
    id: Whole
    height: Any = 0
    width: Any = 0
    file_name: Any = ""


class _Sized(msgspec.Struct, gc=False):
    id: Whole
    height: Whole
    width: Whole
    file_name: Any = ""


class _Boxed(msgspec.Struct, gc=False):
    id: Whole
    image_id: Whole
    category_id: Whole
    area: float
    iscrowd: int | bool
    bbox: Four
    ignore: Any = 0


class _Masked(msgspec.Struct, gc=False):
    id: Whole
    image_id: Whole
    category_id: Whole
    area: float
    iscrowd: int | bool
    segmentation: list[list[float]] | Counts
    ignore: Any = 0


class _BoxTruth(msgspec.Struct):
    images: list[_Listed]
    annotations: list[_Boxed]
    categories: list[_Category]


class _MaskTruth(msgspec.Struct):
    images: list[_Sized]
    annotations: list[_Masked]
    categories: list[_Category]


class _BoxRow(msgspec.Struct, gc=False):
    image_id: Whole
    category_id: Whole
    bbox: Four
    score: float
    # no value has this type: a row with this key is refused, and `faults` says why
    caption: msgspec.UnsetType = msgspec.UNSET


class _MaskRow(msgspec.Struct, gc=False):
    image_id: Whole
    category_id: Whole
    segmentation: list[list[float]] | Counts
    score: float
    bbox: list[float] | msgspec.UnsetType = msgspec.UNSET
    caption: msgspec.UnsetType = msgspec.UNSET


def read_truth(path: Path, masks: bool, form: CocoForm = COCO) -> InstanceTruth:
    """Reads annotated objects with their masks or their boxes. Raises InputError naming the first fault, MissingError.

    form: how the file deviates from COCO's form.

    As in pycocotools, crowds are ignored and a key `ignore` has no effect. The area is the annotated one.
    """
    path = Path(path)
    with reading(path, "COCO instance annotations (JSON)") as stream:
        data = annotations_in(path, stream.read(), form)
    try:
        if masks:
            return _masks(path, msgspec.json.decode(data, type=_MaskTruth), form)
        return _boxes(path, msgspec.json.decode(data, type=_BoxTruth), form)
    except READ_ERRORS as error:
        explain_instance_truth(path, data, masks, form.stated())
        raise InputError(f"{path}: cannot be read as COCO instance annotations: {error}") from None


def _boxes(path: Path, truth: _BoxTruth, form: CocoForm) -> InstanceTruth:
    box = numbers([row.bbox for row in truth.annotations], 4)
    need(within_limits(box) and not np.any(box[:, 2:] < 0))
    images, categories, names, truths = _objects(truth)
    size = whole([_size_of(one) for one in sorted(truth.images, key=lambda one: one.id)]).reshape(-1, 2)
    more = _flagged(truth), _by_name(truth, form), unused_root(truth.categories, truths.category)
    return InstanceTruth(path, images, categories, names, truths, box, size, *more)


def _by_name(truth: _BoxTruth | _MaskTruth, form: CocoForm) -> dict[str, int | None]:
    named = [{"id": one.id, "file_name": one.file_name} for one in truth.images] if form.match != "id" else []
    return file_ids(named)


def _size_of(image: _Listed) -> tuple[int, int]:
    """Height and width, (0, 0) unless both are whole numbers of pixels."""
    height, width = image.height, image.width
    sized = type(height) is int and type(width) is int and 0 < height < MAX_PIXELS and 0 < width < MAX_PIXELS
    return (height, width) if sized else (0, 0)


def _flagged(truth: _BoxTruth | _MaskTruth) -> np.ndarray:
    return np.array([bool(row.ignore) for row in truth.annotations], bool)


def _masks(path: Path, truth: _MaskTruth, form: CocoForm) -> InstanceTruth:
    images, categories, names, truths = _objects(truth)
    size = whole([(one.height, one.width) for one in sorted(truth.images, key=lambda one: one.id)]).reshape(-1, 2)
    need(not np.any((size < 1) | (size > MAX_PIXELS)) and not np.any(size.prod(axis=1) >= MAX_PIXELS))
    masks = annotated([row.segmentation for row in truth.annotations], size[np.searchsorted(images, truths.image)])
    more = _flagged(truth), _by_name(truth, form), unused_root(truth.categories, truths.category)
    return InstanceTruth(path, images, categories, names, truths, masks, size, *more)


def _objects(truth: _BoxTruth | _MaskTruth) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], Truths]:
    """images, categories, names of these, truths; checked."""
    rows = truth.annotations
    images, categories = (sorted_unique(whole([one.id for one in named])) for named in (truth.images, truth.categories))
    need(len(images) == len(truth.images) and len(categories) == len(truth.categories) > 0)
    ids = whole([row.id for row in rows])
    need(len(sorted_unique(ids)) == len(rows) and not np.any(ids < 1))
    image, category = whole([row.image_id for row in rows]), whole([row.category_id for row in rows])
    need(known(image, images) and known(category, categories))
    need(all(row.iscrowd in (0, 1) for row in rows))
    area = np.array([row.area for row in rows], np.float64)
    need(bool(np.all(np.isfinite(area) & (area >= 0))))
    crowd = np.array([row.iscrowd for row in rows], bool)
    listed = sorted(truth.categories, key=lambda one: one.id)
    names = tuple(one.name if isinstance(one.name, str) else "" for one in listed)
    return images, categories, names, Truths(image, category, area, crowd, crowd)


def read_results(
    path: Path, target: InstanceTruth, mask_area: DetectionArea = "mask", form: CocoForm = COCO
) -> InstanceResults:
    """Reads a results file for `target`, its boxes or its masks; an empty list means that nothing was found.

    mask_area: whether the area of a mask is its own or that of its row's `bbox`, which pycocotools takes if the first
        row has one. Toolkits take it out of the rows before, so that the area is the mask's.
    form: how the files deviate from COCO's form.

    Raises InputError naming the first fault, MissingError.
    """
    path, masked = Path(path), isinstance(target.shape, Masks)
    with reading(path, f"a COCO results file (a JSON list of {'mask' if masked else 'box'} results)") as stream:
        stream = results_in(path, stream, form, target.by_name)
        try:
            if masked:
                return _found_masks(path, blocks(stream, _MaskRow, MASK_BLOCK_BYTES), target, mask_area)
            return _found_boxes(path, blocks(stream, _BoxRow), target)
        except READ_ERRORS as error:
            stream.seek(0)
            images, categories = (
                target.images.tolist(),
                dict(zip(target.categories.tolist(), target.names, strict=True)),
            )
            size = dict(zip(images, map(tuple, target.size.tolist()), strict=True)) if masked else None
            explain_instance_results(path, stream.read(), set(images), categories, size, mask_area, form.stated())
            raise InputError(f"{path}: cannot be read as COCO results: {error}") from None


def _found_boxes(path: Path, parts: Iterator[list[_BoxRow]], target: InstanceTruth) -> InstanceResults:
    columns: tuple[list[np.ndarray], ...] = ([_NONE.astype(int)], [_NONE.astype(int)], [_NONE], [np.zeros((0, 4))])
    for rows in parts:
        box = numbers([row.bbox for row in rows], 4)
        need(within_limits(box) and not np.any(box[:, 2:] < 0))
        for column, part in zip(columns, (*_detected(rows, target), box), strict=True):
            column.append(part)
    image, category, score, box = map(joined, columns)
    return InstanceResults(path, Detections(image, category, score, box[:, 2] * box[:, 3]), box, "box")


def _found_masks(
    path: Path, parts: Iterator[list[_MaskRow]], target: InstanceTruth, mask_area: DetectionArea
) -> InstanceResults:
    columns: tuple[list[np.ndarray], ...] = ([_NONE.astype(int)], [_NONE.astype(int)], [_NONE], [_NONE])
    masks, boxed = MaskColumns(), False
    wanted = np.zeros((len(target.images), len(target.categories)), bool)  # image and category pairs with annotations
    wanted[_places(target, target.truths.image, target.truths.category)] = True
    for rows in parts:
        image, category, score = _detected(rows, target)
        boxed = boxed or any(row.bbox for row in rows)
        i, c = _places(target, image, category)
        area = masks.add_any([row.segmentation for row in rows], target.size[i], wanted[i, c])
        if mask_area == "box":
            box = numbers([row.bbox or [] for row in rows], 4)
            need(within_limits(box) and not np.any(box[:, 2:] < 0))
            area = box[:, 2] * box[:, 3]
        for column, part in zip(columns, (image, category, score, area), strict=True):
            column.append(part)
    image, category, score, area = map(joined, columns)
    return InstanceResults(path, Detections(image, category, score, area), masks.joined(), mask_area, boxed)


def _detected(rows: Sequence[_BoxRow | _MaskRow], target: InstanceTruth) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """image, category, score of some rows, checked."""
    image, category = whole([row.image_id for row in rows]), whole([row.category_id for row in rows])
    need(known(image, target.images) and known(category, target.categories))
    score = np.array([row.score for row in rows])
    need(bool(np.isfinite(score).all()))
    return image, category, score


def _places(target: InstanceTruth, image: np.ndarray, category: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of ids among the target's images and categories."""
    return np.searchsorted(target.images, image), np.searchsorted(target.categories, category)
