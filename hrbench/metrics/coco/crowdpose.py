"""CrowdPose's metric: AP and AR of people's joints, and AP of images by how crowded they are.

Source: Li et al., CrowdPose, CVPR 2019, and its evaluation code (crowdposetools; xtcocotools 1.14.3 `keypoints_crowd`,
which the tests compare bit for bit). It is COCO's keypoint AP of 14 joints with areas of 0.53 x width x height of the
annotated boxes, since the annotations have none. Images are easy below the first bound of `crowd_bounds`, medium below
the second, hard from there on. The code has 0.2 and 0.8, and so have all published numbers that were made by it; the
paper says 0.1 and 0.8.

State: that of `keypoints`, and `crowd_index` (I,) float64 of the images.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import UsageError
from hrbench.formats.coco.crowd_index import read_crowd_index
from hrbench.formats.coco.forms import TruthArea
from hrbench.formats.coco.keypoint_results import KeypointResults, Unseen
from hrbench.formats.coco.keypoints import KeypointTruth
from hrbench.formats.coco.skeletons import CROWDPOSE
from hrbench.metrics.coco.criteria import Areas, settings_in
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.keypoints import FORM as COCO_FORM
from hrbench.metrics.coco.keypoints import CocoKeypointAP, annotated
from hrbench.metrics.coco.matching import MatchSettings
from hrbench.metrics.coco.number_groups import NumberGroup, groups_by_image, raw_groups, scored_groups
from hrbench.metrics.coco.oks import KEYPOINTS
from hrbench.metrics.coco.pose_analysis import VERSION as ANALYSIS_VERSION
from hrbench.metrics.coco.pose_analysis import keypoint_analysis
from hrbench.metrics.coco.reported import at_in_words, described, numbers, range_in_words
from hrbench.metrics.coco.states import form_of, image_scores, matches_of, state_of, truth_in, truth_of
from hrbench.metrics.states import StateForm, arrays_of, merge
from hrbench.types import Analysis, ByImage, Measurement, Note, Prediction, PredictionForm, Quantity, State

BOUNDS = (0.2, 0.8)
"""Of the crowd index, between easy and medium, and between medium and hard, as the official code has them."""

SPLITS = ("easy", "medium", "hard")
FORM = replace(COCO_FORM, protocol="CrowdPose")


def _numbers(settings: MatchSettings) -> tuple[Number, ...]:
    """Those of all images. Official ones have no ranges of areas."""
    return tuple(one for one in numbers(FORM, settings) if not one.area or settings.areas != KEYPOINTS.areas)


def _quantities(settings: MatchSettings = KEYPOINTS) -> tuple[Quantity, ...]:
    asked = _numbers(settings)
    every = dict(zip(numbers(FORM, settings), described(FORM, settings, note=" Areas are 0.53 x box."), strict=True))
    main, by = asked[0], every[asked[0]].description.partition("; ")[2]
    splits = []
    for split in SPLITS:
        text = f"Average precision of the {split} images by their crowd index {at_in_words(FORM, settings, main)}; {by}"
        splits.append(Quantity(f"{main.name}_{split}", f"{main.name} {split}", "fraction", "higher", text))
    return (*(every[one] for one in asked), *splits)


@dataclass(frozen=True)
class CrowdTruth:
    """CrowdPose's annotations: people, and the crowd index (I,) of each of `people.images`."""

    people: KeypointTruth
    crowd_index: np.ndarray


