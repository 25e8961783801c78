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
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import UsageError
from hrbench.formats.coco.forms import CocoForm, TruthArea
from hrbench.formats.coco.keypoints import KeypointResults, KeypointTruth, Unseen, read_results, read_truth
from hrbench.formats.coco.skeletons import COCO_SIGMAS
from hrbench.formats.coco.write import write_results
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
from hrbench.metrics.coco.reference import keypoint_numbers
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
    ByImage,
    Measurement,
    Note,
    Prediction,
    PredictionForm,
    Quantity,
    State,
)

_RANGES = {0: "of any area", 1: "of medium area (32^2 to 96^2 px^2)", 2: "of large area (over 96^2 px^2)"}
NUMBERS = (
    Number("AP", "precision", None, 0),
    Number("AP50", "precision", KEYPOINTS.thresholds.index(0.5), 0),
    Number("AP75", "precision", KEYPOINTS.thresholds.index(0.75), 0),
    Number("APM", "precision", None, 1),
    Number("APL", "precision", None, 2),
    Number("AR", "recall", None, 0),
    Number("AR50", "recall", KEYPOINTS.thresholds.index(0.5), 0),
    Number("AR75", "recall", KEYPOINTS.thresholds.index(0.75), 0),
    Number("ARM", "recall", None, 1),
    Number("ARL", "recall", None, 2),
)


def _quantity(number: Number) -> Quantity:
    at = "averaged over OKS 0.50 to 0.95 in steps of 0.05"
    if number.threshold is not None:
        at = f"at OKS {KEYPOINTS.thresholds[number.threshold]:.2f}"
    what = "Average precision" if number.kind == "precision" else "Average recall"
    text = f"{what} {at}, people {_RANGES[number.area]}, at most 20 detections an image; COCO protocol; n is people."
    return Quantity(number.name, number.name, "fraction", "higher", text)


def _people(number: Number) -> str:
    return f"person {_RANGES[number.area]}"


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
    return np.concatenate(
        [target.keypoints.reshape(len(target.box), 3 * target.keypoints.shape[1]), target.box], axis=1
    )


