"""LVIS in its own files beside COCO's images, or user-defined annotations in its format.

    <data>/coco/annotations/lvis_v1_{split}.json
    <data>/coco/{train2017,val2017}/*.jpg               or  <data>/coco/images/{train2017,val2017}/*.jpg

The validation images of LVIS v1 are some of COCO's train2017 and some of its val2017: the file names each by its
address (`coco_url`), whose last folder is COCO's split. An annotation does not say whether it is a crowd.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from hrbench.datasets.coco_instances import CocoInstances
from hrbench.formats.coco.annotations import FederatedFacts, InstanceListing, read_federated
from hrbench.formats.coco.forms import TruthArea
from hrbench.formats.paths import Paths

HOME = "get the annotations from www.lvisdataset.org and the images train2017 and val2017 from cocodataset.org"
FREQUENCIES = {"r": "rare", "c": "common", "f": "frequent"}


class Lvis(CocoInstances):
    """Objects of a file of LVIS's form; construction reads nothing.

    root: the folder of --data; `folder` lies in it.
    split: "val" or "train" of LVIS v1.
    annotations, images: user-defined paths, which replace the official ones; relative to `folder`.
    max_detections: how many of an image its metrics judge, of all classes together (`metrics.coco.lvis.LvisObjects`);
        None for LVIS's 300.
    iou_thresholds, areas, recall_thresholds: how its metrics judge, too; None for LVIS's own.
    classes, per_class, detection_area, orientation, paths, renumber, truth_area, match, whole_ids, text_numbers: as
        `CocoInstances` has them.
    """

    _home = HOME

    def __init__(
        self,
        root: str | Path,
        split: str = "val",
        folder: str = "coco",
        annotations: str | None = None,
        images: str | None = None,
        classes: Sequence[str | int] | None = None,
        max_detections: int | None = None,
        per_class: bool | None = None,
        detection_area: Literal["mask", "box"] | None = None,
        orientation: str | None = None,
        paths: Paths = "posix",
        renumber: bool = False,
        truth_area: TruthArea = "file",
        match: Literal["id", "file_name"] = "id",
        whole_ids: bool = False,
        text_numbers: bool = False,
        iou_thresholds: float | Sequence[float] | None = None,
        areas: Mapping[str, Sequence[float | None]] | None = None,
        recall_thresholds: int | Sequence[float] | None = None,
    ) -> None:
        super().__init__(
            root,
            split,
            folder,
            annotations,
            images,
            classes,
            max_detections,
            iou_thresholds,
            areas,
            recall_thresholds,
            per_class=per_class,
            detection_area=detection_area,
            orientation=orientation,
            paths=paths,
            renumber=renumber,
            truth_area=truth_area,
            match=match,
            whole_ids=whole_ids,
            text_numbers=text_numbers,
        )

    @property
    def target(self) -> Path:
        """The annotation file, which the metrics read, too."""
        return self.folder / (self._annotations or f"annotations/lvis_v1_{self.split}.json")

    @property
    def images(self) -> Path:
        """The folder that names of images are relative to: the first of the two official ones with COCO's splits."""
        if self._images is not None:
            return self.folder / self._images
        nested = self.folder / "images"
        return nested if any((nested / name).is_dir() for name in ("train2017", "val2017")) else self.folder

    @property
    def server(self) -> str:
        """None evaluates these splits: their ground truth is published."""
        return ""

    @cached_property
    def _read(self) -> tuple[InstanceListing, FederatedFacts]:
        return read_federated(self.target, self.form)

    @cached_property
    def _content(self) -> InstanceListing:
        return self._checked(self._read[0])

    def _root(self) -> None:
        """LVIS has no category that only names others."""

    def facts(self) -> dict[str, int]:
        """Counts of what the annotation file lists."""
        found, federated = super().facts(), self._read[1]
        del found["of these crowds"]
        many = Counter(federated.frequency[number] for number in self.scheme.ids)
        return {
            **found,
            **{f"of these {word}": many[letter] for letter, word in FREQUENCIES.items()},
            "pairs of an image and an absent class": federated.negative,
            "pairs of an image and a class annotated in part": federated.partial,
        }
