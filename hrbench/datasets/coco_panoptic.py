"""COCO's panoptic annotations in the official layout, or user-defined ones in their form.

    <data>/coco/annotations/panoptic_{split}.json
    <data>/coco/annotations/panoptic_{split}/*.png      of the archive panoptic_{split}.zip beside the JSON file
    <data>/coco/{split}/*.jpg                           or  <data>/coco/images/{split}/*.jpg

To judge predictions from files the images themselves need not be there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hrbench.datasets import panoptic_files
from hrbench.datasets.panoptic_files import PanopticFiles
from hrbench.errors import InputError
from hrbench.formats.coco import layout
from hrbench.formats.coco.json_faults import refuse_folder
from hrbench.formats.orientation import Orientation
from hrbench.formats.orientation import checked as checked_orientation
from hrbench.formats.panoptic.files import Area, ImageId, PanopticForm, PanopticTruth, listed_images
from hrbench.formats.paths import inside
from hrbench.types import ClassScheme, Sample

HOME = (
    "get images and panoptic_annotations_trainval2017.zip from cocodataset.org, and unpack the panoptic_*.zip that is "
    "in it beside its JSON file"
)


class CocoPanoptic:
    """Images with panoptic segments; construction reads nothing.

    root: the folder of --data; `folder` lies in it.
    annotations, segments, images: user-defined paths of the JSON file, the folder of its PNGs and that of the images,
        which replace the official ones; relative to `folder`. Segments: None for the JSON file's name without ending.
    orientation: the picture that annotations belong to: "stored", as in the file, or "applied", turned as EXIF says;
        None: stored for COCO's own layout; other data must say if a file has such a tag.
    truth_area, iscrowd: how annotations deviate from COCO's form (`formats.panoptic.files.PanopticForm`).
    metric_args: further options of single metrics, by the metric's name, such as {panoptic-quality: {per_class: true}}.
    """

    task = "panoptic"

    def __init__(
        self,
        root: str | Path,
        split: str = "val2017",
        folder: str = "coco",
        annotations: str | None = None,
        segments: str | None = None,
        images: str | None = None,
        orientation: str | None = None,
        truth_area: Area = "file",
        iscrowd: Literal["file", 0] = "file",
        metric_args: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.metric_args = metric_args or {}
        self.form = PanopticForm(truth_area, iscrowd)
        self.folder, self.split = Path(root) / folder, split
        if annotations is not None:
            refuse_folder(self.folder / annotations)
        self._annotations, self._segments, self._images = annotations, segments, images
        official = annotations is None and images is None and self.folder.name == "coco"
        self.orientation: Orientation = checked_orientation(orientation, official)

    @property
    def target(self) -> Path:
        """The JSON file, which the metric reads, with the PNGs."""
        return self.files.annotations

    @property
    def files(self) -> PanopticFiles:
        """Where everything lies."""
        here = self.folder
        annotations = (
            here / "annotations" / f"panoptic_{self.split}.json"
            if self._annotations is None
            else here / self._annotations
        )
        segments = annotations.with_suffix("") if self._segments is None else here / self._segments
        images = layout.image_folder(here, self.split) if self._images is None else here / self._images
        own = self._annotations is not None or self._images is not None
        return PanopticFiles(annotations, segments, images, "check the path in the suite" if own else HOME)

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for annotations, PNGs and images that are not there."""
        return self.files.absent() or self.files.missing(self._truth, self._names)

    @cached_property
    def _truth(self) -> PanopticTruth:
        return self.files.truth(self.form)

    @cached_property
    def _names(self) -> dict[ImageId, str]:
        """Image id -> its file below the folder of images."""
        listed = {image.id: image for image in listed_images(self.target)}
        names = {}
        for image in self._truth.images:
            if image not in listed or not listed[image].file_name:
                raise InputError(f"{self.target}: image {image!r} is annotated, and images names no file of it")
            names[image] = inside(listed[image].file_name, f"{self.target}: image {image!r}")
        return names

    @cached_property
    def scheme(self) -> ClassScheme:
        """Names and category ids of all classes, in the order of the file."""
        return panoptic_files.scheme_of(self._truth)

    def metric_options(self) -> dict[str, Any]:
        """Where the PNGs lie, if not beside the JSON file, and how annotations deviate from COCO's form."""
        apart = {} if self._segments is None else {"png_folder": _relative(self.files.segments, self.target.parent)}
        return {**apart, **self.form.stated()}

    def ground_truth_sha256(self) -> str:
        return self.files.truth_digest(self._truth)

    def digest(self, protocol: Mapping[str, Any]) -> str:
        return self.files.digest(self._truth, self._names)

    def samples(self, protocol: Mapping[str, Any]) -> list[Sample]:
        """Every annotated image, by rising id."""
        return [
            Sample(id=image, path=self.files.images / name, size=size, orientation=self.orientation)
            for (image, name), size in zip(
                self._names.items(), (each.size for each in self._truth.images.values()), strict=True
            )
        ]

    def notes(self, protocol: Mapping[str, Any]) -> list[str]:
        return []

    def truth(self, samples: Sequence[Sample]) -> dict[int | str, Any]:
        """Sample id -> its segments as annotated, in the form of the task's `rows`."""
        return panoptic_files.shown(self._truth, samples)

    def facts(self) -> dict[str, int]:
        """Counts of what the annotation file lists."""
        return panoptic_files.facts(self._truth)

    def look(self, sample: Sample) -> list[str]:
        """Faults of an image and its segments."""
        return panoptic_files.look(self._truth, sample)


def _relative(path: Path, start: Path) -> str:
    return Path(os.path.relpath(path, start)).as_posix()
