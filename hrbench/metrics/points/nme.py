"""NME of facial landmarks, the area under its cumulative curve, and failure rates.

A face's NME is the mean over its landmarks of the distance to the annotation, over one length of the face; the number
is the mean over faces. A failure is a face whose NME is above the threshold. The cumulative error distribution (CED) at
e is the share of faces whose NME is at most e; its area up to t, over t, is exactly the mean over faces of
max(0, 1 - NME / t): there is no step, and codes that sum in steps differ by as much as these are coarse. Every landmark
counts, hidden ones too. Source of NME and failures: `compute_nme` in lib/core/evaluation.py and lib/core/function.py of
https://github.com/HRNet/HRNet-Facial-Landmark-Detection, which computes in float32.

The length is the distance of the outer corners of the eyes (300W, WFLW, COFW), of the pupils, the size of the box in
the annotation (AFLW), or the tightest box around the annotated landmarks: its sqrt(w h), or its diagonal.

State, rows by image (I images, G faces, L landmarks, S subsets): `image` (I,) its name; `faces` (I,) int64, how many
follow; `row` (G,) int64, the face's row in its file; `error` (G, L) float64, px; `size` (G,) float64, px; `subsets`
(G, S) bool, S at least 1 (the first is of all faces).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.formats.face_list import FaceList
from hrbench.formats.landmarks import read_faces, read_points, write_points
from hrbench.metrics.points.counts import errors
from hrbench.metrics.points.image_rows import as_bytes, rows_in, summed, weighted
from hrbench.metrics.points.nme_analysis import VERSION as ANALYSIS_VERSION
from hrbench.metrics.points.nme_analysis import nme_analysis
from hrbench.metrics.points.options import positive
from hrbench.metrics.states import TRUTH, StateForm, arrays_of, merge, truth_digests
from hrbench.statistics.bootstrap import intervals
from hrbench.types import Analysis, ByImage, Measurement, Note, Prediction, PredictionForm, Quantity, Reason, State

Length = Literal["outer_eyes", "pupils", "annotated", "box", "diagonal"]
FORM = StateForm("nme", 1, "image", (), {"faces": ("row", "error", "size", "subsets")})
AT_ONCE = 256
"""How many weightings are taken at once."""

WORDS: Mapping[str, str] = {
    "outer_eyes": "the distance of the outer corners of the eyes",
    "pupils": "the distance of the pupils",
    "annotated": "the annotated size of the face's box",
    "box": "sqrt(w h) of the tightest box around the landmarks",
    "diagonal": "the diagonal of the tightest box around the landmarks",
}
OUTER_EYES: Mapping[int, tuple[int, int]] = {68: (36, 45), 98: (60, 72), 29: (8, 9)}
"""Landmarks, counted from 0, by how many a face has: 300W, WFLW and COFW (`compute_nme` of HRNet's code)."""

PUPILS: Mapping[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    68: ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47)),  # 300W marks none: the mean of each eye's outline
    98: ((96,), (97,)),
    29: ((16,), (17,)),
}
THRESHOLDS = (0.08, 0.1)


def quantities(length: str, thresholds: Sequence[float]) -> tuple[Quantity, ...]:
    """The numbers of all faces, in the order of `_columns`."""
    of = f"over {WORDS[length]}; n is faces."
    how = length.replace("_", " ")
    found = [Quantity("nme", "NME", "fraction", "lower", f"Mean distance of landmarks {of}", convention=f"by {how}")]
    for one in thresholds:
        text = f"Area under the curve of faces by NME up to {one:g}, over {one:g}, NME {of}"
        found.append(Quantity(f"auc@{one:g}", f"AUC@{one:g}", "fraction", "higher", text, convention=f"by {how}"))
    for one in thresholds:
        text = f"Share of faces whose NME is above {one:g}, NME {of}"
        found.append(Quantity(f"fr@{one:g}", f"FR@{one:g}", "fraction", "lower", text, convention=f"by {how}"))
    return tuple(found)


def _part(kind: str, length: str) -> Quantity:
    """NME of a subset or a landmark."""
    text = f"Mean distance of landmarks over {WORDS[length]}, {kind} only; n is faces."
    return Quantity(f"nme/{kind}", f"NME {kind}", "fraction", "lower", text)


