"""LVIS: box and mask AP where an image is annotated with a few of very many classes.

Source: Gupta, Dollar, Girshick, "LVIS: A Dataset for Large Vocabulary Instance Segmentation", CVPR 2019, and the `lvis`
package 0.5.3, whose `APs`, `APm`, `APl`, `AR@300`, `ARs@300`, ... are called APS, APM, APL, AR300, ARS, ... here, as
COCO's are. What differs from COCO's rules is in `federated`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.formats.coco.federation import FREQUENCIES, Federation
from hrbench.formats.coco.forms import CocoForm, TruthArea
from hrbench.formats.coco.instances import DetectionArea, InstanceResults, InstanceTruth, read_results, read_truth
from hrbench.formats.coco.rle import Masks
from hrbench.formats.coco.write import write_boxes, write_masks
from hrbench.metrics.coco.box_iou import box_iou
from hrbench.metrics.coco.classes import CategorySelection
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.federated import federated_match, looked_for
from hrbench.metrics.coco.instances import INSTANCES, CocoBoxes, CocoMasks, Shape, annotated_of
from hrbench.metrics.coco.lvis_notes import lvis_notes
from hrbench.metrics.coco.lvis_reference import lvis_numbers
from hrbench.metrics.coco.mask_iou import mask_iou
from hrbench.metrics.coco.matching import THRESHOLDS, Matches, MatchSettings
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
from hrbench.types import ByImage, Measurement, Note, Prediction, PredictionForm, Quantity, State

MOST = 300
_RANGES = ("of any area", "up to 32^2 px^2", "of 32^2 to 96^2 px^2", "over 96^2 px^2")
_RARITY = {
    "APr": "rare classes (in fewer than 10 training images)",
    "APc": "common classes (in 10 to 99 training images)",
    "APf": "frequent classes (in 100 or more training images)",
}


def numbers(labels: Sequence[str], frequency: Sequence[str], most: int = MOST) -> tuple[Number, ...]:
    """The thirteen, and the AP of each class.

    labels: of the classes whose AP is asked for, by rising id of all classes, or ().
    frequency: "r", "c" or "f" of all classes, by rising id.
    most: how many detections of an image are judged.
    """
    groups = [tuple(place for place, own in enumerate(frequency) if own == one) for one in FREQUENCIES]
    return (
        Number("AP", "precision", None, 0),
        Number("AP50", "precision", THRESHOLDS.index(0.5), 0),
        Number("AP75", "precision", THRESHOLDS.index(0.75), 0),
        *(Number(f"AP{size}", "precision", None, area) for area, size in enumerate("SML", 1)),
        *(Number(f"AP{one}", "precision", None, 0, among=own) for one, own in zip(FREQUENCIES, groups, strict=True)),
        Number(f"AR{most}", "recall", None, 0),
        *(Number(f"AR{size}", "recall", None, area) for area, size in enumerate("SML", 1)),
        *(Number(f"AP/{name}", "precision", None, 0, category=place) for place, name in enumerate(labels)),
    )


def settings_of(most: int) -> MatchSettings:
    """COCO's thresholds, recalls and areas. most: as `numbers` takes it; UsageError unless it is a number above 0."""
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise UsageError(f"max_detections {most}: give a whole number above 0, of detections of an image")
    return replace(INSTANCES, max_detections=(most,))


def _quantity(number: Number, shape: Shape, most: int) -> Quantity:
    at = "averaged over IoU 0.50 to 0.95 in steps of 0.05"
    if number.threshold is not None:
        at = f"at IoU {THRESHOLDS[number.threshold]:.2f}"
    what = "Average precision" if number.kind == "precision" else "Average recall"
    over = f"mean over {_RARITY.get(number.name, 'classes')}"
    if number.category is not None:
        over = f"class {number.name.removeprefix('AP/')}"
    text = (
        f"{what} of {'boxes' if shape == 'box' else 'masks'} {at}, {over}, objects {_RANGES[number.area]} as "
        f"annotated, at most {most} detections an image, judged where their class is verified in it; LVIS protocol; "
        "n is objects."
    )
    return Quantity(number.name, number.name, "fraction", "higher", text)


def _absent(number: Number) -> str:
    if number.name in _RARITY:
        return f"object of {_RARITY[number.name]}"
    single = "" if number.category is None else f" of class {number.name.removeprefix('AP/')}"
    return f"object{single} {_RANGES[number.area]}"


