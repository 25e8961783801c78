"""Whether predicted joints fit the annotations much better in another order, exchanged, or as shares of the image.

Measured as in `misread.py`, with OKS. Nothing is converted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hrbench.formats.coco.keypoint_results import KeypointResults
from hrbench.formats.coco.keypoints import KeypointTruth
from hrbench.metrics.coco.misread import BETTER, ENOUGH, GOOD, SampledPairs, nearest, sampled
from hrbench.metrics.coco.notes import EvaluatedRows
from hrbench.metrics.coco.oks import oks
from hrbench.types import Note

FEW_PIXELS = 10
"""Annotated joints within so many pixels may be those of a tiny image."""


def misread_joints(
    target: KeypointTruth, results: KeypointResults, sigmas: Sequence[float], seen: EvaluatedRows
) -> list[Note]:
    """A note if predicted joints fit poorly as x, y, visibility of each, and well in another order or unit.

    sigmas: (K,) the spread of each joint.
    seen: what is evaluated.
    """
    if shares := _joint_shares(target.keypoints, results.keypoints):
        return shares
    labelled = (target.keypoints[seen.truth, :, 2] > 0).any(axis=1) & ~target.truths.crowd[seen.truth]
    at = np.searchsorted(results.sampled, seen.found)
    kept = results.sampled[np.minimum(at, len(results.sampled) - 1)] == seen.found if len(results.sampled) else at < 0
    truth = seen.truth[labelled], seen.truth_group[labelled]
    pairs = sampled((seen.found[kept], seen.found_group[kept]), truth, results.detections.score)
    if len(pairs.rows) < ENOUGH:
        return []
    values = results.numbers[np.searchsorted(results.sampled, pairs.rows)]
    area = np.where(target.truths.area > 0, target.truths.area, target.box[:, 2:].prod(axis=1))
    fits: dict[str, float] = {}
    for name, points in _orders(values, exchanged_joints(target.joints, len(sigmas))).items():
        similar = oks(target.keypoints, area, target.box, points, np.asarray(sigmas))
        fits[name] = float(nearest(pairs, similar)[0].mean())
    best = max(fits, key=lambda name: fits[name])
    if fits[best] < GOOD or fits[best] < fits[_TRIPLES] + BETTER:
        return _exchanged_pairs(target, area, values.reshape(len(values), -1, 3)[..., :2], sigmas, pairs)
    what = f"predicted joints look like {best}, not {_TRIPLES}"
    effect = (
        f"their mean OKS with the nearest person is {fits[_TRIPLES]:.2f}, and would be {fits[best]:.2f}; nothing is "
        "converted: write them in the order of the annotation"
    )
    return [Note("misread_joints", what, effect=effect)]


def _exchanged_pairs(
    target: KeypointTruth, area: np.ndarray, points: np.ndarray, sigmas: Sequence[float], pairs: SampledPairs
) -> list[Note]:
    """A note if single joints of the left lie where those of the right are annotated, and the other way round.

    area: (G,) of the annotated people.
    points: (n, K, 2) x, y of the sampled estimates.
    """
    mirror, spread = exchanged_joints(target.joints, len(sigmas)), np.asarray(sigmas)
    if mirror is None:
        return []
    _, people = nearest(pairs, oks(target.keypoints, area, target.box, points, spread))
    told = []
    for one, other in ((one, other) for one, other in enumerate(mirror.tolist()) if one < other):
        both = [one, other]
        seen = np.flatnonzero((target.keypoints[people][:, both, 2] > 0).all(axis=1))
        if len(seen) < ENOUGH:
            continue
        asked, swapped = (
            float(oks(target.keypoints[:, both], area, target.box, some, spread[both])(seen, people[seen]).mean())
            for some in (points[:, both], points[:, both[::-1]])
        )
        if swapped >= max(GOOD, asked + BETTER):
            names = [target.joints[joint] if target.joints else str(joint + 1) for joint in both]
            told.append((" and ".join(names), asked, swapped))
    if not told:
        return []
    what = f"predicted joints look exchanged: {', '.join(name for name, _, _ in told)}"
    asked, swapped = (sum(row[k] for row in told) / len(told) for k in (1, 2))
    effect = (
        f"the mean OKS of these joints with the nearest person is {asked:.2f}, and would be {swapped:.2f}; nothing is "
        "converted: write them in the order of the annotation"
    )
    return [Note("misread_joints", what, effect=effect)]


_TRIPLES = "x, y, visibility of each in the order of the annotation"


def _orders(values: np.ndarray, exchange: np.ndarray | None) -> dict[str, np.ndarray]:
    """(n, K, 2) x, y of the numbers (n, 3 K) in each of the orders in which they may be meant."""
    many = values.shape[1] // 3
    triples = values.reshape(len(values), many, 3)[..., :2]
    orders = {
        _TRIPLES: triples,
        "x of all, y of all, then visibilities": np.stack([values[:, :many], values[:, many : 2 * many]], axis=2),
        "x, y of all, then visibilities": values[:, : 2 * many].reshape(len(values), many, 2),
        "y, x, visibility of each": triples[..., ::-1],
    }
    orders["the joints in reverse order"] = triples[:, ::-1]
    if exchange is None:
        return orders
    orders["left and right exchanged"] = triples[:, exchange]
    return orders


def exchanged_joints(names: Sequence[str], many: int) -> np.ndarray | None:
    """(K,) the joint that a mirror shows in each one's place, by the names; None if these do not say.

    names: of the joints; () if they are not known: 17 of them are then COCO's.
    many: how many there are.

    >>> exchanged_joints(["nose", "left_eye", "right_eye"], 3).tolist(), exchanged_joints(["rank", "lank"], 2).tolist()
    ([0, 2, 1], [1, 0])
    >>> exchanged_joints(["a", "b"], 2)
    """
    if not names:
        return np.array([0, *(joint + (1 if joint % 2 else -1) for joint in range(1, 17))]) if many == 17 else None
    plain = [" ".join(name.lower().replace("_", " ").replace("-", " ").split()) for name in names]
    place = {name: index for index, name in enumerate(plain)}
    for left, right in (("left", "right"), ("l ", "r "), (" l", " r"), ("l", "r")):
        mirror = list(range(len(plain)))
        for name, index in place.items():
            if len(left.strip()) > 1:
                other = name.replace(left, right) if left in name else name
            elif left.startswith(" "):
                other = name.removesuffix(left) + right if name.endswith(left) else name
            else:
                other = name.replace(left, right, 1) if name.startswith(left) else name
            if other != name and other in place:
                mirror[index], mirror[place[other]] = place[other], index
        if mirror != list(range(len(plain))):
            return np.array(mirror)
    return None


def _joint_shares(keypoints: np.ndarray, found: np.ndarray) -> list[Note]:
    """A note if predicted joints look like shares of the image. keypoints: (G, K, 3); found: (N, K, 2), float64."""
    seen = keypoints[..., 2] > 0
    if not len(found) or not seen.any() or float(np.abs(found).max()) > 2:
        return []
    if float(keypoints[..., :2][seen].max()) <= FEW_PIXELS:
        return []
    effect = "nothing is converted: write x and y in pixels"
    return [Note("misread_joints", "predicted joints look like shares of the image, not pixels", effect=effect)]
