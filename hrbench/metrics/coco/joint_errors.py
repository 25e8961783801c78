"""Where the joints of found people went: good, jitter, inversion, swap, miss.

Source: Ronchi and Perona, Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation, ICCV 2017. The similarity
of a predicted joint and an annotated one is exp(-d^2 / (2 s^2 (2 sigma)^2)), the joint's own part of OKS, sigma that of
the predicted joint and s^2 the area of the annotated person. A predicted person is localised at the person that it
finds at OKS 0.1: by falling score, each takes the free person of greatest OKS, as in COCO's matching. Then a joint that
is annotated of that person is, in this order:

good: its similarity with the annotated joint is 0.85 or more.
jitter: it is 0.5 or more.
inversion: it is 0.5 or more with the mirrored joint of the same person, and not less than with any joint of others.
swap: it is 0.5 or more with the same or the mirrored joint of another annotated person of the image and class.
miss: none of these.

The paper's code (coco-analyze) takes the nearest of all these joints first, so that a good joint that lies nearer to
another person's is a swap there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrbench.metrics.coco.assignment import Similarity, pairs_in_parts, take_in_turn
from hrbench.metrics.coco.groups import RowGroups

KINDS = ("good", "jitter", "inversion", "swap", "miss")
GOOD, JITTER, INVERSION, SWAP, MISS = range(len(KINDS))
NOT_LABELLED = -1

LOCALISED, NEAR, EXACT = 0.1, 0.5, 0.85
"""OKS from which on a person is localised; similarity of a joint from which on it is near, and good."""

PART_PAIRS = 1 << 15
"""Pairs of people whose joints are in memory at a time."""


@dataclass(frozen=True)
class AnnotatedJoints:
    """G annotated people with K joints.

    points: (G, K, 2) float64, px.
    seen: (G, K) bool, whether a joint is annotated.
    spread: (G,) float64, the area in px^2.
    variances: (K,) float64, (2 sigma)^2.
    mirror: (K,) int64, the joint on the other side of the body, or the joint itself; None if that is not known.
    """

    points: np.ndarray
    seen: np.ndarray
    spread: np.ndarray
    variances: np.ndarray
    mirror: np.ndarray | None

    @classmethod
    def of(
        cls, keypoints: np.ndarray, area: np.ndarray, sigmas: np.ndarray, mirror: np.ndarray | None
    ) -> AnnotatedJoints:
        """Of the columns of annotations.

        keypoints: (G, K, 3) x, y in px, visibility.
        area: (G,) px^2.
        sigmas: (K,) the spread of each joint.
        mirror: as above.
        """
        points, seen = np.ascontiguousarray(keypoints[..., :2]), keypoints[..., 2] > 0
        return cls(points, seen, area + np.spacing(1), (np.asarray(sigmas, np.float64) * 2) ** 2, mirror)

    def similarity(self, poses: np.ndarray, people: np.ndarray, mirrored: bool = False) -> np.ndarray:
        """(n, K) float64 in [0, 1]: of the joints of n poses (n, K, 2) with those of people (n,); -1 if not annotated.

        mirrored: whether each is compared with the joint on the other side.
        """
        points, seen = self.points[people], self.seen[people]
        if mirrored:
            assert self.mirror is not None
            points, seen = points[:, self.mirror], seen[:, self.mirror]
        offset = poses - points
        offset *= offset
        error = (offset[..., 0] + offset[..., 1]) / self.variances / self.spread[people, None] / 2
        return np.where(seen, np.exp(-error), -1.0)


@dataclass(frozen=True)
class JointErrors:
    """M localised people.

    position: (M,) int64, of the predicted person among those judged.
    person: (M,) int64, the row of the annotated one.
    similarity: (M, K) float64 with the annotated joint; NaN if it is not annotated.
    kind: (M, K) int8, an index of KINDS or NOT_LABELLED.
    """

    position: np.ndarray
    person: np.ndarray
    similarity: np.ndarray
    kind: np.ndarray

    def counts(self, some: np.ndarray | None = None) -> np.ndarray:
        """(K, 5) int64: how many joints are of each kind. some: (M,) bool, of these people alone; None: all."""
        kind = self.kind if some is None else self.kind[some]
        return np.stack([(kind == each).sum(axis=0) for each in range(len(KINDS))], axis=1)


def localise(found: RowGroups, people: RowGroups, similarity: Similarity) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(position, person, best): who is localised at whom, (M,) int64 each, and (N,) the greatest OKS of each detection.

    found: the N detections, by group and falling score.
    people: the annotated people that count.
    similarity: OKS of rows of results and annotations.
    """
    best = np.zeros(len(found.rows))
    positions, persons = [], []
    for start, position, truth in pairs_in_parts(found, people, 1 << 20):
        alike = similarity(found.rows[position], truth)
        np.maximum.at(best, position, alike)
        near = np.flatnonzero(alike >= LOCALISED)
        near = near[np.lexsort((-truth[near], -alike[near], position[near]))]
        position, truth = position[near], truth[near]
        if not len(near):
            continue
        group = np.searchsorted(found.starts, position, side="right")
        one, nobody = np.ones(len(near), np.uint64), np.zeros(int(truth.max()) + 1, bool)
        taken = take_in_turn(group, position - start, truth, one, nobody, int(position[-1]) + 1 - start) > 0
        positions.append(position[taken])
        persons.append(truth[taken])
    none = np.zeros(0, np.int64)
    return np.concatenate([none, *positions]), np.concatenate([none, *persons]), best


