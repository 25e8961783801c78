"""What each kind of error costs a pose network in AP: each put right in turn, and each alone.

Source: Ronchi and Perona (`joint_errors`): errors are put right one kind after the other, in the order miss,
swap, inversion, jitter, scores, false detections, missed people, and the evaluation itself is run after each. So the
parts and what then remains sum to 1 - AP. How an error is put right:

a joint: it lies where it is annotated (the paper's code puts it at a distance).
scores: each predicted person's is its greatest OKS with an annotated person that counts.
false detections: those that find nobody at any threshold are gone; background: their OKS with everybody is below 0.1,
    duplicates: it is not.
missed people: those that nobody finds at any threshold are gone.
remaining: what good joints, and false detections at some thresholds, cost in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hrbench.metrics.coco.groups import RowGroups
from hrbench.metrics.coco.joint_errors import (
    INVERSION,
    JITTER,
    LOCALISED,
    MISS,
    SWAP,
    JointErrors,
    joint_errors,
    localise,
)
from hrbench.metrics.coco.judged_poses import JudgedPoses
from hrbench.metrics.coco.matching import Matches

JOINT_ORDER = (MISS, SWAP, INVERSION, JITTER)
PARTS = ("miss", "swap", "inversion", "jitter", "scores", "background", "duplicates", "missed people", "remaining")


@dataclass(frozen=True)
class PoseCosts:
    """Of a measurement.

    ap: of it, NaN if nobody counts.
    counts: for each of PARTS, how many joints, detections or people there are of it as predicted; NaN if that says
        nothing.
    alone: AP gained by putting right this part alone; NaN for what remains.
    in_turn: AP gained by putting it right after those before it; they sum to 1 - `ap`.
    errors: the joints of localised people.
    """

    ap: float
    counts: tuple[float, ...]
    alone: tuple[float, ...]
    in_turn: tuple[float, ...]
    errors: JointErrors


def pose_costs(judged: JudgedPoses, matches: Matches) -> PoseCosts:
    """Costs of all parts. matches: the evaluation's, of all areas alone (`of_every_area`)."""
    counting = judged.people(~judged.truths.ignore)
    position, person, best = localise(judged.found(), counting, judged.similarity(judged.poses))
    errors = joint_errors(judged.poses[position], position, person, judged.joints, judged.people(~judged.truths.crowd))
    ap = judged.ap(matches)
    in_turn = _gains_in_turn(judged, matches, errors, counting)
    alone = (in_turn[0], *_gains_alone(judged, matches, errors, best), np.nan)
    joints = errors.counts().sum(axis=0)
    false = _false(matches)
    counts = (
        *(float(joints[kind]) for kind in JOINT_ORDER), np.nan,
        float((false & (best < LOCALISED)).sum()), float((false & (best >= LOCALISED)).sum()),
        float((matches.positives[:, 0] - _found(matches, judged)).sum()), np.nan,
    )  # fmt: skip
    return PoseCosts(ap, counts, alone, in_turn, errors)


def of_every_area(matches: Matches) -> Matches:
    """The matches of the first area range alone."""
    return replace(
        matches, hits=matches.hits[:, :1], ignored=matches.ignored[:, :1], positives=matches.positives[:, :1]
    )


def _gains_alone(judged: JudgedPoses, matches: Matches, errors: JointErrors, best: np.ndarray) -> list[float]:
    """Of all parts but the first, which is alone in turn, too, and the last."""
    ap = judged.ap(matches)
    values = []
    for kind in JOINT_ORDER[1:]:
        values.append(judged.ap(_with_joints(judged, matches, judged.poses, errors, kind)[0]))
    values.append(judged.ap(judged.matched(judged.poses, best)))
    false = _false(matches)
    values += [judged.ap(_without(matches, false & (best < LOCALISED)))]
    values += [judged.ap(_without(matches, false & (best >= LOCALISED)))]
    values += [_or_all(judged.ap(_without_missed(matches, judged)), ap)]
    return [value - ap for value in values]


