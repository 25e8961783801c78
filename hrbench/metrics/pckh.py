"""PCKh of MPII: the share of visible joints predicted within a part of the head's size.

A joint is right when its distance to the annotation is at most threshold x 0.6 x the diagonal of the head box. Pelvis
and thorax are left out. "Head" is joint 9 alone; pairs are the mean of left and right; Mean weights the 14 joints by
how often each is visible. The official code takes its "Mean@0.1" at index 11 of a 0.01 grid, which is 0.11:
here it is named PCKh@0.11, and the exact PCKh@0.10 is another number. Source: `evaluate` in lib/dataset/mpii.py of
https://github.com/leoxiaobin/deep-high-resolution-net.pytorch, percentages equal to the last bit.

State, rows by person (N): `person` (N,) int64, row in the official order; `image` (N,) its image's name, or its row
where names are not known; `distance` (N, 16) float64, over 0.6 head diagonals; `visible` (N, 16) bool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.formats.mpii import MpiiTruth, read_predictions, read_truth, write_predictions
from hrbench.metrics.coco.misread import BETTER, GOOD
from hrbench.metrics.coco.misread_joints import exchanged_joints
from hrbench.metrics.pckh_analysis import VERSION as ANALYSIS_VERSION
from hrbench.metrics.pckh_analysis import pckh_analysis
from hrbench.metrics.states import TRUTH, StateForm, arrays_of, merge, truth_digests
from hrbench.statistics.bootstrap import intervals
from hrbench.types import (
    Analysis,
    ByImage,
    Measurement,
    Note,
    Prediction,
    PredictionForm,
    Quantity,
    Reason,
    State,
)

FORM = StateForm(
    "mpii-pckh", 1, "person", ("image", "distance", "visible"), unlike={"image": "whether images are known"}
)
AT_ONCE = 64
"""How many weightings are taken at once."""

ENOUGH_JOINTS, NEAR_ONE = 30, 0.25
"""From how many joints on a shift is told, and how near to one pixel in x and y its median must be."""

HEAD_SHARE = 0.6
LEFT_OUT = ("pelv", "thor")
THRESHOLDS = (0.5, 0.11, 0.1)
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Head", ("head",)),
    ("Shoulder", ("lsho", "rsho")),
    ("Elbow", ("lelb", "relb")),
    ("Wrist", ("lwri", "rwri")),
    ("Hip", ("lhip", "rhip")),
    ("Knee", ("lkne", "rkne")),
    ("Ankle", ("lank", "rank")),
)


def _quantities() -> tuple[Quantity, ...]:
    rule = "within {} x 0.6 head-box diagonals of the annotation; n is visible joints."
    parts = [
        Quantity(
            f"pckh@0.5/{part.lower()}",
            f"PCKh@0.5 {part.lower()}",
            "fraction",
            "higher",
            f"Share of {part.lower()} joints " + rule.format(0.5),
        )
        for part, _ in PARTS
    ]
    mean = "Share of all visible joints but pelvis and thorax "
    note = ' The official code prints this as "Mean@0.1".'
    return (
        *parts,
        Quantity("pckh@0.5/mean", "PCKh@0.5 mean", "fraction", "higher", mean + rule.format(0.5)),
        Quantity("pckh@0.11/mean", "PCKh@0.11 mean", "fraction", "higher", mean + rule.format(0.11) + note),
        Quantity("pckh@0.10/mean", "PCKh@0.10 mean", "fraction", "higher", mean + rule.format("exactly 0.10")),
    )


class MpiiPckh:
    """PCKh on MPII people, percentages equal to the HRNet code's to the last bit.

    origin: where predictions have their top-left pixel, 0 or 1; None: at 1 in a .mat, at 0 in a .npy.
    """

    name = FORM.metric
    version = FORM.version
    analysis_version = ANALYSIS_VERSION
    prediction_file = "predictions.npy"
    prediction_form = PredictionForm(
        "a NumPy array of people, 16 joints and x, y (or x, y, confidence), in the order of gt_valid.mat; or its .mat",
        "pixels of the original image; the top left pixel is at (0, 0) in a .npy and at (1, 1) in a .mat",
    )
    oracle = "a plain count, joint by joint,"
    quality_is = "area under the image's PCKh curve up to 0.5"
    main = "pckh@0.5/mean"
    quantities: tuple[Quantity, ...] = _quantities()

    def __init__(self, origin: Literal[0, 1] | None = None) -> None:
        if origin not in (None, 0, 1) or isinstance(origin, bool):
            raise UsageError(f"origin {origin!r}: say 0 or 1, where predictions have their top-left pixel")
        self.origin: Literal[0, 1] | None = origin

    def read_target(self, path: Path) -> MpiiTruth:
        """gt_valid.mat, or a folder with it; valid.json next to it gives each person's image. See `formats.mpii`."""
        return read_truth(Path(path))

    def read_predictions(self, path: Path, target: MpiiTruth) -> np.ndarray:
        """(N, 16, 2) px, top-left pixel at (1, 1), from .npy (top-left at 0) or the official .mat (at 1)."""
        return read_predictions(Path(path), len(target.head), self.origin)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Rows with `index` and `keypoints` as (N, 16, 3) float32 .npy; see `formats.mpii.write_predictions`."""
        write_predictions(predictions, Path(path))

    def measure(self, predictions: np.ndarray, target: MpiiTruth, images: Sequence[int | str] | None = None) -> State:
        """Distances of all joints. images: names of images, or rows of people; None for all.

        Raises InputError if one of these people has NaN for a prediction, or an image is not of the set.
        """
        rows = np.arange(len(target.head)) if images is None else _rows(images, target)
        bad = np.argwhere(np.isnan(predictions[rows]).any(axis=2))
        if len(bad):
            person = rows[bad[0][0]]
            where = f" (image {target.image[person]})" if target.image is not None else ""
            raise InputError(
                f"person {person}{where}: no prediction, or NaN, at joint {bad[0][1]}; "
                "predict everybody, or limit the evaluation to those predicted"
            )
        visible = target.visible[rows]
        with np.errstate(over="ignore", invalid="ignore"):  # joints that are not visible may have any annotation
            error = predictions[rows] - target.position[rows]
            distance = np.linalg.norm(error, axis=2) / (target.head[rows] * HEAD_SHARE)[:, None]
        arrays = {
            "person": rows.astype(np.int64),
            "image": rows.astype(np.int64) if target.image is None else target.image[rows],
            "distance": np.where(visible, distance, 0.0),
            "visible": visible,
            TRUTH: truth_digests(_truth_rows(target, rows)),
        }
        return State(self.name, self.version, {"joints": list(target.joints)}, arrays)

    def input_notes(self, predictions: np.ndarray, target: MpiiTruth, state: State) -> list[Note]:
        """Whether predictions lie beside the joints by one pixel in x and in y, as with another origin, or fit far
        better with left and right exchanged.
        """
        rows = state.arrays["person"]
        seen = target.visible[rows]
        error = (predictions[rows] - target.position[rows])[seen]
        if len(error) < ENOUGH_JOINTS:
            return []
        x, y = np.median(error, axis=0).tolist()
        for shift, option in ((1.0, "origin: 1"), (-1.0, "origin: 0")):
            if max(abs(x - shift), abs(y - shift)) <= NEAR_ONE:
                what = f"predicted joints lie ({x:.2f}, {y:.2f}) px from the annotated ones, in the median of all"
                effect = "they fit better after a shift by one pixel, as if their top-left pixel were counted otherwise"
                return [Note("shifted", what, effect=effect, option=option)]
        return _exchanged_note(predictions[rows], target, rows)

    def analyse(self, predictions: np.ndarray, target: MpiiTruth, state: State) -> Analysis:
        """PCKh by threshold, and which joints went to the other side."""
        arrays = arrays_of(state, FORM)
        rows, visible, joints = arrays["person"], arrays["visible"], target.joints
        mirror, mirrored = exchanged_joints(joints, len(joints)), np.full(visible.shape, np.inf)
        if mirror is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                error = np.linalg.norm(predictions[rows] - target.position[rows][:, mirror], axis=2)
            there = visible[:, mirror] & (mirror != np.arange(len(mirror)))
            mirrored = np.where(there, error / (target.head[rows] * HEAD_SHARE)[:, None], np.inf)
        counted = [joint for joint in joints if joint not in LEFT_OUT]
        parts = {"Mean": counted, **dict(reversed(PARTS))}
        return pckh_analysis(self.name, arrays["distance"], mirrored, visible, joints, parts)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising person. Raises InputError if a person occurs twice or joints differ."""
        return merge(states, FORM)

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """The ten numbers with their 95 % intervals over images, people of one image resampled together."""
        arrays, joints = arrays_of(state, FORM), tuple(state.params["joints"])
        table = _by_image(arrays)
        values = percentages(table.sum(axis=0), joints) / 100

        def statistic(weights: np.ndarray) -> np.ndarray:
            # sums of whole numbers below 2^53: exact in any order
            return percentages((weights @ table.reshape(len(table), -1)).reshape(4, -1), joints) / 100

        ends = intervals(statistic, len(table), resamples, seed)
        seen = dict(zip(joints, table[:, 3].sum(axis=0).astype(int).tolist(), strict=True))
        many = [sum(seen[joint] for joint in names) for _, names in PARTS]
        many += [sum(seen[joint] for joint in joints if joint not in LEFT_OUT)] * 3
        scores = []
        for quantity, value, interval, n in zip(self.quantities, values.tolist(), ends, many, strict=True):
            if np.isnan(value):
                part = quantity.name.partition("/")[2]
                reason = f"a joint of {part} is visible in none of {len(arrays['person'])} people"
                scores.append(Measurement(quantity, None, self.name, n=n, reason=Reason(reason)))
            else:
                scores.append(Measurement(quantity, value, self.name, interval, n))
        return scores

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The ten numbers as a function of image weights, people of one image together."""
        arrays, joints = arrays_of(state, FORM), tuple(state.params["joints"])
        table = _by_image(arrays).astype(np.float64)
        images, where = np.unique(arrays["image"], return_inverse=True)

        def at(weights: np.ndarray) -> np.ndarray:
            # whole numbers: exact in any order
            sums = (weights @ table.reshape(len(table), -1)).reshape(len(weights), 4, -1)
            return percentages(sums, joints) / 100

        truth = None
        if TRUTH in arrays:
            order = np.argsort(where, kind="stable")  # people by image, in the official order
            parts = np.split(arrays[TRUTH][order], np.cumsum(np.bincount(where, minlength=len(images)))[:-1])
            truth = truth_digests(part.astype("<u8").tobytes() for part in parts)
        names = tuple(quantity.name for quantity in MpiiPckh.quantities)
        qualities = lambda: _qualities(arrays, joints)  # noqa: E731
        return ByImage(images, names, len(names), at, qualities, AT_ONCE, truth)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image name (or person's row) -> area under its PCKh curve up to 0.5, in [0, 1], over its visible joints.

        Images without a visible joint that counts are absent.
        """
        return _qualities(arrays_of(state, FORM), state.params["joints"])

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """The ten numbers by counting person by person and joint by joint, in plain Python; NaN if there is none."""
        truth = self.read_target(target)
        points = self.read_predictions(predictions, truth)
        rows = np.arange(len(truth.head)) if images is None else _rows(images, truth)
        counts = [[0] * len(truth.joints) for _ in (*THRESHOLDS, "visible")]
        for person in rows.tolist():
            for place in range(len(truth.joints)):
                if not truth.visible[person, place]:
                    continue
                counts[-1][place] += 1
                x, y = (points[person, place] - truth.position[person, place]).tolist()
                size = float(truth.head[person]) * HEAD_SHARE
                for number, threshold in enumerate(THRESHOLDS):
                    counts[number][place] += (x * x + y * y) ** 0.5 / size <= threshold
        values = percentages(np.array(counts, dtype=np.float64), truth.joints) / 100
        return {quantity.name: value for quantity, value in zip(self.quantities, values.tolist(), strict=True)}


