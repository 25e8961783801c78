"""PoseTrack18's people with heads and regions to ignore, and predicted poses with scores of joints, for poseval's AP.

Ground truth: a folder with a JSON file for each video, or one file (`coco.own_layouts`): `keypoints`, and `bbox_head`
(x, y, width, height) of each person; `ignore_regions_x` and `ignore_regions_y` of a frame are polygons. Predictions: a
COCO results file, whose third number of a joint is its score, or a folder of poseval's submissions: files of the same
names whose annotations have `keypoints` and `scores`.

As in poseval (leonid-pishchulin/poseval, py/convert.py and py/eval_helpers.py), 15 joints are judged, without the ears;
a joint at 0, 0 with the third number 0 is not there, any other one is; frames without an annotation are left out, with
what is predicted in them; joints inside a region, not on its border, are left out of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hrbench.core.files import MAX_COORDINATE, reading
from hrbench.errors import InputError
from hrbench.formats.coco.forms import CocoForm, as_utf8
from hrbench.formats.coco.json_faults import is_integer, is_number, parsed
from hrbench.formats.coco.own_layouts import source_bytes, source_files
from hrbench.formats.coco.skeletons import POSETRACK18

JOINTS = (
    "right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle", "right wrist", "right elbow",
    "right shoulder", "left shoulder", "left elbow", "left wrist", "head bottom", "nose", "head top",
)  # fmt: skip
NO_SCORE = -9999.0
"""The score of a joint without one: below all others."""

FILES = CocoForm(layout="posetrack18")


@dataclass(frozen=True)
class TrackedPeople:
    """G annotated people in the I frames that have an annotation, without joints in regions to ignore.

    images: (I,) int64 ids, rising.
    known: ids of all frames.
    image: (G,) int64, rising: the frame of each person, as a place in `images`.
    points: (G, 15, 2) float64, px.
    there: (G, 15) bool, which are labelled.
    head: (G,) float64, 0.6 of the head box's diagonal, px.
    regions: id of a frame -> polygons (M, 2), px.
    """

    path: Path
    images: np.ndarray
    known: frozenset[int]
    image: np.ndarray
    points: np.ndarray
    there: np.ndarray
    head: np.ndarray
    regions: Mapping[int, list[np.ndarray]]


@dataclass(frozen=True)
class ScoredPoses:
    """N predicted poses in judged frames, in the order of the file, without joints in regions to ignore.

    image: (N,) int64, the frame as a place in `TrackedPeople.images`.
    points: (N, 15, 2) float64, px.
    there: (N, 15) bool, which are predicted.
    score: (N, 15) float64.
    ignored, outside, unscored: how many joints lie in regions, poses in frames not annotated, joints without score.
    """

    image: np.ndarray
    points: np.ndarray
    there: np.ndarray
    score: np.ndarray
    ignored: int = 0
    outside: int = 0
    unscored: int = 0


class _TrackedRow(msgspec.Struct):
    image_id: int
    keypoints: list[float]


# --- ground truth -----------------------------------------------------------------------------------------------------


def read_people(path: Path) -> TrackedPeople:
    """A folder of videos, or one file. Raises InputError naming the person, MissingError."""
    content = parsed(path, source_bytes(path, FILES))
    names = _names(path, content["categories"])
    regions = {image["id"]: found for image in content["images"] if (found := _regions(path, image))}
    rows = content["annotations"]
    images = np.unique(np.array([row["image_id"] for row in rows], np.int64))
    if not len(images):
        raise InputError(f"{path}: nobody is annotated")
    values = _numbers([_keypoints(path, number, row, len(names)) for number, row in enumerate(rows)], len(names))
    points, there = _judged(values, names)
    head = np.array([_head(path, number, row, there[number].any()) for number, row in enumerate(rows)])
    image = np.searchsorted(images, np.array([row["image_id"] for row in rows], np.int64))
    there &= ~_ignored(points, images[image], regions)
    kept = np.flatnonzero(there.any(axis=1))
    kept = kept[np.argsort(image[kept], kind="stable")]
    known = frozenset(one["id"] for one in content["images"])
    return TrackedPeople(path, images, known, image[kept], points[kept], there[kept], head[kept], regions)


def _names(path: Path, categories: Sequence[Any]) -> Sequence[str]:
    """The joints of the file. Raises InputError if one of JOINTS is missing, or one occurs twice."""
    named = categories[0].get("keypoints") if len(categories) == 1 else None
    names = [str(one).replace("_", " ") for one in named] if isinstance(named, list) and named else POSETRACK18.names
    absent = sorted(set(JOINTS) - set(names))
    if absent or len(set(names)) < len(names):
        raise InputError(
            f"{path}: its one category must name the joints of PoseTrack18, each once; {absent[:1]} is absent"
        )
    return names


def _keypoints(path: Path, number: int, row: Mapping[str, Any], joints: int) -> list[float]:
    found = row.get("keypoints")
    if not isinstance(found, list) or len(found) != 3 * joints or not all(map(is_number, found)):
        raise InputError(f"{path}: annotation {number} (id {row.get('id')}): keypoints are no {3 * joints} numbers")
    if max(map(abs, found)) > MAX_COORDINATE:
        raise InputError(
            f"{path}: annotation {number} (id {row.get('id')}): a joint lies beyond {MAX_COORDINATE:.0e} px"
        )
    return found


def _head(path: Path, number: int, row: Mapping[str, Any], needed: bool) -> float:
    """0.6 of the diagonal of `bbox_head`."""
    box = row.get("bbox_head")
    right = (
        isinstance(box, list) and len(box) == 4 and all(map(is_number, box)) and max(map(abs, box)) <= MAX_COORDINATE
    )
    if not right and needed:
        raise InputError(f"{path}: annotation {number} (id {row.get('id')}): bbox_head is no x, y, width, height")
    return float(0.6 * np.hypot(*box[2:])) if isinstance(box, list) and right else 0.0


def _regions(path: Path, image: Mapping[str, Any]) -> list[np.ndarray]:
    """The polygons of a frame."""
    across, down = image.get("ignore_regions_x", []), image.get("ignore_regions_y", [])
    try:
        pairs = list(zip(across, down, strict=True))
        found = [np.array(list(zip(*pair, strict=True)), np.float64).reshape(-1, 2) for pair in pairs]
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{path}: image {image['id']}: ignore_regions_x and _y are no polygons") from None
    if any(not np.isfinite(one).all() for one in found):
        raise InputError(f"{path}: image {image['id']}: a corner of ignore_regions is not finite")
    return [one for one in found if len(one) > 2]


def _numbers(rows: Sequence[Sequence[float]], joints: int) -> np.ndarray:
    return np.array(rows, np.float64).reshape(len(rows), joints, 3)


def _judged(values: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 15, 2) in the order of JOINTS, and which are there (N, 15), of joints (N, K, 3) of these names."""
    mine = values[:, [names.index(joint) for joint in JOINTS]]
    return mine[..., :2], (mine != 0).any(axis=2)


