"""AP of poses by a plain count in lists, frame by frame and joint by joint: what `pose_ap` is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan, sqrt

from hrbench.formats.posetrack import JOINTS, ScoredPoses, TrackedPeople


def plain_numbers(
    people: TrackedPeople, poses: ScoredPoses, frames: Sequence[int], groups: Mapping[str, Sequence[int]]
) -> list[float]:
    """The mean AP of all joints and that of each group; NaN if nothing is labelled.

    frames: places in `people.images`.
    groups: name -> joints.
    """
    ranked: list[list[tuple[float, int, bool]]] = [[] for _ in JOINTS]
    labelled = [0] * len(JOINTS)
    for frame in frames:
        mine = [person for person, image in enumerate(people.image.tolist()) if image == frame]
        own = [pose for pose, image in enumerate(poses.image.tolist()) if image == frame]
        for person in mine:
            for joint in range(len(JOINTS)):
                labelled[joint] += bool(people.there[person, joint])
        pairs = _pairs(people, poses, mine, own)
        for pose in own:
            for joint in range(len(JOINTS)):
                if poses.there[pose, joint]:
                    right = pose in pairs and _near(people, poses, pairs[pose], pose, joint)
                    ranked[joint].append((float(poses.score[pose, joint]), len(ranked[joint]), right))
    each = [_area(sorted(rows, reverse=True), many) for rows, many in zip(ranked, labelled, strict=True)]
    parts = [range(len(JOINTS)), *groups.values()]
    return [_mean([each[joint] for joint in part]) for part in parts]


def _near(people: TrackedPeople, poses: ScoredPoses, person: int, pose: int, joint: int) -> bool:
    if not (people.there[person, joint] and poses.there[pose, joint] and people.head[person] > 0):
        return False
    across, down = (poses.points[pose, joint] - people.points[person, joint]).tolist()
    return sqrt(across * across + down * down) / float(people.head[person]) <= 0.5


def _pairs(people: TrackedPeople, poses: ScoredPoses, mine: Sequence[int], own: Sequence[int]) -> dict[int, int]:
    """Pose -> its person."""
    suitors: dict[int, list[tuple[float, int]]] = {}
    for pose in own:
        shares = []
        for person in mine:
            near = sum(_near(people, poses, person, pose, joint) for joint in range(len(JOINTS)))
            shares.append(near / sum(people.there[person].tolist()))
        if shares and max(shares) > 0:
            suitors.setdefault(mine[shares.index(max(shares))], []).append((max(shares), -pose))
    return {-max(those)[1]: person for person, those in suitors.items()}


def _area(rows: Sequence[tuple[float, int, bool]], labelled: int) -> float:
    """The area under precision, the best one from each recall on, over recall. rows: best first."""
    if not labelled:
        return nan
    precision, found = [], 0
    for place, (_, _, right) in enumerate(rows, 1):
        found += right
        precision.append((found / place, right))
    best, gains = 0.0, []
    for value, right in reversed(precision):
        best = max(best, value)
        gains.append(best if right else 0.0)
    return sum(reversed(gains)) / labelled


def _mean(values: Sequence[float]) -> float:
    there = [value for value in values if not isnan(value)]
    return sum(there) / len(there) if there else nan
