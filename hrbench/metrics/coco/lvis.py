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
from hrbench.formats.coco.instance_results import DetectionArea, InstanceResults, read_results
from hrbench.formats.coco.instances import InstanceTruth, read_truth
from hrbench.formats.coco.rle import Masks
from hrbench.formats.coco.write import write_boxes, write_masks
from hrbench.metrics.coco.box_iou import box_iou
from hrbench.metrics.coco.classes import CategorySelection
from hrbench.metrics.coco.criteria import Areas, OwnCriteria, criteria_params, own_criteria, settings_in
from hrbench.metrics.coco.curves import Accumulator, Number
from hrbench.metrics.coco.federated import federated_match, looked_for
from hrbench.metrics.coco.federated_analysis import VERSION, federated_analysis
from hrbench.metrics.coco.instances import INSTANCES, CocoBoxes, CocoMasks, Shape, annotated_of
from hrbench.metrics.coco.lvis_notes import lvis_notes
from hrbench.metrics.coco.lvis_reference import lvis_numbers
from hrbench.metrics.coco.mask_iou import mask_iou
from hrbench.metrics.coco.matching import Matches, MatchSettings
from hrbench.metrics.coco.reported import NumberForm, at_in_words, class_of, range_in_words, recalls_in_words
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
from hrbench.types import Analysis, ByImage, Measurement, Note, Prediction, PredictionForm, Quantity, State

MOST = 300
_RANGES = {
    "all": ("", "of any area"),
    "small": ("S", "up to 32² px²"),
    "medium": ("M", "of 32² to 96² px²"),
    "large": ("L", "over 96² px²"),
}
_RARITY = {
    "r": "rare classes (in fewer than 10 training images)",
    "c": "common classes (in 10 to 99 training images)",
    "f": "frequent classes (in 100 or more training images)",
}


def _form(shape: Shape, most: int = MOST) -> NumberForm:
    """How the numbers are formed; their names tell how many detections of an image are judged, `most`."""
    things, official = "boxes" if shape == "box" else "masks", replace(INSTANCES, max_detections=(most,))
    return NumberForm(official, "iou_thresholds", "IoU", things, "objects", _RANGES, True, "LVIS")


def numbers(labels: Sequence[str], frequency: Sequence[str], settings: MatchSettings) -> tuple[Number, ...]:
    """Those over all classes, thirteen by official criteria, and the AP of each class.

    labels: of the classes whose AP is asked for, by rising id of all classes, or ().
    frequency: "r", "c" or "f" of all classes, by rising id.
    settings: how they are judged.
    """
    overall = reported_numbers(_form("box", settings.max_detections[-1]), settings)
    main, precise = overall[0], [one for one in overall if one.kind == "precision"]
    groups = [tuple(place for place, own in enumerate(frequency) if own == one) for one in FREQUENCIES]
    return (
        *precise,
        *(replace(main, name=_marked(main.name, one), among=own) for one, own in zip(FREQUENCIES, groups, strict=True)),
        *overall[len(precise) :],
        *(replace(main, name=f"{main.name}/{label}", category=place) for place, label in enumerate(labels)),
    )


def _marked(name: str, frequency: str) -> str:
    """The name of an AP with the frequency of its classes.

    >>> _marked("AP", "r"), _marked("AP@0.3@R11", "c")
    ('APr', 'APc@0.3@R11')
    """
    return f"AP{frequency}{name.removeprefix('AP')}"


def settings_of(most: int) -> MatchSettings:
    """COCO's thresholds, recalls and areas. most: how many detections of an image are judged, a number above 0."""
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise UsageError(f"max_detections {most}: give a whole number above 0, of detections of an image")
    return replace(INSTANCES, max_detections=(most,))


