"""What box and mask AP have in common: the twelve numbers, those of single classes, and those by other criteria.

Source: https://cocodataset.org/#detection-eval and pycocotools 2.0.11 (`COCOeval` with iouType bbox and segm).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.columns import Truths
from hrbench.formats.coco.forms import CocoForm, TruthArea
from hrbench.formats.coco.instance_results import DetectionArea, InstanceResults, read_results
from hrbench.formats.coco.instances import InstanceTruth, read_truth
from hrbench.formats.coco.rle import Masks
from hrbench.formats.coco.write import write_boxes, write_masks
from hrbench.metrics.coco.assignment import Similarity
from hrbench.metrics.coco.box_iou import box_iou
from hrbench.metrics.coco.classes import NO_CLASSES, CategorySelection
from hrbench.metrics.coco.criteria import Areas, OwnCriteria, criteria_params, own_criteria, settings_in
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.detection_analysis import VERSION, detection_analysis
from hrbench.metrics.coco.mask_iou import mask_iou
from hrbench.metrics.coco.matching import RECALLS, THRESHOLDS, Matches, MatchSettings, match
from hrbench.metrics.coco.misread_objects import misread_objects
from hrbench.metrics.coco.notes import (
    EvaluatedRows,
    area_note,
    detection_notes,
    flag_note,
    root_note,
    unused_boxes,
)
from hrbench.metrics.coco.reference import instance_numbers
from hrbench.metrics.coco.reported import NumberForm, class_of, described, range_in_words
from hrbench.metrics.coco.reported import numbers as reported_numbers
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

INSTANCES = MatchSettings(
    thresholds=THRESHOLDS,
    recalls=RECALLS,
    areas=(("all", 0.0, 1e10), ("small", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large", 96.0**2, 1e10)),
    max_detections=(1, 10, 100),
)
_RANGES = {
    "all": ("", "of any area"),
    "small": ("S", "of small area (up to 32² px²)"),
    "medium": ("M", "of medium area (32² to 96² px²)"),
    "large": ("L", "of large area (over 96² px²)"),
}
Shape = Literal["box", "mask"]
FORMS: dict[Shape, NumberForm] = {
    "box": NumberForm(INSTANCES, "iou_thresholds", "IoU", "boxes", "objects", _RANGES, each_limit=True),
    "mask": NumberForm(INSTANCES, "iou_thresholds", "IoU", "masks", "objects", _RANGES, each_limit=True),
}


def numbers(labels: Sequence[str], settings: MatchSettings = INSTANCES) -> tuple[Number, ...]:
    """The numbers over all classes, COCO's twelve, and those of each class."""
    return reported_numbers(FORMS["box"], settings, labels)


NUMBERS = numbers(())


