"""Why NME is what it is: landmarks, regions of the face, faces by their error, sides, the worst images.

All numbers are made of the errors that a state holds; only landmarks taken for those of the other side, and hidden
ones, need the files again. The curve of faces by NME is the cumulative error distribution of the 300-W challenges
(Sagonas et al., ICCV Workshops 2013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hrbench.formats.face_list import FaceList
from hrbench.formats.face_schemes import SCHEMES, FaceScheme
from hrbench.metrics.points.counts import errors
from hrbench.metrics.points.worst_images import reasons_of, worst_images
from hrbench.types import Analysis, AnalysisCurves, AnalysisSection, AnalysisTable

VERSION = 1
"""Of the analysis; raised when one of its numbers would change."""

STEPS = 50
CED = "Sagonas et al., 300 Faces in-the-Wild Challenge, ICCV Workshops 2013"
_PERCENT = "in percent of the length that NME is over"


def nme_analysis(
    metric: str,
    arrays: Mapping[str, np.ndarray],
    params: Mapping[str, Any],
    predictions: np.ndarray,
    target: FaceList,
) -> Analysis:
    """The analysis of a measurement; without sections if there is no face.

    arrays, params: of the state.
    predictions: (N, L, 2) px, of all faces of the file.
    """
    scheme = SCHEMES.get(int(params["landmarks"]))
    thresholds = [float(one) for one in params["thresholds"]]
    told = {
        "length": params["normalise"], "thresholds": thresholds, "steps": STEPS,
        "mirror": None if scheme is None else scheme.mirror().tolist(),
        "regions": None if scheme is None else {name: list(places) for name, places in scheme.regions.items()},
    }  # fmt: skip
    length = arrays["error"] / arrays["size"][:, None]
    if not length.size:
        return Analysis(metric, VERSION, told, ())
    crossed = None if scheme is None else _crossed(arrays, predictions, target, scheme)
    rows: list[AnalysisSection] = [_landmarks(length, max(thresholds), crossed, scheme)]
    if scheme is not None and crossed is not None:
        rows.append(_regions(length, max(thresholds), crossed, scheme))
    rows += [_faces(length, arrays["subsets"], params["subsets"], thresholds, crossed)]
    rows += [_curves(length, arrays["subsets"], params["subsets"], max(thresholds))]
    if target.hidden is not None:
        rows.append(_hidden(length, target.hidden[arrays["row"]], max(thresholds)))
    rows.append(_images(length, arrays))
    return Analysis(metric, VERSION, told, tuple(rows))


def _crossed(
    arrays: Mapping[str, np.ndarray], predictions: np.ndarray, target: FaceList, scheme: FaceScheme
) -> np.ndarray:
    """(G, L) float64: distance of each landmark from the mirrored one's annotation, in lengths; inf in the middle."""
    rows, mirror = arrays["row"], scheme.mirror()
    other = errors(predictions[rows] - target.points[rows][:, mirror]) / arrays["size"][:, None]
    return np.where(mirror != np.arange(len(mirror)), other, np.inf)


_COLUMNS = ("mean error (%)", "median error (%)")
_ACROSS = "the face's other side is not known of so many landmarks"


def _rule(above: float) -> str:
    return (
        f"Distance from the annotation, {_PERCENT}, over all faces. Above: share of distances above {100 * above:g} %. "
        "Nearer to the other side: share of landmarks that lie nearer to where the mirrored landmark is annotated than "
        "to their own annotation. Of all errors: the part of the sum of all distances."
    )


def _rows(parts: Sequence[np.ndarray], crossed: Sequence[np.ndarray | None], above: float, total: float) -> np.ndarray:
    """(R, 5) of parts of the distances and of those from the other side."""
    values = []
    for part, other in zip(parts, crossed, strict=True):
        sided = None if other is None else np.isfinite(other)
        across = np.nan if other is None or sided is None or not sided.any() else (other < part)[sided].mean()
        share = part.sum() / total if total > 0 else 0.0
        values.append([100 * part.mean(), 100 * np.median(part), (part > above).mean(), across, share])
    return np.array(values, np.float64).reshape(-1, 5)


def _landmarks(
    length: np.ndarray, above: float, crossed: np.ndarray | None, scheme: FaceScheme | None
) -> AnalysisTable:
    every = range(length.shape[1])
    others = [None if crossed is None else crossed[:, one] for one in every]
    values = _rows([length[:, one] for one in every], others, above, float(length.sum()))
    names = [f"landmark {one}" for one in every]
    if scheme is not None:
        names = [f"{name} ({region})" for name, region in zip(names, scheme.region_of(), strict=True)]
    none = _ACROSS if scheme is None else "it has no mirrored landmark"
    return AnalysisTable(
        "landmarks", "Landmarks", f"Landmarks are counted from 0, in the order of the file. {_rule(above)}", "",
        tuple(names), (*_COLUMNS, f"above {100 * above:g} %", "nearer to the other side", "of all errors"),
        ("", "", "fraction", "fraction", "fraction"), values, reasons_of(values, [none] * 5), main=0,
    )  # fmt: skip