def _ignored(points: np.ndarray, images: np.ndarray, regions: Mapping[int, list[np.ndarray]]) -> np.ndarray:
    """(N, 15) bool, which points lie in a region of their frame."""
    found = np.zeros(points.shape[:2], bool)
    for row, image in enumerate(images.tolist()):
        for polygon in regions.get(image, ()):
            found[row] |= inside(points[row], polygon)
    return found


def inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """(N,) bool, which points (N, 2) lie inside a polygon (M, 2), and not on its border; by crossings (even-odd).

    >>> inside(np.array([[1.0, 1.0], [0.0, 1.0], [5.0, 1.0]]), np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])).tolist()
    [True, False, False]
    """
    x, y = points[:, :1], points[:, 1:]
    (x1, y1), (x2, y2) = polygon.T, np.roll(polygon, -1, axis=0).T
    side = (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1)
    within = (
        (np.minimum(x1, x2) <= x) & (x <= np.maximum(x1, x2)) & (np.minimum(y1, y2) <= y) & (y <= np.maximum(y1, y2))
    )
    crossed = ((y1 > y) != (y2 > y)) & ((side > 0) == (y2 > y1))
    return (crossed.sum(axis=1) % 2 == 1) & ~((side == 0) & within).any(axis=1)


# --- predictions ------------------------------------------------------------------------------------------------------


def read_poses(path: Path, target: TrackedPeople) -> ScoredPoses:
    """A COCO results file, or a folder of poseval's submissions. Raises InputError naming the row, MissingError."""
    if path.is_dir():
        images, values, scores = _submissions(path, target)
    else:
        with reading(path, "a COCO results file, or a folder of poseval's") as stream:
            data = as_utf8(stream.read())
        try:
            rows = msgspec.json.decode(data, type=list[_TrackedRow])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{path}: is no list of results with image_id and keypoints: {error}") from None
        joints = len(POSETRACK18.names)
        listed = [_keypoints(path, number, {"keypoints": row.keypoints}, joints) for number, row in enumerate(rows)]
        images = np.array([row.image_id for row in rows], np.int64)
        values = _numbers(listed, joints)
        scores = values[..., 2]
    unknown = [image for image in images.tolist() if image not in target.known]
    if unknown:
        raise InputError(f"{path}: image_id {unknown[0]} is not among the frames of {target.path}")
    points, there = _judged(values, POSETRACK18.names)
    score = scores[:, [POSETRACK18.names.index(joint) for joint in JOINTS]]
    kept = np.isin(images, target.images)
    points, there, score, images = points[kept], there[kept], score[kept], images[kept]
    ignored = there & _ignored(points, images, target.regions)
    there &= ~ignored
    return ScoredPoses(
        np.searchsorted(target.images, images), points, there, score, int(ignored.sum()), int((~kept).sum()),
        int((there & (score == NO_SCORE)).sum()),
    )  # fmt: skip


def _submissions(path: Path, target: TrackedPeople) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (N,), joints (N, 17, 3) and scores (N, 17) of files that are called as those of the ground truth."""
    images: list[int] = []
    values: list[list[float]] = []
    scores: list[list[float]] = []
    joints = len(POSETRACK18.names)
    for truth in source_files(target.path, FILES):
        file = path / truth.name
        with reading(file, "poseval's predictions of a video") as stream:
            content = parsed(file, as_utf8(stream.read()))
        rows = content.get("annotations") if isinstance(content, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InputError(f"{file}: has no annotations, a list of predicted people")
        for number, row in enumerate(rows):
            if not is_integer(row.get("image_id")):
                raise InputError(f"{file}: annotation {number}: image_id is no whole number")
            images.append(row["image_id"])
            values.append(_keypoints(file, number, row, joints))
            own = row.get("scores", [])
            if not isinstance(own, list) or len(own) not in (0, joints) or not all(map(is_number, own)):
                raise InputError(f"{file}: annotation {number}: scores are no {joints} numbers")
            scores.append(own or [NO_SCORE] * joints)
    return np.array(images, np.int64), _numbers(values, joints), np.array(scores, np.float64).reshape(-1, joints)
