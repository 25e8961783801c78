"""What box and mask AP have in common: the twelve numbers, and those of single classes.

Source: https://cocodataset.org/#detection-eval and pycocotools 2.0.11 (`COCOeval` with iouType bbox and segm).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.columns import sorted_unique
from hrbench.formats.coco.forms import CocoForm, TruthArea
from hrbench.formats.coco.instances import DetectionArea, InstanceResults, InstanceTruth, read_results, read_truth
from hrbench.formats.coco.json_faults import is_integer
from hrbench.formats.coco.rle import Masks
from hrbench.formats.coco.write import write_boxes, write_masks
from hrbench.metrics.coco.box_iou import box_iou
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.mask_iou import mask_boxes, mask_iou
from hrbench.metrics.coco.matching import RECALLS, THRESHOLDS, Matches, MatchSettings, match
from hrbench.metrics.coco.misread import misread_boxes, misread_classes, paired_iou
from hrbench.metrics.coco.misread_images import misread_images
from hrbench.metrics.coco.notes import (
    EvaluatedRows,
    area_note,
    detection_notes,
    flag_note,
    root_note,
    unknown_category,
    unused_boxes,
)
from hrbench.metrics.coco.reference import instance_numbers
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

INSTANCES = MatchSettings(
    thresholds=THRESHOLDS,
    recalls=RECALLS,
    areas=(("all", 0.0, 1e10), ("small", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large", 96.0**2, 1e10)),
    max_detections=(1, 10, 100),
)
_RANGES = (
    "of any area",
    "of small area (up to 32^2 px^2)",
    "of medium area (32^2 to 96^2 px^2)",
    "of large area (over 96^2 px^2)",
)
NUMBERS = (
    Number("AP", "precision", None, 0, 2),
    Number("AP50", "precision", THRESHOLDS.index(0.5), 0, 2),
    Number("AP75", "precision", THRESHOLDS.index(0.75), 0, 2),
    Number("APS", "precision", None, 1, 2),
    Number("APM", "precision", None, 2, 2),
    Number("APL", "precision", None, 3, 2),
    Number("AR1", "recall", None, 0, 0),
    Number("AR10", "recall", None, 0, 1),
    Number("AR100", "recall", None, 0, 2),
    Number("ARS", "recall", None, 1, 2),
    Number("ARM", "recall", None, 2, 2),
    Number("ARL", "recall", None, 3, 2),
)
Shape = Literal["box", "mask"]


@dataclass(frozen=True)
class CategorySelection:
    """Which classes are evaluated.

    ids: category ids, rising, None for all of the annotation file.
    names: one for each id, () for those of the file.
    each: also tell the average precision of every single one.
    odd: what was asked for and is no id, such as a name; no file has it.
    """

    ids: tuple[int, ...] | None
    names: tuple[str, ...]
    each: bool
    odd: tuple[Any, ...] = ()

    @classmethod
    def of(cls, categories: Sequence[int] | None, names: Sequence[str] | None, per_class: bool) -> CategorySelection:
        """From arguments of a metric. Raises UsageError if they do not fit together."""
        if categories is None:
            if names is not None:
                raise UsageError("names of classes need the category ids they belong to: give categories as well")
            return cls(None, (), per_class)
        if isinstance(categories, str) or not isinstance(categories, Sequence):
            raise UsageError(f"categories {categories!r}: give a list of category ids")
        odd = tuple(one for one in categories if not is_integer(one))
        if odd:
            return cls(None, (), per_class, odd)
        if not len(categories) or len(set(categories)) != len(categories):
            raise UsageError(f"categories {list(categories)[:20]}: give at least one category id, and each once")
        if names is not None and len(names) != len(categories):
            raise UsageError(f"{len(names)} names for {len(categories)} categories; give one for each, in their order")
        order = sorted(range(len(categories)), key=lambda place: categories[place])
        ids = tuple(int(categories[place]) for place in order)
        return cls(ids, () if names is None else tuple(names[place] for place in order), per_class)

    def known(self, target: InstanceTruth) -> InstanceTruth:
        """Returns the target. Raises InputError for a category that it does not have."""
        listed = target.categories.tolist()
        for category in self.odd or self.ids or ():
            if category not in listed:
                raise unknown_category(target.path, category, listed, target.names)
        return target

    def labels(self, target: InstanceTruth) -> tuple[list[int], list[str]]:
        """Category ids, rising, and a label for each: its name, or its id if it has no name or shares it."""
        listed = target.categories.tolist()
        ids = listed if self.ids is None else list(self.ids)
        named = dict(zip(listed, target.names, strict=True))
        return ids, _labels(ids, self.names or [named[category] for category in ids])


def _labels(ids: Sequence[int], names: Sequence[str]) -> list[str]:
    count = Counter(names)
    return [name if name and count[name] == 1 else str(i) for i, name in zip(ids, names, strict=True)]


def settings_of(max_detections: int | Sequence[int]) -> MatchSettings:
    """COCO's settings with other limits: a rising list of them, or the last one after those of 1, 10 that are below it.

    Raises UsageError for anything else.
    """
    if isinstance(max_detections, int):
        limits = (*(each for each in (1, 10) if each < max_detections), max_detections)
    else:
        limits = tuple(max_detections)
    right = limits and all(isinstance(each, int) and not isinstance(each, bool) and each > 0 for each in limits)
    if not right or list(limits) != sorted(set(limits)) or isinstance(max_detections, bool):
        raise UsageError(
            f"max_detections {max_detections}: give a whole number above 0, or several, each above the last"
        )
    return replace(INSTANCES, max_detections=limits)


def settings_in(state: State) -> MatchSettings:
    """The settings that a state was measured with."""
    return settings_of(state.params.get("max_detections") or INSTANCES.max_detections)


def quantities_of(
    shape: Shape, classes: CategorySelection, settings: MatchSettings = INSTANCES
) -> tuple[Quantity, ...]:
    """The twelve, and those of single classes if these are known without the annotation file."""
    single = _labels(classes.ids, classes.names or [""] * len(classes.ids)) if classes.each and classes.ids else []
    return tuple(_quantity(number, shape, settings) for number in numbers(single, settings))


def numbers(labels: Sequence[str], settings: MatchSettings = INSTANCES) -> tuple[Number, ...]:
    """The twelve and the AP of each class; with other limits the AR of each of these, all others at the last."""
    last = len(settings.max_detections) - 1
    overall = [replace(number, limit=last) for number in NUMBERS if number.name not in ("AR1", "AR10", "AR100")]
    limited = [Number(f"AR{most}", "recall", None, 0, at) for at, most in enumerate(settings.max_detections)]
    single = [Number(f"AP/{name}", "precision", None, 0, last, place) for place, name in enumerate(labels)]
    return (*overall[:6], *limited, *overall[6:], *single)


def _quantity(number: Number, shape: Shape, settings: MatchSettings = INSTANCES) -> Quantity:
    at = "averaged over IoU 0.50 to 0.95 in steps of 0.05"
    if number.threshold is not None:
        at = f"at IoU {THRESHOLDS[number.threshold]:.2f}"
    what = "Average precision" if number.kind == "precision" else "Average recall"
    over = "mean over classes" if number.category is None else f"class {number.name.removeprefix('AP/')}"
    shapes = "boxes" if shape == "box" else "masks"
    text = (
        f"{what} of {shapes} {at}, {over}, objects {_RANGES[number.area]} as annotated, "
        f"at most {settings.max_detections[number.limit]} detections an image and class; COCO protocol; n is objects."
    )
    return Quantity(number.name, number.name, "fraction", "higher", text)


def _rows_of(box: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
    """(n, 4) boxes of rows that may come more than once; each is worked out once."""
    once = sorted_unique(rows)
    return box(once)[np.searchsorted(once, rows)]


def _boxes_of(shape: np.ndarray | Masks) -> Callable[[np.ndarray], np.ndarray]:
    """What gives the boxes (n, 4) x, y, width, height in px of rows (n,), those around masks."""
    if isinstance(shape, np.ndarray):
        return shape.__getitem__

    def around(rows: np.ndarray) -> np.ndarray:
        ends = mask_boxes(shape, rows)[rows]
        return np.concatenate([ends[:, :2], ends[:, 2:] - ends[:, :2]], axis=1)

    return around


class CocoObjects:
    """COCO AP and AR of objects, equal to pycocotools 2.0.11 to the last bit; by the shape `kind`.

    categories: ids of the categories to evaluate; None for all that the annotation file lists.
    names: their names, in the order of `categories`; None for those of the file.
    per_class: whether to report the AP of every class, too, as "AP/<name>", or "AP/<id>" if its name is not unique.
    detection_area: what the area of a detected mask is: its own, or that of the `bbox` in its row, which pycocotools
        takes where there is one. Boxes have but one area.
    max_detections: how many of an image and class are judged, best first: a rising list, as pycocotools' `maxDets`, of
        which the last is that of all numbers and each has an AR; or the last alone (1000 for [1, 10, 1000]).
    renumber, truth_area, iscrowd, match, whole_ids, root_category, text_numbers: how the files deviate from
        COCO's form (`forms.CocoForm`). A root category is kept, with a note unless that was said.
    """

    name: str
    kind: Shape
    version = 1
    prediction_file: str
    oracle = "pycocotools"
    main = "AP"
    quantities: tuple[Quantity, ...]

    def __init__(
        self,
        categories: Sequence[int] | None = None,
        names: Sequence[str] | None = None,
        per_class: bool = False,
        detection_area: DetectionArea = "mask",
        max_detections: int | Sequence[int] = INSTANCES.max_detections,
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
        self.settings = settings_of(max_detections)
        self.quantities = quantities_of(self.kind, self.classes, self.settings)

    def read_target(self, path: Path) -> InstanceTruth:
        """Annotations as columns, checked whole. Raises InputError naming the first fault, MissingError."""
        return self.classes.known(read_truth(Path(path), self.kind == "mask", self.form))

    def read_predictions(self, path: Path, target: InstanceTruth) -> InstanceResults:
        """A results file as columns. `[]` is allowed: nothing was found. Raises InputError, MissingError."""
        return read_results(Path(path), target, self.detection_area, self.form)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Writes rows as one JSON list, completely or not at all, with only this shape; see `formats.coco.write`."""
        write = write_masks if self.kind == "mask" else write_boxes
        write(predictions, Path(path))

    def measure(
        self, predictions: InstanceResults, target: InstanceTruth, images: Sequence[int | str] | None = None
    ) -> State:
        """Matches detections with objects. images: ids to evaluate; None for all of the annotation file."""
        truths, detections = target.truths, predictions.detections
        if isinstance(target.shape, Masks):
            assert isinstance(predictions.shape, Masks)
            similarity = mask_iou(truths, target.shape, predictions.shape, THRESHOLDS[0])
        else:
            assert isinstance(predictions.shape, np.ndarray)
            similarity = box_iou(target.shape, truths.crowd, predictions.shape)
        ids, labels = self.classes.labels(target)
        evaluated = chosen(images, target.images, target.path)
        matches = match(truths, detections, similarity, self.settings, evaluated, np.array(ids, np.int64))
        params: dict[str, Any] = {
            "categories": ids,
            "names": labels,
            "thresholds": list(INSTANCES.thresholds),
            "areas": [list(area) for area in INSTANCES.areas],
            "most": self.settings.max_detections[-1],
            "detection_area": predictions.area_from,
            **form_params(self.form),
        }
        if self.settings != INSTANCES:
            params["max_detections"] = list(self.settings.max_detections)
        truth = truth_of(truths, matches.images, *_annotated(target.shape))
        return state_of(matches, self.name, self.version, params, truth)

    def input_notes(self, predictions: InstanceResults, target: InstanceTruth, state: State) -> list[Note]:
        """What in annotations and results changes these numbers, or may."""
        truths, detections = target.truths, predictions.detections
        box = predictions.shape if isinstance(predictions.shape, np.ndarray) else None
        seen = EvaluatedRows.of(truths, detections, state)
        notes = detection_notes(truths, detections, box, seen, option="max_detections")
        if box is not None and isinstance(target.shape, np.ndarray):
            size = target.size[np.searchsorted(target.images, detections.image)]
            notes += misread_boxes(target.shape, box, size, truths, detections, seen)
        categories = list(zip(state.params["categories"], state.params["names"], strict=True))
        boxes = _boxes_of(target.shape), _boxes_of(predictions.shape)
        notes += misread_classes(*boxes, truths, detections, seen, categories)
        if not any(note.kind.startswith("misread") for note in notes):

            def overlap(found: np.ndarray, objects: np.ndarray) -> np.ndarray:
                return paired_iou(_rows_of(boxes[1], found), _rows_of(boxes[0], objects))

            rows = seen
            if self.kind == "mask":  # codes of others are not kept
                kept = np.isin(seen.found_group, seen.truth_group)
                rows = replace(seen, found=seen.found[kept], found_group=seen.found_group[kept])
            notes += misread_images(overlap, ~truths.crowd[seen.truth], detections.score, rows, state, "IoU")
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
        note, area = "", state.params.get("detection_area")
        if self.kind == "mask" and area not in (None, self.detection_area):
            raise InputError(
                f"a state by the areas of {'boxes' if area == 'box' else 'masks'} was given to {self.name} with "
                f"detection_area {self.detection_area}; measure again, or construct it with detection_area={area!r}"
            )
        if self.kind == "mask" and area == "box":
            note = " Areas of detections are those of the results' own boxes, as pycocotools takes them."
        settings = settings_in(state)
        asked = numbers(state.params["names"] if self.classes.each else (), settings)
        quantities = [_quantity(number, self.kind, settings) for number in asked]
        quantities = [replace(quantity, description=quantity.description + note) for quantity in quantities]
        return scored(self.name, self._matches(state), settings, asked, quantities, _absent, resamples, seed)

    def raw(self, state: State) -> np.ndarray:
        """(12,) float64 with three limits: the numbers as pycocotools' `stats` has them, -1 if one does not exist."""
        settings = settings_in(state)
        return Accumulator(self._matches(state), settings, numbers((), settings)).at()

    @classmethod
    def by_image(cls, state: State, classes: bool = False) -> ByImage:
        """The twelve numbers as a function of image weights, then the AP of each class if `classes`."""
        truth = truth_in(state, cls.name, cls.version)
        settings = settings_in(state)
        asked = numbers(state.params["names"] if classes else (), settings)
        return by_image(matches_of(state, cls.name, cls.version), settings, asked, truth)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image id -> how well its objects were found, in [0, 1]; see `states.image_scores`."""
        return image_scores(self._matches(state), settings_in(state))

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """The same numbers by pycocotools itself, -1 if there is nothing to average."""
        truth, form = self.read_target(target), "segm" if self.kind == "mask" else "bbox"
        ids, labels = self.classes.labels(truth)
        own_areas = self.kind == "mask" and self.detection_area == "mask"
        stats, single = instance_numbers(
            truth.path, Path(predictions), form, images, ids, own_areas, self.form, self.settings.max_detections
        )
        names = [number.name for number in numbers(labels if self.classes.each else (), self.settings)]
        return dict(zip(names, stats + (single if self.classes.each else []), strict=True))

    def _matches(self, state: State) -> Matches:
        return matches_of(state, self.name, self.version)


def _annotated(shape: np.ndarray | Masks) -> tuple[np.ndarray, list[bytes] | None]:
    """The numbers and the codes that are annotated of each object, as `truth_of` takes them."""
    if isinstance(shape, np.ndarray):
        return shape, None
    return shape.size, shape.counts()


def _absent(number: Number) -> str:
    single = "" if number.category is None else f" of class {number.name.removeprefix('AP/')}"
    return f"object{single} {_RANGES[number.area]}"


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
    quantities = quantities_of("box", CategorySelection(None, (), False))


class CocoMasks(CocoObjects):
    """COCO mask AP and AR."""

    name = "coco-masks"
    kind = "mask"
    prediction_file = "masks.json"
    prediction_form = PredictionForm(
        "a JSON list with an object for each detection",
        "segmentation is a run-length code of COCO of the whole original image, its size as height, width; image_id "
        "and category_id are ids of the annotations",
        '{"image_id": 139, "category_id": 1, "segmentation": {"size": [4, 5], "counts": "52203"}, "score": 0.87}',
    )
    quantities = quantities_of("mask", CategorySelection(None, (), False))
