"""AP of some of the people: by how many of their joints are annotated, by their size, by how many others overlap them.

The groups are those of Ronchi and Perona (`joint_errors`) and their code: 1-5, 6-10, 11-15 and 16-17 annotated joints
(of K joints: the same shares of K); 32^2, 64^2, 96^2 and 128^2 px^2; no, 1-2 or more other people whose boxes have an
IoU above 0.1 with theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from hrbench.metrics.coco.assignment import pairs_in_parts
from hrbench.metrics.coco.box_iou import box_iou
from hrbench.metrics.coco.criteria import WIDEST
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.judged_poses import JudgedPoses
from hrbench.metrics.coco.matching import Matches, match

JOINTS, SHARES = 17, (5, 10, 15, 17)
SIDES = (0, 32, 64, 96, 128)
OVERLAP = 0.1
"""IoU of boxes above which two people overlap."""


@dataclass(frozen=True)
class GroupScores:
    """Of the people of G groups.

    labels: of the groups.
    people: (G,) float64, how many count.
    ap, ar: (G,) float64, over all thresholds; NaN if nobody counts.
    members: (G, P) bool, which of all annotated people are in each.
    """

    labels: tuple[str, ...]
    people: np.ndarray
    ap: np.ndarray
    ar: np.ndarray
    members: np.ndarray


def by_annotated_joints(judged: JudgedPoses) -> GroupScores:
    """By how many joints are annotated. False detections count in every group."""
    ends = joint_bounds(judged.keypoints.shape[1])
    many = (judged.keypoints[..., 2] > 0).sum(axis=1)
    ranges = list(zip((1, *(end + 1 for end in ends)), ends, strict=False))
    labels = [f"{low} joint{'s' * (low > 1)}" if low == high else f"{low}-{high} joints" for low, high in ranges]
    return _scores(judged, labels, [(many >= low) & (many <= high) for low, high in ranges])


def joint_bounds(joints: int) -> list[int]:
    """The largest number of joints of each group.

    >>> joint_bounds(17), joint_bounds(14), joint_bounds(2)
    ([5, 10, 15, 17], [4, 8, 12, 14], [1, 2])
    """
    ends = [round(joints * share / JOINTS) for share in SHARES]
    return sorted({max(end, 1) for end in ends})


def by_overlap(judged: JudgedPoses) -> GroupScores:
    """By how many other annotated people overlap, crowds left aside. False detections count in every group."""
    many = overlaps(judged)
    labels = ("no other person", "1-2 others", "3 or more others")
    return _scores(judged, labels, [many == 0, (many == 1) | (many == 2), many >= 3])


def overlaps(judged: JudgedPoses) -> np.ndarray:
    """(P,) int64: how many others of the same image and class overlap each annotated person."""
    crowd = judged.truths.crowd
    people = judged.people(~crowd)
    iou = box_iou(judged.box, np.zeros_like(crowd), judged.box)
    many = np.zeros(len(crowd), np.int64)
    for _, position, other in pairs_in_parts(people, people, 1 << 18):
        one = people.rows[position]
        apart = one != other
        one, other = one[apart], other[apart]
        with np.errstate(invalid="ignore"):
            over = iou(one, other) > OVERLAP
        many += np.bincount(one[over], minlength=len(many))
    return many


def by_size(judged: JudgedPoses) -> GroupScores:
    """By area in px^2, as COCO's APM and APL: false detections of another area do not count."""
    _, *middle, high = SIDES
    labels = [f"below {middle[0]}² px²", *(f"{one}²-{other}² px²" for one, other in pairwise((*middle, high)))]
    labels.append(f"over {high}² px²")
    bounds = [*(float(side**2) for side in SIDES), WIDEST]
    ends = list(pairwise(bounds))
    areas = tuple((label, *pair) for label, pair in zip(labels, ends, strict=True))
    settings = replace(judged.settings, areas=areas)
    matches = match(
        judged.truths, judged.detections, judged.similarity(judged.poses), settings, judged.images, judged.categories
    )
    area = judged.truths.area
    return _told(judged, matches, labels, [(area >= low) & (area <= high) for low, high in ends])


def _scores(judged: JudgedPoses, labels: Sequence[str], members: Sequence[np.ndarray]) -> GroupScores:
    outside = [judged.truths.ignore | ~some for some in members]
    return _told(judged, judged.matched_within(outside), labels, members)


def _told(judged: JudgedPoses, matches: Matches, labels: Sequence[str], members: Sequence[np.ndarray]) -> GroupScores:
    settings = replace(judged.settings, areas=tuple((label, 0.0, WIDEST) for label in labels))
    every = range(len(labels))
    numbers = [Number("AP", "precision", None, area) for area in every]
    numbers += [Number("AR", "recall", None, area) for area in every]
    values = Accumulator(matches, settings, numbers).at()
    ap, ar = np.where(values > -1, values, np.nan).reshape(2, -1)
    return GroupScores(tuple(labels), matches.positives.sum(axis=0).astype(float), ap, ar, np.stack(members))
