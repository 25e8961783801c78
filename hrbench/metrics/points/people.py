"""Annotated people of a COCO-style file or of MPII, each with the one prediction that is held to it.

A COCO results file does not say whose joints a row holds. Each person gets at most one row of its image: pairs are
taken by falling object keypoint similarity (`metrics.coco.oks`), then in the order of the files. Top-down networks on
ground-truth boxes give one row a person, so that this is the pairing of mmpose, which keeps each prediction with the
box it was made from. MPII's files have a row for each person already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.forms import CocoForm
from hrbench.formats.coco.keypoint_results import KeypointResults, Unseen, read_results
from hrbench.formats.coco.keypoints import KeypointTruth
from hrbench.formats.coco.keypoints import read_truth as read_coco
from hrbench.formats.coco.skeletons import COCO, Skeleton
from hrbench.formats.mpii import read_predictions, read_scales
from hrbench.formats.mpii import read_truth as read_mpii
from hrbench.metrics.coco.oks import oks
from hrbench.metrics.points.counts import errors
from hrbench.metrics.points.image_rows import rows_in

Reference = Literal["box", "torso", "head", "head_segment"]
MOST_LISTED = 30
HEAD_SHARE = 0.6
"""Of the head box's diagonal, as MPII's own evaluation takes it."""

SEGMENTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "torso": (("left_shoulder", "right_hip"), ("lsho", "rhip")),
    "head_segment": (("head_top", "head_bottom"), ("head_top", "neck"), ("top_head", "neck"), ("head", "neck")),
}
"""Reference -> joints it is measured between if no others are named. Torso, by COCO's and by MPII's names: those that
mmpose takes for JHMDB. Head, its top and its lower end, by the names of PoseTrack18, AI Challenger, CrowdPose in mmpose
and CrowdPose's own file, which are those of Halpe and MPII."""
OPTIONS = {"torso": "torso", "head_segment": "head"}
"""Reference -> the option that names its joints."""


@dataclass(frozen=True)
class People:
    """G annotated people of I images.

    images: (I,) ids or names, rising.
    image: (G,) int64, the place of each person's image in `images`.
    row: (G,) int64, the person's place in its file.
    joints: K names.
    position: (G, K, 2) float64, px.
    visible: (G, K) bool.
    size: (G,) float64, px, of the reference; 0 for a person without one.
    coco: what a COCO file held; None for MPII.
    """

    path: Path
    images: np.ndarray
    image: np.ndarray
    row: np.ndarray
    joints: tuple[str, ...]
    position: np.ndarray
    visible: np.ndarray
    size: np.ndarray
    coco: KeypointTruth | None = None


@dataclass(frozen=True)
class Posed:
    """What was predicted for G people.

    points: (G, K, 2) float64, px, in the frame of `People.position`; 0 for a person without a prediction.
    found: (G,) bool, whether there is a prediction.
    left: (R,) ids of the images of the R rows that are held to nobody.
    unseen: how many rows without a seen joint were left out.
    results: the rows as they were read, of a results file in COCO's form.
    """

    points: np.ndarray
    found: np.ndarray
    left: np.ndarray
    unseen: int = 0
    results: KeypointResults | None = None


def coco_people(
    path: Path,
    sigmas: Sequence[float],
    category: int | None,
    form: CocoForm,
    reference: Reference,
    ends: Sequence[int | str] | None,
    skeleton: Skeleton | None = None,
) -> People:
    """People of a COCO-style annotation file with a visible joint, crowds left out.

    ends: the two joints that a reference "torso" or "head_segment" is measured between; None: `SEGMENTS`.
    skeleton: whose names the joints have; None: those of the file, or COCO's of a file of 17 that names none.

    Raises InputError, MissingError as `formats.coco.keypoints.read_truth`; UsageError for a reference that it lacks.
    """
    truth = read_coco(path, len(sigmas), category, form)
    counted = ~truth.truths.ignore & ~truth.truths.crowd & (truth.keypoints[..., 2] > 0).any(axis=1)
    if category is not None:
        counted &= truth.truths.category == category
    rows = np.flatnonzero(counted)
    if skeleton is None and not truth.joints and len(sigmas) == len(COCO.names):
        skeleton = COCO
    if skeleton is not None:
        joints = tuple(name.replace(" ", "_") for name in skeleton.names)
    else:
        joints = truth.joints or tuple(f"joint_{number}" for number in range(len(sigmas)))
    position, visible = truth.keypoints[rows, :, :2], truth.keypoints[rows, :, 2] > 0
    if reference == "head":
        raise UsageError(
            f"reference: head: {path} annotates no head boxes, as MPII does; say box, torso or head_segment"
        )
    if reference == "box":
        size = truth.box[rows, 2:].max(axis=1, initial=0.0)
    else:
        size = _lengths(path, reference, joints, position, visible, ends)
    return People(
        path,
        truth.images,
        np.searchsorted(truth.images, truth.truths.image[rows]),
        rows,
        joints,
        position,
        visible,
        size,
        truth,
    )


