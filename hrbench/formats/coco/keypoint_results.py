"""COCO keypoint results for the annotations that `keypoints` reads: from JSON files to columns, checked.

Typed decoding, then checks on whole columns (`columns`). If anything is wrong, `faults` reads the file again,
slowly, and names the first fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import msgspec
import numpy as np

from hrbench.core.files import MAX_COORDINATE, reading
from hrbench.core.native.calls import NOT_MINE, In, NativeCall, Out
from hrbench.core.native.loader import library
from hrbench.errors import InputError
from hrbench.formats.coco.columns import (
    READ_ERRORS,
    Detections,
    Whole,
    blocks,
    joined,
    known,
    need,
    numbers,
    whole,
    within_limits,
)
from hrbench.formats.coco.compiled_rows import Field, Mode, NotUsualError, results_rows
from hrbench.formats.coco.faults import explain_keypoint_results
from hrbench.formats.coco.forms import COCO, CocoForm, results_in
from hrbench.formats.coco.keypoints import KeypointTruth
from hrbench.formats.coco.unjudged import judged_results

BLOCK_BYTES = 1 << 19  # text decoded at a time: rows of keypoints are long
SAMPLE = 1000
"""So many rows of results are kept as they stand in the file, up to twice as many."""

Unseen = Literal["keep", "drop"]

_JOINTS = NativeCall("hrb_joints", In(np.float64), int, float, Out(np.float64), Out(np.float64))

# What the compiled helper reads of a row, as the structure below has it for the general reader.
_POSE: dict[Field, Mode] = {
    "image_id": "needed", "category_id": "needed", "keypoints": "needed", "score": "needed", "bbox": "optional",
    "segmentation": "refused", "caption": "refused",
}  # fmt: skip


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


class _KeypointRow(msgspec.Struct, gc=False):
    image_id: Whole
    category_id: Whole
    keypoints: list[float]
    score: float
    bbox: list[float] | msgspec.UnsetType = msgspec.UNSET
    # no value has this type: a row with this key is refused, and `faults` says why
    segmentation: msgspec.UnsetType = msgspec.UNSET
    caption: msgspec.UnsetType = msgspec.UNSET


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
