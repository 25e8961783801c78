"""COCO keypoint annotations: from JSON files to columns, checked.

Typed decoding, then checks on whole columns (`columns`). If anything is wrong, `faults` reads the file again,
slowly, and names the first fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

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
from hrbench.formats.coco.faults import explain_keypoint_truth
from hrbench.formats.coco.forms import COCO, CocoForm, annotations_in, unused_root
from hrbench.formats.coco.image_names import file_ids
from hrbench.formats.coco.own_layouts import source_bytes
from hrbench.formats.coco.unjudged import judged_alone


@dataclass(frozen=True)
class KeypointTruth:
    """An annotation file.

    images: (I,) and categories: (C,) int64 ids, rising.
    truths: columns (G).
    keypoints: (G, K, 3) float64: x, y in px, visibility.
    box: (G, 4) x, y, w, h in px.
    flagged: (G,) bool, whether a key `ignore` is set.
    by_name: names of image files -> ids, if images are matched by them (`forms.file_ids`).
    names: of the categories, or "".
    joints: names of the K joints; () if the categories name none, or other ones.
    root: the id of the category that only names the others and has no annotation; None if there is none.
    """

    path: Path
    images: np.ndarray
    categories: np.ndarray
    truths: Truths
    keypoints: np.ndarray
    box: np.ndarray
    flagged: np.ndarray
    by_name: Mapping[str, int | None] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    joints: tuple[str, ...] = ()
    root: int | None = None


# What the compiled helper reads of a row, as the structures below have it for the general reader.
_PERSON: dict[Field, Mode] = {
    "id": "needed", "image_id": "needed", "category_id": "needed", "area": "needed", "bbox": "needed",
    "iscrowd": "needed", "num_keypoints": "needed", "keypoints": "needed", "ignore": "optional",
}  # fmt: skip


class JointCategory(msgspec.Struct, gc=False):
    """A category. keypoints: names of its joints."""

    id: Whole
    name: Any = ""
    supercategory: Any = ""
    keypoints: Any = ()


class _Annotation(msgspec.Struct, gc=False):
    id: Whole
    image_id: Whole
    category_id: Whole
    area: float
    bbox: Four
    iscrowd: int | bool
    num_keypoints: int
    keypoints: list[float]
    ignore: Any = 0


class PersonColumns(NamedTuple):
    """Annotations (G) as they stand in the file: `labelled` is num_keypoints, keypoints (G, 3 K)."""

    id: np.ndarray
    image: np.ndarray
    category: np.ndarray
    labelled: np.ndarray
    area: np.ndarray
    crowd: np.ndarray
    flagged: np.ndarray
    box: np.ndarray
    keypoints: np.ndarray


class Filed(msgspec.Struct, gc=False):
    """An image."""

    id: Whole
    file_name: Any = ""


class _Truth(msgspec.Struct):
    images: list[Filed]
    annotations: list[_Annotation]
    categories: list[JointCategory]


def read_truth(path: Path, joints: int, category: int | None = None, form: CocoForm = COCO) -> KeypointTruth:
    """Reads annotations of people with `joints` keypoints. Raises InputError naming the first fault, MissingError.

    category: the only one that is judged: rows of others need ids alone. Nobody without joints is held to their number.
    form: how the file deviates from COCO's form.

    As in pycocotools, a person is ignored for `iscrowd` or `num_keypoints` 0, whatever the keypoints are; a key
    `ignore` has no effect.
    """
    path = Path(path)
    data = annotations_in(path, source_bytes(path, form, "COCO keypoint annotations (JSON)"), form)
    if library() is not None:
        try:
            return _compiled_truth(path, data, joints, form)
        except (NotUsualError, *READ_ERRORS):  # the general reader takes it, or says what is wrong
            pass
    try:
        return _truth(path, msgspec.json.decode(data, type=_Truth), joints, form)
    except READ_ERRORS as error:
        filled = judged_alone(path, data, joints, category)
        explain_keypoint_truth(path, filled, joints, form.stated())
        if filled is data:
            raise InputError(f"{path}: cannot be read as COCO keypoint annotations: {error}") from None
    try:
        return _truth(path, msgspec.json.decode(filled, type=_Truth), joints, form)
    except READ_ERRORS as error:
        raise InputError(f"{path}: cannot be read as COCO keypoint annotations: {error}") from None


def _truth(path: Path, truth: _Truth, joints: int, form: CocoForm) -> KeypointTruth:
    rows = truth.annotations
    need(all(row.iscrowd in (0, 1) for row in rows))
    columns = PersonColumns(
        whole([row.id for row in rows]),
        whole([row.image_id for row in rows]),
        whole([row.category_id for row in rows]),
        whole([row.num_keypoints for row in rows]),
        np.array([row.area for row in rows], np.float64),
        np.array([row.iscrowd for row in rows], bool),
        np.array([bool(row.ignore) for row in rows], bool),
        numbers([row.bbox for row in rows], 4),
        numbers([row.keypoints for row in rows], 3 * joints),
    )
    return checked_truth(path, truth.images, truth.categories, columns, form)


def _compiled_truth(path: Path, data: bytes, joints: int, form: CocoForm) -> KeypointTruth:
    """The truth with its rows read by the compiled helper. Raises NotUsualError, READ_ERRORS."""
    spans, view = lists_in(data), memoryview(data)
    images, categories = (view[slice(*spans[name])] for name in ("images", "categories"))
    named = msgspec.json.decode(images, type=list[Filed]), msgspec.json.decode(categories, type=list[JointCategory])
    empty = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool), np.zeros((0, 4)), np.zeros((0, 3 * joints))
    columns: tuple[list[np.ndarray], ...] = tuple([empty[kind]] for kind in (0, 0, 0, 0, 1, 2, 2, 3, 4))
    for rows in annotation_rows(data, spans["annotations"], _PERSON, 3 * joints):
        parts = rows.id, rows.image, rows.category, rows.labelled, rows.area, rows.crowd, rows.ignore
        for column, part in zip(columns, (*parts, rows.box, rows.keypoints), strict=True):
            column.append(part.copy())
    return checked_truth(path, *named, PersonColumns(*map(joined, columns)), form)


def checked_truth(
    path: Path, listed: list[Filed], classes: list[JointCategory], rows: PersonColumns, form: CocoForm
) -> KeypointTruth:
    """The truth of what a file lists. Raises FileFaultError if it contradicts itself.

    listed, classes, rows: its images, categories and annotations.
    form: how the file deviates from COCO's form.
    """
    images, categories = (sorted_unique(whole([one.id for one in named])) for named in (listed, classes))
    need(len(images) == len(listed) and len(categories) == len(classes) > 0)
    need(len(sorted_unique(rows.id)) == len(rows.id) and not np.any(rows.id < 1))
    need(known(rows.image, images) and known(rows.category, categories) and not np.any(rows.labelled < 0))
    need(bool(np.all(np.isfinite(rows.area) & (rows.area >= 0))))
    need(within_limits(rows.box) and within_limits(rows.keypoints))
    truths = Truths(rows.image, rows.category, rows.area, rows.crowd, rows.crowd | (rows.labelled == 0))
    named = [{"id": one.id, "file_name": one.file_name} for one in listed] if form.match != "id" else []
    points = rows.keypoints.reshape(len(rows.id), rows.keypoints.shape[1] // 3, 3)
    ordered = sorted(classes, key=lambda one: one.id)
    names = tuple(one.name if isinstance(one.name, str) else "" for one in ordered)
    more = names, _joints(ordered, points.shape[1]), unused_root(classes, rows.category)
    return KeypointTruth(path, images, categories, truths, points, rows.box, rows.flagged, file_ids(named), *more)


def _joints(categories: list[JointCategory], many: int) -> tuple[str, ...]:
    """Names of the joints, () if no category names so many, or two differ."""
    named = {tuple(one.keypoints) for one in categories if _are_names(one.keypoints, many)}
    return named.pop() if len(named) == 1 else ()


def _are_names(names: Any, many: int) -> bool:
    return isinstance(names, list) and len(names) == many and all(isinstance(one, str) for one in names)