class CrowdPoseAP:
    """CrowdPose's AP and AR, equal to xtcocotools 1.14.3 (`keypoints_crowd`) to the last bit.

    It rounds AP of the splits to four digits and gives -1 for a split without people; here that has no value.

    crowd_bounds: of the crowd index, between easy and medium and between medium and hard; None: 0.2 and 0.8, as the
        official code has them (its paper says 0.1 and 0.8).
    sigmas: (K,) the spread of each joint; None: CrowdPose's 14.
    truth_area: the area of annotated people; CrowdPose's files have none.
    unseen: "drop" leaves out predicted people of whom no joint has a third number above 0, as xtcocotools does.
    oks_thresholds, recall_thresholds, areas, max_detections: as of `CocoKeypointAP`, for the splits as well; official
        numbers have no ranges of areas.
    category, detection_area, renumber, iscrowd, num_keypoints, match, whole_ids, root_category, text_numbers: as of
        `CocoKeypointAP`.
    """

    name = "crowdpose-keypoints"
    version = 1
    analysis_version = ANALYSIS_VERSION
    prediction_file = "predictions.json"
    oracle = "pycocotools, on CrowdPose's areas and splits"
    quality_is = "average precision within the image, mean over the thresholds of OKS"
    main = "AP"
    quantities: tuple[Quantity, ...] = _quantities()
    prediction_form = PredictionForm(
        "a JSON list with an object for each person that was found",
        "keypoints are x, y, confidence of 14 joints, left shoulder to right ankle, head and neck, in pixels of the "
        "original image with the centre of the top left pixel at (0, 0); people of whom no confidence is above 0 are "
        "left out, else the confidences of joints are not judged, score is",
        '{"image_id": 100002, "category_id": 1, "keypoints": [421.0, 165.0, 0.9, 424.0, 162.0, ...], "score": 0.87}',
    )

    def __init__(
        self,
        crowd_bounds: Sequence[float] | None = None,
        sigmas: Sequence[float] | float | None = None,
        category: int | None = None,
        detection_area: Literal["keypoints", "box"] | None = None,
        renumber: bool = False,
        truth_area: TruthArea = "box*0.53",
        iscrowd: Literal["file", 0] = "file",
        num_keypoints: Literal["file", "joints"] = "file",
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
        self.crowd_bounds = _bounds(crowd_bounds)
        self.joints = CocoKeypointAP(
            sigmas=CROWDPOSE.sigmas if sigmas is None else sigmas,
            category=category,
            detection_area=detection_area,
            renumber=renumber,
            truth_area=truth_area,
            iscrowd=iscrowd,
            num_keypoints=num_keypoints,
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
        self.quantities = _quantities(self.joints.settings)
        self.main = self.quantities[0].name

    def own_criteria(self) -> dict[str, Any]:
        """The options by which it judges otherwise than CrowdPose's code does."""
        return self.joints.own_criteria()

    def read_target(self, path: Path) -> CrowdTruth:
        """Annotations as columns, checked whole. Raises InputError naming the first fault, MissingError."""
        people = self.joints.read_target(path)
        return CrowdTruth(people, read_crowd_index(Path(path), people.images, self.joints.form))

    def read_predictions(self, path: Path, target: CrowdTruth) -> KeypointResults:
        """A results file as columns. `[]` is allowed: nothing was found. Raises InputError, MissingError."""
        return self.joints.read_predictions(path, target.people)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Writes rows as one JSON list, all or nothing. Raises InputError (NaN, missing key), UsageError (disk)."""
        self.joints.write_predictions(predictions, path)

    def measure(
        self, predictions: KeypointResults, target: CrowdTruth, images: Sequence[int | str] | None = None
    ) -> State:
        """Matches detections with people. images: ids to evaluate; None for all of the annotation file."""
        matches = self.joints.matched(predictions, target.people, images)
        places = np.searchsorted(target.people.images, matches.images)
        crowded = target.crowd_index[places]
        bare = truth_of(target.people.truths, matches.images, annotated(target.people))
        truth = bare ^ crowded.view(np.uint64)  # images of other crowd indices are not the same ones
        params = {**self.joints.params(matches, predictions), "crowd_bounds": list(self.crowd_bounds)}
        state = state_of(matches, self.name, self.version, params, truth)
        return replace(state, arrays={**state.arrays, "crowd_index": crowded})

    def input_notes(self, predictions: KeypointResults, target: CrowdTruth, state: State) -> list[Note]:
        """What in annotations and results changes these numbers, or may."""
        notes = self.joints.input_notes(predictions, target.people, state)
        if self.crowd_bounds != BOUNDS:
            what = f"images are easy below {self.crowd_bounds[0]:g}, and hard from {self.crowd_bounds[1]:g} on"
            effect = f"the official code, and what was published by it, has {BOUNDS[0]:g} and {BOUNDS[1]:g}"
            notes.append(Note("crowd_bounds", what, effect=effect, option="crowd_bounds: [0.2, 0.8]"))
        return notes

    def analyse(self, predictions: KeypointResults, target: CrowdTruth, state: State) -> Analysis:
        """What errors of joints, scores and people cost in AP, joint by joint and by groups of people."""
        matches, settings = matches_of(state, self.name, self.version), settings_in(state, KEYPOINTS)
        classes = self.joints.judged_classes(target.people)
        return keypoint_analysis(self.name, target.people, predictions, matches, self.joints.sigmas, settings, classes)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image id. Raises InputError if an image occurs twice or params differ."""
        return merge(states, _form(self.name, self.version))

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """The numbers, nine by official criteria, with their 95 % intervals over images (none with resamples=0)."""
        return scored_groups(self.name, _groups(state), self.quantities, resamples, seed)

    def raw(self, state: State) -> np.ndarray:
        """(9,) float64 by official criteria: xtcocotools' `stats`, unrounded, -1 if one does not exist."""
        return raw_groups(_groups(state))

    @staticmethod
    def by_image(state: State, classes: bool = False) -> ByImage:
        """The numbers as a function of image weights; there are none of single classes."""
        settings, truth = settings_in(state, KEYPOINTS), truth_in(state, CrowdPoseAP.name, CrowdPoseAP.version)
        return groups_by_image(_groups(state), [one.name for one in _quantities(settings)], settings, truth)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image id -> how well its people were found, in [0, 1]; see `states.image_scores`."""
        return image_scores(matches_of(state, self.name, self.version), settings_in(state, KEYPOINTS))

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """The numbers by pycocotools itself, given CrowdPose's areas, and the images of each split in turn."""
        crowd = self.read_target(target)
        ids = crowd.people.images.tolist() if images is None else sorted({int(image) for image in images})
        whole = self.joints.verify(target, predictions, ids)
        asked = _numbers(self.joints.settings)
        values, main = {number.name: whole[number.name] for number in asked}, asked[0].name
        index = dict(zip(crowd.people.images.tolist(), crowd.crowd_index.tolist(), strict=True))
        for place, split in enumerate(SPLITS):
            some = [image for image in ids if np.searchsorted(self.crowd_bounds, index[image], "right") == place]
            values[f"{main}_{split}"] = self.joints.verify(target, predictions, some)[main] if some else -1.0
        return values


def _bounds(given: Sequence[float] | None) -> tuple[float, float]:
    if given is None:
        return BOUNDS
    numbers = tuple(given) if isinstance(given, (list, tuple)) else ()
    right = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in numbers)
    if len(numbers) != 2 or not right or not 0 <= numbers[0] <= numbers[1] <= 1:
        raise UsageError(f"crowd_bounds {given!r}: give two rising numbers from 0 to 1, such as [0.2, 0.8]")
    return float(numbers[0]), float(numbers[1])


def _form(metric: str, version: int) -> StateForm:
    return replace(form_of(metric, version), rows=("crowd_index",))


def _groups(state: State) -> list[NumberGroup]:
    """The numbers of all images, then AP of the easy, the medium and the hard ones."""
    name, version = CrowdPoseAP.name, CrowdPoseAP.version
    matches, settings = matches_of(state, name, version), settings_in(state, KEYPOINTS)
    crowded = arrays_of(state, _form(name, version))["crowd_index"]
    bounds = [float(bound) for bound in state.params["crowd_bounds"]]
    split = np.searchsorted(bounds, crowded, "right")
    many = len(matches.images)
    asked = _numbers(settings)

    def absent(number: Number) -> str:
        within = f" {range_in_words(FORM, settings, number)}" if number.area else ""
        return f"no annotated person{within} in {many} images"

    groups = [NumberGroup(matches, Accumulator(matches, settings, asked), absent)]
    single = Accumulator(matches, settings, asked[:1])
    limits = (f"below {bounds[0]:g}", f"from {bounds[0]:g} to below {bounds[1]:g}", f"from {bounds[1]:g} on")
    for place, (called, limit) in enumerate(zip(SPLITS, limits, strict=True)):
        some = split == place
        here = int(some.sum())
        reason = f"no annotated person in the {here} {called} images"
        if not here:
            reason = f"none of the {many} images is {called}, with a crowd index {limit}"
        groups.append(NumberGroup(matches, single, lambda number, reason=reason: reason, some))
    return groups
