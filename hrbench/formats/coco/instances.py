"""COCO boxes and masks: annotations, from JSON files to columns, checked.

Typed decoding, then checks on whole columns (`columns`). If anything is wrong, `faults` reads the file again, slowly,
and names the first fault. Masks stay compressed, as pycocotools' codec has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hrbench.core.files import reading
from hrbench.core.native.loader import library
from hrbench.errors import InputError
from hrbench.formats.coco.columns import (
    READ_ERRORS,
    Four,
    Truths,
    Whole,
    joined,
    known,
    need,
    numbers,
    sorted_unique,
    whole,
    within_limits,
)
from hrbench.formats.coco.compiled_rows import (
    Field,
    Mode,
    NotUsualError,
    annotation_rows,
    lists_in,
)
from hrbench.formats.coco.faults import explain_instance_truth
from hrbench.formats.coco.federation import Federation, explain_federation, federation_of
from hrbench.formats.coco.forms import COCO, CocoForm, annotations_in, unused_root
from hrbench.formats.coco.image_names import file_ids
from hrbench.formats.coco.json_faults import refuse_folder
from hrbench.formats.coco.masks import Counts, MaskColumns, annotated
from hrbench.formats.coco.rle import MAX_PIXELS, Masks

# id, image, category, area, crowd, flag of no annotations
_NO_TRUTHS = (*(np.zeros(0, np.int64) for _ in range(3)), np.zeros(0), np.zeros(0, bool), np.zeros(0, bool))
# What the compiled helper reads of a row, as the structures below have it for the general reader.
_TRUTH: dict[Field, Mode] = {
    "id": "needed", "image_id": "needed", "category_id": "needed", "area": "needed", "iscrowd": "needed",
    "ignore": "optional",
}  # fmt: skip
_BOX_TRUTH: dict[Field, Mode] = {**_TRUTH, "bbox": "needed"}
_MASK_TRUTH: dict[Field, Mode] = {**_TRUTH, "segmentation": "needed"}


@dataclass(frozen=True)
class InstanceTruth:
    """An annotation file.

    images: (I,) and categories: (C,) int64 ids, rising.
    names: of the categories, or "".
    truths: columns (G).
    shape: (G, 4) float64, boxes x, y, w, h in px, or the masks.
    size: (I, 2) int64, height and width of the images; for boxes, which need none, zeros where the file has none.
    flagged: (G,) bool, whether a key is set that has no effect: `ignore`, of a federated file `iscrowd`.
    by_name: names of image files -> ids, if images are matched by them (`forms.file_ids`).
    root: the id of the category that only names the others and has no annotation; None if there is none.
    federation: what a federated file says of images and categories; None for others.
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
    federation: Federation | None = None


class _Category(msgspec.Struct, gc=False):
    id: Whole
    name: Any = ""
    supercategory: Any = ""
    frequency: Any = None


class _Listed(msgspec.Struct, gc=False):
    id: Whole
    height: Any = 0
    width: Any = 0
    file_name: Any = ""
    coco_url: Any = ""
    neg_category_ids: Any = None
    not_exhaustive_category_ids: Any = None


class _Sized(msgspec.Struct, gc=False):
    id: Whole
    height: Whole
    width: Whole
    file_name: Any = ""
    coco_url: Any = ""
    neg_category_ids: Any = None
    not_exhaustive_category_ids: Any = None


class _Boxed(msgspec.Struct, gc=False):
    id: Whole
    image_id: Whole
    category_id: Whole
    area: float
    bbox: Four
    iscrowd: int | bool | msgspec.UnsetType = msgspec.UNSET
    ignore: Any = 0


class _Masked(msgspec.Struct, gc=False):
    id: Whole
    image_id: Whole
    category_id: Whole
    area: float
    segmentation: list[list[float]] | Counts
    iscrowd: int | bool | msgspec.UnsetType = msgspec.UNSET
    ignore: Any = 0


class _BoxTruth(msgspec.Struct):
    images: list[_Listed]
    annotations: list[_Boxed]
    categories: list[_Category]


class _MaskTruth(msgspec.Struct):
    images: list[_Sized]
    annotations: list[_Masked]
    categories: list[_Category]


def read_truth(path: Path, masks: bool, form: CocoForm = COCO, federated: bool = False) -> InstanceTruth:
    """Reads annotated objects with their masks or their boxes. Raises InputError naming the first fault, MissingError.

    form: how the file deviates from COCO's form.

    federated: whether it is one of LVIS's form, which says in which images classes were looked for (`federation`).

    As in pycocotools, crowds are ignored and a key `ignore` has no effect; of a federated file, as in the `lvis`
    package, `ignore` is heeded and `iscrowd`, which may be missing, is not. The area is the annotated one.
    """
    path = Path(path)
    refuse_folder(path)
    with reading(path, "COCO instance annotations (JSON)") as stream:
        data = annotations_in(path, stream.read(), form)
    if library() is not None:
        try:
            return _compiled_truth(path, data, masks, form, federated)
        except (NotUsualError, *READ_ERRORS):  # the general reader takes it, or says what is wrong
            pass
    try:
        truth = msgspec.json.decode(data, type=_MaskTruth if masks else _BoxTruth)
        return _general_truth(path, truth, masks, form, federated)
    except READ_ERRORS as error:
        explain_instance_truth(path, data, masks, form.stated(), explain_federation if federated else None)
        raise InputError(f"{path}: cannot be read as COCO instance annotations: {error}") from None


