"""Why PCK is what it is: joints and parts of the body, joints of the other side, people, the worst images.

Distances are those of `counts`: float32, over the size of the person, right below a threshold and not at it. A person
without a size has no PCK, and joints of a person without a prediction are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrbench.metrics.points.counts import distances, errors
from hrbench.metrics.points.joint_regions import mirror_of, pair_name, region_of
from hrbench.metrics.points.numbers import WORDS
from hrbench.metrics.points.people import People
from hrbench.metrics.points.worst_images import reasons_of, worst_images
from hrbench.types import Analysis, AnalysisCurves, AnalysisSection, AnalysisTable

VERSION = 1
"""Of the analysis; raised when one of its numbers would change."""

STEPS = 50
PCK = "Yang and Ramanan, Articulated Human Detection with Flexible Mixtures of Parts, TPAMI 2013"


@dataclass(frozen=True)
class _Joints:
    """Of G people with K joints.

    judged: (G, K) bool, visible joints of people with a size.
    found: (G,) bool, whether there is a prediction.
    distance: (G, K) float32 over the size; inf without a prediction.
    crossed: (G, K) float32, distance from the annotation on the other side; inf if there is none, or it is not visible.
    pixels: (G, K) float64, px.
    """

    judged: np.ndarray
    found: np.ndarray
    distance: np.ndarray
    crossed: np.ndarray
    pixels: np.ndarray


def pck_analysis(
    metric: str,
    arrays: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
    target: People,
    rows: np.ndarray,
    qualities: Mapping[int | str, float],
) -> Analysis:
    """The analysis of a measurement; without sections if no joint is judged.

    arrays, params: of the state.
    rows: (G,) the people of `target` that the state is of.
    qualities: of images, the worst first in the table of images.
    """
    names, mirror = list(params["joints"]), mirror_of(params["joints"])
    thresholds = [float(one) for one in params["thresholds"]]
    regions = {name: region_of(name) for name in names}
    told = {
        "reference": params["reference"], "thresholds": thresholds, "steps": STEPS,
        "mirror": None if mirror is None else mirror.tolist(), "regions": regions,
    }  # fmt: skip
    joints = _joints(arrays, target.position[rows], mirror)
    if not joints.judged.any():
        return Analysis(metric, VERSION, told, ())
    of, parts = WORDS[params["reference"]], [regions[name] for name in names]
    known = [part for part in dict.fromkeys(parts) if len(set(parts)) > 1]
    sections: list[AnalysisSection] = [_table(joints, names, thresholds, of, mirror)]
    if known:
        sections.append(_regions(joints, parts, known, thresholds, of))
    if mirror is not None:
        sections.append(_sides(joints, names, mirror, thresholds[0], of))
    sections += [_curves(joints, parts, known, max(thresholds), of), _people(joints, thresholds, of)]
    sections.append(_images(joints, arrays, thresholds[0], of, qualities))
    return Analysis(metric, VERSION, told, tuple(sections))


def _joints(arrays: Mapping[str, np.ndarray], position: np.ndarray, mirror: np.ndarray | None) -> _Joints:
    """position: (G, K, 2) px, as annotated."""
    size, visible, found, offset = (arrays[name] for name in ("size", "visible", "found", "offset"))
    judged, whole = visible & (size > 0)[:, None], np.where(size > 0, size, 1.0)
    there = judged & found[:, None]
    crossed = np.full(judged.shape, np.inf, np.float32)
    if mirror is not None:
        seen = there & visible[:, mirror] & (mirror != np.arange(len(mirror)))
        other = distances(np.where(there[..., None], offset + position - position[:, mirror], 0.0), whole)
        crossed = np.where(seen, other, crossed)
    distance = np.where(there, distances(offset, whole), np.float32(np.inf))
    return _Joints(judged, found, distance, crossed, errors(offset))


_COUNTED = "the joint is visible in nobody with a size"
_FOUND = "the joint is visible in nobody with a size and a prediction"
_NO_SIDES = "which joints are mirrored is not known"


def _shares(joints: _Joints, some: Sequence[int], thresholds: Sequence[float]) -> list[float]:
    """Of joints together: how many, PCK at each threshold, mirrored, elsewhere, without prediction, distances."""
    judged, distance, crossed = joints.judged[:, some], joints.distance[:, some], joints.crossed[:, some]
    many, found = int(judged.sum()), judged & joints.found[:, None]
    if not many:
        return [0.0, *[np.nan] * (len(thresholds) + 5)]
    near = [float((judged & (distance < np.float32(one))).sum()) / many for one in thresholds]
    right = judged & (distance < np.float32(thresholds[0]))
    mirrored = judged & ~right & (crossed < np.float32(thresholds[0]))
    rest = [mirrored, found & ~right & ~mirrored, judged & ~found]
    own = (
        [float(np.median(distance[found])), float(joints.pixels[:, some][found].mean())]
        if found.any()
        else [np.nan] * 2
    )
    return [float(many), *near, *(float(part.sum()) / many for part in rest), *own]


def _columns(thresholds: Sequence[float]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Headings and units of `_shares`."""
    pck = [f"PCK@{one:g}" for one in thresholds]
    names = ("joints", *pck, "mirrored", "elsewhere", "no prediction", "median distance", "mean error")
    return names, ("count", *("fraction",) * (len(pck) + 3), "", "px")