def _gains_in_turn(
    judged: JudgedPoses, matches: Matches, errors: JointErrors, counting: RowGroups
) -> tuple[float, ...]:
    values, poses, ap = [judged.ap(matches)], judged.poses, judged.ap(matches)
    for kind in JOINT_ORDER:
        matches, poses = _with_joints(judged, matches, poses, errors, kind)
        values.append(judged.ap(matches))
    _, _, best = localise(judged.found(), counting, judged.similarity(poses))
    matches = judged.matched(poses, best)
    values.append(judged.ap(matches))
    order = _order_by(judged, best)
    for some in (best[order] < LOCALISED, best[order] >= LOCALISED):
        values.append(judged.ap(_without(matches, _false(matches) & some)))
    # both kinds are gone in the last
    gone = _without(matches, _false(matches))
    values[-1] = judged.ap(gone)
    values.append(_or_all(judged.ap(_without_missed(gone, judged)), ap))
    return (*np.diff(values).tolist(), 1.0 - values[-1])


def _or_all(value: float, ap: float) -> float:
    """The AP without missed people; 1 if nobody is left, so that all that was lost was lost with them."""
    return 1.0 if np.isnan(value) and not np.isnan(ap) else value


def _with_joints(
    judged: JudgedPoses, matches: Matches, poses: np.ndarray, errors: JointErrors, kind: int
) -> tuple[Matches, np.ndarray]:
    """The matches and poses after the joints of a kind were put right.

    matches: of `poses`. Only images that have such joints are matched again.
    """
    where, joint = np.nonzero(errors.kind == kind)
    if not len(where):
        return matches, poses
    position = errors.position[where]
    moved = poses.copy()
    moved[position, joint] = judged.keypoints[errors.person[where], joint, :2]
    rows = np.repeat(np.arange(len(judged.images)), np.diff(matches.offsets))
    changed = np.zeros(len(judged.images), bool)
    changed[rows[position]] = True
    again = judged.matched(moved, images=judged.images[changed])
    mine = changed[rows]
    hits, ignored = matches.hits.copy(), matches.ignored.copy()
    hits[mine], ignored[mine] = again.hits, again.ignored
    return replace(matches, hits=hits, ignored=ignored), moved


def _order_by(judged: JudgedPoses, score: np.ndarray) -> np.ndarray:
    """(N,) the predicted people by image, class and these scores, as matches by them have them."""
    return JudgedPoses.found(replace(judged, detections=replace(judged.detections, score=score))).rows


def _false(matches: Matches) -> np.ndarray:
    """(N,) bool: who finds nobody at any threshold, and is judged for it. Without them others find the same people."""
    return (matches.hits[:, 0] == 0) & (matches.ignored[:, 0] == 0)


def _without(matches: Matches, gone: np.ndarray) -> Matches:
    """The matches without some (N,) bool of the detections, of which none found anybody."""
    image = np.repeat(np.arange(len(matches.images)), np.diff(matches.offsets))[~gone]
    offsets = np.append(0, np.cumsum(np.bincount(image, minlength=len(matches.images))))
    kept = {name: getattr(matches, name)[~gone] for name in ("score", "category", "hits", "ignored")}
    return replace(matches, offsets=offsets, **kept)


def _found(matches: Matches, judged: JudgedPoses) -> np.ndarray:
    """(P,) how many people of each image and class are found: at the threshold at which most are."""
    many = len(matches.categories)
    image = np.repeat(np.arange(len(matches.images)), np.diff(matches.offsets))
    keys = np.repeat(np.arange(len(matches.images)), np.diff(matches.object_offsets)) * many + matches.object_category
    place = np.searchsorted(keys, image * many + matches.category)
    most = np.zeros(len(keys), np.int64)
    for t in range(len(judged.settings.thresholds)):
        hit = (matches.hits[:, 0] >> t) & 1 == 1
        most = np.maximum(most, np.bincount(place[hit], minlength=len(keys)))
    return most


def _without_missed(matches: Matches, judged: JudgedPoses) -> Matches:
    return replace(matches, positives=_found(matches, judged).astype(np.int32)[:, None])