class Nme:
    """NME, area of its curve and failure rates of faces with landmarks.

    normalise: the length that distances are over: "outer_eyes", "pupils", "annotated" (AFLW's box size), "box" or
        "diagonal"; None: the annotated size if the file has one, else the outer corners of the eyes.
    thresholds: of NME, for areas and failures.
    per_landmark: whether each landmark's numbers follow.
    origin: what .pts files count the top left pixel as, 0 or 1, which is subtracted; None: 1, as iBUG counts. Other
        files are taken as they are.
    """

    name = FORM.metric
    version = FORM.version
    analysis_version = ANALYSIS_VERSION
    prediction_file = "predictions.npy"
    prediction_form = PredictionForm(
        "a NumPy array of faces, landmarks and x, y, in the order of the list of faces",
        "pixels of the original image, counted as the list counts; for .pts files from a top left pixel (0, 0)",
    )
    oracle = "a plain count, face by face,"
    quality_is = "1 / (1 + 10 NME) of the image's faces"
    main = "nme"

    def __init__(
        self,
        normalise: Length | None = None,
        thresholds: Sequence[float] | float = THRESHOLDS,
        per_landmark: bool = False,
        origin: Literal[0, 1] | None = None,
    ) -> None:
        if origin not in (None, 0, 1) or isinstance(origin, bool):
            raise UsageError(f"origin {origin!r}: 0 or 1 was expected")
        self.origin = origin
        if normalise is not None and normalise not in WORDS:
            raise UsageError(f"normalise {normalise!r}: say {', '.join(WORDS)}")
        self.normalise: Length | None = normalise
        self.thresholds = positive("thresholds", thresholds)
        self.per_landmark = bool(per_landmark)
        self.quantities: tuple[Quantity, ...] = quantities(normalise or "outer_eyes", self.thresholds)

    def read_target(self, path: Path) -> FaceList:
        """HRNet's CSV of faces with the subsets beside it, WFLW's own list, COFW's file, or a folder of .pts files.

        Raises InputError, MissingError, UsageError.
        """
        return read_faces(Path(path), self.origin)

    def read_predictions(self, path: Path, target: FaceList) -> np.ndarray:
        """(N, L, 2) .npy, row n for face n, coordinates counted as in the annotation."""
        return read_points(Path(path), *target.points.shape[:2])

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Rows with `index` and `keypoints` as (N, L, 2) float32 .npy; see `formats.landmarks.write_points`."""
        write_points(predictions, Path(path))

    def measure(self, predictions: np.ndarray, target: FaceList, images: Sequence[int | str] | None = None) -> State:
        """Distances of all landmarks. images: names; None for all.

        Raises InputError for a face without a prediction or without a length, or an image that is not of the set.
        """
        length = self._length(target)
        names = _chosen(images, target)
        rows, many = rows_in(target.image, names)
        absent = rows[np.isnan(predictions[rows]).any(axis=(1, 2))]
        if len(absent):
            raise InputError(
                f"face {absent[0]} (image {target.image[absent[0]]}): no prediction, or NaN; predict every face, or "
                "limit the evaluation to those predicted"
            )
        offset = predictions[rows] - target.points[rows]
        size = sizes(target, length)[rows]
        if len(none := rows[~(size > 0)]):
            raise InputError(f"{target.path}: face {none[0]}: {WORDS[length]} is 0; normalise by another length")
        subsets = np.ones((len(rows), 1 + len(target.subsets)), bool)
        for place, member in enumerate(target.subsets.values(), 1):
            subsets[:, place] = member[rows]
        arrays = {
            "image": names,
            "faces": many.astype(np.int64),
            "row": rows.astype(np.int64),
            "error": errors(offset),
            "size": size,
            "subsets": subsets,
            TRUTH: truth_digests(as_bytes(_facts(target, size, rows), many)),
        }
        params = {
            "landmarks": int(target.points.shape[1]),
            "normalise": length,
            "subsets": list(target.subsets),
            "thresholds": list(self.thresholds),
            **({} if target.origin is None else {"origin": target.origin}),
        }
        return State(self.name, self.version, params, arrays)

    def input_notes(self, predictions: np.ndarray, target: FaceList, state: State) -> list[Note]:
        """What was found on reading the faces, and whether predictions lie one pixel beside the landmarks, as counted
        from another origin.
        """
        told = [Note("faces_read", text) for text in target.notes]
        rows = state.arrays["row"]
        told += _misread(predictions[rows], target.points[rows])
        error = (predictions[rows] - target.points[rows]).reshape(-1, 2)
        if len(error) < 30:
            return told
        x, y = np.median(error, axis=0).tolist()
        if any(max(abs(x - shift), abs(y - shift)) <= 0.25 for shift in (1.0, -1.0)):
            what = f"predicted landmarks lie ({x:.2f}, {y:.2f}) px from the annotated ones, in the median of all"
            effect = "as if their top-left pixel were counted otherwise; nothing is moved"
            fits = target.origin == (x > 0)  # files that count from 0 or 1 as the predictions do
            option = f"origin: {1 - target.origin}" if target.origin is not None and fits else ""
            told.append(Note("shifted", what, effect=effect, option=option))
        return told

    def analyse(self, predictions: np.ndarray, target: FaceList, state: State) -> Analysis:
        """Errors by landmark, region and subset, the curve of faces, landmarks taken for the other side's, images."""
        return nme_analysis(self.name, arrays_of(state, FORM), state.params, predictions, target)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image. Raises InputError if an image occurs twice or params differ."""
        return merge(states, FORM)

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """All numbers with 95 % intervals over images, faces of one image together; then the NME of each subset."""
        arrays, params = arrays_of(state, FORM), state.params
        of = [*quantities(params["normalise"], params["thresholds"])]
        of += [_part(name, params["normalise"]) for name in params["subsets"]]
        if self.per_landmark:
            of += [_part(f"landmark_{number}", params["normalise"]) for number in range(params["landmarks"])]
        sums, faces = _columns(arrays, params, self.per_landmark)

        def statistic(weights: np.ndarray) -> np.ndarray:
            return _numbers(sums, faces, weights)

        images = len(arrays["image"])
        values = statistic(np.ones((1, images)))[0].tolist()
        ends = intervals(statistic, images, resamples, seed, at_once=AT_ONCE)
        many = faces.sum(axis=0).astype(int).tolist()
        scores = []
        for quantity, value, interval, n in zip(of, values, ends, many, strict=True):
            if value != value:
                part = quantity.name.partition("/")[2]
                reason = Reason(f"{part} has no face" if part else "there is no face")
                scores.append(Measurement(quantity, None, self.name, n=n, reason=reason))
            else:
                scores.append(Measurement(quantity, value, self.name, interval, n))
        return scores

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The numbers as a function of image weights, then NME of each subset and landmark if `classes`."""
        arrays, params = arrays_of(state, FORM), state.params
        names = [quantity.name for quantity in quantities(params["normalise"], params["thresholds"])]
        overall = len(names)
        if classes:
            names += [f"nme/{name}" for name in params["subsets"]]
            names += [f"nme/landmark_{number}" for number in range(params["landmarks"])]
        sums, faces = _columns(arrays, params, classes)

        def at(weights: np.ndarray) -> np.ndarray:
            return _numbers(sums, faces, weights)[:, : len(names)]

        qualities = lambda: _qualities(arrays)  # noqa: E731
        return ByImage(arrays["image"], tuple(names), overall, at, qualities, AT_ONCE, arrays.get(TRUTH))

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image -> 1 / (1 + 10 NME), the mean NME of its faces: 1 for perfect landmarks, 0.5 at an NME of 0.1."""
        return _qualities(arrays_of(state, FORM))

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """All numbers by going from face to face and from landmark to landmark; NaN if there is none."""
        faces = self.read_target(Path(target))
        points = self.read_predictions(Path(predictions), faces)
        size = sizes(faces, self._length(faces)).tolist()
        names = [quantity.name for quantity in self.quantities] + [f"nme/{name}" for name in faces.subsets]
        if self.per_landmark:
            names += [f"nme/landmark_{number}" for number in range(faces.points.shape[1])]
        sums, many = [0.0] * len(names), [0] * len(names)
        for image in _chosen(images, faces).tolist():
            own = [0.0] * len(names)
            for row in np.flatnonzero(faces.image == image).tolist():
                apart = (points[row] - faces.points[row]).tolist()
                lengths = [sqrt(x * x + y * y) / size[row] for x, y in apart]
                nme = float(np.mean(np.array(lengths)))
                values = [nme, *(max(0.0, 1 - nme / t) for t in self.thresholds)]
                values += [float(nme > t) for t in self.thresholds]
                asked = [True] * len(values) + [bool(member[row]) for member in faces.subsets.values()]
                values += [nme] * len(faces.subsets)
                if self.per_landmark:
                    values, asked = values + lengths, asked + [True] * len(lengths)
                for place, (value, counts) in enumerate(zip(values, asked, strict=True)):
                    own[place] += value if counts else 0.0
                    many[place] += counts
            sums = [before + more for before, more in zip(sums, own, strict=True)]
        values = [one / n if n else float("nan") for one, n in zip(sums, many, strict=True)]
        return dict(zip(names, values, strict=True))

    def _length(self, target: FaceList) -> Length:
        """By which length the faces of a file are normalised. Raises UsageError if they have no such length."""
        length: Length = self.normalise or ("outer_eyes" if target.box_size is None else "annotated")
        points = target.points.shape[1]
        known = {"outer_eyes": OUTER_EYES, "pupils": PUPILS}.get(length)
        if known is not None and points not in known:
            some = ", ".join(map(str, sorted(known)))
            raise UsageError(
                f"normalise: {length}: known for faces of {some} landmarks; those of {target.path} have {points}"
            )
        if length == "annotated" and target.box_size is None:
            raise UsageError(
                f"normalise: annotated: {target.path} has no size of boxes, as AFLW's has; say box or diagonal"
            )
        return length


def sizes(faces: FaceList, length: Length) -> np.ndarray:
    """(N,) float64, px: the length of each face."""
    points = faces.points
    if length == "annotated":
        assert faces.box_size is not None
        return faces.box_size
    if length in ("outer_eyes", "pupils"):
        many = points.shape[1]
        places = [(one,) for one in OUTER_EYES[many]] if length == "outer_eyes" else PUPILS[many]
        left, right = (points[:, list(some)].mean(axis=1) for some in places)
        sides = left - right
    else:
        sides = points.max(axis=1) - points.min(axis=1)
        if length == "box":
            return np.sqrt(sides[:, 0] * sides[:, 1])
    return errors(sides)


def _columns(
    arrays: Mapping[str, np.ndarray], params: Mapping[str, Any], landmarks: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(I, Q) sums of each image's faces, and of how many, in the order of the numbers."""
    lengths = arrays["error"] / arrays["size"][:, None]
    nme = lengths.mean(axis=1) if len(lengths) else np.zeros(0)
    thresholds = np.array(params["thresholds"])
    below, above = np.maximum(0.0, 1 - nme[:, None] / thresholds), (nme[:, None] > thresholds).astype(np.float64)
    member = arrays["subsets"][:, 1:].astype(np.float64)
    single = lengths if landmarks else lengths[:, :0]
    values = np.concatenate([nme[:, None], below, above, nme[:, None] * member, single], axis=1)
    counted = np.ones_like(values)
    counted[:, 1 + 2 * len(thresholds) : 1 + 2 * len(thresholds) + member.shape[1]] = member
    images = len(arrays["image"])
    place = np.repeat(np.arange(images), arrays["faces"])
    return summed(values, place, images), summed(counted, place, images)