class CocoKeypointAP:
    """COCO keypoint AP and AR, equal to pycocotools 2.0.11 to the last bit.

    sigmas: the spread of each joint, K positive numbers in the order of the annotation; None: the 17 of COCO. A
        number alone is that of a single joint.
    category: the id of the category to evaluate; None for the mean over all that the annotation file lists.
    detection_area: what the areas of detections are of, "keypoints" or "box"; None: as pycocotools does, the rows' own
        `bbox` if the first row has one, else the extent of the keypoints.
    renumber, truth_area, iscrowd, num_keypoints, match, whole_ids, root_category, text_numbers, frames: how the files
        deviate from COCO's form (`forms.CocoForm`). A root category is kept, with a note unless that was said.
    unseen: what becomes of predicted people of whom no joint has a third number above 0: "keep", as pycocotools does,
        or "drop" before anything is matched, as xtcocotools does.
    """

    name = "coco-keypoints"
    version = 1
    prediction_file = "predictions.json"
    prediction_form = PredictionForm(
        "a JSON list with an object for each person that was found",
        "keypoints are x, y, confidence of each joint in the order of the annotations, in pixels of the original image "
        "with the centre of the top left pixel at (0, 0); the confidences of joints are not judged, score is",
        '{"image_id": 139, "category_id": 1, "keypoints": [421.0, 165.0, 0.9, 424.0, 162.0, 0.8, ...], "score": 0.87}',
    )
    oracle = "pycocotools"
    main = "AP"
    quantities: tuple[Quantity, ...] = tuple(_quantity(number) for number in NUMBERS)

    def __init__(
        self,
        sigmas: Sequence[float] | float | None = None,
        category: int | None = None,
        detection_area: Literal["keypoints", "box"] | None = None,
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
    ) -> None:
        if unseen not in ("keep", "drop"):
            raise UsageError(f"unseen: keep or drop was expected, not {unseen!r}")
        self.unseen: Unseen = unseen
        root = "keep" if root_category is None else root_category
        self.form = CocoForm(renumber, truth_area, iscrowd, num_keypoints, match, whole_ids, root, text_numbers, frames)
        self.root_said = root_category is not None
        if detection_area not in (None, "keypoints", "box"):
            raise UsageError(f"detection_area {detection_area!r}: say keypoints or box, or leave it out")
        self.detection_area: Literal["keypoints", "box"] | None = detection_area
        self.category = category
        self.sigmas = _spreads(sigmas)

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
        truth = truth_of(target.truths, matches.images, annotated(target))
        return state_of(matches, self.name, self.version, self.params(matches, predictions), truth)

    def matched(
        self, predictions: KeypointResults, target: KeypointTruth, images: Sequence[int | str] | None = None
    ) -> Matches:
        """Which detections found which people. images: as of `measure`."""
        categories = target.categories if self.category is None else np.array([self.category], np.int64)
        similarity = oks(
            target.keypoints, target.truths.area, target.box, predictions.keypoints, np.asarray(self.sigmas)
        )
        ids = chosen(images, target.images, target.path)
        return match(target.truths, predictions.detections, similarity, KEYPOINTS, ids, categories)

    def params(self, matches: Matches, predictions: KeypointResults) -> dict[str, Any]:
        """What a state of these matches says of how it was measured."""
        return {
            "sigmas": list(self.sigmas),
            "categories": matches.categories.tolist(),
            "thresholds": list(KEYPOINTS.thresholds),
            "areas": [list(area) for area in KEYPOINTS.areas],
            "most": KEYPOINTS.max_detections[-1],
            "detection_area": predictions.area_from,
            **({} if self.unseen == "keep" else {"unseen": self.unseen}),
            **form_params(self.form),
        }

    def input_notes(self, predictions: KeypointResults, target: KeypointTruth, state: State) -> list[Note]:
        """What in annotations and results changes these numbers, or may."""
        truths = target.truths
        places = predictions.keypoints.reshape(len(predictions.keypoints), 2 * len(self.sigmas))
        seen = EvaluatedRows.of(truths, predictions.detections, state)
        notes = detection_notes(truths, predictions.detections, places, seen, "people")
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

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image id. Raises InputError if an image occurs twice or params differ."""
        return merge(states, form_of(self.name, self.version))

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """The ten numbers with their 95 % intervals over images (none with resamples=0)."""
        note = ""
        if state.params.get("detection_area") == "box":
            note = " Areas of detections are those of the results' own boxes, as pycocotools takes them."
        quantities = [replace(quantity, description=quantity.description + note) for quantity in self.quantities]
        matches = matches_of(state, self.name, self.version)
        return scored(self.name, matches, KEYPOINTS, NUMBERS, quantities, _people, resamples, seed)

    def raw(self, state: State) -> np.ndarray:
        """(10,) float64, the numbers as pycocotools' `stats` has them: -1 if one does not exist."""
        return Accumulator(matches_of(state, self.name, self.version), KEYPOINTS, NUMBERS).at()

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The ten numbers as a function of image weights; there are none of single classes."""
        name, version = CocoKeypointAP.name, CocoKeypointAP.version
        truth = truth_in(state, name, version)
        return by_image(matches_of(state, name, version), KEYPOINTS, NUMBERS, truth)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image id -> how well its people were found, in [0, 1]; see `states.image_scores`."""
        return image_scores(matches_of(state, self.name, self.version), KEYPOINTS)

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """The ten numbers by pycocotools itself, -1 if there is nothing to average."""
        numbers = keypoint_numbers(
            Path(target),
            Path(predictions),
            self.sigmas,
            images,
            self.category,
            self.detection_area == "keypoints",
            self.form,
            self.unseen == "drop",
        )
        return {number.name: value for number, value in zip(NUMBERS, numbers, strict=True)}