def _rule(thresholds: Sequence[float], of: str) -> str:
    return (
        f"PCK: share of the visible joints nearer to their annotation than a part of {of}. Not right at "
        f"{thresholds[0]:g}: mirrored, so near to the visible joint of the other side of the body; elsewhere; or of "
        "people without a prediction. Median distance in that size and mean error of joints with a prediction."
    )


def _table(
    joints: _Joints, names: Sequence[str], thresholds: Sequence[float], of: str, mirror: np.ndarray | None
) -> AnalysisTable:
    values = np.array([_shares(joints, [one], thresholds) for one in range(len(names))], np.float64)
    headings, units = _columns(thresholds)
    column = headings.index("mirrored")
    reasons = reasons_of(values, [_COUNTED] * (len(headings) - 2) + [_FOUND] * 2)
    for row in range(len(names)):
        if mirror is None or mirror[row] == row:
            values[row, column] = np.nan
            reasons[row, column] = _NO_SIDES if mirror is None else "it has no other side"
    return AnalysisTable(
        "joints", "Joints", _rule(thresholds, of), PCK, tuple(name.replace("_", " ") for name in names), headings,
        units, values, reasons, main=1,
    )  # fmt: skip


def _regions(
    joints: _Joints, parts: Sequence[str], known: Sequence[str], thresholds: Sequence[float], of: str
) -> AnalysisTable:
    some = [[place for place, part in enumerate(parts) if part == one] for one in known]
    values = np.array([_shares(joints, places, thresholds) for places in some], np.float64)
    headings, units = _columns(thresholds)
    none = "no joint of it is visible in anybody with a size"
    reasons = reasons_of(values, [none] * (len(headings) - 2) + [f"{none} and a prediction"] * 2)
    return AnalysisTable(
        "regions", "Parts of the body",
        "All joints of a part together; parts go by words in the names of joints (`params` has them). "
        f"{_rule(thresholds, of)}",
        PCK, tuple(known), headings, units, values, reasons, main=1,
    )  # fmt: skip


def _sides(joints: _Joints, names: Sequence[str], mirror: np.ndarray, threshold: float, of: str) -> AnalysisTable:
    labels, values = [], []
    for one, other in ((one, int(other)) for one, other in enumerate(mirror) if one < other):
        both = joints.judged[:, [one, other]].all(axis=1) & joints.found
        right = joints.distance[both][:, [one, other]] < np.float32(threshold)
        crossed = ~right & (joints.crossed[both][:, [one, other]] < np.float32(threshold))
        single = (right & crossed[:, ::-1]).any(axis=1)
        parts = [right.all(axis=1), crossed.all(axis=1), single, right[:, 0], right[:, 1]]
        labels.append(pair_name(names[one], names[other]))
        values.append([float(both.sum()), *(float(part.mean()) if both.any() else np.nan for part in parts)])
    array = np.array(values, np.float64)
    return AnalysisTable(
        "sides", "Left and right",
        "People of whom both joints of a pair are visible, with a prediction. Right: nearer than "
        f"{threshold:g} x {of}. Exchanged: neither is right, and each is so near to the other's annotation; at one "
        "side: one is right and the other one is near to the same annotation. First and second: share right of either "
        "joint, as the set orders them.",
        "", tuple(labels), ("people", "both right", "exchanged", "at one side", "first right", "second right"),
        ("count", *("fraction",) * 5), array,
        reasons_of(array, ["the pair is visible in nobody with a prediction"] * 6), main=1,
    )  # fmt: skip


