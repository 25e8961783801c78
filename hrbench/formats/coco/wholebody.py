"""COCO-WholeBody's files: 133 joints of a person in five keys, with columns of all of them and of each part.

    annotations   keypoints (17 joints), foot_kpts (6), face_kpts (68), lefthand_kpts (21), righthand_kpts (21), each
                  x, y, visibility of its joints; foot_valid, face_valid, lefthand_valid, righthand_valid
    results       the same five keys, and one score, or scores of parts beside it (wholebody_score, foot_score,
                  face_score, lefthand_score, righthand_score); or all 133 joints in `keypoints`

Source: https://github.com/jin-s13/COCO-WholeBody (data_format.md), and xtcocotools 1.14.3, which evaluates them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

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
    whole,
    within_limits,
)
from hrbench.formats.coco.faults import explain_keypoint_results, explain_keypoint_truth
from hrbench.formats.coco.forms import COCO, CocoForm, annotations_in, results_in
from hrbench.formats.coco.json_faults import fault_of, is_number, kind, parsed, shown
from hrbench.formats.coco.keypoint_results import BLOCK_BYTES, SAMPLE, KeypointResults, Unseen
from hrbench.formats.coco.keypoints import Filed, JointCategory, KeypointTruth, PersonColumns, checked_truth
from hrbench.formats.coco.skeletons import COCO_WHOLEBODY, WHOLEBODY_PARTS
from hrbench.formats.coco.write import Row
from hrbench.formats.coco.write import write_results as write_keypoints
from hrbench.types import Prediction

KEYS = tuple(key for _, key, _ in WHOLEBODY_PARTS)
SIZES = tuple(3 * (places.stop - places.start) for _, _, places in WHOLEBODY_PARTS)
JOINTS = len(COCO_WHOLEBODY.names)
BODY = WHOLEBODY_PARTS[0][2]

PARTS: tuple[tuple[str, slice, str], ...] = (
    ("whole", slice(0, JOINTS), "wholebody_score"),
    *((name, places, "score" if name == "body" else f"{name}_score") for name, _, places in WHOLEBODY_PARTS),
)
"""What is judged: name, places among the 133 joints, the key of its own score in results."""

VALID = ("foot_valid", "face_valid", "lefthand_valid", "righthand_valid")


@dataclass(frozen=True)
class WholebodyTruth:
    """An annotation file.

    people: with all 133 joints; `people.truths.ignore` is that of the whole body.
    contradicted: (G,) bool, whether a part that its key `*_valid` calls unlabelled has a labelled joint.
    """

    people: KeypointTruth
    contradicted: np.ndarray

    def part(self, places: slice) -> KeypointTruth:
        """The people with some of their joints: those without a labelled one among them are ignored."""
        people = self.people
        points = people.keypoints[:, places]
        crowd = people.truths.crowd
        ignore = crowd | ~(points[..., 2] > 0).any(axis=1)
        truths = Truths(people.truths.image, people.truths.category, people.truths.area, crowd, ignore)
        return replace(people, truths=truths, keypoints=points, joints=people.joints[places])


@dataclass(frozen=True)
class WholebodyResults:
    """A results file.

    detections: columns (N): `score` is the key of this name, `area` that of the body's joints, or of the rows' boxes.
    points: (N, 133, 3) float64, x, y in px, and the third number of each joint.
    scores: (N, 6) float64, of the parts in the order of `PARTS`.
    area_from: "keypoints" (the extent of the body's 17) or "box".
    """

    path: Path
    detections: Detections
    points: np.ndarray
    scores: np.ndarray
    area_from: str

    def part(self, place: int, unseen: Unseen = "drop") -> KeypointResults:
        """Some of the joints, by the score of the part.

        place: of the part in `PARTS`.
        unseen: what becomes of people of whom none of these joints has a third number above 0.
        """
        points = self.points[:, PARTS[place][1]]
        seen = (points[..., 2] > (-np.inf if unseen == "keep" else 0)).any(axis=1)
        rows = self.detections
        found = Detections(rows.image[seen], rows.category[seen], self.scores[seen, place], rows.area[seen])
        kept = points[seen]
        step = max(1, len(kept) // SAMPLE)
        sampled = np.arange(0, len(kept), step, dtype=np.int64)
        values = kept[sampled].reshape(len(sampled), 3 * kept.shape[1])
        return KeypointResults(
            self.path, found, kept[..., :2], self.area_from, sampled, values, len(points) - int(seen.sum())
        )


class _Person(msgspec.Struct, gc=False):
    id: Whole
    image_id: Whole
    category_id: Whole
    area: float
    bbox: Four
    iscrowd: int | bool
    keypoints: list[float]
    foot_kpts: list[float]
    face_kpts: list[float]
    lefthand_kpts: list[float]
    righthand_kpts: list[float]
    foot_valid: bool | int = True
    face_valid: bool | int = True
    lefthand_valid: bool | int = True
    righthand_valid: bool | int = True
    ignore: Any = 0


class _WholebodyFile(msgspec.Struct):
    images: list[Filed]
    annotations: list[_Person]
    categories: list[JointCategory]


class _Row(msgspec.Struct, gc=False):
    image_id: Whole
    category_id: Whole
    keypoints: list[float]
    score: float
    foot_kpts: list[float] | msgspec.UnsetType = msgspec.UNSET
    face_kpts: list[float] | msgspec.UnsetType = msgspec.UNSET
    lefthand_kpts: list[float] | msgspec.UnsetType = msgspec.UNSET
    righthand_kpts: list[float] | msgspec.UnsetType = msgspec.UNSET
    wholebody_score: float | msgspec.UnsetType = msgspec.UNSET
    foot_score: float | msgspec.UnsetType = msgspec.UNSET
    face_score: float | msgspec.UnsetType = msgspec.UNSET
    lefthand_score: float | msgspec.UnsetType = msgspec.UNSET
    righthand_score: float | msgspec.UnsetType = msgspec.UNSET
    bbox: list[float] | msgspec.UnsetType = msgspec.UNSET
    # no value has this type: a row with this key is refused, and `faults` says why
    segmentation: msgspec.UnsetType = msgspec.UNSET
    caption: msgspec.UnsetType = msgspec.UNSET


# --- annotations ------------------------------------------------------------------------------------------------------


def read_truth(path: Path, form: CocoForm = COCO) -> WholebodyTruth:
    """Reads annotations. Raises InputError naming the first fault, MissingError.

    form: how the file deviates from COCO's form.

    As in xtcocotools, a part of a person is ignored for `iscrowd`, or if none of its joints has a visibility above 0;
    `num_keypoints` and `*_valid` have no effect.
    """
    with reading(path, "COCO-WholeBody annotations (JSON)") as stream:
        data = annotations_in(path, stream.read(), form)
    try:
        return _truth(path, msgspec.json.decode(data, type=_WholebodyFile), form)
    except READ_ERRORS as error:
        explain_keypoint_truth(path, json.dumps(folded_truth(path, data)).encode(), JOINTS, form.stated())
        raise InputError(f"{path}: cannot be read as COCO-WholeBody annotations: {error}") from None


def _truth(path: Path, truth: _WholebodyFile, form: CocoForm) -> WholebodyTruth:
    rows = truth.annotations
    need(all(row.iscrowd in (0, 1) for row in rows))
    points = _side_by_side(rows)
    seen = points[:, 2::3] > 0
    columns = PersonColumns(
        whole([row.id for row in rows]),
        whole([row.image_id for row in rows]),
        whole([row.category_id for row in rows]),
        seen.sum(axis=1, dtype=np.int64),
        np.array([row.area for row in rows], np.float64),
        np.array([row.iscrowd for row in rows], bool),
        np.array([bool(row.ignore) for row in rows], bool),
        numbers([row.bbox for row in rows], 4),
        points,
    )
    contradicted = np.zeros(len(rows), bool)
    for key, (_, _, places) in zip(VALID, WHOLEBODY_PARTS[1:], strict=True):
        valid = np.array([bool(getattr(row, key)) for row in rows], bool)
        contradicted |= ~valid & seen[:, places].any(axis=1)
    people = replace(checked_truth(path, truth.images, truth.categories, columns, form), joints=COCO_WHOLEBODY.names)
    return WholebodyTruth(people, contradicted)


def _side_by_side(rows: Sequence[_Person] | Sequence[_Row]) -> np.ndarray:
    """(rows, 399) float64: the numbers of the five keys, one after the other."""
    parts = [numbers([getattr(row, key) for row in rows], size) for key, size in zip(KEYS, SIZES, strict=True)]
    return np.concatenate(parts, axis=1)


def folded_truth(path: Path, data: bytes) -> dict[str, Any]:
    """Decoded annotations with the 133 joints of each person in `keypoints`, as COCO's own tools would hold them.

    path: for messages.
    data: the file, in COCO's own form except for its five keys.

    Raises InputError for a key that is missing or has another number of values.
    """
    content = parsed(path, data)
    rows = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        return content  # which the general checks refuse
    return {**content, "annotations": [_folded_person(path, at, row) for at, row in enumerate(rows)]}


def _folded_person(path: Path, index: int, row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    points = _folded(fault_of(path, f"annotation {index}", row, ("id", "image_id")), row)
    many = sum(is_number(seen) and seen > 0 for seen in points[2::3])
    return {**row, "keypoints": points, "num_keypoints": many}


def _folded(fault: Any, row: dict[str, Any]) -> list[Any]:
    points: list[Any] = []
    for key, size in zip(KEYS, SIZES, strict=True):
        if key not in row:
            fault(f"{key!r} is missing; COCO-WholeBody has the joints of a person in {', '.join(KEYS)}")
        value = row[key]
        if not isinstance(value, list) or len(value) != size:
            found = f"{len(value)} values" if isinstance(value, list) else kind(value)
            fault(f"{key} holds {found}; its {size // 3} joints need {size} (x, y, visibility of each)")
        points += value
    return points


# --- results ----------------------------------------------------------------------------------------------------------


def read_results(
    path: Path,
    target: WholebodyTruth,
    area_from: Literal["keypoints", "box"] | None = None,
    form: CocoForm = COCO,
) -> WholebodyResults:
    """Reads a results file for `target`; an empty list means that nothing was found.

    area_from: what the areas of people are of; None: as xtcocotools does, the rows' own `bbox` if the first row has
        one, else the extent of the body's 17 joints.
    form: how the files deviate from COCO's form.

    Raises InputError naming the first fault, MissingError.
    """
    people = target.people
    with reading(path, "a COCO-WholeBody results file (a JSON list)") as opened:
        stream = results_in(path, opened, form, people.by_name)
        try:
            return _results(path, stream, people, area_from)
        except READ_ERRORS as error:
            stream.seek(0)
            rows = json.dumps(folded_results(path, stream.read())).encode()
            images = set(people.images.tolist())
            categories = dict(zip(people.categories.tolist(), people.names, strict=True))
            explain_keypoint_results(path, rows, JOINTS, images, categories, area_from, form.stated(), people.path)
            raise InputError(f"{path}: cannot be read as COCO-WholeBody results: {error}") from None


def _results(
    path: Path, stream: BinaryIO, people: KeypointTruth, area_from: Literal["keypoints", "box"] | None
) -> WholebodyResults:
    none = np.zeros(0, np.int64)
    columns: tuple[list[np.ndarray], ...] = tuple(
        [one] for one in (none, none, np.zeros(0), np.zeros((0, 3 * JOINTS)), np.zeros((0, len(PARTS))))
    )
    boxed: bool | None = None if area_from is None else area_from == "box"
    split: bool | None = None
    for rows in blocks(stream, _Row, BLOCK_BYTES):
        if boxed is None:
            boxed = bool(rows[0].bbox)
        if split is None:
            split = rows[0].foot_kpts is not msgspec.UNSET
        if area_from is None:
            need([bool(row.bbox) for row in rows].count(boxed) == len(rows))
        need(all((getattr(row, key) is not msgspec.UNSET) == split for row in rows for key in KEYS[1:]))
        points = _side_by_side(rows) if split else numbers([row.keypoints for row in rows], 3 * JOINTS)
        need(within_limits(points))
        image, category = whole([row.image_id for row in rows]), whole([row.category_id for row in rows])
        need(known(image, people.images) and known(category, people.categories))
        scores = _scores(rows)
        need(bool(np.isfinite(scores).all()))
        area = _areas(points, numbers([row.bbox or [] for row in rows], 4) if boxed else None)
        for column, part in zip(columns, (image, category, area, points, scores), strict=True):
            column.append(part)
    image, category, area, points, scores = map(joined, columns)
    detections = Detections(image, category, scores[:, 1], area)
    return WholebodyResults(
        path, detections, points.reshape(len(points), JOINTS, 3), scores, "box" if boxed else "keypoints"
    )


def _scores(rows: Sequence[_Row]) -> np.ndarray:
    """(rows, 6) float64: the score of each part, that of the row where it has none."""
    plain = np.array([row.score for row in rows], np.float64)
    scores = np.repeat(plain[:, None], len(PARTS), axis=1)
    for place, (_, _, key) in enumerate(PARTS):
        own = [getattr(row, key) for row in rows]
        if any(value is not msgspec.UNSET for value in own):
            scores[:, place] = [plain[at] if value is msgspec.UNSET else value for at, value in enumerate(own)]
    return scores


def _areas(points: np.ndarray, box: np.ndarray | None) -> np.ndarray:
    """(rows,) px^2: of the boxes (rows, 4), else of the extent of the body's joints."""
    if box is not None:
        need(within_limits(box))
        return box[:, 2] * box[:, 3]
    body = points.reshape(len(points), JOINTS, 3)[:, BODY, :2]
    width, height = (body.max(axis=1) - body.min(axis=1)).T if len(body) else np.zeros((2, 0))
    return width * height


def folded_results(path: Path, data: bytes) -> Any:
    """Decoded results with the 133 joints of each person in `keypoints`; arguments and errors as of `folded_truth`."""
    content = parsed(path, data)
    if not isinstance(content, list):
        return content
    split = bool(content) and isinstance(content[0], dict) and KEYS[1] in content[0]
    return [_folded_row(path, at, row, split) for at, row in enumerate(content)]


def _folded_row(path: Path, index: int, row: Any, split: bool) -> Any:
    if not isinstance(row, dict):
        return row
    fault = fault_of(path, f"result {index}", row, ("image_id", "category_id"))
    for _, _, key in PARTS:
        if key in row and not is_number(row[key]):
            fault(f"{key} is {shown(row[key])}; scores must be finite numbers")
    if split:
        return {**row, "keypoints": _folded(fault, row)}
    if any(key in row for key in KEYS[1:]):
        fault(f"has {', '.join(key for key in KEYS[1:] if key in row)}, which the first row has not; write all alike")
    return row


# --- writing ----------------------------------------------------------------------------------------------------------


def write_results(predictions: Iterable[Prediction], path: Path) -> None:
    """Writes rows with the five keys, made of 133 joints in `keypoints` unless they have them, and all other keys.

    Raises InputError for a row that no reader would accept, UsageError if the folder cannot be written.
    """
    write_keypoints(map(_whole_rows, predictions), path, JOINTS, _split)


def _whole_rows(prediction: Prediction) -> Prediction:
    """A prediction whose rows have all joints in `keypoints`."""
    return replace(
        prediction,
        value=[
            {**row, "keypoints": [number for key in KEYS for number in row[key]]} if KEYS[1] in row else row
            for row in prediction.value
        ],
    )


def _split(row: Row) -> Row:
    parts: dict[str, Any] = {}
    points, at = list(row["keypoints"]), 0
    for key, size in zip(KEYS, SIZES, strict=True):
        parts[key] = points[at : at + size]
        at += size
    return {**row, **parts}
