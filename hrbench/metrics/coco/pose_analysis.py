"""Why a keypoint AP is what it is: costs of errors, joints, and groups of people, as an analysis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hrbench.formats.coco.keypoint_results import KeypointResults
from hrbench.formats.coco.keypoints import KeypointTruth
from hrbench.formats.coco.skeletons import SKELETONS
from hrbench.metrics.coco.joint_errors import EXACT, KINDS, LOCALISED, NEAR, JointErrors
from hrbench.metrics.coco.judged_poses import JudgedPoses
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.coco.misread_joints import exchanged_joints
from hrbench.metrics.coco.pose_costs import PARTS, PoseCosts, of_every_area, pose_costs
from hrbench.metrics.coco.pose_groups import OVERLAP, GroupScores, by_annotated_joints, by_overlap, by_size
from hrbench.types import Analysis, AnalysisTable

VERSION = 1
SOURCE = "Ronchi and Perona, Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation, ICCV 2017"

_RULES = (
    f"A joint's similarity is its own part of OKS. Of people found at OKS {LOCALISED:g} or more: a joint is good from "
    f"{EXACT:g}, jitter from {NEAR:g} on; else, where {NEAR:g} is reached with another annotated joint, it is an "
    "inversion if that is the mirrored joint of the same person, a swap if it is the same or the mirrored joint of "
    "another person, whichever is nearer; else a miss."
)
_SHARE_COLUMNS = (*KINDS,)


def keypoint_analysis(
    metric: str,
    target: KeypointTruth,
    results: KeypointResults,
    matches: Matches,
    sigmas: Sequence[float],
    settings: MatchSettings,
    categories: np.ndarray,
) -> Analysis:
    """The analysis of a measurement; without sections if nobody counts.

    matches: of the state.
    sigmas: (K,) the spread of each joint.
    settings: of the state.
    categories: (C,) int64, rising, ids of the classes that are evaluated.
    """
    names, mirror = joints_of(target.joints, sigmas)
    judged = JudgedPoses.of(target, results, sigmas, mirror, settings, matches.images, categories)
    params = {
        "localised": LOCALISED, "near": NEAR, "exact": EXACT, "overlap": OVERLAP, "sigmas": list(map(float, sigmas)),
        "mirror": None if mirror is None else mirror.tolist(), "thresholds": list(settings.thresholds),
    }  # fmt: skip
    if not matches.positives[:, :1].any():
        return Analysis(metric, VERSION, params, ())
    costs = pose_costs(judged, of_every_area(matches))
    sections = (*joint_sections(costs, judged, names), *group_sections(costs, judged))
    return Analysis(metric, VERSION, params, sections)


def joint_sections(costs: PoseCosts, judged: JudgedPoses, names: Sequence[str]) -> tuple[AnalysisTable, AnalysisTable]:
    """What errors cost, and the joints of people who were found. names: of the K joints."""
    seen, mirror = judged.keypoints[..., 2], judged.mirror
    return _costs_table(costs, mirror is not None), _joints_table(costs.errors, seen, names, mirror)


def group_sections(costs: PoseCosts, judged: JudgedPoses) -> tuple[AnalysisTable, ...]:
    """Groups of people: by annotated joints, by size, by how many others overlap them."""
    return tuple(
        _group_table(key, title, rule, group, costs.errors)
        for key, title, rule, group in (
            ("visibility", "People by annotated joints", _EVERYWHERE, by_annotated_joints(judged)),
            ("size", "People by size", _BY_AREA, by_size(judged)),
            (
                "crowding",
                "People by how many others overlap them",
                f"Two people overlap if the IoU of their boxes is above {OVERLAP:g}. {_EVERYWHERE}",
                by_overlap(judged),
            ),
        )
    )


_EVERYWHERE = (
    "Whoever finds a person of another group is left out of AP; false detections count in every group, so that AP of a "
    "small group is low, and AR is what compares groups."
)
_BY_AREA = "As COCO's APM and APL: false detections count in the group of their own area; both ends are in a group."


def joints_of(named: Sequence[str], sigmas: Sequence[float]) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Names of the joints, and (K,) the joint on the other side of each; None if that is not known.

    named: by the annotation file; () if it names none, or other ones: then those of the public set with these sigmas.
    """
    known = next((each for each in SKELETONS.values() if tuple(each.sigmas) == tuple(sigmas)), None)
    names = tuple(named)
    if known is not None and (not names or names == known.names):
        mirror = np.arange(len(sigmas))
        for one, other in known.flip_pairs:
            mirror[[one, other]] = other, one
        return known.names, mirror
    names = names or tuple(f"joint {number + 1}" for number in range(len(sigmas)))
    return tuple(name.replace("_", " ") for name in names), exchanged_joints(named, len(sigmas))