def mpii_people(path: Path, reference: Reference, ends: Sequence[int | str] | None) -> People:
    """People of MPII's gt_valid.mat; a box is the square of 200 x scale px of {split}.json, as mmpose has it.

    ends: as of `coco_people`.

    Raises InputError, MissingError as `formats.mpii.read_truth`.
    """
    truth = read_mpii(path)
    if reference == "head":
        size = truth.head * HEAD_SHARE
    elif reference == "box":
        size = 200.0 * read_scales(truth.path, len(truth.head))
    else:
        position = np.where(truth.visible[..., None], truth.position, 0.0)
        size = _lengths(path, reference, truth.joints, position, truth.visible, ends)
    names = np.arange(len(truth.head)) if truth.image is None else truth.image
    images, image = np.unique(names, return_inverse=True)
    position = np.where(truth.visible[..., None], truth.position, 0.0)  # joints not annotated lie anywhere
    row = np.arange(len(truth.head))
    return People(truth.path, images, image, row, truth.joints, position, truth.visible, size)


def coco_posed(
    path: Path,
    people: People,
    sigmas: Sequence[float],
    category: int | None,
    form: CocoForm,
    unseen: Unseen = "keep",
) -> Posed:
    """The row of a results file for each person, by falling similarity.

    unseen: what becomes of rows of which no joint has a third number above 0 (`read_results`).

    Raises InputError, MissingError.
    """
    truth = people.coco
    assert truth is not None
    results = read_results(path, len(sigmas), truth, None, form, category, unseen)
    at, of = results.detections.image, people.images[people.image]
    row, many = rows_in(at, of)
    person = np.repeat(np.arange(len(of)), many)
    alike = truth.truths.category[people.row[person]] == results.detections.category[row]
    person, row = person[alike], row[alike]
    area = np.where(truth.truths.area > 0, truth.truths.area, truth.box[:, 2:].prod(axis=1))
    similarity = oks(truth.keypoints, area, truth.box, results.keypoints, np.asarray(sigmas))
    similar = similarity(row, people.row[person]) if len(row) else np.zeros(0)
    best = _one_each(person, row, similar, len(of), len(at))
    found = best >= 0
    points = np.zeros_like(people.position)
    points[found] = results.keypoints[best[found]]
    rest = np.ones(len(at), bool)
    rest[best[found]] = False
    return Posed(points, found, at[rest], results.unseen, results)


def mpii_posed(path: Path, people: People, origin: Literal[0, 1] | None) -> Posed:
    """Row n of the file is person n's. Raises InputError, MissingError as `formats.mpii.read_predictions`."""
    points = read_predictions(path, len(people.row), origin).astype(np.float64)
    found = np.asarray(~np.isnan(points.reshape(len(points), -1)).any(axis=1))
    return Posed(np.where(found[:, None, None], points, 0.0), found, np.zeros(0, np.int64))


def _one_each(person: np.ndarray, row: np.ndarray, similar: np.ndarray, people: int, rows: int) -> np.ndarray:
    """(people,) the row of each person, -1 for none: pairs by falling similarity, no row and no person twice."""
    order = np.lexsort((row, person, -similar))
    best, taken = np.full(people, -1, np.int64), np.zeros(rows, bool)
    for one, other in zip(person[order].tolist(), row[order].tolist(), strict=True):
        if best[one] < 0 and not taken[other]:
            best[one], taken[other] = other, True
    return best


def _lengths(
    path: Path,
    reference: Reference,
    joints: Sequence[str],
    position: np.ndarray,
    visible: np.ndarray,
    ends: Sequence[int | str] | None,
) -> np.ndarray:
    """(G,) px between the two joints of a torso or a head, 0 where one is not visible. Raises UsageError."""
    names, option = [name.lower().replace(" ", "_") for name in joints], OPTIONS[reference]
    if ends is None:
        ends = next((pair for pair in SEGMENTS[reference] if set(pair) <= set(names)), None)
    if ends is None:
        known = ", ".join(" and ".join(pair) for pair in SEGMENTS[reference])
        listed = ", ".join(joints if len(joints) <= MOST_LISTED else [*joints[:MOST_LISTED], "..."])
        raise UsageError(
            f"reference: {reference}: the joints of {path} have other names than {known}; name the two joints in "
            f"option {option}, of {listed}, if it has them"
        )
    one, other = (_place(option, joint, joints, names) for joint in ends)
    apart = position[:, one] - position[:, other]
    both = visible[:, one] & visible[:, other]
    return np.where(both, errors(apart), 0.0)


def _place(option: str, joint: int | str, joints: Sequence[str], names: Sequence[str]) -> int:
    if isinstance(joint, str) and joint.lower().replace(" ", "_") in names:
        return names.index(joint.lower().replace(" ", "_"))
    if isinstance(joint, int) and not isinstance(joint, bool) and 0 <= joint < len(names):
        return joint
    raise UsageError(f"{option} {joint!r}: no such joint; there are {', '.join(joints)}, or 0 to {len(joints) - 1}")


def rows_of(people: People, images: Sequence[int | str] | None) -> np.ndarray:
    """Places in `people.images` of those asked for, rising; None: all. Raises InputError for another."""
    if images is None:
        return np.arange(len(people.images))
    place = {image: number for number, image in enumerate(people.images.tolist())}
    for image in images:
        if image not in place:
            raise InputError(f"{people.path}: image {image!r}, asked for, is not among its {len(place)} images")
    return np.array(sorted({place[image] for image in images}), np.int64)


def is_mpii(path: Path) -> bool:
    """Whether a path is MPII's ground truth: a .mat file, or a folder."""
    return path.suffix == ".mat" or path.is_dir()