class CocoObjects:
    """COCO AP and AR of objects, equal to pycocotools 2.0.11 to the last bit; by the shape `kind`.

    categories: ids of the categories to evaluate; None for all that the annotation file lists.
    names: their names, in the order of `categories`; None for those of the file.
    per_class: whether to report AP, AP50, AP75 and AR of every class, too, as "AP/<name>", or "AP/<id>" if its name is
        not unique.
    detection_area: what the area of a detected mask is: its own, or that of the `bbox` in its row, which pycocotools
        takes where there is one. Boxes have but one area.
    max_detections: how many of an image and class are judged, best first: a rising list, as pycocotools' `maxDets`, of
        which the last is that of all numbers and each has an AR; or the last alone (1000 for [1, 10, 1000]).
    iou_thresholds: IoU from which on an object is found: up to 16 rising numbers, or one, in place of 0.5 to 0.95; AP
        is the mean over them and named by them (AP@0.3), as with pycocotools' `iouThrs`.
    areas: ranges of object areas in px^2 by name, in place of small, medium and large: `{tiny: [0, 256], huge: [65536,
        null]}` for AP-tiny and AP-huge; both ends are in a range.
    recall_thresholds: rising recalls at which precision is read, or how many of them from 0 to 1, in place of 101;
        names tell how many (AP@R11).
    class_agnostic: whether all classes count as one (micro-AP), as with pycocotools' `useCats = 0`: equal scores go by
        class, then by the order of the file, and `max_detections` are of an image.
    renumber, truth_area, iscrowd, match, whole_ids, root_category, text_numbers: how the files deviate from
        COCO's form (`forms.CocoForm`). A root category is kept, with a note unless that was said.
    """

    name: str
    kind: Shape
    version = 1
    prediction_file: str
    oracle = "pycocotools"
    quality_is = "average precision within the image, mean over the thresholds of IoU"
    main = "AP"
    remark = ""  # what the description of each number ends with
    meets_other_classes = False  # whether masks of detections are compared with those of objects of other classes
    quantities: tuple[Quantity, ...]

    def __init__(
        self,
        categories: Sequence[int] | None = None,
        names: Sequence[str] | None = None,
        per_class: bool = False,
        detection_area: DetectionArea = "mask",
        max_detections: int | Sequence[int] = INSTANCES.max_detections,
        iou_thresholds: float | Sequence[float] | None = None,
        areas: Areas | None = None,
        recall_thresholds: int | Sequence[float] | None = None,
        class_agnostic: bool = False,
        renumber: bool = False,
        truth_area: TruthArea = "file",
        iscrowd: Literal["file", 0] = "file",
        match: Literal["id", "file_name"] = "id",
        whole_ids: bool = False,
        root_category: Literal["keep", "drop"] | None = None,
        text_numbers: bool = False,
    ) -> None:
        root = "keep" if root_category is None else root_category
        self.form = CocoForm(renumber, truth_area, iscrowd, "file", match, whole_ids, root, text_numbers)
        self.root_said = root_category is not None
        if detection_area not in ("mask", "box"):
            raise UsageError(f"detection_area {detection_area!r}: say mask or box")
        self.detection_area: DetectionArea = detection_area
        self.classes = CategorySelection.of(categories, names, per_class)
        own = OwnCriteria(iou_thresholds, recall_thresholds, areas, max_detections, class_agnostic)
        self.settings = own.settings(INSTANCES, FORMS[self.kind].option)
        if class_agnostic and per_class:
            raise UsageError(NO_CLASSES)
        self.quantities = described(FORMS[self.kind], self.settings, self.classes.known_labels(), self.remark)
        self.main = self.quantities[0].name

    @property
    def most_judged(self) -> int:
        """How many detections of an image and class count at most."""
        return self.settings.max_detections[-1]

    def own_criteria(self) -> dict[str, Any]:
        """The options by which it judges otherwise than COCO does."""
        return own_criteria(self.settings, INSTANCES, FORMS[self.kind].option)

    def read_target(self, path: Path) -> InstanceTruth:
        """Annotations as columns, checked whole. Raises InputError naming the first fault, MissingError."""
        return self.classes.known(read_truth(Path(path), self.kind == "mask", self.form))

    def read_predictions(self, path: Path, target: InstanceTruth) -> InstanceResults:
        """A results file as columns. `[]` is allowed: nothing was found. Raises InputError, MissingError."""
        any_class = self.settings.class_agnostic or self.meets_other_classes
        return read_results(Path(path), target, self.detection_area, self.form, any_class=any_class)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Writes rows as one JSON list, completely or not at all, with only this shape; see `formats.coco.write`."""
        write = write_masks if self.kind == "mask" else write_boxes
        write(predictions, Path(path))

    def measure(
        self, predictions: InstanceResults, target: InstanceTruth, images: Sequence[int | str] | None = None
    ) -> State:
        """Matches detections with objects. images: ids to evaluate; None for all of the annotation file."""
        truths, detections = target.truths, predictions.detections
        similarity = self.similarity(target, predictions)
        ids, labels = self.classes.labels(target)
        evaluated = chosen(images, target.images, target.path)
        matches = match(truths, detections, similarity, self.settings, evaluated, np.array(ids, np.int64))
        params: dict[str, Any] = {
            "categories": ids,
            "names": labels,
            **criteria_params(self.settings, INSTANCES),
            "detection_area": predictions.area_from,
            **form_params(self.form),
            **self.own_params(),
        }
        truth = truth_of(truths, matches.images, *annotated_of(target.shape))
        return state_of(matches, self.name, self.version, params, truth)

    def similarity(self, target: InstanceTruth, predictions: InstanceResults) -> Similarity:
        """How alike a detection and an object are."""
        truths = target.truths
        if isinstance(target.shape, Masks):
            assert isinstance(predictions.shape, Masks)
            together = (
                replace(truths, category=np.zeros_like(truths.category)) if self.settings.class_agnostic else truths
            )
            return self.mask_similarity(together, target.shape, predictions.shape, self.settings.thresholds[0])
        assert isinstance(predictions.shape, np.ndarray)
        return box_iou(target.shape, truths.crowd, predictions.shape)

    def mask_similarity(self, truths: Truths, truth: Masks, found: Masks, lowest: float) -> Similarity:
        """That of masks, as `mask_iou`."""
        return mask_iou(truths, truth, found, lowest)

    def own_params(self) -> dict[str, Any]:
        """Parameters of a state that this metric alone has."""
        return {}

    def input_notes(self, predictions: InstanceResults, target: InstanceTruth, state: State) -> list[Note]:
        """What in annotations and results changes these numbers, or may."""
        truths, detections = target.truths, predictions.detections
        box = predictions.shape if isinstance(predictions.shape, np.ndarray) else None
        seen = EvaluatedRows.of(truths, detections, state)
        notes = detection_notes(truths, detections, box, seen, option="max_detections")
        notes += misread_objects(predictions, target, seen, state)
        if self.kind == "mask":
            notes += area_note(predictions.area_from, "masks", "detection_area: mask")
            notes += unused_boxes(predictions.boxed and predictions.area_from == "mask")
        notes += flag_note(target.flagged, truths, seen)
        return notes if self.root_said else notes + root_note(target, detections.category, state)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image id. Raises InputError if an image occurs twice or params differ."""
        return merge(states, form_of(self.name, self.version))

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """The twelve numbers with their 95 % intervals over images (none with resamples=0), then those per class."""
        note, area = self.remark, state.params.get("detection_area")
        if self.kind == "mask" and area not in (None, self.detection_area):
            raise InputError(
                f"a state by the areas of {'boxes' if area == 'box' else 'masks'} was given to {self.name} with "
                f"detection_area {self.detection_area}; measure again, or construct it with detection_area={area!r}"
            )
        if self.kind == "mask" and area == "box":
            note += " Areas of detections are those of the results' own boxes, as pycocotools takes them."
        settings, form = settings_in(state, INSTANCES), FORMS[self.kind]
        labels = _labels_in(state) if self.classes.each else ()
        asked = numbers(labels, settings)
        means = described(form, settings, labels, note)

        def absent(number: Number) -> str:
            single = "" if number.category is None else f" of class {class_of(number)}"
            return f"object{single} {range_in_words(form, settings, number)}"

        return scored(self.name, self._matches(state), settings, asked, means, absent, resamples, seed)

    def raw(self, state: State) -> np.ndarray:
        """(12,) float64 with three limits: the numbers as pycocotools' `stats` has them, -1 if one does not exist."""
        settings = settings_in(state, INSTANCES)
        return Accumulator(self._matches(state), settings, numbers((), settings)).at()

    @classmethod
    def by_image(cls, state: State, classes: bool = False) -> ByImage:
        """The twelve numbers as a function of image weights, then those of each class if `classes`."""
        truth = truth_in(state, cls.name, cls.version)
        settings = settings_in(state, INSTANCES)
        asked = numbers(_labels_in(state) if classes else (), settings)
        return by_image(matches_of(state, cls.name, cls.version), settings, asked, truth)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image id -> how well its objects were found, in [0, 1]; see `states.image_scores`."""
        return image_scores(self._matches(state), settings_in(state, INSTANCES))

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """The same numbers by pycocotools itself, -1 if there is nothing to average."""
        truth, form = self.read_target(target), "segm" if self.kind == "mask" else "bbox"
        ids, labels = self.classes.labels(truth)
        own_areas = self.kind == "mask" and self.detection_area == "mask"
        asked = numbers(labels if self.classes.each else (), self.settings)
        return instance_numbers(
            truth.path,
            Path(predictions),
            form,
            asked,
            self.settings,
            images,
            ids,
            own_areas,
            self.form,
            self.reference(),
        )

    def reference(self) -> Callable[[Any], Any] | None:
        """What pycocotools' `computeIoU` is replaced by, made of its evaluation; None if by nothing."""
        return None

    def _matches(self, state: State) -> Matches:
        return matches_of(state, self.name, self.version)


