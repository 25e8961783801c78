"""iNaturalist 2017: photographs of species with one class each, and its subset with boxes.

    <data>/inaturalist-2017/train_val_images/{supercategory}/{species}/*.jpg
    <data>/inaturalist-2017/train_val2017/val2017.json       images, 5,089 categories, annotations, as COCO has them
    <data>/inaturalist-2017/val_2017_bboxes.json             the same with boxes, of nine supercategories

The JSON files may also lie in the folder itself, or in train_val2017. Van Horn et al.: The iNaturalist Species
Classification and Detection Dataset, CVPR 2018; github.com/visipedia/inat_comp/tree/master/2017. Classes are the
categories by rising id. Boxes are of Insecta, Aves, Reptilia, Mammalia, Amphibia, Mollusca, Animalia, Arachnida and
Actinopterygii, whose 2,854 categories are then the classes; each of their images has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from hrbench.datasets.image_files import digest_of, file_sizes, missing_images
from hrbench.errors import InputError
from hrbench.formats.class_lists import ClassLists, read
from hrbench.formats.images import image_faults
from hrbench.formats.orientation import Orientation
from hrbench.formats.orientation import checked as checked_orientation
from hrbench.types import ClassScheme, Sample

HOME = (
    "get train_val_images.tar.gz, train_val2017.zip and, for boxes, val_2017_bboxes.zip, as linked on "
    "https://github.com/visipedia/inat_comp/tree/master/2017"
)


class INaturalist:
    """A split of iNaturalist; construction reads nothing.

    root: the folder of --data.
    annotations: the JSON file, below `folder` or its train_val2017.
    boxes: whether only the image's box, enlarged by the protocol's box_scale, is classified; then the annotations must
        have boxes.
    orientation: the picture that annotations belong to: "stored", as in the file, or "applied", turned as EXIF says;
        None: stored for the official set; other data must say if a file has such a tag.
    """

    task = "classification"

    def __init__(
        self,
        root: str | Path,
        folder: str = "inaturalist-2017",
        annotations: str = "val2017.json",
        boxes: bool = False,
        orientation: str | None = None,
    ) -> None:
        self.folder = Path(root) / folder
        self.name, self.boxes = annotations, boxes
        self.orientation: Orientation = checked_orientation(orientation, official=folder == "inaturalist-2017")

    @property
    def target(self) -> Path:
        """The JSON file, which the metric reads too."""
        inner = self.folder / "train_val2017" / self.name
        outer = self.folder / self.name
        return outer if outer.is_file() or (self.boxes and not inner.is_file()) else inner

    @cached_property
    def lists(self) -> ClassLists:
        """Images, classes and boxes. Raises InputError naming the first fault, MissingError."""
        lists = read(self.target)
        if self.boxes and not lists.boxes:
            raise InputError(f"{self.target}: its annotations have no boxes; {HOME}")
        nameless = next((key for key in lists.ids if not lists.files.get(key)), None)
        if nameless is not None:
            raise InputError(f"{self.target}: image {nameless} has no file_name")
        return lists

    @cached_property
    def scheme(self) -> ClassScheme:
        names = self.lists.classes
        return ClassScheme(names, tuple(range(len(names))))

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for the annotations or the images that are not there."""
        if not self.target.is_file():
            return [f"annotations are missing: {self.target}; {HOME}"]
        return missing_images(self.folder, [self.lists.files[key] for key in self.lists.ids], HOME)

    def metric_options(self) -> dict[str, Any]:
        return {}

    def digest(self, protocol: Mapping[str, Any]) -> str:
        return digest_of([self.target], file_sizes(self.folder, self.lists.files.values()))

    def samples(self, protocol: Mapping[str, Any]) -> list[Sample]:
        """One sample for each image by rising number; group: its species; content: its box, if `boxes`."""
        lists, names = self.lists, self.scheme.names
        return [
            Sample(
                key,
                self.folder / lists.files[key],
                size=lists.sizes.get(key),
                group=names[labels[0]],
                content=lists.boxes[key] if self.boxes else None,
                orientation=self.orientation,
            )
            for key, labels in zip(lists.ids, lists.labels, strict=True)
        ]

    def notes(self, protocol: Mapping[str, Any]) -> list[str]:
        return []

    def facts(self) -> dict[str, int]:
        """Numbers of images, annotations and classes."""
        sizes = file_sizes(self.folder, self.lists.files.values())
        there = sum(size is not None for size in sizes.values())
        return {"images": there, "annotations": len(self.lists.ids), "classes": len(self.scheme.names)}

    def look(self, sample: Sample) -> list[str]:
        """Faults of an image, and a box that lies outside it."""
        faults = image_faults(sample.path, sample.size, sample.orientation)
        if self.boxes and sample.size is not None:
            (x, y, w, h), (width, height) = sample.content, sample.size
            if x >= width or y >= height or x + w <= 0 or y + h <= 0:
                faults.append(
                    f"image {sample.path}: its box {[x, y, w, h]} lies outside of its {width}x{height} pixels"
                )
        return faults
