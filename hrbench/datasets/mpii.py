"""MPII Human Pose as the HRNet and SimpleBaseline code lays it out; here its validation part.

    <data>/mpii/images/*.jpg
    <data>/mpii/annot/valid.json       for predictions: image, centre, scale, joints, visibility
    <data>/mpii/annot/gt_valid.mat     for scores: joints, missing joints, head boxes, in the same order

Centres and joints are 1-based as annotated; tasks/pose/geometry.py converts them to pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from hrbench.core.files import MAX_COORDINATE
from hrbench.datasets.image_files import digest_of, file_sizes, missing_images
from hrbench.errors import InputError, MissingError
from hrbench.formats.images import decoded_size
from hrbench.formats.mpii import read_truth
from hrbench.formats.orientation import Orientation
from hrbench.formats.orientation import checked as checked_orientation
from hrbench.formats.paths import inside
from hrbench.types import KeypointScheme, Person, Sample

HOME = (
    "get the images from human-pose.mpi-inf.mpg.de, valid.json and gt_valid.mat from the HRNet repository's MPII link"
)

SCHEME = KeypointScheme(
    names=(
        "right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle", "pelvis", "thorax",
        "upper neck", "head top", "right wrist", "right elbow", "right shoulder", "left shoulder", "left elbow",
        "left wrist",
    ),
    flip_pairs=((0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)),
    limbs=(
        (0, 1), (1, 2), (2, 6), (3, 6), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (7, 12), (12, 11), (11, 10), (7, 13),
        (13, 14), (14, 15),
    ),
    annotated=True,
)  # fmt: skip
"""MPII's 16 joints. Every annotated person gets one prediction; nothing is rescored or suppressed."""


class _MpiiPerson(msgspec.Struct):
    image: str
    center: tuple[float, float]
    scale: float


class Mpii:
    """People of a split of MPII; construction reads nothing.

    root: the folder of --data.
    split: {split}.json and gt_{split}.mat lie in annot/ (MPII itself: valid).
    orientation: the picture that annotations belong to: "stored", as in the file, or "applied", turned as EXIF says;
        None: stored for the official set; other data must say if a file has such a tag.
    origin: where files of predictions have their top-left pixel, 0 or 1 (`metrics.pckh.MpiiPckh`).
    metric_args: further options of single metrics, by the metric's name, such as {pck: {reference: head}}.
    """

    task = "pose"
    scheme = SCHEME

    def __init__(
        self,
        root: str | Path,
        folder: str = "mpii",
        split: str = "valid",
        orientation: str | None = None,
        origin: Literal[0, 1] | None = None,
        metric_args: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._origin = origin
        self.metric_args = metric_args or {}
        self.folder = Path(root) / folder
        self.split = split
        self.orientation: Orientation = checked_orientation(orientation, official=folder == "mpii")

    @property
    def annotations(self) -> Path:
        return self.folder / "annot" / f"{self.split}.json"

    @property
    def target(self) -> Path:
        """The official ground truth, which the metric reads."""
        return self.folder / "annot" / f"gt_{self.split}.mat"

    @property
    def images(self) -> Path:
        return self.folder / "images"

    @cached_property
    def _rows(self) -> list[_MpiiPerson]:
        try:
            rows = msgspec.json.decode(self.annotations.read_bytes(), type=list[_MpiiPerson])
        except FileNotFoundError:
            raise MissingError(f"no file {self.annotations}; {HOME}") from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{self.annotations} is not MPII's {self.split}.json: {error}") from None
        for index, row in enumerate(rows):
            inside(row.image, f"{self.annotations}: person {index}")
        if not rows:
            raise InputError(f"{self.annotations} lists nobody")
        for index, row in enumerate(rows):
            if not 0 < row.scale <= MAX_COORDINATE or max(map(abs, row.center)) > MAX_COORDINATE:
                raise InputError(
                    f"{self.annotations}: person {index} has the centre {list(row.center)} and the scale {row.scale}; "
                    "a place in pixels and a positive height / 200 are expected"
                )
        return rows

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for each file or image that is not there."""
        gaps = [f"{path} is missing" for path in (self.annotations, self.target) if not path.is_file()]
        if not self.images.is_dir():
            gaps.append(f"images are missing: {self.images}")
        elif not gaps:
            return missing_images(self.images, sorted({row.image for row in self._rows}), HOME)
        return [*gaps[:-1], *(f"{gap}; {HOME}" for gap in gaps[-1:])]

    def digest(self, protocol: Mapping[str, Any]) -> str:
        return digest_of([self.annotations, self.target], file_sizes(self.images, {row.image for row in self._rows}))

    def metric_options(self) -> dict[str, Any]:
        return {} if self._origin is None else {"origin": self._origin}

    def samples(self, protocol: Mapping[str, Any]) -> list[Sample]:
        """One sample for each image, in the order of its first person; a person's index is its row."""
        people: dict[str, list[Person]] = {}
        for index, row in enumerate(self._rows):
            people.setdefault(row.image, []).append(Person(index, centre=row.center, scale=row.scale))
        return [
            Sample(id=name, path=self.images / name, content=tuple(of), orientation=self.orientation)
            for name, of in people.items()
        ]

    def truth(self, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
        """Sample id -> {"keypoints": x, y, whether visible of each joint} of its people, top-left pixel at (0, 0)."""
        truth = read_truth(self.target)
        if len(truth.head) != len(self._rows):
            raise InputError(
                f"{self.annotations} lists {len(self._rows)} people and {self.target} {len(truth.head)}; both list the "
                "same people in the same order"
            )
        position = np.where(truth.visible[..., None], truth.position - 1, 0.0)  # joints not annotated lie anywhere
        joints = np.concatenate([position, truth.visible[..., None]], axis=2)
        return {
            sample.id: [{"keypoints": joints[person.index].reshape(-1)} for person in sample.content]
            for sample in samples
        }

    def notes(self, protocol: Mapping[str, Any]) -> list[str]:
        return []

    def facts(self) -> dict[str, int]:
        """Numbers of listed images that exist, and of people."""
        sizes = file_sizes(self.images, {row.image for row in self._rows})
        return {"images": sum(size is not None for size in sizes.values()), "people": len(self._rows)}

    def look(self, sample: Sample) -> list[str]:
        """Faults of an image and its people: a damaged file, a centre outside it, an invalid scale."""
        try:
            width, height = decoded_size(sample.path, sample.orientation)
        except (InputError, MissingError) as error:
            return [str(error)]
        faults = []
        for person in sample.content:
            x, y = person.centre
            where = f"{self.annotations}: person {person.index} of {sample.id}"
            if not (person.scale > 0 and 0 < x <= width and 0 < y <= height) and (x, y) != (-1, -1):
                faults.append(
                    f"{where} has centre ({x:g}, {y:g}) and scale {person.scale:g} in {width}x{height} pixels"
                )
        return faults
