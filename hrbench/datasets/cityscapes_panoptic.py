"""Cityscapes' panoptic annotations, as cityscapesscripts makes them of the official ones (csCreatePanopticImgs).

    <data>/cityscapes/gtFine/cityscapes_panoptic_{split}.json
    <data>/cityscapes/gtFine/cityscapes_panoptic_{split}/{city}_{sequence}_{frame}_gtFine_panoptic.png
    <data>/cityscapes/leftImg8bit/{split}/{city}/{city}_{sequence}_{frame}_leftImg8bit.png

The ids of images are texts, {city}_{sequence}_{frame}; those of classes are label ids. (The names of images in that
file, {city}_{sequence}_{frame}_gtFine_leftImg8bit.png, are those of no file of Cityscapes, and are not read.)
To judge predictions from files the images themselves need not be there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hrbench.datasets import panoptic_files
from hrbench.datasets.cityscapes import HOME, IMAGE
from hrbench.datasets.panoptic_files import PanopticFiles
from hrbench.errors import InputError
from hrbench.formats.orientation import Orientation
from hrbench.formats.orientation import checked as checked_orientation
from hrbench.formats.panoptic.files import PLAIN, ImageId, PanopticTruth
from hrbench.types import ClassScheme, Sample

WRITTEN = f"csCreatePanopticImgs of cityscapesscripts writes them of gtFine; {HOME}"


class CityscapesPanoptic:
    """Scenes of a split with panoptic segments; construction reads nothing.

    root: the folder of --data, `folder` lies in it.
    cities: the cities of the split with their numbers of images, which must all be annotated; None for any.
    orientation: the picture that annotations belong to: "stored", as in the file, or "applied", turned as EXIF says;
        None: stored for the official set; other data must say if a file has such a tag.
    metric_args: further options of single metrics, by the metric's name, such as {panoptic-quality: {per_class: true}}.
    """

    task = "panoptic"

    def __init__(
        self,
        root: str | Path,
        split: str = "val",
        folder: str = "cityscapes",
        cities: Mapping[str, int] | None = None,
        orientation: str | None = None,
        metric_args: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.metric_args = metric_args or {}
        self.folder, self.split, self.cities = Path(root) / folder, split, cities
        self.orientation: Orientation = checked_orientation(orientation, official=folder == "cityscapes")

    @property
    def target(self) -> Path:
        """The JSON file, which the metric reads, with the PNGs."""
        return self.files.annotations

    @property
    def files(self) -> PanopticFiles:
        """Where everything lies."""
        annotations = self.folder / "gtFine" / f"cityscapes_panoptic_{self.split}.json"
        return PanopticFiles(
            annotations, annotations.with_suffix(""), self.folder / "leftImg8bit" / self.split, WRITTEN
        )

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for annotations, PNGs, images and cities that are not there."""
        if absent := self.files.absent():
            return absent
        found = self.files.missing(self._truth, self._names)
        for city, count in (self.cities or {}).items():
            here = sum(str(image).startswith(f"{city}_") for image in self._names)
            if here < count:
                few = f"{count - here} of {count} images of city {city} are missing"
                found.append(f"{few} from {self.target}; {WRITTEN}")
        return found

    @cached_property
    def _truth(self) -> PanopticTruth:
        return self.files.truth(PLAIN)

    @cached_property
    def _names(self) -> dict[ImageId, str]:
        """Image id -> its file below the folder of images."""
        for image in self._truth.images:
            if not isinstance(image, str) or image.count("_") < 2 or "/" in image or "\\" in image:
                raise InputError(f"{self.target}: image {image!r} is not called {{city}}_{{sequence}}_{{frame}}")
        return {image: f"{_city(image)}/{image}{IMAGE}" for image in self._truth.images}

    @cached_property
    def scheme(self) -> ClassScheme:
        """Names and label ids of all classes, in the order of the file."""
        return panoptic_files.scheme_of(self._truth)

    def metric_options(self) -> dict[str, Any]:
        return {}

    def ground_truth_sha256(self) -> str:
        return self.files.truth_digest(self._truth)

    def digest(self, protocol: Mapping[str, Any]) -> str:
        return self.files.digest(self._truth, self._names)

    def samples(self, protocol: Mapping[str, Any]) -> list[Sample]:
        """Every annotated scene, by rising id, its city as group."""
        folder = self.files.images
        return [
            Sample(image, folder / name, self._truth.images[image].size, _city(image), orientation=self.orientation)
            for image, name in self._names.items()
        ]

    def notes(self, protocol: Mapping[str, Any]) -> list[str]:
        """Names cities that do not belong to the official split."""
        more = ", ".join(sorted({*map(_city, self._names)} - set(self.cities))) if self.cities else ""
        return [f"cities that do not belong to Cityscapes {self.split} count as well: {more}"] if more else []

    def truth(self, samples: Sequence[Sample]) -> dict[int | str, Any]:
        """Sample id -> its segments as annotated, in the form of the task's `rows`."""
        return panoptic_files.shown(self._truth, samples)

    def facts(self) -> dict[str, int]:
        """Counts of what the annotation file lists."""
        return panoptic_files.facts(self._truth)

    def look(self, sample: Sample) -> list[str]:
        """Faults of a scene and its segments."""
        return panoptic_files.look(self._truth, sample)


def _city(image: ImageId) -> str:
    return str(image).partition("_")[0]
