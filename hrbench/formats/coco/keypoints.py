"""COCO keypoint annotations and results: from JSON files to columns, checked.

Typed decoding, then checks on whole columns (`columns`). If anything is wrong, `faults` reads the file
again, slowly, and names the first fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, NamedTuple

import msgspec
import numpy as np

from hrbench.core.files import MAX_COORDINATE, reading
from hrbench.core.native.calls import NOT_MINE, In, NativeCall, Out
from hrbench.core.native.loader import library
from hrbench.errors import InputError
from hrbench.formats.coco.columns import (
    READ_ERRORS,
    Detections,
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
from hrbench.formats.coco.compiled_rows import (
    Field,
    Mode,
    NotUsualError,
    annotation_rows,
    lists_in,
    results_rows,
)
from hrbench.formats.coco.faults import explain_keypoint_results, explain_keypoint_truth
from hrbench.formats.coco.forms import COCO, CocoForm, annotations_in, file_ids, results_in, unused_root
from hrbench.formats.coco.own_layouts import source_bytes
from hrbench.formats.coco.skeletons import COCO_SIGMAS as COCO_SIGMAS
from hrbench.formats.coco.unjudged import judged_alone, judged_results

BLOCK_BYTES = 1 << 19  # text decoded at a time: rows of keypoints are long
SAMPLE = 1000
"""So many rows of results are kept as they stand in the file, up to twice as many."""
Four = Annotated[list[float], msgspec.Meta(min_length=4, max_length=4)]

Unseen = Literal["keep", "drop"]


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


@dataclass(frozen=True)
class KeypointResults:
    """A results file.

    detections: columns (N).
    keypoints: (N, K, 2) float64, px.
    area_from: "keypoints" (their extent) or "box" (the rows' own `bbox`, which pycocotools uses if the first row has
        one).
    sampled: (M,) int64 some of the rows, at equal distances: all, or from SAMPLE to twice as many.
    numbers: (M, 3 K) float64, all numbers of `keypoints` in these rows as they stand in the file.
    unseen: how many rows were left out because no joint of theirs has a third number above 0.
    """

    path: Path
    detections: Detections
    keypoints: np.ndarray
    area_from: str
    sampled: np.ndarray
    numbers: np.ndarray
    unseen: int = 0


_JOINTS = NativeCall("hrb_joints", In(np.float64), int, float, Out(np.float64), Out(np.float64))

# What the compiled helper reads of a row, as the structures below have it for the general reader.
_PERSON: dict[Field, Mode] = {
    "id": "needed", "image_id": "needed", "category_id": "needed", "area": "needed", "bbox": "needed",
    "iscrowd": "needed", "num_keypoints": "needed", "keypoints": "needed", "ignore": "optional",
}  # fmt: skip
_POSE: dict[Field, Mode] = {
    "image_id": "needed", "category_id": "needed", "keypoints": "needed", "score": "needed", "bbox": "optional",
    "segmentation": "refused", "caption": "refused",
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


class _KeypointRow(msgspec.Struct, gc=False):
    image_id: Whole
    category_id: Whole
    keypoints: list[float]
    score: float
    bbox: list[float] | msgspec.UnsetType = msgspec.UNSET
    # no value has this type: a row with this key is refused, and `faults` says why
    segmentation: msgspec.UnsetType = msgspec.UNSET
    caption: msgspec.UnsetType = msgspec.UNSET


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


def read_results(
    path: Path,
    joints: int,
    target: KeypointTruth,
    area_from: Literal["keypoints", "box"] | None = None,
    form: CocoForm = COCO,
    category: int | None = None,
    unseen: Unseen = "keep",
) -> KeypointResults:
    """Reads a results file for `target`; an empty list means that nothing was found.

    area_from: what the areas of detections are of; None: as pycocotools does, the rows' own `bbox` if the first row
        has one, else the extent of the keypoints.
    form: how the files deviate from COCO's form.
    category: the only one that is judged: rows of others need not have its joints.
    unseen: what becomes of rows of which no joint has a third number above 0: "keep", as pycocotools does, or "drop",
        as xtcocotools does.

    Raises InputError naming the first fault, MissingError.
    """
    path, drop = Path(path), unseen == "drop"
    with reading(path, "a COCO results file (a JSON list of keypoint results)") as stream:
        stream = results_in(path, stream, form, target.by_name)
        if library() is not None:
            try:
                return _compiled_results(path, stream, joints, target, area_from, drop)
            except (NotUsualError, *READ_ERRORS):  # the general reader takes it, or says what is wrong
                stream.seek(0)
        try:
            return _results(path, stream, joints, target, area_from, drop)
        except READ_ERRORS as error:
            stream.seek(0)
            data = stream.read()
            filled = judged_results(path, data, joints, category)
            images = set(target.images.tolist())
            categories = dict(zip(target.categories.tolist(), target.names, strict=True))
            explain_keypoint_results(path, filled, joints, images, categories, area_from, form.stated(), target.path)
            if filled is data:
                raise InputError(f"{path}: cannot be read as COCO keypoint results: {error}") from None
    try:
        return _results(path, BytesIO(filled), joints, target, area_from, drop)
    except READ_ERRORS as error:
        raise InputError(f"{path}: cannot be read as COCO keypoint results: {error}") from None


def _results(
    path: Path,
    stream: BinaryIO,
    joints: int,
    target: KeypointTruth,
    area_from: Literal["keypoints", "box"] | None,
    drop: bool,
) -> KeypointResults:
    columns, sample, dropped = _no_columns(joints), _KeptRows([], 1, 0), 0
    boxed: bool | None = None if area_from is None else area_from == "box"
    for rows in blocks(stream, _KeypointRow, BLOCK_BYTES):
        if boxed is None:
            boxed = bool(rows[0].bbox)
        if area_from is None:
            need([bool(row.bbox) for row in rows].count(boxed) == len(rows))
        image, category = whole([row.image_id for row in rows]), whole([row.category_id for row in rows])
        values = numbers([row.keypoints for row in rows], 3 * joints)
        box = numbers([row.bbox or [] for row in rows], 4) if boxed else None
        parts = _columns(image, category, np.array([row.score for row in rows]), values, box, target)
        if drop:
            parts, values = _only_seen(parts, values)
            dropped += len(rows) - len(values)
        sample = _with_some(sample, values)
        for column, part in zip(columns, parts, strict=True):
            column.append(part)
    return _joined_results(path, columns, boxed, sample, dropped)


def _compiled_results(
    path: Path,
    stream: BinaryIO,
    joints: int,
    target: KeypointTruth,
    area_from: Literal["keypoints", "box"] | None,
    drop: bool,
) -> KeypointResults:
    """The results read by the compiled helper. Raises NotUsualError, READ_ERRORS."""
    columns, sample, dropped = _no_columns(joints), _KeptRows([], 1, 0), 0
    boxed: bool | None = None if area_from is None else area_from == "box"
    for rows in results_rows(stream, _POSE, 3 * joints):
        if boxed is None:
            boxed = bool(rows.boxed[0])
        if area_from is None:
            need(bool((rows.boxed == boxed).all()))
        need(not boxed or bool(rows.boxed.all()))
        values, box = rows.keypoints, rows.box if boxed else None
        parts = _columns(rows.image.copy(), rows.category.copy(), rows.score.copy(), values, box, target)
        if drop:
            parts, values = _only_seen(parts, values)
            dropped += len(rows.boxed) - len(values)
        sample = _with_some(sample, values)
        for column, part in zip(columns, parts, strict=True):
            column.append(part)
    return _joined_results(path, columns, boxed, sample, dropped)


def _no_columns(joints: int) -> tuple[list[np.ndarray], ...]:
    """Lists for the parts of image, category, score, area, keypoints, each with an empty one."""
    none = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros((0, joints, 2))
    return tuple([one] for one in none)


def _joined_results(
    path: Path, columns: tuple[list[np.ndarray], ...], boxed: bool | None, sample: _KeptRows, unseen: int
) -> KeypointResults:
    image, category, score, area, keypoints = map(joined, columns)
    kept = np.concatenate([np.zeros((0, 3 * keypoints.shape[1])), *sample.parts])
    rows = np.arange(len(kept), dtype=np.int64) * sample.step
    detections = Detections(image, category, score, area)
    return KeypointResults(path, detections, keypoints, "box" if boxed else "keypoints", rows, kept, unseen)


def _only_seen(parts: tuple[np.ndarray, ...], values: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Columns (P), and `keypoints` (P, 3 K), of the rows of which a joint has a third number above 0."""
    seen = (values[:, 2::3] > 0).any(axis=1)
    return (parts, values) if seen.all() else (tuple(part[seen] for part in parts), values[seen])