class LvisObjects:
    """LVIS AP and AR of objects, equal to the `lvis` package 0.5.3 to the last bit; by the shape `kind`.

    categories: ids of the categories to evaluate; None for all that the annotation file lists.
    names: their names, in the order of `categories`; None for those of the file.
    per_class: whether to report the AP of every class, too, as "AP/<name>", or "AP/<id>" if its name is not unique.
    detection_area: what the area of a detected mask is: its own, or that of the `bbox` in its row, which the `lvis`
        package takes where there is one. Boxes have but one area.
    max_detections: how many of an image are judged, of all classes together, best first.
    renumber, truth_area, match, whole_ids, text_numbers: how the files deviate from COCO's form (`forms.CocoForm`).
    """

    name: str
    kind: Shape
    version = 1
    prediction_file: str
    oracle = "lvis"
    quality_is = "average precision within the image, mean over the thresholds of IoU"
    main = "AP"
    quantities: tuple[Quantity, ...]
    prediction_form: PredictionForm

    def __init__(
        self,
        categories: Sequence[int] | None = None,
        names: Sequence[str] | None = None,
        per_class: bool = False,
        detection_area: DetectionArea = "mask",
        max_detections: int = MOST,
        renumber: bool = False,
        truth_area: TruthArea = "file",
        match: Literal["id", "file_name"] = "id",
        whole_ids: bool = False,
        text_numbers: bool = False,
    ) -> None:
        self.form = CocoForm(renumber, truth_area, match=match, whole_ids=whole_ids, text_numbers=text_numbers)
        if detection_area not in ("mask", "box"):
            raise UsageError(f"detection_area {detection_area!r}: say mask or box")
        self.detection_area: DetectionArea = detection_area
        self.classes = CategorySelection.of(categories, names, per_class)
        self.settings = settings_of(max_detections)
        self.quantities = _quantities(self.kind, self.classes, max_detections)

    def own_criteria(self) -> dict[str, Any]:
        """The options by which it judges otherwise than LVIS; {} if its numbers are the official ones."""
        most = self.settings.max_detections[-1]
        return {} if most == MOST else {"max_detections": most}

    def read_target(self, path: Path) -> InstanceTruth:
        """An annotation file of LVIS v1's form, checked whole: images with `neg_category_ids` and
        `not_exhaustive_category_ids`, categories with `frequency` (r, c or f), annotations without `iscrowd`.

        Raises InputError naming the first fault, MissingError.
        """
        return self.classes.known(read_truth(Path(path), self.kind == "mask", self.form, federated=True))

    def read_predictions(self, path: Path, target: InstanceTruth) -> InstanceResults:
        """A JSON list of rows with image_id, category_id, score and `bbox` [x, y, width, height] or `segmentation` (RLE
        or polygons), in px of the original image; `[]`: nothing was found.

        Raises InputError naming the first fault, MissingError.
        """
        return read_results(Path(path), target, self.detection_area, self.form)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Writes rows as one JSON list, completely or not at all, with only this shape; see `formats.coco.write`."""
        write = write_masks if self.kind == "mask" else write_boxes
        write(predictions, Path(path))

    def measure(
        self, predictions: InstanceResults, target: InstanceTruth, images: Sequence[int | str] | None = None
    ) -> State:
        """Matches detections with objects. images: ids to evaluate; None for all of the annotation file."""
        truths, federation = target.truths, _federation(target)
        if isinstance(target.shape, Masks):
            assert isinstance(predictions.shape, Masks)
            similarity = mask_iou(truths, target.shape, predictions.shape, THRESHOLDS[0])
        else:
            assert isinstance(predictions.shape, np.ndarray)
            similarity = box_iou(target.shape, truths.crowd, predictions.shape)
        ids, labels = self.classes.labels(target)
        evaluated, categories = chosen(images, target.images, target.path), np.array(ids, np.int64)
        matches = federated_match(
            truths, predictions.detections, similarity, self.settings, evaluated, categories, federation
        )
        params: dict[str, Any] = {
            "categories": ids,
            "names": labels,
            "frequency": "".join(np.array(federation.frequency)[np.isin(target.categories, categories)].tolist()),
            "thresholds": list(INSTANCES.thresholds),
            "areas": [list(area) for area in INSTANCES.areas],
            "most": self.settings.max_detections[-1],
            "detection_area": predictions.area_from,
            **form_params(self.form),
        }
        truth = looked_for(truth_of(truths, matches.images, *annotated_of(target.shape)), matches.images, federation)
        return state_of(matches, self.name, self.version, params, truth)

    def input_notes(self, predictions: InstanceResults, target: InstanceTruth, state: State) -> list[Note]:
        """What in annotations and results changes these numbers, or may."""
        return lvis_notes(predictions, target, state, self.settings, _federation(target))

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image id. Raises InputError if an image occurs twice or params differ."""
        return merge(states, form_of(self.name, self.version))

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """The thirteen numbers with 95 % intervals over images (none with resamples=0), then those per class."""
        note, area = "", state.params.get("detection_area")
        if self.kind == "mask" and area not in (None, self.detection_area):
            raise InputError(
                f"a state by the areas of {'boxes' if area == 'box' else 'masks'} was given to {self.name} with "
                f"detection_area {self.detection_area}; measure again, or construct it with detection_area={area!r}"
            )
        if self.kind == "mask" and area == "box":
            note = " Areas of detections are those of the results' own boxes, as the lvis package takes them."
        asked, settings = _asked(state, self.classes.each)
        quantities = [_quantity(number, self.kind, settings.max_detections[-1]) for number in asked]
        quantities = [replace(quantity, description=quantity.description + note) for quantity in quantities]
        return scored(self.name, self._matches(state), settings, asked, quantities, _absent, resamples, seed)

    def raw(self, state: State) -> np.ndarray:
        """(13,) float64: the numbers as the `lvis` package's results have them, -1 if one does not exist."""
        asked, settings = _asked(state, False)
        return Accumulator(self._matches(state), settings, asked).at()

    @classmethod
    def by_image(cls, state: State, classes: bool = False) -> ByImage:
        """The thirteen numbers as a function of image weights, then the AP of each class if `classes`."""
        matches, truth = matches_of(state, cls.name, cls.version), truth_in(state, cls.name, cls.version)
        asked, settings = _asked(state, classes)
        return by_image(matches, settings, asked, truth)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image id -> how well its objects were found, in [0, 1]; see `states.image_scores`."""
        return image_scores(self._matches(state), settings_of(state.params["most"]))

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """The same numbers by the `lvis` package itself, -1 if there is nothing to average."""
        truth, most = self.read_target(target), self.settings.max_detections[-1]
        ids, labels = self.classes.labels(truth)
        own_areas = self.kind == "mask" and self.detection_area == "mask"
        iou_type = "segm" if self.kind == "mask" else "bbox"
        stats, single = lvis_numbers(truth.path, Path(predictions), iou_type, images, ids, own_areas, self.form, most)
        asked = numbers(labels if self.classes.each else (), (), most)
        return dict(zip([one.name for one in asked], stats + (single if self.classes.each else []), strict=True))

    def _matches(self, state: State) -> Matches:
        return matches_of(state, self.name, self.version)


def _federation(target: InstanceTruth) -> Federation:
    assert target.federation is not None, "read_target reads it"
    return target.federation


def _asked(state: State, classes: bool) -> tuple[tuple[Number, ...], MatchSettings]:
    """The numbers of a state, and the settings that it was measured with."""
    most = state.params["most"]
    return numbers(state.params["names"] if classes else (), state.params["frequency"], most), settings_of(most)


def _quantities(shape: Shape, classes: CategorySelection, most: int) -> tuple[Quantity, ...]:
    """The thirteen, and those of single classes if these are known without the annotation file."""
    return tuple(_quantity(number, shape, most) for number in numbers(classes.known_labels(), (), most))


class LvisBoxes(LvisObjects):
    """LVIS box AP and AR."""

    name = "lvis-boxes"
    kind = "box"
    prediction_file = "predictions.json"
    prediction_form = CocoBoxes.prediction_form
    quantities = _quantities("box", CategorySelection(None, (), False), MOST)


class LvisMasks(LvisObjects):
    """LVIS mask AP and AR."""

    name = "lvis-masks"
    kind = "mask"
    prediction_file = "masks.json"
    prediction_form = CocoMasks.prediction_form
    quantities = _quantities("mask", CategorySelection(None, (), False), MOST)
