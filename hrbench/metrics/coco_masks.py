"""The COCO mask metric: average precision and recall by intersection over union of masks.

Synopsis:

    metric = CocoMasks()
    target = metric.read_target(Path("instances_val2017.json"))
    state = metric.measure(metric.read_predictions(Path("masks.json"), target), target)
    scores = metric.summarise(metric.merge([state]))

State: that of `keypoints`, with A = 4 area ranges. The area of an object is the annotated one, that of a detection its
mask's; of its `bbox` instead where a results file has any, as pycocotools does it: files written here have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..types import Prediction, Quantity, Score, State
from .coco_curves import Accumulator
from .coco_scores import image_qualities
from .coco_states import matches_of, merged
from .coco_write import write_masks
from .instance_files import Results, Target, read_results, read_truth
from .instances import INSTANCES, NUMBERS, Classes, measured, quantities_of, summarised, verified


class CocoMasks:
    """COCO mask AP and AR, equal to pycocotools 2.0.11 to the last bit.

    categories: ids of those to evaluate; None: the mean over all that the annotation file lists. names: what to call
    them, in the order of `categories`; None: as the file does. per_class: tell the AP of every single one too, as
    "AP/<name>", or "AP/<id>" where it has no name of its own.
    """

    name = "coco-masks"
    version = 1
    prediction_file = "masks.json"
    oracle = "pycocotools"
    main = "AP"
    quantities: tuple[Quantity, ...] = quantities_of("mask", Classes(None, (), False))

    def __init__(
        self, categories: Sequence[int] | None = None, names: Sequence[str] | None = None, per_class: bool = False
    ) -> None:
        self.classes = Classes.of(categories, names, per_class)
        self.quantities = quantities_of("mask", self.classes)

    def read_target(self, path: Path) -> Target:
        """Annotations as columns, checked whole. Raises InputError naming the first fault, MissingError."""
        return self.classes.known(read_truth(Path(path), masks=True))

    def read_predictions(self, path: Path, target: Target) -> Results:
        """A results file as columns. `[]` is allowed: nothing was found. Raises InputError, MissingError."""
        return read_results(Path(path), target)

    def write_predictions(self, predictions: Iterable[Prediction], path: Path) -> None:
        """Write rows with masks and without boxes as one JSON list, whole or not at all; see `coco_write`."""
        write_masks(predictions, Path(path))

    def measure(self, predictions: Results, target: Target, images: Sequence[int | str] | None = None) -> State:
        """Match detections with objects. images: ids to evaluate; None: all of the annotation file."""
        return measured(self.name, self.version, self.classes, predictions, target, images)

    def merge(self, states: Sequence[State]) -> State:
        """All rows together, by rising image id. Raises InputError where an image occurs twice or params differ."""
        return merged(states, self.name, self.version)

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Score]:
        """The twelve numbers with their 95 % intervals over images (none with resamples=0), then those per class."""
        matches = matches_of(state, self.name, self.version)
        return summarised(self.name, "mask", self.classes.each, state, matches, resamples, seed)

    def raw(self, state: State) -> np.ndarray:
        """(12,) float64, the numbers as pycocotools' `stats` has them: -1 where one does not exist."""
        return Accumulator(matches_of(state, self.name, self.version), INSTANCES, NUMBERS).at()

    def qualities(self, state: State) -> dict[int | str, float]:
        """Image id -> how well its objects were found, in [0, 1]; see `coco_scores.image_qualities`."""
        return image_qualities(matches_of(state, self.name, self.version), INSTANCES)

    def verify(self, target: Path, predictions: Path, images: Sequence[int | str] | None = None) -> dict[str, float]:
        """The same numbers by pycocotools itself, -1 where it finds none to average."""
        return verified("mask", self.classes, self.read_target(target), Path(predictions), images)
