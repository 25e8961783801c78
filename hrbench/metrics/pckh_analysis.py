"""Why PCKh is what it is: the curve of each part over the threshold, and joints that went to the other side.

Source of curves over the threshold: Andriluka et al., 2D Human Pose Estimation: New Benchmark and State of the Art
Analysis, CVPR 2014, which gives PCKh at 0.5; Newell et al., Stacked Hourglass Networks for Human Pose Estimation, ECCV
2016, figure 9, draws it from 0 to 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hrbench.types import Analysis, AnalysisCurves, AnalysisTable

VERSION = 1
RIGHT, FINE = 0.5, 0.1
"""In parts of 0.6 head-box diagonals: PCKh's threshold, and a fine one."""

STEPS = np.arange(51) / 100
_NEWELL = "Newell et al., Stacked Hourglass Networks for Human Pose Estimation, ECCV 2016"


def pckh_analysis(
    metric: str,
    distance: np.ndarray,
    mirrored: np.ndarray,
    visible: np.ndarray,
    joints: Sequence[str],
    parts: Mapping[str, Sequence[str]],
) -> Analysis:
    """The analysis of a measurement; without sections if no joint is visible.

    distance: (N, K) float64 from the annotated joint, over 0.6 head diagonals.
    mirrored: (N, K) float64 from the annotated joint on the other side; infinite if there is none, or it is not
        visible.
    visible: (N, K) bool.
    joints: names of the K joints.
    parts: name of a curve -> the joints whose mean it is; the first is over all that count, by how often each is seen.
    """
    params = {"right": RIGHT, "fine": FINE}
    if not visible.any():
        return Analysis(metric, VERSION, params, ())
    return Analysis(metric, VERSION, params, (_table(distance, mirrored, visible, joints),
                                              _curves(distance, visible, joints, parts)))  # fmt: skip


def _table(distance: np.ndarray, mirrored: np.ndarray, visible: np.ndarray, joints: Sequence[str]) -> AnalysisTable:
    many = visible.sum(axis=0)
    right, fine = (visible & (distance <= threshold) for threshold in (RIGHT, FINE))
    other = visible & ~right & (mirrored <= RIGHT)
    with np.errstate(invalid="ignore"):
        shares = [part.sum(axis=0) / many for part in (right, fine, other, visible & ~right & ~other)]
    median = [float(np.median(distance[seen, joint])) if seen.any() else np.nan for joint, seen in enumerate(visible.T)]
    values = np.column_stack([many, *shares, median]).astype(np.float64)
    reasons = {}
    for row, column in np.argwhere(np.isnan(values)).tolist():
        reasons[row, column] = "the joint is visible in nobody"
    definition = (
        f"Of the visible joints: right within {RIGHT:g} and {FINE:g} of 0.6 head-box diagonals; mirrored: not right at "
        f"{RIGHT:g}, but so near to the visible joint of the other side of the body; elsewhere: neither. Median "
        "distance in 0.6 head-box diagonals."
    )
    return AnalysisTable(
        "joints", "Joints", definition, "", tuple(map(_spelt, joints)),
        ("joints", f"PCKh@{RIGHT:g}", f"PCKh@{FINE:g}", "mirrored", "elsewhere", "median distance"),
        ("count", *("fraction",) * 4, ""), values, reasons, main=1,
    )  # fmt: skip


_PARTS = {
    "ank": "ankle", "kne": "knee", "hip": "hip", "wri": "wrist", "elb": "elbow", "sho": "shoulder",
    "pelv": "pelvis", "thor": "thorax", "neck": "neck", "head": "head top",
}  # fmt: skip


def _spelt(joint: str) -> str:
    """The name of one of MPII's joints in words; any other as it is.

    >>> _spelt("rank"), _spelt("thor"), _spelt("left toe")
    ('right ankle', 'thorax', 'left toe')
    """
    side = {"r": "right", "l": "left"}.get(joint[:1], "")
    if side and joint[1:] in _PARTS:
        return f"{side} {_PARTS[joint[1:]]}"
    return _PARTS.get(joint, joint)


def _curves(
    distance: np.ndarray, visible: np.ndarray, joints: Sequence[str], parts: Mapping[str, Sequence[str]]
) -> AnalysisCurves:
    hits = np.stack([(visible & (distance <= step)).sum(axis=0) for step in STEPS]).astype(np.float64)
    seen, place = visible.sum(axis=0), {joint: number for number, joint in enumerate(joints)}
    rows = []
    for number, members in enumerate(parts.values()):
        some = [place[joint] for joint in members]
        with np.errstate(invalid="ignore"):
            whole = hits[:, some].sum(axis=1) / seen[some].sum()
            rows.append(whole if number == 0 else (hits[:, some] / seen[some]).mean(axis=1))
    definition = (
        "Share of the visible joints within a threshold, in 0.6 head-box diagonals: a part is the mean of its left and "
        "right joint, Mean is over all visible joints but pelvis and thorax."
    )
    return AnalysisCurves(
        "pckh", "PCKh by threshold", definition, _NEWELL, "threshold", "PCKh", tuple(parts), STEPS, np.stack(rows)
    )
