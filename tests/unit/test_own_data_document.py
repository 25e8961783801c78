"""docs/own-data.md: each option that it names exists, for the data set or the metric that takes it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import yaml

from hrbench.datasets.coco_instances import CocoInstances
from hrbench.datasets.coco_keypoints import CocoKeypointsDataset
from hrbench.datasets.coco_panoptic import CocoPanoptic
from hrbench.datasets.faces import Faces
from hrbench.datasets.image_folders import ImageFolders
from hrbench.datasets.label_folders import LabelFolders
from hrbench.metrics.coco.instances import CocoBoxes
from hrbench.metrics.coco.keypoints import CocoKeypointAP
from hrbench.metrics.labels.mean_iou import MeanIoU
from hrbench.metrics.panoptic.quality import PanopticQuality
from hrbench.metrics.points.nme import Nme
from hrbench.suite.dataset_fields import DatasetFields

TEXT = (Path(__file__).parents[2] / "docs/own-data.md").read_text()
DATASETS = (CocoInstances, CocoKeypointsDataset, CocoPanoptic, LabelFolders, ImageFolders, Faces)
METRICS = (CocoBoxes, CocoKeypointAP, MeanIoU, PanopticQuality, Nme)
OF_DATASETS_ALONE = {"segments", "orientation", "paths", "colours", "part", "labels", "classes", "label_suffix"}


def options() -> dict[str, object]:
    found = {}
    for text in re.findall(r"`([a-z_]+: [^`]+)`", TEXT):
        if not text.startswith(("dataset", "keypoints")):
            found.update(yaml.safe_load(text))
    return found


def taken(kinds: tuple[type, ...]) -> set[str]:
    return {name for kind in kinds for name in inspect.signature(kind).parameters}


def test_every_option_is_taken_by_a_data_set_and_by_a_metric_or_is_the_data_set_s_alone():
    named = {*options(), "orientation"}
    assert {"renumber", "truth_area", "values", "palette", "part", "match"} <= named
    assert named <= taken(DATASETS)
    assert named - OF_DATASETS_ALONE <= taken(METRICS)


def test_the_schema_describes_every_option():
    old = {
        "palette",
        "labels",
        "classes",
        "label_suffix",
        "ignore",
    }  # older: the readers describe them
    assert {*options(), "orientation"} - old <= set(DatasetFields.model_fields)