def _exchanged_note(points: np.ndarray, target: MpiiTruth, rows: np.ndarray) -> list[Note]:
    """A note if far more joints are right at 0.5 when each is taken for that of the other side.

    points: (n, 16, 2) predictions of the people in `rows`.
    Joints without another side, and those that lie near their counterpart, say nothing and are left aside.
    """
    mirror = exchanged_joints(target.joints, len(target.joints))
    if mirror is None:
        return []
    limit = (target.head[rows] * HEAD_SHARE * THRESHOLDS[0])[:, None]
    seen, at = target.visible[rows], target.position[rows]
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.linalg.norm(at - at[:, mirror], axis=2) > 2 * limit
        judged = seen & seen[:, mirror] & apart & (mirror != np.arange(len(mirror)))
        right = (np.linalg.norm(points - at, axis=2) <= limit)[judged]
        other = (np.linalg.norm(points[:, mirror] - at, axis=2) <= limit)[judged]
    if int(judged.sum()) < ENOUGH_JOINTS:
        return []
    asked, exchanged = float(right.mean()), float(other.mean())
    if exchanged < max(GOOD, asked + BETTER):
        return []
    effect = (
        f"of joints whose other side lies apart {asked:.0%} are right at 0.5, and {exchanged:.0%} would be; nothing is "
        f"converted: write the joints in the order {', '.join(target.joints)}"
    )
    return [Note("misread_joints", "predicted joints look like left and right exchanged", effect=effect)]


