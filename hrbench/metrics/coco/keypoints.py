"""The COCO keypoint metric: average precision and recall by object keypoint similarity.

Synopsis:

    metric = CocoKeypointAP()
    target = metric.read_target(Path("person_keypoints_val2017.json"))
    state = metric.measure(metric.read_predictions(Path("results.json"), target), target)
    scores = metric.summarise(metric.merge([state]))

State, rows by image id (I images, N detections kept, C categories, A = 3 area ranges): `image` (I,) int64, `offsets`
(I + 1,) int64 into the detections, `score` (N,) float64, `category` (N,) uint16 (an index into params["categories"]),
`hits` and `ignored` (N, A) uint16, bit t for threshold t, `positives` (P, A) int32. See `matching.Matches`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import UsageError
from hrbench.formats.coco.forms import CocoForm, Layout, TruthArea
from hrbench.formats.coco.keypoint_results import KeypointResults, Unseen, read_results
from hrbench.formats.coco.keypoints import KeypointTruth, read_truth
from hrbench.formats.coco.skeletons import COCO_SIGMAS, spreads_of
from hrbench.formats.coco.write import write_results
from hrbench.metrics.coco.classes import NO_CLASSES, unique_labels
from hrbench.metrics.coco.criteria import Areas, OwnCriteria, criteria_params, own_criteria, settings_in
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.matching import Matches, match
from hrbench.metrics.coco.misread_images import misread_images
from hrbench.metrics.coco.misread_joints import misread_joints
from hrbench.metrics.coco.notes import (
    EvaluatedRows,
    area_note,
    detection_notes,
    flag_note,
    joint_notes,
    root_note,
    unknown_category,
    unseen_note,
)
from hrbench.metrics.coco.oks import KEYPOINTS, oks
from hrbench.metrics.coco.pose_analysis import VERSION as ANALYSIS_VERSION
from hrbench.metrics.coco.pose_analysis import keypoint_analysis
from hrbench.metrics.coco.reference import keypoint_numbers
from hrbench.metrics.coco.reported import NumberForm, class_of, described, numbers, range_in_words
from hrbench.metrics.coco.states import (
    by_image,
    chosen,
    form_of,
    form_params,
    image_scores,
    matches_of,
    scored,
    state_of,
    truth_in,
    truth_of,
)
from hrbench.metrics.states import merge
from hrbench.types import (
    Analysis,
    ByImage,
    Measurement,
    Note,
    Prediction,
    PredictionForm,
    Quantity,
    State,
)

FORM = NumberForm(
    KEYPOINTS,
    "oks_thresholds",
    "OKS",
    "",
    "people",
    {
        "all": ("", "of any area"),
        "medium": ("M", "of medium area (32² to 96² px²)"),
        "large": ("L", "of large area (over 96² px²)"),
    },
    each_limit=False,
)
NUMBERS = numbers(FORM, KEYPOINTS)


def _spreads(sigmas: Sequence[float] | float | None) -> tuple[float, ...]:
    """One positive number for each joint. Raises UsageError for anything else, texts among them."""
    given: Sequence[Any] = COCO_SIGMAS if sigmas is None else [sigmas] if isinstance(sigmas, (int, float)) else sigmas
    numbers = () if isinstance(given, str) else tuple(given)
    right = all(isinstance(one, (int, float)) and not isinstance(one, bool) and 0 < one < np.inf for one in numbers)
    if not numbers or not right:
        said = repr(given) if isinstance(given, str) else list(given)
        raise UsageError(f"sigmas {said}: give one positive number per joint, or none for COCO's 17")
    return tuple(map(float, numbers))


def annotated(target: KeypointTruth) -> np.ndarray:
    """(G, 3 K + 4) float64: the joints of each annotated person as they stand in the file, and the box."""
    points = target.keypoints.reshape(len(target.box), 3 * target.keypoints.shape[1])
    return np.concatenate([points, target.box], axis=1)


class CocoKeypointAP:
    """COCO keypoint AP and AR, equal to pycocotools 2.0.11 to the last bit.

    sigmas: the spread of each joint, K positive numbers in the order of the annotation; None: the 17 of COCO. A
        number alone is that of a single joint.
    category: the id of the category to evaluate; None for the mean over all that the annotation file lists.
    detection_area: what the areas of detections are of, "keypoints" or "box"; None: as pycocotools does, the rows' own
        `bbox` if the first row has one, else the extent of the keypoints.
    per_class: whether to report AP, AP50, AP75 and AR of every category, too, as "AP/<name>", or "AP/<id>" if its name
        is not unique.
    max_detections: how many of an image and category are judged, best first: 20, another number, or a rising list of
        which the last is that of all numbers and each has an AR (AR@1dets).
    oks_thresholds: OKS from which on a person is found: up to 16 rising numbers, or one, in place of 0.5 to 0.95; AP is
        the mean over them and named by them (AP@0.3).
    areas: ranges of areas of people in px^2 by name, in place of medium and large: `{tiny: [0, 1024], huge: [65536,
        null]}` for AP-tiny and AP-huge; both ends are in a range.
    recall_thresholds: rising recalls at which precision is read, or how many of them from 0 to 1, in place of 101;
        names tell how many (AP@R11).
    class_agnostic: whether all categories count as one (micro-AP): equal scores go by category, then by the order of
        the file, and `max_detections` are of an image.
    renumber, truth_area, iscrowd, num_keypoints, match, whole_ids, root_category, text_numbers, frames, layout,
        missing_box: how the files deviate from COCO's form (`forms.CocoForm`). A root category is kept, with a note
        unless that was said.
    unseen: what becomes of predicted people of whom no joint has a third number above 0: "keep", as pycocotools does,
        or "drop" before anything is matched, as xtcocotools does.
    skeleton: the public set that `sigmas` are of unless given (`formats.coco.skeletons`); None: COCO.
    """

    name = "coco-keypoints"
    version = 1
    analysis_version = ANALYSIS_VERSION
    prediction_file = "predictions.json"
    prediction_form = PredictionForm(
        "a JSON list with an object for each person that was found",
        "keypoints are x, y, confidence of each joint in the order of the annotations, in pixels of the original image "
        "with the centre of the top left pixel at (0, 0); the confidences of joints are not judged, score is",
        '{"image_id": 139, "category_id": 1, "keypoints": [421.0, 165.0, 0.9, 424.0, 162.0, 0.8, ...], "score": 0.87}',
    )
    oracle = "pycocotools"
    quality_is = "average precision within the image, mean over the thresholds of OKS"
    main = "AP"
    quantities: tuple[Quantity, ...] = described(FORM, KEYPOINTS)

    def __init__(
        self,
        sigmas: Sequence[float] | float | None = None,
        category: int | None = None,
        detection_area: Literal["keypoints", "box"] | None = None,
        per_class: bool = False,
        max_detections: int | Sequence[int] = KEYPOINTS.max_detections,
        oks_thresholds: float | Sequence[float] | None = None,
        areas: Areas | None = None,
        recall_thresholds: int | Sequence[float] | None = None,
        class_agnostic: bool = False,
        renumber: bool = False,
        truth_area: TruthArea = "file",
        iscrowd: Literal["file", 0] = "file",
        num_keypoints: Literal["file", "joints"] = "file",
        match: Literal["id", "file_name"] = "id",
        whole_ids: bool = False,
        root_category: Literal["keep", "drop"] | None = None,
        text_numbers: bool = False,
        unseen: Unseen = "keep",
        frames: Literal["all", "labelled"] = "all",
        layout: Layout = "coco",
        missing_box: Literal["refuse", "joints"] = "refuse",
        skeleton: str | None = None,
    ) -> None:
        if unseen not in ("keep", "drop"):
            raise UsageError(f"unseen: keep or drop was expected, not {unseen!r}")
        self.unseen: Unseen = unseen
        root = "keep" if root_category is None else root_category
        self.form = CocoForm(
            renumber,
            truth_area,
            iscrowd,
            num_keypoints,
            match,
            whole_ids,
            root,
            text_numbers,
            frames,
            layout,
            missing_box,
        )
        self.root_said = root_category is not None
        if detection_area not in (None, "keypoints", "box"):
            raise UsageError(f"detection_area {detection_area!r}: say keypoints or box, or leave it out")
        self.detection_area: Literal["keypoints", "box"] | None = detection_area
        self.category = category
        self.sigmas = _spreads(spreads_of(skeleton, sigmas))
        own = OwnCriteria(oks_thresholds, recall_thresholds, areas, max_detections, class_agnostic)
        self.settings, self.per_class = own.settings(KEYPOINTS, FORM.option), per_class
        if class_agnostic and per_class:
            raise UsageError(NO_CLASSES)
        self.quantities = described(FORM, self.settings)
        self.main = self.quantities[0].name

    def own_criteria(self) -> dict[str, Any]:
        """The options by which it judges otherwise than COCO does."""
        return own_criteria(self.settings, KEYPOINTS, FORM.option)

    def read_target(self, path: Path) -> KeypointTruth:
        """Annotations as columns, checked whole. Raises InputError naming the first fault, MissingError."""
        target = read_truth(Path(path), len(self.sigmas), self.category, self.form)
        if self.category is not None and self.category not in target.categories.tolist():
            raise unknown_category(path, self.category, target.categories.tolist(), target.names)
        return target

    def read_predictions(self, path: Path, target: KeypointTruth) -> KeypointResults:
        """A results file as columns. `[]` is allowed: nothing was found. Raises InputError, MissingError."""
        return read_results(
            Path(path), len(self.sigmas), target, self.detection_area, self.form, self.category, self.unseen
        )

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Writes rows as one JSON list, all or nothing. Raises InputError (NaN, missing key), UsageError (disk)."""
        write_results(predictions, Path(path), len(self.sigmas))

    def measure(
        self, predictions: KeypointResults, target: KeypointTruth, images: Sequence[int | str] | None = None
    ) -> State:
        """Matches detections with people. images: ids to evaluate; None for all of the annotation file."""
        matches = self.matched(predictions, target, images)
        params = self.params(matches, predictions)
        if self.per_class:
            params["names"] = self._labels(target)
        truth = truth_of(target.truths, matches.images, annotated(target))
        return state_of(matches, self.name, self.version, params, truth)

    def matched(
        self, predictions: KeypointResults, target: KeypointTruth, images: Sequence[int | str] | None = None
    ) -> Matches:
        """Which detections found which people. images: as of `measure`."""
        similarity = oks(
            target.keypoints, target.truths.area, target.box, predictions.keypoints, np.asarray(self.sigmas)
        )
        ids = chosen(images, target.images, target.path)
        return match(target.truths, predictions.detections, similarity, self.settings, ids, self.judged_classes(target))

    def judged_classes(self, target: KeypointTruth) -> np.ndarray:
        """(C,) int64, rising: ids of the categories that are evaluated."""
        return target.categories if self.category is None else np.array([self.category], np.int64)

    def params(self, matches: Matches, predictions: KeypointResults) -> dict[str, Any]:
        """What a state of these matches says of how it was measured."""
        return {
            "sigmas": list(self.sigmas),
            "categories": matches.categories.tolist(),
            **criteria_params(self.settings, KEYPOINTS),
            "detection_area": predictions.area_from,
            **({} if self.unseen == "keep" else {"unseen": self.unseen}),
            **form_params(self.form),
        }

    def input_notes(self, predictions: KeypointResults, target: KeypointTruth, state: State) -> list[Note]:
        """What in annotations and results changes these numbers, or may."""
        truths = target.truths
        places = predictions.keypoints.reshape(len(predictions.keypoints), 2 * len(self.sigmas))
        seen = EvaluatedRows.of(truths, predictions.detections, state)
        notes = detection_notes(truths, predictions.detections, places, seen, "people", "max_detections")
        notes += joint_notes(truths, target.keypoints, seen)
        misread = misread_joints(target, predictions, self.sigmas, seen)
        notes += misread or self._image_notes(predictions, target, seen, state)
        notes += area_note(predictions.area_from, "keypoints", "detection_area: keypoints")
        notes += flag_note(target.flagged, truths, seen)
        notes += unseen_note(predictions.unseen, len(predictions.detections.score))
        return notes if self.root_said else notes + root_note(target, predictions.detections.category, state)

    def _image_notes(
        self, predictions: KeypointResults, target: KeypointTruth, seen: EvaluatedRows, state: State
    ) -> list[Note]:
        truths = target.truths
        area = np.where(truths.area > 0, truths.area, target.box[:, 2:].prod(axis=1))
        similar = oks(target.keypoints, area, target.box, predictions.keypoints, np.asarray(self.sigmas))
        labelled = (target.keypoints[seen.truth, :, 2] > 0).any(axis=1) & ~truths.crowd[seen.truth]
        return misread_images(similar, labelled, predictions.detections.score, seen, state, "OKS")

    def analyse(self, predictions: KeypointResults, target: KeypointTruth, state: State) -> Analysis:
        """What errors of joints, scores and people cost in AP, joint by joint and by groups of people."""
        matches, settings = matches_of(state, self.name, self.version), settings_in(state, KEYPOINTS)
        classes = self.judged_classes(target)
        return keypoint_analysis(self.name, target, predictions, matches, self.sigmas, settings, classes)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image id. Raises InputError if an image occurs twice or params differ."""
        return merge(states, form_of(self.name, self.version))

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """The ten numbers with their 95 % intervals over images (none with resamples=0), then those per class."""
        note = ""
        if state.params.get("detection_area") == "box":
            note = " Areas of detections are those of the results' own boxes, as pycocotools takes them."
        settings, labels = settings_in(state, KEYPOINTS), _labels_in(state) if self.per_class else ()
        asked, means = numbers(FORM, settings, labels), described(FORM, settings, labels, note)

        def absent(number: Number) -> str:
            single = "" if number.category is None else f" of class {class_of(number)}"
            return f"person{single} {range_in_words(FORM, settings, number)}"

        matches = matches_of(state, self.name, self.version)
        return scored(self.name, matches, settings, asked, means, absent, resamples, seed)

    def raw(self, state: State) -> np.ndarray:
        """(10,) float64 by COCO's settings: the numbers as pycocotools' `stats` has them, -1 if one does not exist."""
        settings = settings_in(state, KEYPOINTS)
        return Accumulator(matches_of(state, self.name, self.version), settings, numbers(FORM, settings)).at()

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The ten numbers as a function of image weights, then those of each class if there are several."""
        name, version, settings = CocoKeypointAP.name, CocoKeypointAP.version, settings_in(state, KEYPOINTS)
        labels = _labels_in(state) if classes and len(state.params["categories"]) > 1 else ()
        truth = truth_in(state, name, version)
        return by_image(matches_of(state, name, version), settings, numbers(FORM, settings, labels), truth)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image id -> how well its people were found, in [0, 1]; see `states.image_scores`."""
        return image_scores(matches_of(state, self.name, self.version), settings_in(state, KEYPOINTS))

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """The same numbers by pycocotools itself, -1 if there is nothing to average."""
        labels: Sequence[str] = ()
        if self.per_class:
            labels = self._labels(self.read_target(target))
        return keypoint_numbers(
            Path(target),
            Path(predictions),
            self.sigmas,
            numbers(FORM, self.settings, labels),
            self.settings,
            images,
            self.category,
            self.detection_area == "keypoints",
            self.form,
            self.unseen == "drop",
        )

    def _labels(self, target: KeypointTruth) -> list[str]:
        """A label for each class that is evaluated."""
        named = [*zip(target.categories.tolist(), target.names, strict=True)]
        some = [(number, name) for number, name in named if self.category in (None, number)]
        return unique_labels([number for number, _ in some], [name for _, name in some])


def _labels_in(state: State) -> Sequence[str]:
    """Labels of the classes that a state tells apart; their ids if they were not named."""
    return (
        ()
        if state.params.get("class_agnostic")
        else state.params.get("names") or [*map(str, state.params["categories"])]
    )
