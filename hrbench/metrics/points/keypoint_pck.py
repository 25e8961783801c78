"""PCK, its area under the curve and the mean end-point error, of any set of keypoints.

PCK at t: the share of visible joints that lie nearer to their annotation than t times a size of the person: the longer
side of the annotated box, the torso (left shoulder to right hip), 0.6 diagonals of MPII's head box, or the head segment
(the joint on top of the head to that at its lower end, of sets that annotate both). The mean is over
joints, each joint's share first, as mmpose prints it; over all joints together it is a number of its own. The area is
the mean of PCK at 0, 1/20, ..., 19/20 of 30 px. The end-point error is a mean over joints of people with a prediction.
Equal to `keypoint_pck_accuracy`, `keypoint_auc` and `keypoint_epe` of mmpose 1.3.2 for coordinates in float64, PCK and
area to the last bit; its end-point error is summed in float32.

State, rows by image (I images, G people): `image` (I,) its id or name; `people` (I,) int64, how many follow; `row` (G,)
int64, the person's place in its file; `offset` (G, K, 2) float64, px, prediction less annotation, 0 for a joint that is
not visible; `size` (G,) float64, px, 0 for a person without reference; `visible` (G, K) bool; `found` (G,) bool,
whether there is a prediction; `left` (I,) int64, predictions that are held to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import UsageError
from hrbench.formats.coco.forms import CocoForm, Layout, TruthArea
from hrbench.formats.coco.keypoint_results import Unseen
from hrbench.formats.coco.skeletons import COCO_SIGMAS, skeleton_named, spreads_of
from hrbench.formats.coco.write import write_results
from hrbench.formats.mpii import write_predictions
from hrbench.metrics.coco.notes import unknown_category, unseen_note
from hrbench.metrics.points import counts
from hrbench.metrics.points.counts import Curve, JointTable
from hrbench.metrics.points.image_rows import as_bytes, rows_in
from hrbench.metrics.points.joint_notes import coco_notes
from hrbench.metrics.points.keypoint_pck_analysis import VERSION as ANALYSIS_VERSION
from hrbench.metrics.points.keypoint_pck_analysis import pck_analysis
from hrbench.metrics.points.numbers import EPE, WORDS, joint_quantities, quantities
from hrbench.metrics.points.options import positive
from hrbench.metrics.points.pck_reference import plain_numbers
from hrbench.metrics.points.people import (
    OPTIONS,
    People,
    Posed,
    Reference,
    coco_people,
    coco_posed,
    is_mpii,
    mpii_people,
    mpii_posed,
    rows_of,
)
from hrbench.metrics.states import TRUTH, StateForm, arrays_of, merge, truth_digests
from hrbench.statistics.bootstrap import intervals
from hrbench.types import Analysis, ByImage, Measurement, Note, Prediction, PredictionForm, Quantity, Reason, State

FORM = StateForm(
    "pck",
    1,
    "image",
    ("left",),
    {"people": ("row", "offset", "size", "visible", "found")},
    unlike={"image": "whether images are known by name"},
)
AT_ONCE = 256
"""How many weightings are taken at once."""

THRESHOLDS = (0.05, 0.2, 0.5)


class Pck:
    """PCK, area and end-point error of a COCO-style file's people, or MPII's.

    reference: the size that thresholds are of: "box", "torso", "head" (the box of MPII) or "head_segment".
    thresholds: of PCK; the first one is the main number.
    torso: the two joints between which a torso is measured, names or places; None: left shoulder and right hip.
    head: the two joints between which a head segment is measured, names or places; None: head_top and head_bottom, or
        head_top, top_head or head and neck.
    skeleton: the public set whose names the joints have (`formats.coco.skeletons`); None: those of the file.
    curve_size: px that the area's thresholds are of, or "reference".
    curve_steps: how many thresholds the area has, from 0 to below 1.
    per_joint: whether each joint's numbers follow.
    sigmas: the spread of each joint, to pair rows with people (`people`); None: those of `skeleton`, else COCO's 17.
    category: the id of the category to evaluate; None for all.
    origin: where MPII's predictions have their top-left pixel (`formats.mpii.read_predictions`).
    detection_area: taken with a COCO data set's other options; nothing here depends on it.
    renumber, truth_area, iscrowd, num_keypoints, match, whole_ids, root_category, text_numbers, frames, layout,
        missing_box: how COCO files deviate from COCO's form (`forms.CocoForm`).
    unseen: what becomes of predicted people of whom no joint has a third number above 0: "keep", or "drop" before they
        are held to anybody.
    """

    name = FORM.metric
    version = FORM.version
    analysis_version = ANALYSIS_VERSION
    prediction_file = "predictions.json"
    oracle = "a plain count, joint by joint,"
    quality_is = "area under the image's PCK curve up to its largest threshold"
    prediction_form = PredictionForm(
        "COCO results, a row a person; of MPII rows of index and keypoints, or the files of mpii-pckh",
        "pixels of the original image, its top left pixel at (0, 0)",
        '{"image_id": 139, "category_id": 1, "keypoints": [421.0, 165.0, 0.9, 424.0, 162.0, 0.8, ...], "score": 0.87}',
    )

    def __init__(
        self,
        reference: Reference = "box",
        thresholds: Sequence[float] | float = THRESHOLDS,
        torso: Sequence[int | str] | None = None,
        curve_size: float | Literal["reference"] = 30.0,
        curve_steps: int = 20,
        per_joint: bool = False,
        sigmas: Sequence[float] | float | None = None,
        category: int | None = None,
        origin: Literal[0, 1] | None = None,
        detection_area: Literal["keypoints", "box"] | None = None,
        renumber: bool = False,
        truth_area: TruthArea = "file",
        iscrowd: Literal["file", 0] = "file",
        num_keypoints: Literal["file", "joints"] = "file",
        match: Literal["id", "file_name"] = "id",
        whole_ids: bool = False,
        root_category: Literal["keep", "drop"] = "keep",
        text_numbers: bool = False,
        frames: Literal["all", "labelled"] = "all",
        unseen: Unseen = "keep",
        head: Sequence[int | str] | None = None,
        skeleton: str | None = None,
        layout: Layout = "coco",
        missing_box: Literal["refuse", "joints"] = "refuse",
    ) -> None:
        if reference not in WORDS:
            raise UsageError(f"reference {reference!r}: say box, torso, head or head_segment")
        if unseen not in ("keep", "drop"):
            raise UsageError(f"unseen: keep or drop was expected, not {unseen!r}")
        if origin not in (None, 0, 1) or isinstance(origin, bool):
            raise UsageError(f"origin {origin!r}: say 0 or 1, where predictions have their top-left pixel")
        for name, ends in (("torso", torso), ("head", head)):
            if ends is not None and (not isinstance(ends, (list, tuple)) or len(ends) != 2):
                raise UsageError(f"{name} {ends!r}: name two joints")
        self.reference: Reference = reference
        self.thresholds = positive("thresholds", thresholds)
        self.curve = _curve(curve_size, curve_steps)
        self.ends = {"torso": torso, "head": head}
        self.skeleton_name, self.skeleton = skeleton, None if skeleton is None else skeleton_named(skeleton)
        self.unseen: Unseen = unseen
        self.category, self.per_joint = category, bool(per_joint)
        spreads = spreads_of(skeleton, sigmas)
        self.sigmas = positive("sigmas", COCO_SIGMAS if spreads is None else spreads)
        self.origin: Literal[0, 1] | None = origin
        self.form = CocoForm(
            renumber, truth_area, iscrowd, num_keypoints, match, whole_ids, root_category, text_numbers, frames,
            layout, missing_box,
        )  # fmt: skip
        self.quantities: tuple[Quantity, ...] = quantities(reference, self.thresholds, self.curve)
        self.main = self.quantities[0].name

    def read_target(self, path: Path) -> People:
        """A COCO-style annotation file, or MPII's gt_valid.mat or a folder with it.

        Raises InputError, MissingError; UsageError if the file has no such reference.
        """
        path, ends = Path(path), self.ends.get(OPTIONS.get(self.reference, ""))
        if is_mpii(path):
            return mpii_people(path, self.reference, ends)
        found = coco_people(path, self.sigmas, self.category, self.form, self.reference, ends, self.skeleton)
        if self.category is not None and found.coco is not None:
            listed = found.coco.categories.tolist()
            if self.category not in listed:
                raise unknown_category(path, self.category, listed, found.coco.names)
        return found

    def read_predictions(self, path: Path, target: People) -> Posed:
        """COCO results, top-left pixel at (0, 0); of MPII .npy (N, 16, 2 or 3), .json of rows, or the official .mat.

        Raises InputError, MissingError.
        """
        path = Path(path)
        if target.coco is not None:
            return coco_posed(path, target, self.sigmas, self.category, self.form, self.unseen)
        return mpii_posed(path, target, self.origin)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """COCO results, or rows with `index` and `keypoints` of a set with one prediction for each person (MPII).

        Raises InputError (NaN, a missing key), UsageError (disk).
        """
        stream = iter(predictions)
        before: list[Prediction] = []
        for one in stream:
            before.append(one)
            if one.value:
                break
        rest = chain(before, stream)
        if before and before[-1].value and "image_id" not in before[-1].value[0]:
            write_predictions(rest, Path(path))
        else:
            write_results(rest, Path(path), len(self.sigmas))

    def measure(self, predictions: Posed, target: People, images: Sequence[int | str] | None = None) -> State:
        """Offsets of all joints. images: ids, or names or rows of MPII; None for all. Raises InputError for another."""
        places = rows_of(target, images)
        rows, many = rows_in(target.image, places)
        counted = target.visible[rows] & predictions.found[rows, None]
        offset = np.where(counted[..., None], predictions.points[rows] - target.position[rows], 0.0)
        left = np.bincount(np.searchsorted(target.images, predictions.left), minlength=len(target.images))
        arrays = {
            "image": target.images[places],
            "left": left[places].astype(np.int64),
            "people": many.astype(np.int64),
            "row": target.row[rows].astype(np.int64),
            "offset": offset,
            "size": target.size[rows],
            "visible": target.visible[rows],
            "found": predictions.found[rows],
            TRUTH: truth_digests(as_bytes(_facts(target, rows), many)),
        }
        params = {
            "curve": [self.curve.size, self.curve.steps],
            "joints": list(target.joints),
            "reference": self.reference,
            "sigmas": [] if target.coco is None else list(self.sigmas),
            "thresholds": list(self.thresholds),
            **{name: list(ends) for name, ends in self.ends.items() if ends is not None},
            **({"skeleton": self.skeleton_name} if self.skeleton_name is not None else {}),
            **({"unseen": self.unseen} if self.unseen != "keep" else {}),
            **({"form": self.form.stated()} if self.form.stated() else {}),
        }
        return State(self.name, self.version, params, arrays)

    def input_notes(self, predictions: Posed, target: People, state: State) -> list[Note]:
        """Whether people lack a prediction or a reference, and whether predictions belong to nobody."""
        arrays = state.arrays
        people, missed = len(arrays["found"]), int((~arrays["found"]).sum())
        notes = []
        if missed:
            effect = "their joints count as wrong in PCK and area, and are not in the end-point error"
            notes.append(Note("unpredicted_people", "people have no prediction", missed, people, effect))
        if none := int((arrays["size"] <= 0).sum()):
            effect = f"the reference is {WORDS[self.reference]}; PCK leaves them out"
            notes.append(Note("people_without_reference", "people have no size", none, people, effect))
        if left := int(arrays["left"].sum()):
            effect = "PCK has no false alarms; with several rows for a person the most similar one is judged"
            total = left + people - missed
            notes.append(Note("unpaired_predictions", "predictions are held to nobody", left, total, effect))
        notes += unseen_note(predictions.unseen, left + people - missed)
        return notes + coco_notes(predictions, target, state, self.sigmas)

    def analyse(self, predictions: Posed, target: People, state: State) -> Analysis:
        """PCK by joint, part of the body and threshold, joints of the other side, people, the worst images."""
        arrays = arrays_of(state, FORM)
        rows, _ = rows_in(target.image, np.searchsorted(target.images, arrays["image"]))
        return pck_analysis(self.name, arrays, state.params, target, rows, self.qualities(state))

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image. Raises InputError if an image occurs twice or params differ."""
        return merge(states, FORM)

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """All numbers with their 95 % intervals over images, people of one image resampled together."""
        arrays, (thresholds, curve, joints) = arrays_of(state, FORM), _asked(state)
        table = _table(arrays, thresholds, curve)
        of = quantities(state.params["reference"], thresholds, curve)
        of += joint_quantities(state.params["reference"], thresholds, joints) if self.per_joint else ()

        def statistic(weights: np.ndarray) -> np.ndarray:
            return counts.numbers(table, weights, len(thresholds))[:, : len(of)]

        values = statistic(np.ones((1, table.images)))[0].tolist() if table.images else [np.nan] * len(of)
        ends = intervals(statistic, table.images, resamples, seed, at_once=AT_ONCE)
        many = _behind(table, len(thresholds), len(joints))
        scores = []
        for quantity, value, interval, n in zip(of, values, ends, many, strict=False):
            if value != value:
                part = quantity.name.partition("/")[2]
                what = f"{part} is visible in nobody" if part else "no joint is visible"
                if not part and quantity.name.startswith("pck") and arrays["visible"].any():
                    what = f"nobody with a visible joint has a size ({WORDS[state.params['reference']]})"
                reason = Reason(f"{what} that has a prediction" if quantity.name.startswith(EPE) else what)
                scores.append(Measurement(quantity, None, self.name, n=n, reason=reason))
            else:
                scores.append(Measurement(quantity, value, self.name, interval, n))
        return scores

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The numbers as a function of image weights, then PCK of each joint at the first threshold if `classes`."""
        arrays, (thresholds, curve, joints) = arrays_of(state, FORM), _asked(state)
        table = _table(arrays, thresholds, curve)
        names = [quantity.name for quantity in quantities(state.params["reference"], thresholds, curve)]
        overall = len(names)
        names += [f"{names[0]}/{joint}" for joint in joints] if classes else []

        def at(weights: np.ndarray, once: np.ndarray | None = None) -> np.ndarray:
            held = None if once is None else counts.shares(_part(table, once), len(thresholds))
            return counts.numbers(table, weights, len(thresholds), held)[:, : len(names)]

        qualities = lambda: _qualities(arrays, thresholds)  # noqa: E731
        return ByImage(arrays["image"], tuple(names), overall, at, qualities, AT_ONCE, arrays.get(TRUTH), resampled=at)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image -> area under its PCK curve up to the largest threshold, in [0, 1], over its visible joints.

        Images without a visible joint of a person with a reference are absent.
        """
        return _qualities(arrays_of(state, FORM), _asked(state)[0])

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """All numbers by going from person to person and from joint to joint, in plain Python; NaN if there is none."""
        people = self.read_target(Path(target))
        posed = self.read_predictions(Path(predictions), people)
        values = plain_numbers(people, posed, rows_of(people, images).tolist(), self.thresholds, self.curve)
        names = [*(quantity.name for quantity in self.quantities)]
        if self.per_joint:
            names += [one.name for one in joint_quantities(self.reference, self.thresholds, people.joints)]
        return dict(zip(names, values, strict=False))