def _numbers(sums: np.ndarray, faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(B, Q) means over faces for image weights (B, I)."""
    weights = np.asarray(weights, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return weighted(weights, sums) / (weights @ faces)


def _qualities(arrays: Mapping[str, np.ndarray]) -> dict[int | str, float]:
    nme = (arrays["error"] / arrays["size"][:, None]).mean(axis=1) if len(arrays["size"]) else np.zeros(0)
    place = np.repeat(np.arange(len(arrays["image"])), arrays["faces"])
    total = np.bincount(place, nme, minlength=len(arrays["image"]))
    rows = zip(arrays["image"].tolist(), total.tolist(), arrays["faces"].tolist(), strict=True)
    return {image: 1 / (1 + 10 * one / many) for image, one, many in rows if many}


def _chosen(images: Sequence[int | str] | None, target: FaceList) -> np.ndarray:
    """Names of the images to judge, rising, each once. Raises InputError for one that the file does not have."""
    known = np.unique(target.image)
    if images is None:
        return known
    among = set(known.tolist())
    for image in images:
        if image not in among:
            raise InputError(f"{target.path}: image {image!r}, asked for, is not among its {len(among)}")
    return np.array(sorted({str(image) for image in images}), known.dtype)


def _facts(target: FaceList, size: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """What is annotated of each face: its length and its landmarks."""
    return np.concatenate([size[:, None], target.points[rows].reshape(len(rows), -1)], axis=1).astype("<f8")


def _misread(found: np.ndarray, true: np.ndarray) -> list[Note]:
    """Whether predicted landmarks (G, L, 2) fit much better as y, x, or in pixels of images of another size."""

    def off(points: np.ndarray) -> float:
        return float(np.median(np.linalg.norm(points - true, axis=2)))

    if not found.size:
        return []
    now, turned = off(found), found[..., ::-1]
    squared = float((found * found).sum())
    times = float((found * true).sum()) / squared if squared > 0 else 1.0
    for code, points, what in (
        ("exchanged", turned, "as y, x"),
        ("rescaled", found * times, f"{times:.4g} times as large, as in an image of another size"),
    ):
        if off(points) < now / 4 and (code == "exchanged" or not 0.8 < times < 1.25):
            text = f"predicted landmarks fit the annotated ones much better {what}"
            effect = f"the median distance is {now:.4g} px, and would be {off(points):.4g} px; nothing is converted"
            return [Note(code, text, effect=effect)]
    return []
