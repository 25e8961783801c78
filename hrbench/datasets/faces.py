"""Faces with landmarks as HRNet's landmark code lays them out: WFLW, 300W and AFLW; or WFLW's own list.

<data>/{folder}/{annotations}.csv        and {annotations}_{subset}.csv beside it (`formats.landmarks`)
<data>/{folder}/images/...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hrbench.datasets.image_files import digest_of, file_sizes, missing_images
from hrbench.errors import InputError, MissingError
from hrbench.formats.images import decoded_size
from hrbench.formats.landmarks import FaceList, read_faces
from hrbench.formats.orientation import Orientation
from hrbench.formats.orientation import checked as checked_orientation
from hrbench.types import KeypointScheme, Person, Sample

HOME = (
    "get the lists from the link under 'Data' of the README of github.com/HRNet/HRNet-Facial-Landmark-Detection, and "
    "the images from the data set's own site"
)
OFFICIAL = ("wflw", "300w", "aflw")


class Faces:
    """Faces of one list; construction reads nothing.

    root: the folder of --data.
    folder: that of the data set in it.
    annotations: the list below `folder`.
    landmarks: how many a face has.
    images: the folder of images below `folder`.
    orientation: the picture that annotations belong to: "stored", as in the file, or "applied", turned as EXIF says;
        None: stored for the official sets; other data must say if a file has such a tag.
    metric_args: further options of single metrics, by the metric's name, such as {nme: {normalise: pupils}}.
    """

    task = "landmarks"

    def __init__(
        self,
        root: str | Path,
        folder: str,
        annotations: str,
        landmarks: int,
        images: str = "images",
        orientation: str | None = None,
        metric_args: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.folder = Path(root) / folder
        self._annotations, self._images, self._landmarks = annotations, images, landmarks
        self.orientation: Orientation = checked_orientation(orientation, official=folder in OFFICIAL)
        self.metric_args = metric_args or {}

    @property
    def target(self) -> Path:
        """The list, which the metric reads, too."""
        return self.folder / self._annotations

    @property
    def images(self) -> Path:
        return self.folder / self._images

    @property
    def scheme(self) -> KeypointScheme:
        """Landmarks by their number from 0. Every annotated face gets one prediction."""
        names = tuple(f"landmark {number}" for number in range(self._landmarks))
        return KeypointScheme(names, (), annotated=True)

    @cached_property
    def _faces(self) -> FaceList:
        faces = read_faces(self.target)
        if faces.points.shape[1] != self._landmarks:
            raise InputError(
                f"{self.target}: its faces have {faces.points.shape[1]} landmarks; the data set says "
                f"landmarks: {self._landmarks}",
                f"landmarks: {faces.points.shape[1]}",
            )
        return faces

    def metric_options(self) -> dict[str, Any]:
        return {}

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for each file or image that is not there."""
        gaps = [] if self.target.is_file() else [f"annotations are missing: {self.target}; {HOME}"]
        if not self.images.is_dir():
            gaps.append(f"images are missing: {self.images}; {HOME}")
        elif not gaps:
            gaps += missing_images(self.images, sorted(set(self._faces.image.tolist())), HOME)
        return gaps

    def digest(self, protocol: Mapping[str, Any]) -> str:
        beside = sorted(self.target.parent.glob(f"{self.target.stem}_*.csv")) if self.target.suffix == ".csv" else []
        return digest_of([self.target, *beside], file_sizes(self.images, set(self._faces.image.tolist())))

    def samples(self, protocol: Mapping[str, Any]) -> list[Sample]:
        """One sample for each image, in the order of its first face; a face's index is its row in the list."""
        found: dict[str, list[Person]] = {}
        faces = self._faces
        rows = zip(faces.image.tolist(), faces.centre.tolist(), faces.scale.tolist(), strict=True)
        for index, (name, (x, y), scale) in enumerate(rows):
            found.setdefault(name, []).append(Person(index, centre=(x, y), scale=scale))
        return [
            Sample(id=name, path=self.images / name, content=tuple(own), orientation=self.orientation)
            for name, own in found.items()
        ]

    def truth(self, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
        """Sample id -> {"keypoints": x, y and 1 of each landmark} of its faces, as annotated."""
        points = self._faces.points.tolist()
        return {
            sample.id: [
                {"keypoints": [number for x, y in points[face.index] for number in (x, y, 1.0)]}
                for face in sample.content
            ]
            for sample in samples
        }

    def notes(self, protocol: Mapping[str, Any]) -> list[str]:
        return []

    def facts(self) -> dict[str, int]:
        """Numbers of listed images that exist, of faces, and of the faces of each subset."""
        sizes = file_sizes(self.images, set(self._faces.image.tolist()))
        subsets = {f"faces of {name}": int(member.sum()) for name, member in self._faces.subsets.items()}
        there = sum(size is not None for size in sizes.values())
        return {"images": there, "faces": len(self._faces.image), **subsets}

    def look(self, sample: Sample) -> list[str]:
        """Faults of an image and its faces: a damaged file, a centre far outside it."""
        try:
            width, height = decoded_size(sample.path, sample.orientation)
        except (InputError, MissingError) as error:
            return [str(error)]
        return [
            f"{self.target}: face {face.index} of {sample.id} has its centre at ({face.centre[0]:g}, "
            f"{face.centre[1]:g}) in {width}x{height} pixels"
            for face in sample.content
            if not (-width < face.centre[0] < 2 * width and -height < face.centre[1] < 2 * height)
        ]