def _labels_in(state: State) -> Sequence[str]:
    """Labels of the classes that a state tells apart."""
    return () if state.params.get("class_agnostic") else state.params["names"]


def annotated_of(shape: np.ndarray | Masks) -> tuple[np.ndarray, list[bytes] | None]:
    """The numbers and the codes that are annotated of each object, as `truth_of` takes them."""
    if isinstance(shape, np.ndarray):
        return shape, None
    return shape.size, shape.counts()


class CocoBoxes(CocoObjects):
    """COCO box AP and AR."""

    name = "coco-boxes"
    kind = "box"
    prediction_file = "predictions.json"
    prediction_form = PredictionForm(
        "a JSON list with an object for each detection",
        "bbox is x, y, width, height in pixels of the original image, whose top left corner is (0, 0); image_id and "
        "category_id are ids of the annotations",
        '{"image_id": 139, "category_id": 1, "bbox": [412.8, 157.6, 53.1, 138.0], "score": 0.87}',
    )
    quantities = described(FORMS["box"], INSTANCES)
    analysis_version = VERSION

    def analyse(self, predictions: InstanceResults, target: InstanceTruth, state: State) -> Analysis:
        """Types of errors with what they cost, AP by size and class, curves, confusions, calibration."""
        return _analysed(self, predictions, target, state)


class CocoMasks(CocoObjects):
    """COCO mask AP and AR."""

    name = "coco-masks"
    kind = "mask"
    meets_other_classes = True  # to explain errors
    prediction_file = "masks.json"
    prediction_form = PredictionForm(
        "a JSON list with an object for each detection",
        "segmentation is a run-length code of COCO of the whole original image, its size as height, width; image_id "
        "and category_id are ids of the annotations",
        '{"image_id": 139, "category_id": 1, "segmentation": {"size": [4, 5], "counts": "52203"}, "score": 0.87}',
    )
    quantities = described(FORMS["mask"], INSTANCES)
    analysis_version = VERSION

    def analyse(self, predictions: InstanceResults, target: InstanceTruth, state: State) -> Analysis:
        """As of `CocoBoxes`, by the IoU of masks."""
        return _analysed(self, predictions, target, state)


def _analysed(metric: CocoObjects, predictions: InstanceResults, target: InstanceTruth, state: State) -> Analysis:
    matches, settings = matches_of(state, metric.name, metric.version), settings_in(state, INSTANCES)
    return detection_analysis(metric.name, predictions, target, matches, settings, state.params)
