"""COCO-WholeBody's metric: COCO's keypoint AP and AR of the whole body (133 joints) and of each of its parts.

Source: Jin et al., Whole-Body Human Pose Estimation in the Wild, ECCV 2020, and xtcocotools 1.14.3, with which the
numbers agree to the last bit: `keypoints_wholebody`, `keypoints_body`, `_foot`, `_face`, `_lefthand`, `_righthand`.
Each part is matched by itself, by its own score if the results have one. The area of an annotated person, for OKS and
for the ranges of areas, is that of the whole person for every part, and the area of a predicted one is the extent of
the body's 17 joints, or of the rows' own boxes. Predicted people without a seen joint of a part are left out of it.

State: `image` (I,) and, for each part, the arrays of `keypoints` with its name before them (`face_score`, ...).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import UsageError
from hrbench.formats.coco.forms import CocoForm, TruthArea, annotations_in, results_in
from hrbench.formats.coco.keypoint_results import Unseen
from hrbench.formats.coco.skeletons import COCO_WHOLEBODY
from hrbench.formats.coco.wholebody import (
    BODY,
    JOINTS,
    KEYS,
    PARTS,
    WholebodyResults,
    WholebodyTruth,
    folded_results,
    folded_truth,
    read_results,
    read_truth,
    write_results,
)
from hrbench.metrics.coco.criteria import Areas, settings_in
from hrbench.metrics.coco.curves import Accumulator
from hrbench.metrics.coco.keypoints import FORM as COCO_FORM
from hrbench.metrics.coco.keypoints import CocoKeypointAP, annotated
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.coco.notes import unknown_category
from hrbench.metrics.coco.number_groups import NumberGroup, groups_by_image, raw_groups, scored_groups
from hrbench.metrics.coco.oks import KEYPOINTS
from hrbench.metrics.coco.reference import keypoint_numbers_of
from hrbench.metrics.coco.reported import described, numbers, range_in_words
from hrbench.metrics.coco.states import form_of, image_scores, matches_of, state_of, truth_of
from hrbench.metrics.coco.wholebody_analysis import VERSION, wholebody_analysis
from hrbench.metrics.states import TRUTH, StateForm, arrays_of, merge
from hrbench.types import Analysis, ByImage, Measurement, Note, Prediction, PredictionForm, Quantity, State

NAMES = tuple(name for name, _, _ in PARTS)
_WORDS = {"whole": "the whole body", "lefthand": "the left hand", "righthand": "the right hand"}
FORMS = {
    part: replace(COCO_FORM, things=f"joints of {_WORDS.get(part, 'the ' + part)}", protocol="COCO-WholeBody")
    for part in NAMES
}


def _quantities(settings: MatchSettings = KEYPOINTS, note: str = "") -> tuple[Quantity, ...]:
    """Those of the whole body, then those of each part, whose names end with it."""
    found: list[Quantity] = []
    for part, form in FORMS.items():
        single = described(form, settings, note=note)
        if part != "whole":
            single = tuple(replace(one, name=f"{one.name}_{part}", label=f"{one.label} {part}") for one in single)
        found += single
    return tuple(found)


class WholebodyAP:
    """COCO-WholeBody's AP and AR of whole body, body, foot, face and hands; equal to xtcocotools to the last bit.

    sigmas: (133,) the spread of each joint; None: those of COCO-WholeBody.
    category: the id of the category to evaluate; None for the mean over all that the annotation file lists.
    detection_area: what the areas of predicted people are of, "keypoints" (the body's) or "box"; None: as xtcocotools
        does, the rows' own `bbox` if the first row has one, else the extent of the body's joints.
    renumber, truth_area, iscrowd, match, whole_ids, root_category, text_numbers: how the files deviate from COCO's form
        (`forms.CocoForm`).
    unseen: "drop" leaves predicted people without a joint of a part whose third number is above 0 out of that part, as
        xtcocotools does; "keep" judges them.
    oks_thresholds, recall_thresholds, areas, max_detections: as of `CocoKeypointAP`, for every part.
    """

    name = "wholebody-keypoints"
    version = 1
    analysis_version = VERSION
    prediction_file = "predictions.json"
    oracle = "pycocotools, on the joints of each part"
    quality_is = "average precision within the image, of whole bodies, mean over the thresholds of OKS"
    main = "AP"
    quantities: tuple[Quantity, ...] = _quantities()
    prediction_form = PredictionForm(
        "a JSON list with an object for each person that was found",
        "x, y, confidence of 17 joints of the body, 6 of the feet, 68 of the face and 21 of each hand, in pixels of "
        "the original image with the centre of the top left pixel at (0, 0), or all 133 in keypoints; score orders the "
        "people, or of a part wholebody_score, foot_score, face_score, lefthand_score, righthand_score if it is there",
        '{"image_id": 139, "category_id": 1, "keypoints": [421.0, 165.0, 0.9, ...], "foot_kpts": [430.5, 310.0, 0.7, '
        '...], "face_kpts": [423.5, 163.2, 0.8, ...], "lefthand_kpts": [402.0, 240.9, 0.6, ...], "righthand_kpts": '
        '[455.1, 239.4, 0.6, ...], "score": 0.87}',
    )

    def __init__(
        self,
        sigmas: Sequence[float] | None = None,
        category: int | None = None,
        detection_area: Literal["keypoints", "box"] | None = None,
        renumber: bool = False,
        truth_area: TruthArea = "file",
        iscrowd: Literal["file", 0] = "file",
        match: Literal["id", "file_name"] = "id",
        whole_ids: bool = False,
        root_category: Literal["keep", "drop"] | None = None,
        text_numbers: bool = False,
        unseen: Unseen = "drop",
        oks_thresholds: float | Sequence[float] | None = None,
        recall_thresholds: int | Sequence[float] | None = None,
        areas: Areas | None = None,
        max_detections: int | Sequence[int] = KEYPOINTS.max_detections,
    ) -> None:
        if sigmas is not None and (not isinstance(sigmas, (list, tuple)) or len(sigmas) != JOINTS):
            raise UsageError(f"sigmas: the whole body has {JOINTS} joints; give one positive number for each, or none")
        every = COCO_WHOLEBODY.sigmas if sigmas is None else tuple(sigmas)
        self.parts = tuple(
            CocoKeypointAP(
                sigmas=every[places],
                category=category,
                detection_area=detection_area,
                renumber=renumber,
                truth_area=truth_area,
                iscrowd=iscrowd,
                match=match,
                whole_ids=whole_ids,
                root_category=root_category,
                text_numbers=text_numbers,
                unseen=unseen,
                oks_thresholds=oks_thresholds,
                recall_thresholds=recall_thresholds,
                areas=areas,
                max_detections=max_detections,
            )
            for _, places, _ in PARTS
        )
        self.form: CocoForm = self.parts[0].form
        self.category = category
        self.unseen: Unseen = unseen
        self.detection_area: Literal["keypoints", "box"] | None = detection_area
        self.settings = self.parts[0].settings
        self.quantities = _quantities(self.settings)
        self.main = self.quantities[0].name

    def own_criteria(self) -> dict[str, Any]:
        """The options by which it judges otherwise than COCO-WholeBody's code does."""
        return self.parts[0].own_criteria()

    def read_target(self, path: Path) -> WholebodyTruth:
        """Annotations as columns, checked whole. Raises InputError naming the first fault, MissingError."""
        target = read_truth(Path(path), self.form)
        listed = target.people.categories.tolist()
        if self.category is not None and self.category not in listed:
            raise unknown_category(path, self.category, listed, target.people.names)
        return target

    def read_predictions(self, path: Path, target: WholebodyTruth) -> WholebodyResults:
        """A results file as columns. `[]` is allowed: nothing was found. Raises InputError, MissingError."""
        return read_results(Path(path), target, self.detection_area, self.form)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Writes rows with the five keys of joints. Raises InputError (NaN, missing key), UsageError (disk)."""
        write_results(predictions, Path(path))

    def measure(
        self, predictions: WholebodyResults, target: WholebodyTruth, images: Sequence[int | str] | None = None
    ) -> State:
        """Matches detections with people, part by part. images: ids to evaluate; None for all."""
        params: dict[str, Any] = {}
        arrays: dict[str, np.ndarray] = {}
        for place, (part, places, _) in enumerate(PARTS):
            metric, found = self.parts[place], predictions.part(place, self.unseen)
            matches = metric.matched(found, target.part(places), images)
            if not arrays:
                truth = truth_of(target.people.truths, matches.images, annotated(target.people))
                arrays = {"image": matches.images, TRUTH: truth}
                params = {**metric.params(matches, found), "parts": list(NAMES)}
            state = state_of(matches, self.name, self.version, {}, arrays[TRUTH])
            arrays |= {f"{part}_{name}": array for name, array in state.arrays.items() if name not in ("image", TRUTH)}
        return State(self.name, self.version, params, arrays)

    def input_notes(self, predictions: WholebodyResults, target: WholebodyTruth, state: State) -> list[Note]:
        """What in annotations and results changes these numbers, or may."""
        notes = self.parts[0].input_notes(predictions.part(0, self.unseen), target.part(PARTS[0][1]), state)
        judged = np.isin(target.people.truths.image, state.arrays["image"])
        many = int(target.contradicted[judged].sum())
        if many:
            what = "annotated people have labelled joints in a part that its key *_valid calls unlabelled"
            notes.append(Note("valid_flags", what, many, int(judged.sum()), "these joints count, as in xtcocotools"))
        for place, (part, _, _) in list(enumerate(PARTS))[1:]:
            points = predictions.points[:, PARTS[place][1], 2]
            left = int((~(points > 0).any(axis=1)).sum()) if len(points) else 0
            if left and self.unseen == "drop":
                what = f"predicted people have no joint of the {part} with a third number above 0"
                notes.append(Note(f"unseen_{part}", what, left, len(points), f"they are left out of AP {part}"))
        return notes

    def analyse(self, predictions: WholebodyResults, target: WholebodyTruth, state: State) -> Analysis:
        """What errors of joints, scores and people cost in the AP of each part, and where its joints went."""
        matches = {part: _part_matches(state, part) for part in NAMES}
        sigmas = {part: metric.sigmas for part, metric in zip(NAMES, self.parts, strict=True)}
        settings, classes = settings_in(state, KEYPOINTS), self.parts[0].judged_classes(target.people)
        return wholebody_analysis(self.name, target, predictions, matches, sigmas, settings, classes, self.unseen)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image id. Raises InputError if an image occurs twice or params differ."""
        return merge(states, _form(self.name, self.version))

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """The numbers, sixty by official criteria, with 95 % intervals over images (none with resamples=0)."""
        note = ""
        if state.params.get("detection_area") == "box":
            note = " Areas of detections are those of the results' own boxes, as xtcocotools takes them."
        quantities = _quantities(settings_in(state, KEYPOINTS), note)
        return scored_groups(self.name, _groups(state), quantities, resamples, seed)

    def raw(self, state: State) -> np.ndarray:
        """(6, 10) float64 by official criteria: xtcocotools' `stats` of each part, -1 if one does not exist."""
        return raw_groups(_groups(state)).reshape(len(PARTS), -1)

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The numbers as a function of image weights; there are none of single classes."""
        settings, truth = settings_in(state, KEYPOINTS), arrays_of(state, _form(*_IDENTITY)).get(TRUTH)
        return groups_by_image(_groups(state), [one.name for one in _quantities(settings)], settings, truth)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image id -> how well its people's whole bodies were found, in [0, 1]; see `states.image_scores`."""
        return image_scores(_part_matches(state, "whole"), settings_in(state, KEYPOINTS))

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """The numbers by pycocotools itself, given the joints, scores and areas of each part in turn."""
        truth = read_truth(Path(target), self.form)
        content = folded_truth(target, annotations_in(target, Path(target).read_bytes(), self.form))
        with Path(predictions).open("rb") as stream:
            data = results_in(predictions, stream, self.form, truth.people.by_name).read()
        rows, boxed = folded_results(predictions, data), self.detection_area
        if boxed is None:
            boxed = "box" if rows and rows[0].get("bbox") else "keypoints"
        found: list[float] = []
        asked = numbers(COCO_FORM, self.settings)
        for (_, places, key), metric in zip(PARTS, self.parts, strict=True):
            people = [_part_of(row, places) for row in content["annotations"]]
            people = [{**row, "num_keypoints": sum(seen > 0 for seen in row["keypoints"][2::3])} for row in people]
            results = [
                {**_part_of(row, places), "score": row.get(key, row["score"]), "bbox": _box(row, boxed)} for row in rows
            ]
            # pycocotools writes into what it is given
            given = json.loads(json.dumps({**content, "annotations": people}))
            values = keypoint_numbers_of(
                given, results, metric.sigmas, asked, self.settings, images, self.category, self.unseen == "drop"
            )
            found += values.values()
        return {quantity.name: value for quantity, value in zip(self.quantities, found, strict=True)}


def _part_of(row: dict[str, Any], places: slice) -> dict[str, Any]:
    kept = {key: value for key, value in row.items() if key not in KEYS}
    return {**kept, "keypoints": row["keypoints"][3 * places.start : 3 * places.stop]}


def _box(row: dict[str, Any], kind: str) -> list[float]:
    """The box from which pycocotools takes the area of a result."""
    if kind == "box":
        return row["bbox"]
    x, y = (np.array(row["keypoints"][at : 3 * BODY.stop : 3], np.float64) for at in (0, 1))
    return [float(value) for value in (x.min(), y.min(), x.max() - x.min(), y.max() - y.min())]


def _form(metric: str, version: int) -> StateForm:
    """Rows by image; each image has blocks of each part."""
    plain = form_of(metric, version)
    blocks = {
        f"{part}_{count}": tuple(f"{part}_{name}" for name in names)
        for part in NAMES
        for count, names in plain.blocks.items()
    }
    return replace(plain, blocks=blocks)


def _part_matches(state: State, part: str) -> Matches:
    arrays = {name.removeprefix(f"{part}_"): array for name, array in state.arrays.items() if name.startswith(part)}
    return matches_of(replace(state, arrays={**arrays, "image": state.arrays["image"]}), *_IDENTITY)


_IDENTITY = (WholebodyAP.name, WholebodyAP.version)


def _groups(state: State) -> list[NumberGroup]:
    """The numbers of each part."""
    arrays_of(state, _form(*_IDENTITY))  # which says if something is missing
    many, settings = len(state.arrays["image"]), settings_in(state, KEYPOINTS)
    asked, groups = numbers(COCO_FORM, settings), []
    for part in NAMES:
        matches = _part_matches(state, part)
        what = f"with a labelled joint of {_WORDS.get(part, 'the ' + part)}"

        def absent(number: Any, what: str = what) -> str:
            return f"no annotated person {range_in_words(COCO_FORM, settings, number)} {what} in {many} images"

        groups.append(NumberGroup(matches, Accumulator(matches, settings, asked), absent))
    return groups