def joint_errors(
    poses: np.ndarray, position: np.ndarray, person: np.ndarray, joints: AnnotatedJoints, groups: RowGroups
) -> JointErrors:
    """What became of the joints of localised people.

    poses: (M, K, 2) px, of the predicted people.
    position, person: (M,) as `localise` gives them.
    groups: all annotated people by image and class, whose joints may be taken for those of another.
    """
    own = joints.similarity(poses, person)
    other = np.full_like(own, -1.0)
    if joints.mirror is not None:
        # a joint in the middle of the body is its own mirror image
        sided = joints.mirror != np.arange(len(joints.mirror))
        other = np.where(sided, joints.similarity(poses, person, mirrored=True), -1.0)
    # only joints that are not near decide between an inversion and a swap
    far = np.flatnonzero(((own >= 0) & (own < NEAR)).any(axis=1))
    others = np.full_like(own, -1.0)
    others[far] = _with_others(poses[far], person[far], joints, groups)
    kind = np.full(own.shape, MISS, np.int8)
    kind[others >= NEAR] = SWAP
    kind[(other >= NEAR) & (other >= others)] = INVERSION
    kind[own >= NEAR] = JITTER
    kind[own >= EXACT] = GOOD
    kind[own < 0] = NOT_LABELLED
    return JointErrors(position, person, np.where(own < 0, np.nan, own), kind)


def _with_others(poses: np.ndarray, person: np.ndarray, joints: AnnotatedJoints, groups: RowGroups) -> np.ndarray:
    """(M, K): the greatest similarity of each joint with the same or the mirrored joint of other people; -1 if none."""
    best = np.full(poses.shape[:2], -1.0)
    group_of = np.full(len(joints.points), -1, np.int64)
    group_of[groups.rows] = np.repeat(np.arange(len(groups.keys)), np.diff(groups.starts))
    order = np.argsort(group_of[person], kind="stable")
    many = np.diff(groups.starts)[group_of[person[order]]]
    ends = np.cumsum(many)
    start = 0
    while start < len(order):
        before = ends[start] - many[start]
        end = max(start + 1, int(np.searchsorted(ends, before + PART_PAIRS, side="right")))
        some = order[start:end]
        row = np.repeat(some, many[start:end])
        inner = np.arange(len(row)) - np.repeat(ends[start:end] - many[start:end] - before, many[start:end])
        near = groups.rows[groups.starts[group_of[person[row]]] + inner]
        apart = near != person[row]
        row, near = row[apart], near[apart]
        alike = joints.similarity(poses[row], near)
        if joints.mirror is not None:
            alike = np.maximum(alike, joints.similarity(poses[row], near, mirrored=True))
        if len(row):
            first = np.flatnonzero(np.diff(row, prepend=-1))
            best[row[first]] = np.maximum.reduceat(alike, first, axis=0)
        start = end
    return best
