"""COCO boxes and masks: results for the annotations that `instances` reads, from JSON files to columns, checked.

Typed decoding, then checks on whole columns (`columns`). If anything is wrong, `faults` reads the file again, slowly,
and names the first fault. Masks stay compressed, as pycocotools' codec has them; those that nothing is compared with
are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
import numpy as np

from hrbench.core.files import reading
from hrbench.core.native.loader import library
from hrbench.errors import InputError
from hrbench.formats.coco.columns import (
    READ_ERRORS,
    Detections,
    Four,
    Whole,
    blocks,
    joined,
    known,
    need,
    numbers,
    sorted_unique,
    whole,
)
from hrbench.formats.coco.compiled_rows import Field, Mode, NotUsualError, results_rows
from hrbench.formats.coco.faults import explain_instance_results
from hrbench.formats.coco.forms import COCO, CocoForm, results_in
from hrbench.formats.coco.instances import InstanceTruth, checked_boxes
from hrbench.formats.coco.masks import Counts, MaskColumns
from hrbench.formats.coco.rle import Masks

MASK_BLOCK_BYTES = 1 << 19  # text decoded at a time
# image, category, score, area of no results
_NONE_FOUND = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
# What the compiled helper reads of a row, as the structures below have it for the general reader.
_BOX_ROW: dict[Field, Mode] = {
    "image_id": "needed", "category_id": "needed", "bbox": "needed", "score": "needed", "caption": "refused"
}  # fmt: skip
_MASK_ROW: dict[Field, Mode] = {**_BOX_ROW, "segmentation": "needed", "bbox": "optional"}
DetectionArea = Literal["mask", "box"]


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


def read_results(
    path: Path,
    target: InstanceTruth,
    mask_area: DetectionArea = "mask",
    form: CocoForm = COCO,
    any_class: bool = False,
) -> InstanceResults:
    """Reads a results file for `target`, its boxes or its masks; an empty list means that nothing was found.

    mask_area: whether the area of a mask is its own or that of its row's `bbox`, which pycocotools takes if the first
        row has one. Toolkits take it out of the rows before, so that the area is the mask's.
    form: how the files deviate from COCO's form.
    any_class: whether detections are compared with objects of other classes, too, so that their masks are needed.

    Raises InputError naming the first fault, MissingError.
    """
    path, masked = Path(path), isinstance(target.shape, Masks)
    with reading(path, f"a COCO results file (a JSON list of {'mask' if masked else 'box'} results)") as stream:
        stream = results_in(path, stream, form, target.by_name)
        if library() is not None:
            try:
                return _compiled_results(path, stream, target, mask_area, any_class)
            except (NotUsualError, *READ_ERRORS):  # the general reader takes it, or says what is wrong
                stream.seek(0)
        try:
            if masked:
                return _found_masks(path, blocks(stream, _MaskRow, MASK_BLOCK_BYTES), target, mask_area, any_class)
            return _found_boxes(path, blocks(stream, _BoxRow), target)
        except READ_ERRORS as error:
            stream.seek(0)
            images = target.images.tolist()
            categories = dict(zip(target.categories.tolist(), target.names, strict=True))
            size = dict(zip(images, map(tuple, target.size.tolist()), strict=True)) if masked else None
            explain_instance_results(
                path, stream.read(), set(images), categories, size, mask_area, form.stated(), target.path
            )
            raise InputError(f"{path}: cannot be read as COCO results: {error}") from None


def _compiled_results(
    path: Path, stream: BinaryIO, target: InstanceTruth, mask_area: DetectionArea, any_class: bool
) -> InstanceResults:
    """The results read by the compiled helper. Raises NotUsualError, READ_ERRORS."""
    masked = isinstance(target.shape, Masks)
    columns: tuple[list[np.ndarray], ...] = tuple([none] for none in (*_NONE_FOUND, np.zeros((0, 4))))
    masks, boxed, wanted = MaskColumns(), False, _wanted(target, any_class) if masked else None
    for rows in results_rows(stream, _MASK_ROW if masked else _BOX_ROW):
        image, category, score = _detected(rows.image.copy(), rows.category.copy(), rows.score.copy(), target)
        area = box = np.zeros((0, 4))
        if wanted is not None and rows.masks is not None:
            boxed = boxed or bool(rows.boxed.any())
            i, c = _places(target, image, category)
            area = masks.add_rows(rows.masks, target.size[i], wanted.among(i, c))
        if wanted is None or mask_area == "box":
            need(bool(rows.boxed.all()))
            box = checked_boxes(rows.box.copy())
            area = box[:, 2] * box[:, 3]
        for column, part in zip(columns, (image, category, score, area, box[: 0 if masked else None]), strict=True):
            column.append(part)
    image, category, score, area, box = map(joined, columns)
    found = Detections(image, category, score, area)
    return InstanceResults(path, found, masks.joined() if masked else box, mask_area if masked else "box", boxed)


def _found_boxes(path: Path, parts: Iterator[list[_BoxRow]], target: InstanceTruth) -> InstanceResults:
    columns: tuple[list[np.ndarray], ...] = tuple([none] for none in (*_NONE_FOUND[:3], np.zeros((0, 4))))
    for rows in parts:
        box = checked_boxes(numbers([row.bbox for row in rows], 4))
        for column, part in zip(columns, (*_detected_in(rows, target), box), strict=True):
            column.append(part)
    image, category, score, box = map(joined, columns)
    return InstanceResults(path, Detections(image, category, score, box[:, 2] * box[:, 3]), box, "box")


def _found_masks(
    path: Path, parts: Iterator[list[_MaskRow]], target: InstanceTruth, mask_area: DetectionArea, any_class: bool
) -> InstanceResults:
    columns: tuple[list[np.ndarray], ...] = tuple([none] for none in _NONE_FOUND)
    masks, boxed, wanted = MaskColumns(), False, _wanted(target, any_class)
    for rows in parts:
        image, category, score = _detected_in(rows, target)
        boxed = boxed or any(row.bbox for row in rows)
        i, c = _places(target, image, category)
        area = masks.add_any([row.segmentation for row in rows], target.size[i], wanted.among(i, c))
        if mask_area == "box":
            box = checked_boxes(numbers([row.bbox or [] for row in rows], 4))
            area = box[:, 2] * box[:, 3]
        for column, part in zip(columns, (image, category, score, area), strict=True):
            column.append(part)
    image, category, score, area = map(joined, columns)
    return InstanceResults(path, Detections(image, category, score, area), masks.joined(), mask_area, boxed)


@dataclass(frozen=True)
class _Wanted:
    """Of which detections masks are needed.

    pairs: (P,) int64 the pairs of an image and a category that have annotations, rising; of images if any class is.
    classes: how many categories there are; 1 if any class is compared.
    """

    pairs: np.ndarray
    classes: int

    def among(self, image: np.ndarray, category: np.ndarray) -> np.ndarray:
        """Whether pairs of an image and a category, by their positions, are wanted."""
        pairs = self.of(image, category)
        if not len(self.pairs):
            return np.zeros(len(pairs), bool)
        return self.pairs[np.minimum(np.searchsorted(self.pairs, pairs), len(self.pairs) - 1)] == pairs

    def of(self, image: np.ndarray, category: np.ndarray) -> np.ndarray:
        return image if self.classes == 1 else image * self.classes + category


def _wanted(target: InstanceTruth, any_class: bool) -> _Wanted:
    """What has annotations: only detections beside these are compared with any."""
    wanted = _Wanted(np.zeros(0, np.int64), 1 if any_class else len(target.categories))
    image, category = _places(target, target.truths.image, target.truths.category)
    return replace(wanted, pairs=sorted_unique(wanted.of(image, category)))


def _detected_in(
    rows: Sequence[_BoxRow | _MaskRow], target: InstanceTruth
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image, category = whole([row.image_id for row in rows]), whole([row.category_id for row in rows])
    return _detected(image, category, np.array([row.score for row in rows]), target)


def _detected(
    image: np.ndarray, category: np.ndarray, score: np.ndarray, target: InstanceTruth
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """image, category, score of some rows, checked."""
    need(known(image, target.images) and known(category, target.categories))
    need(bool(np.isfinite(score).all()))
    return image, category, score


def _places(target: InstanceTruth, image: np.ndarray, category: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of ids among the target's images and categories."""
    return np.searchsorted(target.images, image), np.searchsorted(target.categories, category)
