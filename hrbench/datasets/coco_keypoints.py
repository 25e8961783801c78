"""COCO person keypoints in the official layout, or annotations of another set in the same format.

    <data>/coco/annotations/person_keypoints_{split}.json        of test-dev2017 image_info_test-dev2017.json
    <data>/coco/{split}/*.jpg           or  <data>/coco/images/{split}/*.jpg; of test-dev2017 test2017/
    <data>/coco/person_detection_results/COCO_{split}_detections_AP_H_56_person.json     of test-dev2017 _609_

How boxes become people is in `person_boxes`, which joints they have in `keypoint_schemes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hrbench.core.digests import sha256
from hrbench.datasets.image_files import digest_of, file_sizes, missing_images
from hrbench.datasets.keypoint_schemes import listed_scheme, public_scheme
from hrbench.datasets.person_boxes import (
    BOXES_HOME,
    OFFICIAL_BOX_AP,
    OFFICIAL_BOXES,
    annotated_people,
    detected_people,
)
from hrbench.errors import UsageError
from hrbench.formats.coco import layout
from hrbench.formats.coco.annotations import (
    HOME,
    KeypointListing,
    ListedCategory,
    put_joints_together,
    read_keypoints,
)
from hrbench.formats.coco.forms import CocoForm, Layout, TruthArea
from hrbench.formats.coco.json_faults import refuse_folder
from hrbench.formats.coco.keypoint_results import Unseen
from hrbench.formats.coco.own_layouts import source_files
from hrbench.formats.coco.skeletons import Skeleton, skeleton_named
from hrbench.formats.images import image_faults, stated_size
from hrbench.formats.orientation import Orientation
from hrbench.formats.orientation import checked as checked_orientation
from hrbench.formats.paths import Paths, checked_paths
from hrbench.types import KeypointScheme, Note, Person, Remark, Sample


class CocoKeypointsDataset:
    """People of a COCO-format keypoint file; construction reads nothing.

    root: the folder of --data; `folder` lies in it.
    annotations, images: user-defined paths, which replace the official ones; relative to `folder`.
    skeleton: the joints of a public set, by its name (`formats.coco.skeletons`): names, constants of OKS, mirror pairs
        and limbs, whatever joints the file names. None: those that the file names.
    sigmas: OKS constants (K,).
    flip_pairs: pairs of joints exchanged by a mirror, as indices or names. Both are needed if the joints that the
        file names are not COCO's 17, and no skeleton is given.
    categories: "one", the first that names its joints (people), or "all": every box has its own (AP-10K's animals).
    home: where a person gets the data; None: as follows from the other arguments.
    orientation: the picture that annotations belong to: "stored", as in the file, or "applied", turned as EXIF says;
        None: stored for COCO's own layout; other data must say if a file has such a tag.
    paths: "posix", or "windows": file names have backslashes between folders, and endings and letters of either case.
    renumber, truth_area, iscrowd, num_keypoints, match, whole_ids, root_category, text_numbers, frames, layout,
        missing_box: how the annotations deviate from COCO's form (`forms.CocoForm`). Another layout than COCO's does
        not state sizes of images; they are read from their files.
    detection_area, unseen: of its metric (`CocoKeypointAP`).
    max_detections, oks_thresholds, areas, recall_thresholds, per_class: how its metric judges (`CocoKeypointAP`); None
        for COCO's own.
    crowd_bounds: of CrowdPose's metric (`CrowdPoseAP`).
    metric_args: further options of single metrics, by the metric's name, such as {pck: {reference: torso}}.
    """

    task = "pose"

    def __init__(
        self,
        root: str | Path,
        split: str = "val2017",
        folder: str = "coco",
        annotations: str | None = None,
        images: str | None = None,
        sigmas: Sequence[float] | None = None,
        flip_pairs: Sequence[Sequence[int | str]] | None = None,
        orientation: str | None = None,
        paths: Paths = "posix",
        renumber: bool = False,
        truth_area: TruthArea = "file",
        iscrowd: Literal["file", 0] = "file",
        num_keypoints: Literal["file", "joints"] = "file",
        match: Literal["id", "file_name"] = "id",
        whole_ids: bool = False,
        root_category: Literal["keep", "drop"] = "keep",
        text_numbers: bool = False,
        detection_area: Literal["keypoints", "box"] | None = None,
        max_detections: int | Sequence[int] | None = None,
        oks_thresholds: float | Sequence[float] | None = None,
        areas: Mapping[str, Sequence[float | None]] | None = None,
        recall_thresholds: int | Sequence[float] | None = None,
        per_class: bool = False,
        skeleton: str | None = None,
        categories: Literal["one", "all"] = "one",
        unseen: Unseen | None = None,
        crowd_bounds: Sequence[float] | None = None,
        home: str | None = None,
        frames: Literal["all", "labelled"] = "all",
        metric_args: Mapping[str, Mapping[str, Any]] | None = None,
        layout: Layout = "coco",
        missing_box: Literal["refuse", "joints"] = "refuse",
    ) -> None:
        if categories not in ("one", "all"):
            raise UsageError(f"categories: one or all was expected, not {categories!r}")
        self.metric_args = metric_args or {}
        asked = {
            "detection_area": detection_area,
            "max_detections": max_detections,
            "oks_thresholds": oks_thresholds,
            "areas": areas,
            "recall_thresholds": recall_thresholds,
            "per_class": per_class or None,
            "unseen": unseen,
            "crowd_bounds": crowd_bounds,
        }
        self._judging = {name: value for name, value in asked.items() if value is not None}
        self._skeleton: Skeleton | None = None if skeleton is None else skeleton_named(skeleton)
        self._all = categories == "all"
        self.home = home
        self.form = CocoForm(
            renumber, truth_area, iscrowd, num_keypoints, match, whole_ids, root_category, text_numbers, frames,
            layout, missing_box,
        )  # fmt: skip
        self.paths: Paths = checked_paths(paths)
        self.folder = Path(root) / folder
        self.split = split
        self._annotations, self._images = annotations, images
        if annotations is not None and layout == "coco":
            refuse_folder(self.folder / annotations)
        official = annotations is None and images is None and self.folder.name == "coco"
        self.orientation: Orientation = checked_orientation(orientation, official)
        self._sigmas, self._flip_pairs = sigmas, flip_pairs

    # --- paths

    @property
    def target(self) -> Path:
        """The annotation file, which the metric reads, too."""
        if self._annotations is not None:
            return self.folder / self._annotations
        return layout.annotation_file(self.folder, "person_keypoints", self.split)

    @property
    def images(self) -> Path:
        """The image folder: user-defined, or the first of the two official ones that exists."""
        return layout.image_folder(self.folder, self.split) if self._images is None else self.folder / self._images

    @property
    def server(self) -> str:
        """Which server evaluates results if no ground truth is public, otherwise ""."""
        return layout.server(self.split, self._annotations is not None)

    def submit(self, predictions: Mapping[str, Path], folder: Path) -> Path:
        """Writes what COCO's server takes, person_keypoints_{split}_hrbench_results.zip, and returns its path."""
        return layout.write_archives("person_keypoints", self.split, predictions, folder)

    def box_file(self, boxes: str) -> Path | None:
        """The box file that a protocol's `boxes` names, None for ground truth and for no boxes."""
        if boxes in ("ground_truth", "none"):
            return None
        if boxes == "annotated":
            raise UsageError("protocol.boxes: COCO has no annotated centres and scales; use detector or ground_truth")
        if boxes != "detector":
            return self.folder / boxes
        if self._annotations is not None:
            raise UsageError(
                f"no detector's boxes are published for {self.target}: set protocol.boxes to ground_truth or to a file"
            )
        if self.split not in OFFICIAL_BOXES:
            raise UsageError(
                f"no published person detector's boxes exist for split {self.split} (they do for "
                f"{', '.join(OFFICIAL_BOXES)}): set protocol.boxes to ground_truth or to a file below {self.folder}"
            )
        return self.folder / "person_detection_results" / OFFICIAL_BOXES[self.split]

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for each file or image that is not there."""
        home = self.home or (HOME if self._annotations is None else "check the path in the suite")
        gaps = []
        if not (self.target.is_file() if self.form.layout != "posetrack18" else self.target.exists()):
            gaps.append(f"annotations are missing: {self.target}; {home}")
        boxes = self.box_file(str(protocol.get("boxes", "ground_truth")))
        if boxes is None and self.server and protocol.get("boxes") != "none":
            gaps.append(f"ground truth is missing: COCO publishes none of {self.split}; set protocol.boxes to detector")
        if boxes is not None and not boxes.is_file():
            place = BOXES_HOME if self.home is None else self.home
            gaps.append(f"boxes are missing: {boxes}; {place}, or set protocol.boxes to ground_truth")
        if not self.images.is_dir():
            gaps.append(f"images are missing: {self.images}; {home}")
        elif not gaps:
            gaps += missing_images(self.images, [*self._files.values()], home, self.paths)
        return gaps

    # --- content

    @cached_property
    def _content(self) -> KeypointListing:
        content = read_keypoints(self.target, self.form)
        if self._skeleton is not None:
            put_joints_together(content, self._skeleton)
        return content

    @cached_property
    def _files(self) -> dict[int, str]:
        """Image id -> its file below `images`."""
        return layout.image_files(self.target, self._content.images, self.images, self.paths)

    @cached_property
    def category(self) -> ListedCategory:
        """The class whose joints are estimated: the first that names its joints, else the first.

        Lists of images without ground truth name no joints: for them it is the class named "person".
        """
        named = [c for c in self._content.categories if c.keypoints or (self.server and c.name == "person")]
        return (named or self._content.categories or [ListedCategory(id=1, name="person")])[0]

    @cached_property
    def scheme(self) -> KeypointScheme:
        """Joint names, mirror pairs and OKS constants: COCO's, those of another public set, or user-defined."""
        if self._skeleton is not None:
            return public_scheme(self._skeleton, self._sigmas, self._flip_pairs, self.category.id)
        return listed_scheme(self.target, self.category, self._sigmas, self._flip_pairs)

    def metric_options(self) -> dict[str, Any]:
        """The joints' constants and the estimated class: other classes of the file do not count as missed."""
        category = None if self._all else self.category.id
        return {"sigmas": list(self.scheme.sigmas), "category": category, **self._judging, **self.form.stated()}

    def digest(self, protocol: Mapping[str, Any]) -> str:
        boxes = self.box_file(str(protocol.get("boxes", "ground_truth")))
        files = [*source_files(self.target, self.form), *([] if boxes is None else [boxes])]
        return digest_of(files, file_sizes(self.images, self._files.values()))

    def ground_truth_sha256(self) -> str:
        """SHA-256 (hex) of the annotations, or over those of each video."""
        files = source_files(self.target, self.form)
        return sha256(self.target) if files == [self.target] else digest_of(files, {})

    def _read_sizes(self) -> None:
        """Gives images whose sizes are not stated those of their files, where these are there."""
        for image in self._content.images if self.form.layout != "coco" else ():
            path = self.images / self._files[image.id]
            if not image.width and path.is_file():
                image.width, image.height = stated_size(path, self.orientation)

    # --- people

    def people(self, protocol: Mapping[str, Any]) -> dict[int, list[Person]]:
        """Image id -> its boxes, in the official order: ground truth image by image, detections as in their file.

        Of a protocol without boxes nothing.
        """
        if protocol.get("boxes") == "none":
            return {}
        path = self.box_file(str(protocol.get("boxes", "ground_truth")))
        if path is None:
            self._read_sizes()
            return annotated_people(self._content, self._judged)
        return detected_people(path, self._judged, float(protocol.get("image_threshold", 0.0)))

    @property
    def _judged(self) -> dict[int, str]:
        """Id -> name of the categories whose joints are estimated."""
        chosen = self._content.categories if self._all else [self.category]
        return {one.id: one.name for one in chosen}

    def samples(self, protocol: Mapping[str, Any]) -> list[Sample]:
        """One sample for each annotated image: those with boxes in the order of the boxes, then those without boxes."""
        by_image = self.people(protocol)
        self._read_sizes()
        images = {image.id: image for image in self._content.images}
        order = [image for image in by_image if image in images] + [image for image in images if image not in by_image]
        return [
            Sample(
                id=image,
                path=self.images / self._files[image],
                size=(images[image].width, images[image].height) if images[image].width else None,
                content=tuple(by_image.get(image, ())),
                orientation=self.orientation,
            )
            for image in order
        ]

    def published_box_ap(self, protocol: Mapping[str, Any]) -> float | None:
        """The box AP that the boxes in use should reach, None if nothing is published about them."""
        return None if self._user_defined or protocol.get("boxes") != "detector" else OFFICIAL_BOX_AP.get(self.split)

    @property
    def _user_defined(self) -> bool:
        """Whether the people are not COCO's, so that no published row is of them."""
        return self._annotations is not None or self.folder.name != "coco"

    def notes(self, protocol: Mapping[str, Any]) -> list[Remark]:
        notes: list[Remark] = []
        boxes = protocol.get("boxes")  # None: no network is run, so that no boxes are used
        if boxes not in (None, "detector", "ground_truth", "none") and not self._user_defined:
            notes.append(f"boxes come from {boxes}, not from the detector behind the published tables")
        listed = {image.id for image in self._content.images}
        unlisted = [image for image in self.people(protocol) if image not in listed]
        if unlisted:
            notes.append(
                f"boxes of {len(unlisted)} images that {self.target.name} does not list were left out, the first of "
                f"image {unlisted[0]}"
            )
        return [*notes, *self._unshown(protocol)]

    def _unshown(self, protocol: Mapping[str, Any]) -> list[Note]:
        """A note on annotated people who are not shown to the network, though the metric may count them as missed."""
        if protocol.get("boxes") != "ground_truth":
            return []
        judged = self._judged
        people = [one for one in self._content.annotations if one.category_id in judged and not one.iscrowd]
        labelled = [one for one in people if max(one.keypoints, default=0) != 0]
        shown = sum(map(len, self.people(protocol).values()))
        notes = []
        if alone := len(people) - len(labelled):
            what = "annotated people have no joint and are shown to nobody"
            notes.append(Note("without_joints", what, alone, len(people), "the metric ignores them, too"))
        if left := len(labelled) - shown:
            what = "annotated people with joints have no area or no box within their image and are shown to nobody"
            notes.append(Note("not_shown", what, left, len(people), "they count as missed", "truth_area"))
        return notes

    def truth(self, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
        """Sample id -> {"keypoints": x, y, visibility of each joint} of the annotated people with a joint."""
        found: dict[int | str, list[dict[str, Any]]] = {sample.id: [] for sample in samples}
        judged = self._judged
        for each in self._content.annotations:
            counted = each.category_id in judged and len(each.keypoints) == 3 * len(self.scheme.names)
            if counted and each.image_id in found and max(each.keypoints) > 0:
                own = {"category_id": each.category_id} if self._all else {}
                found[each.image_id].append({"keypoints": each.keypoints, **own})
        return found

    # --- checks for `hrbench datasets NAME --check`

    def facts(self) -> dict[str, int]:
        """Counts of what the annotation file lists."""
        judged = self._judged
        people = [each for each in self._content.annotations if each.category_id in judged]
        return {
            "images": len(self._content.images),
            "images with people": len({each.image_id for each in people}),
            "people": len(people),
            "of these with joints": sum(max(each.keypoints, default=0) > 0 for each in people),
            "joints": len(self.scheme.names),
        }

    def look(self, sample: Sample) -> list[str]:
        """Faults of an image and its people: the file, numbers of joints."""
        faults = image_faults(sample.path, sample.size, sample.orientation)
        wanted = 3 * len(self.scheme.names)
        for each in self._content.annotations:
            counted = each.image_id == sample.id and each.category_id in self._judged and each.keypoints
            if counted and len(each.keypoints) != wanted:
                faults.append(
                    f"{self.target}: person {each.id} of image {each.image_id} has {len(each.keypoints)} numbers in "
                    f"keypoints; {wanted // 3} joints need {wanted}"
                )
        return faults