def _quantity(number: Number, shape: Shape, settings: MatchSettings) -> Quantity:
    form, most = _form(shape, settings.max_detections[-1]), settings.max_detections[-1]
    over = (
        f"class {class_of(number)}" if number.category is not None else f"mean over {_frequency(number) or 'classes'}"
    )
    words = [f"Average {number.kind} of {form.things} {at_in_words(form, settings, number)}", over]
    words.append(f"objects {range_in_words(form, settings, number)} as annotated")
    words.append(f"at most {most} detections an image")
    if number.kind == "precision" and settings.recalls != form.official.recalls:
        words.append(f"at {recalls_in_words(settings.recalls)}")
    words.append("judged where their class is verified in it")
    return Quantity(number.name, number.name, "fraction", "higher", f"{', '.join(words)}; LVIS protocol; n is objects.")


def _frequency(number: Number) -> str:
    """The classes that a mean over some is of, in words."""
    return "" if number.among is None else _RARITY[number.name[2]]


class LvisObjects:
    """LVIS AP and AR of objects, equal to the `lvis` package 0.5.3 to the last bit; by the shape `kind`.

    categories: ids of the categories to evaluate; None for all that the annotation file lists.
    names: their names, in the order of `categories`; None for those of the file.
    per_class: whether to report the AP of every class, too, as "AP/<name>", or "AP/<id>" if its name is not unique.
    detection_area: what the area of a detected mask is: its own, or that of the `bbox` in its row, which the `lvis`
        package takes where there is one. Boxes have but one area.
    max_detections: how many of an image are judged, of all classes together, best first.
    iou_thresholds, areas, recall_thresholds: as of `CocoObjects`, in place of LVIS's, which are the same.
    renumber, truth_area, match, whole_ids, text_numbers: how the files deviate from COCO's form (`forms.CocoForm`).
    """

    name: str
    kind: Shape
    version = 1
    analysis_version = VERSION
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
        iou_thresholds: float | Sequence[float] | None = None,
        areas: Areas | None = None,
        recall_thresholds: int | Sequence[float] | None = None,
    ) -> None:
        self.form = CocoForm(renumber, truth_area, match=match, whole_ids=whole_ids, text_numbers=text_numbers)
        if detection_area not in ("mask", "box"):
            raise UsageError(f"detection_area {detection_area!r}: say mask or box")
        self.detection_area: DetectionArea = detection_area
        self.classes = CategorySelection.of(categories, names, per_class)
        own = OwnCriteria(iou_thresholds, recall_thresholds, areas)
        self.settings = own.settings(settings_of(max_detections), "iou_thresholds")
        self.quantities = _quantities(self.kind, self.classes, self.settings)
        self.main = self.quantities[0].name

    @property
    def most_judged(self) -> int:
        """How many detections of an image count at most."""
        return self.settings.max_detections[-1]

    def own_criteria(self) -> dict[str, Any]:
        """The options by which it judges otherwise than LVIS; {} if its numbers are the official ones."""
        most = self.settings.max_detections[-1]
        limit = {} if most == MOST else {"max_detections": most}
        return own_criteria(self.settings, settings_of(most), "iou_thresholds") | limit

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
        return read_results(Path(path), target, self.detection_area, self.form, any_class=True)  # to explain errors

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
            similarity = mask_iou(truths, target.shape, predictions.shape, self.settings.thresholds[0])
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
            "frequency": _frequencies(target, ids),
            **criteria_params(self.settings, settings_of(self.settings.max_detections[-1])),
            "detection_area": predictions.area_from,
            **form_params(self.form),
        }
        truth = looked_for(truth_of(truths, matches.images, *annotated_of(target.shape)), matches.images, federation)
        return state_of(matches, self.name, self.version, params, truth)

    def input_notes(self, predictions: InstanceResults, target: InstanceTruth, state: State) -> list[Note]:
        """What in annotations and results changes these numbers, or may."""
        return lvis_notes(predictions, target, state, self.settings, _federation(target))

    def analyse(self, predictions: InstanceResults, target: InstanceTruth, state: State) -> Analysis:
        """Types of errors with what they cost, AP by frequency, size and class, curves, confusions, calibration."""
        settings, params = _settings_in(state), state.params
        return federated_analysis(self.name, predictions, target, self._matches(state), settings, params)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image id. Raises InputError if an image occurs twice or params differ."""
        return merge(states, form_of(self.name, self.version))

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """The numbers, thirteen by official criteria, with 95 % intervals over images (none with resamples=0)."""
        note, area = "", state.params.get("detection_area")
        if self.kind == "mask" and area not in (None, self.detection_area):
            raise InputError(
                f"a state by the areas of {'boxes' if area == 'box' else 'masks'} was given to {self.name} with "
                f"detection_area {self.detection_area}; measure again, or construct it with detection_area={area!r}"
            )
        if self.kind == "mask" and area == "box":
            note = " Areas of detections are those of the results' own boxes, as the lvis package takes them."
        asked, settings = _asked(state, self.classes.each)
        quantities = [_quantity(number, self.kind, settings) for number in asked]
        quantities = [replace(quantity, description=quantity.description + note) for quantity in quantities]

        def absent(number: Number) -> str:
            if number.among is not None:
                return f"object of {_frequency(number)}"
            single = "" if number.category is None else f" of class {class_of(number)}"
            return f"object{single} {range_in_words(_form(self.kind), settings, number)}"

        return scored(self.name, self._matches(state), settings, asked, quantities, absent, resamples, seed)

    def raw(self, state: State) -> np.ndarray:
        """(13,) float64 by official criteria: the `lvis` package's results, -1 if one does not exist."""
        asked, settings = _asked(state, False)
        return Accumulator(self._matches(state), settings, asked).at()

    @classmethod
    def by_image(cls, state: State, classes: bool = False) -> ByImage:
        """The numbers as a function of image weights, then the AP of each class if `classes`."""
        matches, truth = matches_of(state, cls.name, cls.version), truth_in(state, cls.name, cls.version)
        asked, settings = _asked(state, classes)
        return by_image(matches, settings, asked, truth)

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image id -> how well its objects were found, in [0, 1]; see `states.image_scores`."""
        return image_scores(self._matches(state), _settings_in(state))

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """The same numbers by the `lvis` package itself, -1 if there is nothing to average."""
        truth = self.read_target(target)
        ids, labels = self.classes.labels(truth)
        own_areas = self.kind == "mask" and self.detection_area == "mask"
        asked = numbers(labels if self.classes.each else (), _frequencies(truth, ids), self.settings)
        iou_type = "segm" if self.kind == "mask" else "bbox"
        return lvis_numbers(
            truth.path, Path(predictions), iou_type, images, ids, own_areas, self.form, asked, self.settings
        )

    def _matches(self, state: State) -> Matches:
        return matches_of(state, self.name, self.version)


def _federation(target: InstanceTruth) -> Federation:
    assert target.federation is not None, "read_target reads it"
    return target.federation


def _frequencies(target: InstanceTruth, ids: Sequence[int]) -> str:
    """r, c or f of each class that is evaluated, by rising id."""
    return "".join(np.array(_federation(target).frequency)[np.isin(target.categories, ids)].tolist())


def _settings_in(state: State) -> MatchSettings:
    return settings_in(state, settings_of(state.params["most"]))


def _asked(state: State, classes: bool) -> tuple[tuple[Number, ...], MatchSettings]:
    """The numbers of a state, and the settings that it was measured with."""
    settings = _settings_in(state)
    return numbers(state.params["names"] if classes else (), state.params["frequency"], settings), settings


def _quantities(shape: Shape, classes: CategorySelection, settings: MatchSettings) -> tuple[Quantity, ...]:
    """Those of all classes, and those of single classes if these are known without the annotation file."""
    return tuple(_quantity(number, shape, settings) for number in numbers(classes.known_labels(), (), settings))


class LvisBoxes(LvisObjects):
    """LVIS box AP and AR."""

    name = "lvis-boxes"
    kind = "box"
    prediction_file = "predictions.json"
    prediction_form = CocoBoxes.prediction_form
    quantities = _quantities("box", CategorySelection(None, (), False), settings_of(MOST))


class LvisMasks(LvisObjects):
    """LVIS mask AP and AR."""

    name = "lvis-masks"
    kind = "mask"
    prediction_file = "masks.json"
    prediction_form = CocoMasks.prediction_form
    quantities = _quantities("mask", CategorySelection(None, (), False), settings_of(MOST))
