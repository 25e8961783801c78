"""What panoptic data sets have in common: annotations and PNGs of segments, and the images that they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrbench.datasets.image_files import digest_of, file_sizes, missing_images
from hrbench.errors import InputError, MissingError
from hrbench.formats.images import image_faults
from hrbench.formats.panoptic.files import TRUTH_PNG, ImageId, PanopticForm, PanopticTruth, read_truth
from hrbench.formats.panoptic.pixels import read_ids
from hrbench.formats.panoptic.segments import counted, truth_fault
from hrbench.types import ClassScheme, Sample


@dataclass(frozen=True)
class PanopticFiles:
    """Where the files of a data set lie.

    annotations: the JSON file.
    segments: the folder of its PNGs.
    images: the folder of images.
    home: where a person gets them, in words.
    """

    annotations: Path
    segments: Path
    images: Path
    home: str

    def absent(self) -> list[str]:
        """One sentence for each of the three that is not there."""
        found = []
        if not self.annotations.is_file():
            found.append(f"annotations are missing: {self.annotations}; {self.home}")
        elif not self.segments.is_dir():
            found.append(f"PNGs of segments are missing: {self.segments}; {self.home}")
        if not self.images.is_dir():
            found.append(f"images are missing: {self.images}; {self.home}")
        return found

    def missing(self, truth: PanopticTruth, names: Mapping[ImageId, str]) -> list[str]:
        """One sentence for PNGs that are not there, and one for images. names: image id -> its file."""
        pngs = self.pngs(truth)
        absent = [name for name, size in file_sizes(self.segments, pngs).items() if size is None]
        found = []
        if absent:
            many = f"{len(absent)} of {len(pngs)} PNGs of segments are missing"
            found.append(f"{many} from {self.segments}, the first is {absent[0]}; {self.home}")
        return [*found, *missing_images(self.images, list(names.values()), self.home, "posix")]

    def pngs(self, truth: PanopticTruth) -> list[str]:
        """The names of all PNGs, below their folder."""
        return [image.png.relative_to(self.segments).as_posix() for image in truth.images.values()]

    def truth(self, form: PanopticForm) -> PanopticTruth:
        """The annotations. Raises MissingError, InputError."""
        return read_truth(self.annotations, self.segments, form)

    def truth_digest(self, truth: PanopticTruth) -> str:
        """SHA-256 over the JSON file and its PNGs."""
        return digest_of([self.annotations, *(self.segments / name for name in self.pngs(truth))], {})

    def digest(self, truth: PanopticTruth, names: Mapping[ImageId, str]) -> str:
        """SHA-256 over these, and names and sizes of the images. names: image id -> its file."""
        files = [self.annotations, *(self.segments / name for name in self.pngs(truth))]
        return digest_of(files, file_sizes(self.images, names.values()))


def scheme_of(truth: PanopticTruth) -> ClassScheme:
    """All categories, in the order of the file."""
    categories = truth.categories
    return ClassScheme(categories.names, tuple(categories.ids.tolist()), things=tuple(categories.things.tolist()))


def shown(truth: PanopticTruth, samples: Sequence[Sample]) -> dict[int | str, tuple[np.ndarray, dict[int, int]]]:
    """Sample id -> (ids (H, W), {id: position of its class}) as annotated."""
    found = {}
    for sample in samples:
        image = truth.images[sample.id]
        places = zip(image.segments.ids.tolist(), image.segments.category.tolist(), strict=True)
        found[sample.id] = read_ids(image.png, TRUTH_PNG), dict(places)
    return found


def facts(truth: PanopticTruth) -> dict[str, int]:
    """Counts of what the annotation file lists."""
    segments = [image.segments for image in truth.images.values()]
    return {
        "images": len(segments),
        "segments": sum(len(each.ids) for each in segments),
        "of these crowds": sum(int(each.crowd.sum()) for each in segments),
        "classes of things": int(truth.categories.things.sum()),
        "classes of stuff": int((~truth.categories.things).sum()),
    }


def look(truth: PanopticTruth, sample: Sample) -> list[str]:
    """Faults of an image and its segments: damaged files, other sizes, pixels that are not described."""
    faults: Sequence[str] = image_faults(sample.path, sample.size, sample.orientation)
    image = truth.images[sample.id]
    try:
        ids = read_ids(image.png, TRUTH_PNG)
    except (InputError, MissingError) as error:
        return [*faults, str(error)]
    height, width = ids.shape
    if sample.size not in (None, (width, height)):
        return [*faults, f"{image.png}: is {width}x{height} pixels, and its image {sample.path} {sample.size}"]
    fault, _ = truth_fault(image.segments, *counted(ids))
    return [*faults, *([f"{image.png}: image {image.id!r}: {fault}"] if fault else [])]
