"""COCO objects with boxes and masks in the official layout, or user-defined annotations and classes in its format.

    <data>/coco/annotations/instances_{split}.json      of test-dev2017 image_info_test-dev2017.json
    <data>/coco/{split}/*.jpg                           or  <data>/coco/images/{split}/*.jpg; of test-dev2017 test2017/

Classes are those that the file lists, by rising category id, which is the order of the outputs of networks trained on
COCO's 80 classes; `classes` selects some of them, or another order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hrbench.core.text import suggestion
from hrbench.datasets.image_files import digest_of, file_sizes, missing_images
from hrbench.errors import InputError, UsageError
from hrbench.formats.coco import layout
from hrbench.formats.coco.annotations import (
    HOME,
    InstanceListing,
    ListedObject,
    NamedCategory,
    box_fault,
    compressed_mask,
    mask_fault,
    read_annotated_objects,
    read_instances,
)
from hrbench.formats.coco.forms import CocoForm, TruthArea, unused_root
from hrbench.formats.coco.json_faults import refuse_folder
from hrbench.formats.images import image_faults
from hrbench.formats.orientation import Orientation
from hrbench.formats.orientation import checked as checked_orientation
from hrbench.formats.paths import Paths, checked_paths
from hrbench.types import ClassScheme, Sample


class CocoInstances:
    """Objects of a COCO-format file; construction reads nothing.

    root: the folder of --data; `folder` lies in it.
    annotations, images: user-defined paths, which replace the official ones; relative to `folder`.
    classes: names or category ids of those that are looked for, in the order of the network's outputs; None: all of the
        file, by rising id.
    max_detections, iou_thresholds, areas, recall_thresholds, class_agnostic, per_class: how its metrics judge, and what
        they tell (`metrics.coco.instances.CocoObjects`); None for COCO's own.
    orientation: the picture that annotations belong to: "stored", as in the file, or "applied", turned as EXIF says;
        None: stored for COCO's own layout; other data must say if a file has such a tag.
    paths: "posix", or "windows": file names have backslashes between folders, and endings and letters of either case.
    renumber, truth_area, iscrowd, match, whole_ids, root_category, text_numbers: how the annotations deviate from
        COCO's form (`forms.CocoForm`); where a category is found that only names the others, `root_category` must say
        what becomes of it.
    metric_args: further options of single metrics, by the metric's name, such as {coco-masks: {per_class: true}}.
    detection_area: what the areas of detected masks are of, "mask" or "box" (`CocoObjects`); None for the masks.
    """

    task = "detection"
    _home = HOME

    def __init__(
        self,
        root: str | Path,
        split: str = "val2017",
        folder: str = "coco",
        annotations: str | None = None,
        images: str | None = None,
        classes: Sequence[str | int] | None = None,
        max_detections: int | Sequence[int] | None = None,
        iou_thresholds: float | Sequence[float] | None = None,
        areas: Mapping[str, Sequence[float | None]] | None = None,
        recall_thresholds: int | Sequence[float] | None = None,
        class_agnostic: bool | None = None,
        per_class: bool | None = None,
        detection_area: Literal["mask", "box"] | None = None,
        orientation: str | None = None,
        paths: Paths = "posix",
        renumber: bool = False,
        truth_area: TruthArea = "file",
        iscrowd: Literal["file", 0] = "file",
        match: Literal["id", "file_name"] = "id",
        whole_ids: bool = False,
        root_category: Literal["keep", "drop"] | None = None,
        text_numbers: bool = False,
        metric_args: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        root_of_all = "keep" if root_category is None else root_category
        self.form = CocoForm(renumber, truth_area, iscrowd, "file", match, whole_ids, root_of_all, text_numbers)
        self._root_said = root_category is not None
        self.paths: Paths = checked_paths(paths)
        self.folder = Path(root) / folder
        self.split = split
        self._annotations, self._images = annotations, images
        if annotations is not None:
            refuse_folder(self.folder / annotations)
        official = annotations is None and images is None and self.folder.name == "coco"
        self.orientation: Orientation = checked_orientation(orientation, official)
        self._classes = None if classes is None else tuple(classes)
        asked = {
            "max_detections": max_detections,
            "iou_thresholds": iou_thresholds,
            "areas": areas,
            "recall_thresholds": recall_thresholds,
            "class_agnostic": class_agnostic,
            "per_class": per_class,
            "detection_area": detection_area,
        }
        self._judging = {name: value for name, value in asked.items() if value is not None}
        self.metric_args = metric_args or {}

    # --- paths

    @property
    def target(self) -> Path:
        """The annotation file, which the metrics read, too; for a split without ground truth, the list of images."""
        if self._annotations is not None:
            return self.folder / self._annotations
        return layout.annotation_file(self.folder, "instances", self.split)

    @property
    def images(self) -> Path:
        """The image folder: user-defined, or the first of the two official ones that exists."""
        return layout.image_folder(self.folder, self.split) if self._images is None else self.folder / self._images

    @property
    def server(self) -> str:
        """Which server evaluates results if no ground truth is public, otherwise ""."""
        return layout.server(self.split, self._annotations is not None)

    def submit(self, predictions: Mapping[str, Path], folder: Path) -> Path:
        """Writes what COCO's server takes, detections_{split}_hrbench_results.zip (`layout.write_archives`)."""
        return layout.write_archives("detections", self.split, predictions, folder)

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for the annotations and one for the images that are not there."""
        user_defined = self._annotations is not None or self._images is not None
        home = "check the path in the suite" if user_defined else self._home
        gaps = []
        if not self.target.is_file():
            gaps.append(f"annotations are missing: {self.target}; {home}")
        if not self.images.is_dir():
            gaps.append(f"images are missing: {self.images}; {home}")
        elif not gaps:
            gaps += missing_images(self.images, [*self._files.values()], home, self.paths)
        return gaps

    # --- content

    @cached_property
    def _content(self) -> InstanceListing:
        return self._checked(read_instances(self.target, self.form))

    def _checked(self, content: InstanceListing) -> InstanceListing:
        if not content.categories:
            raise InputError(f"{self.target} lists no categories")
        for what, listed in (("images", content.images), ("categories", content.categories)):
            twice = layout.duplicates([each.id for each in listed])
            if twice:
                raise InputError(f"{self.target}: {what} lists the id {twice[0]} more than once")
        return content

    @cached_property
    def _files(self) -> dict[int, str]:
        """Image id -> its file below `images`."""
        return layout.image_files(self.target, self._content.images, self.images, self.paths)

    def _refuse_root(self) -> None:
        """Raises UsageError for a category that only names the others, as long as nobody says what becomes of it."""
        if self._root_said or self._classes is not None or (root := self._root()) is None:
            return
        names = {each.id: each.name for each in self._content.categories}
        raise UsageError(
            f"{self.target}: category {root} ({names[root]!r}) has no annotation and is the supercategory of "
            f"the others: set `root_category: drop` if the network's {len(names) - 1} classes are the others, as "
            "Roboflow exports mean it, or `root_category: keep` if it is a class of its own"
        )

    def _root(self) -> int | None:
        """The id of the category that only names the others and has no annotation."""
        used = (each.category_id for of in self._objects.values() for each in of)
        return unused_root(self._content.categories, used)

    @cached_property
    def scheme(self) -> ClassScheme:
        """Names and category ids of the classes, in the order of a network's outputs."""
        self._refuse_root()
        every = sorted(self._content.categories, key=lambda category: category.id)
        chosen = every if self._classes is None else [self._class(each, every) for each in self._classes]
        twice = layout.duplicates([category.id for category in chosen])
        if not chosen or twice:
            what = f"category {twice[0]} is asked for more than once" if twice else "no class is asked for"
            raise UsageError(f"dataset.classes: {what}")
        return ClassScheme(tuple(each.name for each in chosen), tuple(each.id for each in chosen))

    def _class(self, asked: str | int, every: Sequence[NamedCategory]) -> NamedCategory:
        for category in every:
            if asked in (category.name, category.id):
                return category
        known = [category.name for category in every]
        raise UsageError(
            f"dataset.classes: {self.target} has no category {asked!r}; {suggestion(str(asked), known)}; ids are "
            f"{every[0].id} to {every[-1].id}"
        )

    def metric_options(self) -> dict[str, Any]:
        """The evaluated categories, if only some are detected: objects of the others then do not count as missed.

        And how predictions are judged if that is given, and that a root category is kept if that is said.
        """
        ids = sorted(self.scheme.ids)
        every = ids == sorted(each.id for each in self._content.categories)
        kept = {"root_category": "keep"} if self._root_said and self._root() is not None else {}
        return {**({} if every else {"categories": ids}), **self._judging, **kept, **self.form.stated()}

    def digest(self, protocol: Mapping[str, Any]) -> str:
        return digest_of([self.target], file_sizes(self.images, self._files.values()))

    def samples(self, protocol: Mapping[str, Any]) -> list[Sample]:
        """Every listed image, in the file's order."""
        return [
            Sample(
                id=image.id,
                path=self.images / self._files[image.id],
                size=(image.width, image.height),
                orientation=self.orientation,
            )
            for image in self._content.images
        ]

    def notes(self, protocol: Mapping[str, Any]) -> list[str]:
        """How many of the classes are detected, if not all."""
        found, all_of = len(self.scheme.ids), len(self._content.categories)
        return [] if found == all_of else [f"{found} of the {all_of} classes of {self.target.name} are looked for"]

    @cached_property
    def _objects(self) -> dict[int, list[ListedObject]]:
        """Image id -> its annotated objects; ids without objects are left out."""
        return read_annotated_objects(self.target, self.form)

    def truth(self, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
        """Sample id -> its annotated objects, largest box first, as detections have them but without a score.

        Only classes that are looked for; crowds have "iscrowd".
        """
        return {sample.id: self._rows_of(sample) for sample in samples}

    def _rows_of(self, sample: Sample) -> list[dict[str, Any]]:
        assert sample.size is not None
        known, rows = {*self.scheme.ids}, []
        for each in self._objects.get(int(sample.id), ()):
            if each.category_id not in known or box_fault(each.bbox):
                continue
            row = {"category_id": each.category_id, "bbox": each.bbox, "iscrowd": each.iscrowd}
            mask = compressed_mask(each.segmentation, sample.size)
            rows.append(row if mask is None else {**row, "segmentation": mask})
        return sorted(rows, key=lambda row: -row["bbox"][2] * row["bbox"][3])

    # --- checks for `hrbench datasets NAME --check`

    def facts(self) -> dict[str, int]:
        """Counts of what the annotation file lists."""
        objects = [each for of in self._objects.values() for each in of]
        listed = {image.id for image in self._content.images}
        return {
            "images": len(self._content.images),
            "images with objects": len(self._objects.keys() & listed),
            "objects": len(objects),
            "of these crowds": sum(each.iscrowd != 0 for each in objects),
            "classes": len(self.scheme.names),
        }

    def look(self, sample: Sample) -> list[str]:
        """Faults of an image and its objects: the file, classes that are not listed, boxes, masks."""
        assert sample.size is not None
        faults = image_faults(sample.path, sample.size, sample.orientation)
        known = {category.id for category in self._content.categories}
        for each in self._objects.get(int(sample.id), ()):
            where = f"{self.target}: object {each.id} of image {each.image_id}"
            if each.category_id not in known:
                faults.append(f"{where} is of category {each.category_id}, which the file does not list")
            # an export of boxes has empty masks: whether masks are needed is known where they are judged
            mask = mask_fault(each.segmentation, sample.size) if each.segmentation != [] else ""
            faults += [f"{where} {what}" for what in (box_fault(each.bbox), mask) if what]
        return faults
