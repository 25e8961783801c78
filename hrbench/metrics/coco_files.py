"""COCO keypoint annotations and results: from JSON files to columns, checked.

The way is quick where all is well: typed decoding, then checks on whole columns. Where anything is wrong,
`coco_faults` reads the file again, slowly, and names the first offender. A results file is decoded in blocks of
rows, so that neither its text nor its objects are ever in memory as a whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import numpy as np

from ..types import InputError
from .coco import Detections, Truths, rising
from .coco_faults import explain_results, explain_truth
from .files import FARTHEST, reading

BLOCK = 1 << 19  # bytes of text decoded at a time: its objects stay within a cache
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Four = Annotated[list[float], msgspec.Meta(min_length=4, max_length=4)]


@dataclass(frozen=True)
class Target:
    """An annotation file. images: (I,) and categories: (C,) int64 ids, rising.

    truths: columns (G). keypoints: (G, K, 3) float64: x, y in px, visibility. box: (G, 4) x, y, w, h in px.
    """

    path: Path
    images: np.ndarray
    categories: np.ndarray
    truths: Truths
    keypoints: np.ndarray
    box: np.ndarray


@dataclass(frozen=True)
class Results:
    """A results file. detections: columns (N). keypoints: (N, K, 2) float64, px.

    area_from: "keypoints" (their extent) or "box" (the rows' own `bbox`, which pycocotools takes where the first row
    has one).
    """

    path: Path
    detections: Detections
    keypoints: np.ndarray
    area_from: str


# image, category, score, area, keypoints of a file without rows
_NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros((0, 0, 2)))


class _Named(msgspec.Struct, gc=False):
    id: Whole


class _Annotation(msgspec.Struct, gc=False):
    id: Whole
    image_id: Whole
    category_id: Whole
    area: float
    bbox: Four
    iscrowd: int | bool
    num_keypoints: int
    keypoints: list[float]


class _Truth(msgspec.Struct):
    images: list[_Named]
    annotations: list[_Annotation]
    categories: list[_Named]


class _Row(msgspec.Struct, gc=False):
    image_id: Whole
    category_id: Whole
    keypoints: list[float]
    score: float
    bbox: list[float] | msgspec.UnsetType = msgspec.UNSET
    # nothing is of this type: such a row is refused, and `coco_faults` says why
    segmentation: msgspec.UnsetType = msgspec.UNSET
    caption: msgspec.UnsetType = msgspec.UNSET


class _WrongError(ValueError):
    """Something is wrong with a file; `coco_faults` will say what."""


def read_truth(path: Path, joints: int) -> Target:
    """Read annotations of people with `joints` keypoints. Raises InputError naming the first fault, MissingError.

    As in pycocotools a person is ignored for `iscrowd` or for `num_keypoints` 0, whatever the keypoints say; a key
    `ignore` is not heeded.
    """
    path = Path(path)
    with reading(path, "COCO keypoint annotations (JSON)") as stream:
        data = stream.read()
    try:
        return _truth(path, msgspec.json.decode(data, type=_Truth), joints)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        explain_truth(path, data, joints)
        raise InputError(f"{path}: cannot be read as COCO keypoint annotations: {error}") from None


def _truth(path: Path, truth: _Truth, joints: int) -> Target:
    rows = truth.annotations
    images, categories = (rising(_whole([one.id for one in named])) for named in (truth.images, truth.categories))
    ids = _whole([row.id for row in rows])
    _need(len(images) == len(truth.images) and len(categories) == len(truth.categories) > 0)
    _need(len(rising(ids)) == len(rows) and not np.any(ids < 1))
    image, category = _whole([row.image_id for row in rows]), _whole([row.category_id for row in rows])
    _need(_known(image, images) and _known(category, categories))
    _need(all(row.iscrowd in (0, 1) and row.num_keypoints >= 0 for row in rows))
    area = np.array([row.area for row in rows], np.float64)
    box = _numbers([row.bbox for row in rows], 4)
    keypoints = _numbers([row.keypoints for row in rows], 3 * joints)
    _need(bool(np.all(np.isfinite(area) & (area >= 0))) and _near(box) and _near(keypoints))
    crowd = np.array([row.iscrowd for row in rows], bool)
    unlabelled = np.array([row.num_keypoints == 0 for row in rows], bool)
    truths = Truths(image, category, area, crowd, crowd | unlabelled)
    return Target(path, images, categories, truths, keypoints.reshape(len(rows), joints, 3), box)


def read_results(path: Path, joints: int, target: Target) -> Results:
    """Read a results file for `target`; an empty list is a file in which nothing was found.

    Raises InputError naming the first fault, MissingError.
    """
    path = Path(path)
    columns: tuple[list[np.ndarray], ...] = tuple([none] for none in _NOTHING)
    columns[-1][0] = np.zeros((0, joints, 2))
    boxed: bool | None = None
    with reading(path, "a COCO results file (a JSON list of keypoint results)") as stream:
        try:
            for rows in _blocks(stream):
                if boxed is None:
                    boxed = bool(rows[0].bbox)
                for column, part in zip(columns, _columns(rows, joints, boxed, target), strict=True):
                    column.append(part)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            stream.seek(0)
            explain_results(path, stream.read(), joints, set(target.images.tolist()), set(target.categories.tolist()))
            raise InputError(f"{path}: cannot be read as COCO keypoint results: {error}") from None
    image, category, score, area, keypoints = map(_joined, columns)
    return Results(path, Detections(image, category, score, area), keypoints, "box" if boxed else "keypoints")


def _joined(column: list[np.ndarray]) -> np.ndarray:
    joined = np.concatenate(column)
    column.clear()  # at once: the columns of a large file need not be there twice
    return joined


def _columns(rows: list[_Row], joints: int, boxed: bool, target: Target) -> tuple[np.ndarray, ...]:
    """image, category, score, area, keypoints of some rows, checked."""
    many = len(rows)
    _need([bool(row.bbox) for row in rows].count(boxed) == many)
    image, category = _whole([row.image_id for row in rows]), _whole([row.category_id for row in rows])
    _need(_known(image, target.images) and _known(category, target.categories))
    score = np.array([row.score for row in rows])
    values = _numbers([row.keypoints for row in rows], 3 * joints)
    _need(bool(np.isfinite(score).all()) and _near(values))
    keypoints = values.reshape(many, joints, 3)[..., :2].copy()
    if boxed:
        box = _numbers([row.bbox or [] for row in rows], 4)
        _need(_near(box))
        area = box[:, 2] * box[:, 3]
    else:
        by_joint = keypoints.transpose(1, 2, 0).copy()  # a maximum over the first axis runs along memory
        width, height = by_joint.max(axis=0) - by_joint.min(axis=0)
        area = width * height
    return image, category, score, area, keypoints


def _blocks(stream: BinaryIO) -> Iterator[list[_Row]]:
    """The rows of a JSON list in order, some at a time.

    A block ends behind some "}," of the text. If that was not the end of a row, then brackets or quotes do not
    balance and the block does not decode: the next block is then read and tried with it.
    """
    decode = msgspec.json.Decoder(list[_Row]).decode
    text, first = b"", True
    while data := stream.read(BLOCK):
        text += data
        cut = text.rfind(b"}") + 1
        head, tail = text[:cut], text[cut:].lstrip()
        if first:
            head = head.lstrip()
        if not cut or not tail.startswith(b",") or (first and not head.startswith(b"[")):
            continue
        try:
            rows = decode(head + b"]" if first else b"[" + head + b"]")
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            continue
        yield rows
        text, first = tail[1:], False
    rows = decode(text if first else b"[" + text)
    if rows:
        yield rows
    elif not first:
        raise _WrongError("a comma before the closing bracket")


def _need(held: bool) -> None:
    if not held:
        raise _WrongError("inconsistent content")


def _whole(values: list[int]) -> np.ndarray:
    return np.array(values, np.int64)


def _numbers(rows: list[list[float]], width: int) -> np.ndarray:
    """(rows, width) float64. Packing is the quickest way out of lists and refuses a wrong length by itself."""
    pack = struct.Struct(f"{width}d").pack
    try:
        return np.frombuffer(b"".join([pack(*row) for row in rows])).reshape(len(rows), width)
    except struct.error:
        raise _WrongError("a list of the wrong length") from None


def _known(ids: np.ndarray, among: np.ndarray) -> bool:
    """Whether all ids are in `among`, which rises."""
    if not len(ids) or not len(among):
        return not len(ids)
    return bool(np.all(among[np.minimum(np.searchsorted(among, ids), len(among) - 1)] == ids))


def _near(values: np.ndarray) -> bool:
    """Whether all are finite and no farther than FARTHEST; a comparison with NaN fails."""
    return not values.size or bool(values.min() >= -FARTHEST and values.max() <= FARTHEST)