def _truth_rows(target: MpiiTruth, rows: np.ndarray) -> Iterator[bytes]:
    """What is annotated of each person, as bytes: head, visible joints and their places."""
    for row in rows.tolist():
        seen = target.visible[row]
        place = np.where(seen[:, None], target.position[row], 0.0)
        yield np.concatenate(([target.head[row]], seen, place.ravel())).astype("<f8").tobytes()


def percentages(counts: np.ndarray, joints: Sequence[str]) -> np.ndarray:
    """(..., 10) float64 in percent, in the order of `MpiiPckh.quantities`; NaN if a joint of a part is never visible.

    counts: (..., 4, 16): right at 0.5, at 0.11, at 0.1, and visible, per joint. If the official Mean is NaN because
    some joint is never visible, that joint has no weight here.
    """
    visible = counts[..., 3, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 100.0 * counts[..., :3, :] / visible[..., None, :]
        total = np.sum(visible[..., _counting(joints)], axis=-1)
        ratio = (np.where(_counting(joints), visible, 0) / total[..., None])[..., None, :]
        means = np.sum(np.where(ratio > 0, share * ratio, 0.0), axis=-1)
    means = np.where(np.any(ratio > 0, axis=-1), means, np.nan)
    place = {joint: n for n, joint in enumerate(joints)}
    parts = []
    for _, names in PARTS:
        some = [share[..., 0, place[joint]] for joint in names]
        parts.append(some[0] if len(some) == 1 else 0.5 * (some[0] + some[1]))
    return np.concatenate([np.stack(parts, axis=-1), means], axis=-1)


def _qualities(arrays: Mapping[str, np.ndarray], joints: Sequence[str]) -> dict[int | str, float]:
    counts = arrays["visible"] & _counting(joints)
    good = np.where(counts, 1 - np.minimum(arrays["distance"], 0.5) / 0.5, 0.0).sum(axis=1)
    images, where = np.unique(arrays["image"], return_inverse=True)
    number = np.bincount(where, counts.sum(axis=1), minlength=len(images))
    total = np.bincount(where, good, minlength=len(images))
    return {image: t / n for image, t, n in zip(images.tolist(), total.tolist(), number.tolist(), strict=True) if n}


def _counting(joints: Sequence[str]) -> np.ndarray:
    return np.array([joint not in LEFT_OUT for joint in joints])


def _by_image(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """(I, 4, 16) float64, whole numbers: joints right at each threshold, and visible, summed over an image's people."""
    visible, distance = arrays["visible"], arrays["distance"]
    rows = np.stack([*(visible & (distance <= threshold) for threshold in THRESHOLDS), visible], axis=1)
    images, where = np.unique(arrays["image"], return_inverse=True)
    table = np.zeros((len(images), *rows.shape[1:]))
    np.add.at(table, where, rows)
    return table


def _rows(images: Sequence[int | str], target: MpiiTruth) -> np.ndarray:
    """Rows of the people of `images` (names), or the rows themselves, rising. Raises InputError for unknown ones."""
    chosen: set[int] = set()
    by_name: dict[str, list[int]] = {}
    for row, image in enumerate([] if target.image is None else target.image.tolist()):
        by_name.setdefault(image, []).append(row)
    for image in images:
        known = image in by_name if isinstance(image, str) else 0 <= image < len(target.head)
        if not known:
            raise InputError(
                f"{target.path}: {image!r}, asked for, is neither one of {len(by_name)} images with names nor a row "
                f"below {len(target.head)}"
            )
        chosen.update(by_name[image] if isinstance(image, str) else [int(image)])
    return np.array(sorted(chosen), np.int64)
