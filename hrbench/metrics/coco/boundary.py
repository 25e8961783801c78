"""Boundary AP: COCO mask AP whose matches also need the masks' boundaries to agree.

Synopsis:

    metric = CocoBoundary()                        # boundaries of 0.02 of the image's diagonal
    target = metric.read_target(Path("instances_val2017.json"))
    state = metric.measure(metric.read_predictions(Path("masks.json"), target), target)
    scores = metric.summarise(metric.merge([state]))

Source: Cheng et al., Boundary IoU, CVPR 2021 (`boundary_iou`). All but the similarity is that of mask AP: files, areas
(of masks, not of boundaries), thresholds, ties.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from hrbench.errors import InputError
from hrbench.formats.coco.columns import Truths
from hrbench.formats.coco.forms import TruthArea
from hrbench.formats.coco.instance_results import DetectionArea, InstanceResults
from hrbench.formats.coco.instances import InstanceTruth
from hrbench.formats.coco.rle import Masks
from hrbench.metrics.boundaries import RATIO, checked_ratio
from hrbench.metrics.coco.assignment import Similarity
from hrbench.metrics.coco.boundary_analysis import VERSION, boundary_analysis
from hrbench.metrics.coco.boundary_iou import boundary_iou
from hrbench.metrics.coco.boundary_reference import boundaries_by_opencv
from hrbench.metrics.coco.criteria import Areas, settings_in
from hrbench.metrics.coco.instances import FORMS, INSTANCES, CocoMasks, CocoObjects
from hrbench.metrics.coco.reported import described
from hrbench.metrics.coco.states import matches_of
from hrbench.types import Analysis, Measurement, State


class CocoBoundary(CocoObjects):
    """COCO AP and AR of masks by the lower of mask IoU and boundary IoU; all but the last option as of `CocoObjects`.

    dilation_ratio: the width of boundaries in parts of the image's diagonal, rounded to whole px, at least 1.
    """

    name = "coco-boundary"
    kind = "mask"
    meets_other_classes = True  # to explain errors
    analysis_version = VERSION
    prediction_file = "masks.json"
    oracle = "pycocotools, with boundaries by OpenCV,"
    prediction_form = CocoMasks.prediction_form
    quantities = described(FORMS["mask"], INSTANCES)

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
        dilation_ratio: float = RATIO,
    ) -> None:
        self.ratio = checked_ratio(dilation_ratio)
        self.remark = f" IoU is the lower of mask and boundary IoU, with boundaries of {self.ratio:g} of the diagonal."
        super().__init__(
            categories,
            names,
            per_class,
            detection_area,
            max_detections,
            iou_thresholds,
            areas,
            recall_thresholds,
            class_agnostic,
            renumber,
            truth_area,
            iscrowd,
            match,
            whole_ids,
            root_category,
            text_numbers,
        )

    def mask_similarity(self, truths: Truths, truth: Masks, found: Masks, lowest: float) -> Similarity:
        """The lower of mask IoU and boundary IoU."""
        return boundary_iou(truths, truth, found, lowest, self.ratio)

    def own_criteria(self) -> dict[str, Any]:
        """As of `CocoObjects`, and the width of boundaries if it is not the paper's."""
        return super().own_criteria() | ({"dilation_ratio": self.ratio} if self.ratio != RATIO else {})

    def own_params(self) -> dict[str, Any]:
        """The width of boundaries."""
        return {"dilation_ratio": self.ratio}

    def reference(self) -> Callable[[Any], Any]:
        """Boundaries by OpenCV within pycocotools' evaluation."""
        return partial(boundaries_by_opencv, ratio=self.ratio)

    def summarise(self, state: State, resamples: int = 1000, seed: int = 0) -> list[Measurement]:
        """As of `CocoObjects`. Raises InputError, too, for a state of boundaries of another width."""
        ratio = state.params.get("dilation_ratio")
        if ratio != self.ratio:
            raise InputError(
                f"a state with the dilation_ratio {ratio} was given to {self.name} with {self.ratio:g}; measure again, "
                f"or construct it with dilation_ratio={ratio}"
            )
        return super().summarise(state, resamples, seed)

    def analyse(self, predictions: InstanceResults, target: InstanceTruth, state: State) -> Analysis:
        """As of `CocoMasks`, by the lower of mask and boundary IoU, and how the two differ."""
        matches, settings = matches_of(state, self.name, self.version), settings_in(state, INSTANCES)
        return boundary_analysis(self.name, predictions, target, matches, settings, state.params)