def _costs_table(costs: PoseCosts, sided: bool) -> AnalysisTable:
    values = np.column_stack([costs.counts, costs.alone, costs.in_turn])
    scores, inversion, last = (PARTS.index(name) for name in ("scores", "inversion", "remaining"))
    reasons = {
        (scores, 0): "scores are put right, not counted",
        (last, 0): "it is what remains, not a kind of error",
        (last, 1): "it is what remains after all others",
    }
    if not sided:
        values[inversion] = np.nan
        values[inversion, 2] = 0.0
        reasons |= {(inversion, column): _NO_MIRROR for column in (0, 1)}
    definition = (
        f"{_RULES} In turn, each part is put right after those above it and the evaluation is run again: the parts and "
        "what remains sum to 1 - AP. Alone, it is the only one. A joint is put where it is annotated; the score of a "
        "person becomes its greatest OKS with an annotated one; people who find nobody at any threshold are left out "
        f"(background: below OKS {LOCALISED:g} with everybody), and so are people whom nobody finds."
    )
    return AnalysisTable(
        "errors", "What errors cost in AP", definition, SOURCE, PARTS,
        ("joints or people", "AP gained alone", "AP gained in turn"), ("count", "fraction", "fraction"),
        values, reasons, main=2,
    )  # fmt: skip


_NO_MIRROR = "which joints are mirrored is not known: the annotations do not name them"


def _joints_table(
    errors: JointErrors, seen: np.ndarray, names: Sequence[str], mirror: np.ndarray | None
) -> AnalysisTable:
    """seen: (G, K) the visibility of annotated joints."""
    counts, flags = errors.counts(), seen[errors.person]
    means = [_means(errors.similarity, flags > 0), _means(errors.similarity, flags == 2)]
    means.append(_means(errors.similarity, (flags > 0) & (flags != 2)))
    table = np.column_stack([counts.sum(axis=1), *(mean[:-1] for mean in means), _shares(counts)])
    whole = [counts.sum(), *(mean[-1] for mean in means), *_shares(counts.sum(axis=0))]
    values = np.concatenate([table, [whole]])
    reasons = {}
    for row, column in np.argwhere(np.isnan(values)).tolist():
        reasons[row, column] = "no such joint is annotated of a person who was found"
    column = 4 + KINDS.index("inversion")
    for row in range(len(names)):
        if mirror is None:
            values[row, column], reasons[row, column] = np.nan, _NO_MIRROR
        elif mirror[row] == row:
            values[row, column], reasons[row, column] = np.nan, "it has no mirrored joint"
    if mirror is None:
        values[-1, column], reasons[len(names), column] = np.nan, _NO_MIRROR
    definition = (
        f"{_RULES} Similarity is the mean over these joints, visible those with the flag 2, occluded the other "
        "annotated ones."
    )
    columns = ("joints", "similarity", "of visible", "of occluded", *_SHARE_COLUMNS)
    return AnalysisTable(
        "joints", "Joints of people who were found", definition, SOURCE, (*names, "all joints"), columns,
        ("count", *("fraction",) * (len(columns) - 1)), values, reasons, main=1,
    )  # fmt: skip


def _means(values: np.ndarray, some: np.ndarray) -> np.ndarray:
    """(K + 1,) means of (M, K) by column and of all, where `some`; NaN for none."""
    total, many = np.where(some, values, 0.0).sum(axis=0), some.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.append(total, total.sum()) / np.append(many, many.sum())


def _shares(counts: np.ndarray) -> np.ndarray:
    """Of the kinds among their sum; NaN for none."""
    with np.errstate(invalid="ignore"):
        return counts / counts.sum(axis=-1, keepdims=True)


def _group_table(key: str, title: str, rule: str, group: GroupScores, errors: JointErrors) -> AnalysisTable:
    shares = [_shares(errors.counts(some[errors.person]).sum(axis=0)) for some in group.members]
    values = np.column_stack([group.people, group.ap, group.ar, shares])
    reasons = {}
    for row, column in np.argwhere(np.isnan(values)).tolist():
        reasons[row, column] = "no such person counts" if column < 3 else "no such person was found"
    columns = ("people", "AP", "AR", *_SHARE_COLUMNS)
    definition = f"AP and AR of these people alone, the others ignored. {rule} Shares are of the joints of those found."
    return AnalysisTable(
        key, title, definition, SOURCE, group.labels, columns, ("count", *("fraction",) * (len(columns) - 1)),
        values, reasons, main=2,
    )  # fmt: skip