def _curves(joints: _Joints, parts: Sequence[str], known: Sequence[str], most: float, of: str) -> AnalysisCurves:
    steps = np.arange(STEPS + 1) / STEPS * most
    hits = np.stack([(joints.judged & (joints.distance < np.float32(one))).sum(axis=0) for one in steps])
    many = joints.judged.sum(axis=0)
    seen = many > 0
    people = joints.judged.any(axis=1)
    mean = np.where(joints.judged, joints.distance, 0.0)[people].sum(axis=1) / joints.judged[people].sum(axis=1)
    lines = {
        "mean over joints": (hits[:, seen] / many[seen]).mean(axis=1),
        "all joints together": hits.sum(axis=1) / many.sum(),
        "people, by mean distance": np.array([(mean < one).mean() for one in steps]),
    }
    for part in known:
        some = np.array([one == part for one in parts])
        total = many[some].sum()
        lines[part] = hits[:, some].sum(axis=1) / total if total else np.full(len(steps), np.nan)
    return AnalysisCurves(
        "pck", "PCK by threshold",
        f"Share of visible joints nearer to their annotation than a part of {of}: mean over joints, as the score, all "
        "joints together, and those of each part of the body; and the share of people whose visible joints are so near "
        "in the mean. What a line lacks of 1 at its end is the share of failures.",
        PCK, "threshold", "PCK", tuple(lines), steps, np.stack(list(lines.values())),
    )  # fmt: skip


def _people(joints: _Joints, thresholds: Sequence[float], of: str) -> AnalysisTable:
    people = joints.judged.any(axis=1)
    judged, distance = joints.judged[people], joints.distance[people]
    mean = np.where(judged, distance, 0.0).sum(axis=1) / judged.sum(axis=1)
    values = []
    for one in thresholds:
        right = judged & (distance < np.float32(one))
        every, none = (right | ~judged).all(axis=1), ~right.any(axis=1)
        part = ~every & ~none & (right.sum(axis=1) * 2 >= judged.sum(axis=1))
        rest = ~every & ~none & ~part
        values.append([int(people.sum()), *(float(each.mean()) for each in (every, part, rest, none, ~(mean < one)))])
    return AnalysisTable(
        "people", "People by their joints",
        "People with a visible joint and a size, by how many of their visible joints are nearer to their annotation "
        f"than a threshold x {of}. Failures: the mean distance of their joints is not below it. People without a "
        "prediction have no joint right, and fail.",
        "", tuple(f"at {one:g}" for one in thresholds),
        ("people", "all joints", "half or more", "less than half", "none", "failures"), ("count", *("fraction",) * 5),
        np.array(values, np.float64), main=1,
    )  # fmt: skip


def _images(
    joints: _Joints,
    arrays: Mapping[str, np.ndarray],
    threshold: float,
    of: str,
    qualities: Mapping[int | str, float],
) -> AnalysisTable:
    images = len(arrays["image"])
    place = np.repeat(np.arange(images), arrays["people"])
    near = joints.judged & (joints.distance < np.float32(threshold))
    found = joints.judged & joints.found[:, None]
    sums = [
        np.bincount(place, each.sum(axis=1), images)
        for each in (joints.judged, near, found, np.where(found, joints.pixels, 0.0))
    ]
    quality = np.array([qualities.get(image, np.inf) for image in arrays["image"].tolist()])
    order = np.argsort(quality, kind="stable")
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            "people": ("count", arrays["people"]), "joints": ("count", sums[0]),
            "no prediction": ("count", sums[0] - sums[2]), f"PCK@{threshold:g}": ("fraction", sums[1] / sums[0]),
            "area of the curve": ("fraction", quality), "mean error": ("px", sums[3] / sums[2]),
        }  # fmt: skip
    definition = (
        f"PCK of all visible joints of an image, over {of}; area: that below the curve of PCK up to the largest "
        "threshold, over it, which orders them; mean error: of joints with a prediction."
    )
    return worst_images(
        definition, arrays["image"], order[np.isfinite(quality[order])], columns, 3, "no joint of it has a prediction"
    )
