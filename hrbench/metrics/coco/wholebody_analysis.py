"""Why COCO-WholeBody's APs are what they are: the errors of each part's joints with what they cost.

Each part is matched by itself, by its own score, so that it has an analysis of its own: that of a keypoint AP
(`pose_analysis`). Groups of people are told of the body alone. A hand has no mirrored joint: the other hand is another
part. A part of which nobody has an annotated joint has no tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hrbench.formats.coco.keypoint_results import Unseen
from hrbench.formats.coco.skeletons import COCO_WHOLEBODY
from hrbench.formats.coco.wholebody import PARTS, WholebodyResults, WholebodyTruth
from hrbench.metrics.coco.joint_errors import EXACT, LOCALISED, NEAR
from hrbench.metrics.coco.judged_poses import JudgedPoses
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.coco.pose_analysis import SOURCE, group_sections, joint_sections
from hrbench.metrics.coco.pose_costs import PARTS as ERRORS
from hrbench.metrics.coco.pose_costs import PoseCosts, of_every_area, pose_costs
from hrbench.metrics.coco.pose_groups import OVERLAP
from hrbench.types import Analysis, AnalysisTable

VERSION = 1
"""Of the analysis; raised when one of its numbers would change."""

TITLES = {
    "whole": "Whole body",
    "body": "Body",
    "foot": "Feet",
    "face": "Face",
    "lefthand": "Left hand",
    "righthand": "Right hand",
}


def wholebody_analysis(
    metric: str,
    target: WholebodyTruth,
    results: WholebodyResults,
    matches: Mapping[str, Matches],
    sigmas: Mapping[str, Sequence[float]],
    settings: MatchSettings,
    categories: np.ndarray,
    unseen: Unseen,
) -> Analysis:
    """The analysis of a measurement; without sections if nobody counts.

    matches: of the state, by part.
    sigmas: the spread of each joint, by part.
    settings: of the state.
    categories: (C,) int64, rising, ids of the classes that are evaluated.
    unseen: what becomes of predicted people without a seen joint of a part.
    """
    params = {
        "localised": LOCALISED, "near": NEAR, "exact": EXACT, "overlap": OVERLAP,
        "thresholds": list(settings.thresholds), "parts": [part for part, _, _ in PARTS],
    }  # fmt: skip
    found: dict[str, PoseCosts] = {}
    sections: list[AnalysisTable] = []
    for place, (part, places, _) in enumerate(PARTS):
        if not matches[part].positives[:, :1].any():
            continue
        judged = JudgedPoses.of(
            target.part(places), results.part(place, unseen), sigmas[part], mirrored_joints(places), settings,
            matches[part].images, categories,
        )  # fmt: skip
        costs = found[part] = pose_costs(judged, of_every_area(matches[part]))
        if part == "whole":
            continue  # its joints are those of the parts
        tables = joint_sections(costs, judged, COCO_WHOLEBODY.names[places])
        sections += [_of_part(part, one) for one in tables]
        if part == "body":
            sections += [_of_part(part, one) for one in group_sections(costs, judged)]
    if not found:
        return Analysis(metric, VERSION, params, ())
    return Analysis(metric, VERSION, params, (_parts(found), *sections))


def mirrored_joints(places: slice) -> np.ndarray:
    """(K,) int64: of the joints of a part, the one on the other side within the part, or the joint itself.

    >>> mirrored_joints(slice(17, 23)).tolist(), mirrored_joints(slice(91, 94)).tolist()
    ([3, 4, 5, 0, 1, 2], [0, 1, 2])
    """
    mirror = np.arange(places.stop - places.start)
    for one, other in COCO_WHOLEBODY.flip_pairs:
        if places.start <= one < places.stop and places.start <= other < places.stop:
            mirror[[one - places.start, other - places.start]] = other - places.start, one - places.start
    return mirror


def _of_part(part: str, table: AnalysisTable) -> AnalysisTable:
    """A table of a part, by its name."""
    return replace(table, key=f"{part}-{table.key}", title=f"{TITLES[part]}: {table.title[0].lower()}{table.title[1:]}")


def _parts(found: Mapping[str, PoseCosts]) -> AnalysisTable:
    """AP of each part, and what its errors cost in turn."""
    values = np.full((len(PARTS), 1 + len(ERRORS)), np.nan)
    for row, (part, _, _) in enumerate(PARTS):
        if part in found:
            values[row] = found[part].ap, *found[part].in_turn
    reasons = {}
    for row, column in np.argwhere(np.isnan(values)).tolist():
        reasons[row, column] = "nobody has an annotated joint of it"
    return AnalysisTable(
        "parts", "Parts of the body",
        "AP of each part, and the AP that errors cost, put right one kind after the other in this order, and the "
        "evaluation run again after each: with AP they sum to 1. A joint of the whole body may be that of any part.",
        SOURCE, tuple(TITLES[part] for part, _, _ in PARTS), ("AP", *ERRORS), ("fraction",) * values.shape[1], values,
        reasons, main=0,
    )  # fmt: skip
