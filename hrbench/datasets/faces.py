"""Faces with landmarks as HRNet's landmark code lays them out (WFLW, 300W and AFLW, COFW), or as they are distributed.

<data>/{folder}/{annotations}.csv        and {annotations}_{subset}.csv beside it, or WFLW's list (`formats.landmarks`)
<data>/{folder}/images/...

<data>/{folder}/{annotations}.mat        COFW's file, with its images in it (`formats.cofw`)

<data>/{folder}/{annotations}/...        .pts files, each beside its image, as iBUG distributes 300W (`formats.pts`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hrbench.core.digests import sha256
from hrbench.datasets.image_files import digest_of, file_sizes, missing_images
from hrbench.errors import InputError, MissingError
from hrbench.formats import cofw, pts
from hrbench.formats.face_list import FaceList
from hrbench.formats.images import decoded_size
from hrbench.formats.landmarks import read_faces
from hrbench.formats.orientation import Orientation
from hrbench.formats.orientation import checked as checked_orientation
from hrbench.types import KeypointScheme, Person, Sample

HOME = (
    "get the lists from the link under 'Data' of the README of github.com/HRNet/HRNet-Facial-Landmark-Detection, and "
    "the images from the data set's own site"
)
OFFICIAL = ("wflw", "300w", "aflw", "cofw")
SQUARES = "the square of a face is that of its landmarks, since .pts files have no boxes; HRNet's lists have squares"


class Faces:
    """Faces of one list; construction reads nothing.

    root: the folder of --data.
    folder: that of the data set in it.
    annotations: the list below `folder`, COFW's .mat, or a folder of .pts files ("." for `folder` itself).
    landmarks: how many a face has.
    images: the folder of images below `folder`; not of a .mat, which holds them, nor of .pts files, which lie beside.
    orientation: the picture that annotations belong to: "stored", as in the file, or "applied", turned as EXIF says;
        None: stored for the official sets; other data must say if a file has such a tag.
    metric_args: further options of single metrics, by the metric's name, such as {nme: {normalise: pupils}}.
    origin: what .pts files count the top left pixel as, 0 or 1 (`Nme`); None: 1.
    home: where a person gets the data; None: HRNet's lists.
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
        origin: Literal[0, 1] | None = None,
        home: str | None = None,
    ) -> None:
        self.folder = Path(root) / folder
        self._annotations, self._images, self._landmarks = annotations, images, landmarks
        self.orientation: Orientation = checked_orientation(orientation, official=folder in OFFICIAL)
        self.metric_args = metric_args or {}
        self._origin: Literal[0, 1] | None = origin
        self.home = home or HOME

    @property
    def target(self) -> Path:
        """The list, which the metric reads, too."""
        return self.folder / self._annotations

    @property
    def images(self) -> Path:
        """What names of images are below: a folder, or COFW's file."""
        return self.target if self._alone else self.folder / self._images

    @property
    def _alone(self) -> bool:
        """Whether the annotations say where the images are: in the .mat, or beside the .pts files."""
        return self.target.suffix in (cofw.SUFFIX, "") or self.target.is_dir()

    @property
    def scheme(self) -> KeypointScheme:
        """Landmarks by their number from 0. Every annotated face gets one prediction."""
        names = tuple(f"landmark {number}" for number in range(self._landmarks))
        return KeypointScheme(names, (), annotated=True)

    @cached_property
    def _faces(self) -> FaceList:
        faces = read_faces(self.target, self._origin)
        if faces.points.shape[1] != self._landmarks:
            raise InputError(
                f"{self.target}: its faces have {faces.points.shape[1]} landmarks; the data set says "
                f"landmarks: {self._landmarks}",
                f"landmarks: {faces.points.shape[1]}",
            )
        return faces

    @cached_property
    def _files(self) -> dict[str, str]:
        """Name of an image -> its file below `images`: of .pts files the one beside, as if .jpg if there is none."""
        names = dict.fromkeys(self._faces.image.tolist())
        if not self.target.is_dir():
            return {name: name for name in names}
        return {name: file or f"{name}.jpg" for name, file in pts.images_beside(self.images, [*names]).items()}

    def _sizes(self) -> dict[str, int | None]:
        """Bytes of each image's file; of those in a .mat 0, since its digest covers them."""
        if self.target.suffix == cofw.SUFFIX:
            return dict.fromkeys(self._files, 0)
        return file_sizes(self.images, self._files.values())

    def metric_options(self) -> dict[str, Any]:
        return {} if self._origin is None else {"origin": self._origin}

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for each file or image that is not there."""
        gaps = [] if self.target.exists() else [f"annotations are missing: {self.target}; {self.home}"]
        if not self.images.exists():
            gaps += [] if self._alone else [f"images are missing: {self.images}; {self.home}"]
        elif not gaps and self.target.suffix != cofw.SUFFIX:
            gaps += missing_images(self.images, sorted(self._files.values()), self.home)
        return gaps

    def digest(self, protocol: Mapping[str, Any]) -> str:
        return digest_of(self._truth_files, {} if self.target.suffix == cofw.SUFFIX else self._sizes())

    def ground_truth_sha256(self) -> str:
        """SHA-256 (hex) of the list, or over all .pts files."""
        return digest_of(self._truth_files, {}) if self.target.is_dir() else sha256(self.target)

    @property
    def _truth_files(self) -> list[Path]:
        """The files that landmarks are read from."""
        if self.target.is_dir():
            return [self.target / f"{name}{pts.SUFFIX}" for name in self._faces.image.tolist()]
        beside = sorted(self.target.parent.glob(f"{self.target.stem}_*.csv")) if self.target.suffix == ".csv" else []
        return [self.target, *beside]

    def samples(self, protocol: Mapping[str, Any]) -> list[Sample]:
        """One sample for each image, in the order of its first face; a face's index is its row in the list."""
        found: dict[str, list[Person]] = {}
        faces = self._faces
        rows = zip(faces.image.tolist(), faces.centre.tolist(), faces.scale.tolist(), strict=True)
        for index, (name, (x, y), scale) in enumerate(rows):
            found.setdefault(name, []).append(Person(index, centre=(x, y), scale=scale))
        return [
            Sample(id=name, path=self.images / self._files[name], content=tuple(own), orientation=self.orientation)
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
        """Where squares come from if the files have none. What was found on reading is told by the metric."""
        return [SQUARES] if self.target.is_dir() else []

    def facts(self) -> dict[str, int]:
        """Numbers of listed images that exist, of faces, of the faces of each subset, and of occluded landmarks."""
        faces = self._faces
        subsets = {f"faces of {name}": int(member.sum()) for name, member in faces.subsets.items()}
        hidden = {} if faces.hidden is None else {"occluded landmarks": int(faces.hidden.sum())}
        there = sum(size is not None for size in self._sizes().values())
        return {"images": there, "faces": len(faces.image), **subsets, **hidden}

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