def _curve(size: Any, steps: Any) -> Curve:
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= 1000:
        raise UsageError(f"curve_steps {steps!r}: say a whole number from 1 to 1000")
    if size == "reference":
        return Curve(size, steps)
    return Curve(positive("curve_size", size)[0], steps)


def _asked(state: State) -> tuple[list[float], Curve, list[str]]:
    size, steps = state.params["curve"]
    return list(state.params["thresholds"]), Curve(size, int(steps)), list(state.params["joints"])


def _table(arrays: Mapping[str, np.ndarray], thresholds: Sequence[float], curve: Curve) -> JointTable:
    place = np.repeat(np.arange(len(arrays["image"])), arrays["people"])
    offset, size, visible, found = (arrays[name] for name in ("offset", "size", "visible", "found"))
    return counts.table_of(place, len(arrays["image"]), offset, size, visible, found, thresholds, curve)


def _part(table: JointTable, once: np.ndarray) -> JointTable:
    """The table of the images whose weight is not 0."""
    kept = once > 0
    return JointTable(*(getattr(table, name)[kept] for name in ("near", "judged", "on_curve", "error", "found")))


def _behind(table: JointTable, thresholds: int, joints: int) -> list[int]:
    """How many joints are behind each number, in the order of `counts.numbers`."""
    judged, on_curve, found = (rows.sum(axis=0) for rows in (table.judged, table.on_curve, table.found))
    many = [judged.sum()] * (2 * thresholds) + [on_curve.sum(), found.sum()]
    return [int(one) for one in (*many, *np.tile(judged, thresholds), *found)]