class _KeptRows(NamedTuple):
    """Every step-th of the first `of` rows."""

    parts: list[np.ndarray]
    step: int
    of: int


def _with_some(sample: _KeptRows, values: np.ndarray) -> _KeptRows:
    """A sample with further rows (n, width) float64; if it is too large then, with half of its rows."""
    parts, step, of = sample
    parts = [*parts, values[-of % step :: step].copy()]
    while sum(map(len, parts)) > 2 * SAMPLE:
        parts, step = [np.concatenate(parts)[::2].copy()], 2 * step
    return _KeptRows(parts, step, of + len(values))


def _columns(
    image: np.ndarray,
    category: np.ndarray,
    score: np.ndarray,
    values: np.ndarray,
    box: np.ndarray | None,
    target: KeypointTruth,
) -> tuple[np.ndarray, ...]:
    """image, category, score, area, keypoints of some rows, checked.

    values: (P, 3 K) `keypoints` of the rows.
    box: (P, 4), if areas are of boxes.
    """
    need(known(image, target.images) and known(category, target.categories))
    need(bool(np.isfinite(score).all()))
    if library() is not None and values.shape[1]:
        keypoints, area = _compiled_joints(values)
        if box is not None:
            need(within_limits(box))
            area = box[:, 2] * box[:, 3]
        return image, category, score, area, keypoints
    need(within_limits(values))
    keypoints = values.reshape(len(values), values.shape[1] // 3, 3)[..., :2].copy()
    if box is not None:
        need(within_limits(box))
        area = box[:, 2] * box[:, 3]
    else:
        by_joint = keypoints.transpose(1, 2, 0).copy()  # a maximum over the first axis is contiguous in memory
        width, height = by_joint.max(axis=0) - by_joint.min(axis=0)
        area = width * height
    return image, category, score, area, keypoints


def _compiled_joints(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """keypoints (P, K, 2) and the area (P,) of their extent. Raises FileFaultError for numbers beyond the limits."""
    many, joints = len(values), values.shape[1] // 3
    keypoints, area = np.empty((many, joints, 2)), np.empty(many)
    need(_JOINTS(np.ascontiguousarray(values), joints, MAX_COORDINATE, keypoints, area) != NOT_MINE)
    return keypoints, area
