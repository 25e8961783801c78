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

from hrbench.core.files import reading
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
from hrbench.formats.coco.faults import explain_keypoint_results, explain_keypoint_truth
from hrbench.formats.coco.forms import COCO, CocoForm, annotations_in, file_ids, results_in, unused_root
from hrbench.formats.coco.unjudged import judged_alone, judged_results

BLOCK_BYTES = 1 << 19  # text decoded at a time: rows of keypoints are long
SAMPLE = 1000
"""So many rows of results are kept as they stand in the file, up to twice as many."""
Four = Annotated[list[float], msgspec.Meta(min_length=4, max_length=4)]

# The published constants, divided as pycocotools divides them: 0.35 / 10 is not the double nearest to 0.035.
COCO_SIGMAS: tuple[float, ...] = tuple(
    (
        np.array([0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89])
        / 10.0
    ).tolist()
)
"""OKS constants of COCO's 17 joints, in the order of its annotations."""


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
    """

    path: Path
    detections: Detections
    keypoints: np.ndarray
    area_from: str
    sampled: np.ndarray
    numbers: np.ndarray


# image, category, score, area, keypoints of a file without rows
_NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros((0, 0, 2)))


class _JointCategory(msgspec.Struct, gc=False):
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


class _Filed(msgspec.Struct, gc=False):
    id: Whole
    file_name: Any = ""


class _Truth(msgspec.Struct):
    images: list[_Filed]
    annotations: list[_Annotation]
    categories: list[_JointCategory]


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
    with reading(path, "COCO keypoint annotations (JSON)") as stream:
        data = annotations_in(path, stream.read(), form)
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
    images, categories = (sorted_unique(whole([one.id for one in named])) for named in (truth.images, truth.categories))
    ids = whole([row.id for row in rows])
    need(len(images) == len(truth.images) and len(categories) == len(truth.categories) > 0)
    need(len(sorted_unique(ids)) == len(rows) and not np.any(ids < 1))
    image, category = whole([row.image_id for row in rows]), whole([row.category_id for row in rows])
    need(known(image, images) and known(category, categories))
    need(all(row.iscrowd in (0, 1) and row.num_keypoints >= 0 for row in rows))
    area = np.array([row.area for row in rows], np.float64)
    box = numbers([row.bbox for row in rows], 4)
    keypoints = numbers([row.keypoints for row in rows], 3 * joints)
    need(bool(np.all(np.isfinite(area) & (area >= 0))) and within_limits(box) and within_limits(keypoints))
    crowd = np.array([row.iscrowd for row in rows], bool)
    flagged = np.array([bool(row.ignore) for row in rows], bool)
    unlabelled = np.array([row.num_keypoints == 0 for row in rows], bool)
    truths = Truths(image, category, area, crowd, crowd | unlabelled)
    named = [{"id": one.id, "file_name": one.file_name} for one in truth.images] if form.match != "id" else []
    points = keypoints.reshape(len(rows), joints, 3)
    listed = sorted(truth.categories, key=lambda one: one.id)
    names = tuple(one.name if isinstance(one.name, str) else "" for one in listed)
    root = unused_root(truth.categories, category)
    return KeypointTruth(
        path, images, categories, truths, points, box, flagged, file_ids(named), names, _joints(listed, joints), root
    )


def _joints(categories: list[_JointCategory], many: int) -> tuple[str, ...]:
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
) -> KeypointResults:
    """Reads a results file for `target`; an empty list means that nothing was found.

    area_from: what the areas of detections are of; None: as pycocotools does, the rows' own `bbox` if the first row
        has one, else the extent of the keypoints.
    form: how the files deviate from COCO's form.
    category: the only one that is judged: rows of others need not have its joints.

    Raises InputError naming the first fault, MissingError.
    """
    path = Path(path)
    with reading(path, "a COCO results file (a JSON list of keypoint results)") as stream:
        stream = results_in(path, stream, form, target.by_name)
        try:
            return _results(path, stream, joints, target, area_from)
        except READ_ERRORS as error:
            stream.seek(0)
            data = stream.read()
            filled = judged_results(path, data, joints, category)
            images, categories = (
                set(target.images.tolist()),
                dict(zip(target.categories.tolist(), target.names, strict=True)),
            )
            explain_keypoint_results(path, filled, joints, images, categories, area_from, form.stated())
            if filled is data:
                raise InputError(f"{path}: cannot be read as COCO keypoint results: {error}") from None
    try:
        return _results(path, BytesIO(filled), joints, target, area_from)
    except READ_ERRORS as error:
        raise InputError(f"{path}: cannot be read as COCO keypoint results: {error}") from None


def _results(
    path: Path,
    stream: BinaryIO,
    joints: int,
    target: KeypointTruth,
    area_from: Literal["keypoints", "box"] | None,
) -> KeypointResults:
    columns: tuple[list[np.ndarray], ...] = tuple([none] for none in _NOTHING)
    columns[-1][0] = np.zeros((0, joints, 2))
    sample = _KeptRows([], 1, 0)
    boxed: bool | None = None if area_from is None else area_from == "box"
    for rows in blocks(stream, _KeypointRow, BLOCK_BYTES):
        if boxed is None:
            boxed = bool(rows[0].bbox)
        if area_from is None:
            need([bool(row.bbox) for row in rows].count(boxed) == len(rows))
        values = numbers([row.keypoints for row in rows], 3 * joints)
        sample = _with_some(sample, values)
        for column, part in zip(columns, _columns(rows, values, boxed, target), strict=True):
            column.append(part)
    image, category, score, area, keypoints = map(joined, columns)
    kept = np.concatenate([np.zeros((0, 3 * joints)), *sample.parts])
    rows_of_it = np.arange(len(kept), dtype=np.int64) * sample.step
    detections = Detections(image, category, score, area)
    return KeypointResults(path, detections, keypoints, "box" if boxed else "keypoints", rows_of_it, kept)


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
    rows: list[_KeypointRow], values: np.ndarray, boxed: bool, target: KeypointTruth
) -> tuple[np.ndarray, ...]:
    """image, category, score, area, keypoints of some rows, checked. values: (n, 3 K) their numbers."""
    many = len(rows)
    image, category = whole([row.image_id for row in rows]), whole([row.category_id for row in rows])
    need(known(image, target.images) and known(category, target.categories))
    score = np.array([row.score for row in rows])
    need(bool(np.isfinite(score).all()) and within_limits(values))
    keypoints = values.reshape(many, -1, 3)[..., :2].copy()
    if boxed:
        box = numbers([row.bbox or [] for row in rows], 4)
        need(within_limits(box))
        area = box[:, 2] * box[:, 3]
    else:
        by_joint = keypoints.transpose(1, 2, 0).copy()  # a maximum over the first axis is contiguous in memory
        width, height = by_joint.max(axis=0) - by_joint.min(axis=0)
        area = width * height
    return image, category, score, area, keypoints