def _qualities(arrays: Mapping[str, np.ndarray], thresholds: Sequence[float]) -> dict[int | str, float]:
    size, most = arrays["size"], max(thresholds)
    judged = arrays["visible"] & (size > 0)[:, None]
    distance = counts.errors(arrays["offset"]) / np.where(size > 0, size, 1.0)[:, None]
    good = np.where(judged & arrays["found"][:, None], 1 - np.minimum(distance, most) / most, 0.0).sum(axis=1)
    place = np.repeat(np.arange(len(arrays["image"])), arrays["people"])
    number = np.bincount(place, judged.sum(axis=1), minlength=len(arrays["image"]))
    total = np.bincount(place, good, minlength=len(arrays["image"]))
    rows = zip(arrays["image"].tolist(), total.tolist(), number.tolist(), strict=True)
    return {image: one / many for image, one, many in rows if many}


def _facts(target: People, rows: np.ndarray) -> np.ndarray:
    """What is annotated of each person: size, visible joints and their places."""
    joints = len(target.joints)
    facts = np.empty((len(rows), 1 + 3 * joints), "<f8")
    facts[:, 0] = target.size[rows]
    facts[:, 1 : 1 + joints] = target.visible[rows]
    place = np.where(target.visible[rows][..., None], target.position[rows], 0.0)
    facts[:, 1 + joints :] = place.reshape(len(rows), 2 * joints)
    return facts