def _regions(length: np.ndarray, above: float, crossed: np.ndarray, scheme: FaceScheme) -> AnalysisTable:
    places = [list(each) for each in scheme.regions.values()]
    values = _rows(
        [length[:, some] for some in places], [crossed[:, some] for some in places], above, float(length.sum())
    )
    values = np.column_stack([[len(some) for some in places], values])
    return AnalysisTable(
        "regions", "Regions of the face", f"The landmarks of a region together. {_rule(above)}", "",
        tuple(scheme.regions),
        ("landmarks", *_COLUMNS, f"above {100 * above:g} %", "nearer to the other side", "of all errors"),
        ("count", "", "", "fraction", "fraction", "fraction"), values,
        reasons_of(values, ["no landmark of it has a mirrored one"] * 6), main=1,
    )  # fmt: skip


def _faces(
    length: np.ndarray,
    member: np.ndarray,
    subsets: Sequence[str],
    thresholds: Sequence[float],
    crossed: np.ndarray | None,
) -> AnalysisTable:
    nme, values = length.mean(axis=1), []
    exchanged = np.full(len(nme), np.nan)
    if crossed is not None:
        exchanged = (np.where(np.isfinite(crossed), crossed, length).mean(axis=1) < nme).astype(np.float64)
    for one in range(member.shape[1]):
        some = nme[member[:, one]]
        row = [float(len(some))]
        if len(some):
            row += [100 * some.mean(), *(100 * np.quantile(some, (0.5, 0.9))).tolist()]
            row += [float((some > one).mean()) for one in thresholds]
            row += [float(np.maximum(0.0, 1 - some / one).mean()) for one in thresholds]
            row.append(float(exchanged[member[:, one]].mean()))
        values.append(row + [np.nan] * (5 + 2 * len(thresholds) - len(row)))
    columns = [("faces", "count"), ("mean error (%)", ""), ("median (%)", ""), ("90th percentile (%)", "")]
    columns += [(f"failures at {100 * one:g} %", "fraction") for one in thresholds]
    columns += [(f"AUC to {100 * one:g} %", "fraction") for one in thresholds]
    columns.append(("exchanged", "fraction"))
    array = np.array(values, np.float64)
    known = ["there is no such face"] * len(columns)
    known[-1] = _ACROSS if crossed is None else known[-1]
    return AnalysisTable(
        "faces", "Faces",
        f"NME of faces, {_PERCENT}: mean, median, 90th percentile. Failures: share of faces whose NME is above a "
        "threshold; AUC: area below the curve of faces by NME up to it, over it. Exchanged: share of faces that fit "
        "the annotation better with left and right exchanged.",
        CED, ("all faces", *subsets), tuple(name for name, _ in columns), tuple(unit for _, unit in columns), array,
        reasons_of(array, known), main=1,
    )  # fmt: skip


def _curves(length: np.ndarray, member: np.ndarray, subsets: Sequence[str], most: float) -> AnalysisCurves:
    nme, x = length.mean(axis=1), np.arange(STEPS + 1) / STEPS * most
    lines = [
        np.searchsorted(np.sort(nme[some]), x, side="right") / some.sum() if some.any() else np.full(len(x), np.nan)
        for some in member.T
    ]
    return AnalysisCurves(
        "ced", "Faces by their error",
        "The cumulative error distribution: share of faces whose NME is at most the error; what a line lacks of 1 at "
        "its end is the share of failures.",
        CED, "NME", "share of faces", ("all faces", *subsets), x, np.stack(lines),
    )  # fmt: skip


def _hidden(length: np.ndarray, hidden: np.ndarray, above: float) -> AnalysisTable:
    values = []
    for some in (~hidden, hidden):
        own = length[some]
        values.append(
            [len(own), *([100 * own.mean(), 100 * np.median(own), (own > above).mean()] if len(own) else [np.nan] * 3)]
        )
    array = np.array(values, np.float64)
    return AnalysisTable(
        "visibility", "Visible and hidden landmarks", f"By the annotation's flag of occlusion. {_rule(above)}", "",
        ("visible", "hidden"), ("landmarks", *_COLUMNS, f"above {100 * above:g} %"), ("count", "", "", "fraction"),
        array, reasons_of(array, ["there is no such landmark"] * 4), main=1,
    )  # fmt: skip


def _images(length: np.ndarray, arrays: Mapping[str, np.ndarray]) -> AnalysisTable:
    many, images = arrays["faces"], len(arrays["image"])
    place = np.repeat(np.arange(images), many)
    mean = np.bincount(place, length.mean(axis=1), images) / np.maximum(many, 1)
    most = np.zeros(images)
    np.maximum.at(most, place, length.max(axis=1))
    order = np.argsort(-mean, kind="stable")
    columns = {
        "faces": ("count", many), "mean error (%)": ("", 100 * mean), "worst landmark (%)": ("", 100 * most),
    }  # fmt: skip
    definition = f"Mean NME of the faces of an image, and its worst distance, {_PERCENT}."
    return worst_images(definition, arrays["image"], order[many[order] > 0], columns, 1)