def _compiled_truth(path: Path, data: bytes, masked: bool, form: CocoForm, federated: bool) -> InstanceTruth:
    """The truth with its rows read by the compiled helper. Raises NotUsualError, READ_ERRORS."""
    spans, view = lists_in(data), memoryview(data)
    images, categories = (view[slice(*spans[name])] for name in ("images", "categories"))
    listed = msgspec.json.decode(images, type=list[_Sized] if masked else list[_Listed])
    classes = msgspec.json.decode(categories, type=list[_Category])
    frame = _frame(listed, classes)
    size = _sizes(listed, masked)
    columns: tuple[list[np.ndarray], ...] = tuple([none] for none in _NO_TRUTHS)
    masks, boxes = MaskColumns(), [np.zeros((0, 4))]
    modes: dict[Field, Mode] = {**(_MASK_TRUTH if masked else _BOX_TRUTH)}
    if federated:
        modes["iscrowd"] = "optional"
    for rows in annotation_rows(data, spans["annotations"], modes):
        need(known(rows.image, frame[0]))
        given = rows.id, rows.image, rows.category, rows.area, rows.crowd, rows.ignore
        for column, part in zip(columns, given, strict=True):
            column.append(part.copy())
        if rows.masks is not None:
            masks.add_rows(rows.masks, size[np.searchsorted(frame[0], rows.image)])
        else:
            boxes.append(rows.box.copy())
    ids, image, category, area, crowd, ignore = map(joined, columns)
    truths, flagged = _objects(image, category, area, crowd, ignore, federated)
    _check_objects(ids, truths, *frame[:2])
    shape = masks.joined() if masked else checked_boxes(joined(boxes))
    more = _by_name(listed, form), unused_root(classes, truths.category)
    federation = federation_of(listed, classes) if federated else None
    return InstanceTruth(path, *frame, truths, shape, size, flagged, *more, federation)


def _objects(
    image: np.ndarray,
    category: np.ndarray,
    area: np.ndarray,
    crowd: np.ndarray,
    ignore: np.ndarray,
    federated: bool,
) -> tuple[Truths, np.ndarray]:
    """The objects (G), and which of them have a flag without effect: `ignore`, or if federated `iscrowd`."""
    if federated:
        return Truths(image, category, area, np.zeros(len(image), bool), ignore), crowd
    return Truths(image, category, area, crowd, crowd), ignore


def _general_truth(
    path: Path, truth: _BoxTruth | _MaskTruth, masked: bool, form: CocoForm, federated: bool
) -> InstanceTruth:
    rows, frame = truth.annotations, _frame(truth.images, truth.categories)
    size = _sizes(truth.images, masked)
    image, category = whole([row.image_id for row in rows]), whole([row.category_id for row in rows])
    flags = [0 if federated and row.iscrowd is msgspec.UNSET else row.iscrowd for row in rows]
    need(all(flag in (0, 1) for flag in flags))
    area, ignore = np.array([row.area for row in rows], np.float64), np.array([bool(row.ignore) for row in rows], bool)
    truths, flagged = _objects(image, category, area, np.array(flags, bool), ignore, federated)
    _check_objects(whole([row.id for row in rows]), truths, *frame[:2])
    if isinstance(truth, _BoxTruth):
        shape: np.ndarray | Masks = checked_boxes(numbers([row.bbox for row in truth.annotations], 4))
    else:
        places = np.searchsorted(frame[0], image)
        shape = annotated([row.segmentation for row in truth.annotations], size[places])
    more = _by_name(truth.images, form), unused_root(truth.categories, category)
    federation = federation_of(truth.images, truth.categories) if federated else None
    return InstanceTruth(path, *frame, truths, shape, size, flagged, *more, federation)


def _frame(
    listed: Sequence[_Listed | _Sized], classes: Sequence[_Category]
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Ids of images and categories, rising, and the names of these; checked."""
    images, categories = (sorted_unique(whole([one.id for one in named])) for named in (listed, classes))
    need(len(images) == len(listed) and len(categories) == len(classes) > 0)
    ordered = sorted(classes, key=lambda one: one.id)
    return images, categories, tuple(one.name if isinstance(one.name, str) else "" for one in ordered)


def _sizes(listed: Sequence[_Listed | _Sized], masked: bool) -> np.ndarray:
    """(I, 2) int64 height and width of images by rising id; checked if masks lie on them, else zeros if unknown."""
    ordered = sorted(listed, key=lambda one: one.id)
    sizes = [(one.height, one.width) for one in ordered] if masked else [_size_of(one) for one in ordered]
    size = whole(sizes).reshape(-1, 2)
    need(not masked or not (np.any((size < 1) | (size > MAX_PIXELS)) or np.any(size.prod(axis=1) >= MAX_PIXELS)))
    return size


def _size_of(image: _Listed | _Sized) -> tuple[int, int]:
    """Height and width, (0, 0) unless both are whole numbers of pixels."""
    height, width = image.height, image.width
    sized = type(height) is int and type(width) is int and 0 < height < MAX_PIXELS and 0 < width < MAX_PIXELS
    return (height, width) if sized else (0, 0)


def _check_objects(ids: np.ndarray, truths: Truths, images: np.ndarray, categories: np.ndarray) -> None:
    need(len(sorted_unique(ids)) == len(ids) and not np.any(ids < 1))
    need(known(truths.image, images) and known(truths.category, categories))
    need(bool(np.all(np.isfinite(truths.area) & (truths.area >= 0))))


def checked_boxes(box: np.ndarray) -> np.ndarray:
    """(n, 4) x, y, w, h in px as they are. Raises FileFaultError for a negative side, or numbers beyond the limits."""
    need(within_limits(box) and not np.any(box[:, 2:] < 0))
    return box


def _by_name(listed: Sequence[_Listed | _Sized], form: CocoForm) -> dict[str, int | None]:
    rows = [{"id": one.id, "file_name": one.file_name, "coco_url": one.coco_url} for one in listed]
    return file_ids(rows if form.match != "id" else [])
