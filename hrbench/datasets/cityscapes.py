"""Cityscapes in its official layout, or user-defined scenes in the same layout.

    <data>/cityscapes/leftImg8bit/{split}/{city}/{city}_{sequence}_{frame}_leftImg8bit.png
    <data>/cityscapes/gtFine/{split}/{city}/{city}_{sequence}_{frame}_gtFine_labelIds.png
    <data>/cityscapes/gtFine/{split}/{city}/{city}_{sequence}_{frame}_gtFine_instanceIds.png

Label ids run from 0 to 33; the 19 classes that are evaluated, and the colours, are those of cityscapesScripts
(helpers/labels.py). An instance id below 1000 is the label id of a region that is not divided into instances; any
other is 1000 x label id + number. Only the benchmark's server has the ground truth of the split `test` (the published
files for it are empty).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hrbench.datasets.image_files import digest_of, file_sizes
from hrbench.errors import InputError, MissingError
from hrbench.formats.images import image_faults
from hrbench.formats.labels import LABELS as MAP
from hrbench.formats.labels import class_map, label_faults, read_labels
from hrbench.formats.orientation import Orientation
from hrbench.formats.orientation import checked as checked_orientation
from hrbench.formats.submissions import recode, stored_kind, write_archive
from hrbench.types import ClassScheme, Sample

HOME = "get it from www.cityscapes-dataset.com/downloads (needs an account)"
IMAGE, LABELS, INSTANCES = "_leftImg8bit.png", "_gtFine_labelIds.png", "_gtFine_instanceIds.png"
PACKAGES = {IMAGE: "leftImg8bit_trainvaltest.zip", LABELS: "gtFine_trainvaltest.zip"}
WORDS = {IMAGE: "images", LABELS: "label ids", INSTANCES: "instance ids"}
IDS = range(34)
SERVER = (
    "Cityscapes publishes no ground truth of its test set: its server at www.cityscapes-dataset.com/submit judges the "
    "archive of label-id PNGs"
)

SCHEME = ClassScheme(
    names=(
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation",
        "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    ),
    ids=(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33),
    palette=(
        (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153),
        (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0),
        (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32),
    ),
)  # fmt: skip
"""The 19 classes in the order of train ids, which is that of networks' outputs."""


class CityscapesDataset:
    """Scenes of a split; construction reads nothing.

    root: the folder of --data, `folder` lies in it.
    cities: the cities of the split with their numbers of images, which must all be there; None for all cities found.
    interval: what the bootstrap resamples, "image" or "group" (cities).
    metric_args: further options of single metrics, by the metric's name, such as {cityscapes: {dice: one}}.
    orientation: the picture that annotations belong to: "stored", as in the file, or "applied", turned as EXIF says;
        None: stored for the official set; other data must say if a file has such a tag.
    """

    task = "segmentation"
    scheme = SCHEME

    def __init__(
        self,
        root: str | Path,
        split: str = "val",
        folder: str = "cityscapes",
        cities: Mapping[str, int] | None = None,
        interval: str = "image",
        orientation: str | None = None,
        metric_args: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.folder = Path(root) / folder
        self.split, self.cities, self.interval = split, cities, interval
        self.server = SERVER if split == "test" else ""
        self.metric_args = metric_args or {}
        self.orientation: Orientation = checked_orientation(orientation, official=folder == "cityscapes")

    # --- paths

    @property
    def target(self) -> Path:
        """The folder of label and instance ids, which the metric reads."""
        return self.folder / "gtFine" / self.split

    @property
    def images(self) -> Path:
        return self.folder / "leftImg8bit" / self.split

    def missing(self, protocol: Mapping[str, Any]) -> list[str]:
        """One sentence for each folder, city or kind of file that is not there."""
        kinds = {IMAGE: self.images} if self.server else {LABELS: self.target, IMAGE: self.images}
        gaps = [
            f"{'images' if kind == IMAGE else 'ground truth'} of Cityscapes {self.split} missing: {folder}; "
            f"{PACKAGES[kind]}: {HOME}"
            for kind, folder in kinds.items()
            if not folder.is_dir()
        ]
        if gaps:
            return gaps
        gaps = [gap for city, count in (self.cities or {}).items() for gap in self._missing_of_city(city, count)]
        for kind, folder in ({IMAGE: self.images} if self.server else {**kinds, INSTANCES: self.target}).items():
            absent = [name for name in self.names if name not in self._found[kind]]
            if absent:
                gaps.append(
                    f"{len(absent)} of {len(self.names)} {WORDS[kind]} are missing from {folder}, the first is "
                    f"{absent[0]}{kind}; {PACKAGES.get(kind, PACKAGES[LABELS])}: {HOME}"
                )
        if not self.names:
            gaps.append(f"images are missing: {self.images} holds no {{city}}/*{IMAGE}; {PACKAGES[IMAGE]}: {HOME}")
        return gaps

    def _missing_of_city(self, city: str, count: int) -> list[str]:
        here = sum(name.startswith(f"{city}/") for name in self.names)
        if not here:
            where = self.images / city if self.server else f"{self.target / city} and {self.images / city}"
            return [f"city {city} of Cityscapes {self.split} is missing: nothing is in {where}; {HOME}"]
        if here < count:
            return [f"{count - here} of {count} images of city {city} are missing: {self.images / city}; {HOME}"]
        return []

    @cached_property
    def _found(self) -> dict[str, set[str]]:
        """Suffix of a kind of file -> "{city}/{city}_{sequence}_{frame}" of all that exist."""
        folders = {IMAGE: self.images, LABELS: self.target, INSTANCES: self.target}
        if self.server:
            folders = {IMAGE: self.images}
        return {
            kind: {f"{path.parent.name}/{path.name.removesuffix(kind)}" for path in folder.glob(f"*/*{kind}")}
            for kind, folder in folders.items()
        }

    @cached_property
    def names(self) -> list[str]:
        """Ids of all samples in the official order, which is alphabetical."""
        return sorted(set().union(*self._found.values()))

    # --- content

    def metric_options(self) -> dict[str, Any]:
        """Classes with their label ids, and the label files in order; labels of no class are ignored."""
        return {
            "names": list(self.scheme.names),
            "ids": list(self.scheme.ids),
            "files": [name + LABELS for name in self.names],
            "label_suffix": LABELS,
            "ignore": [label for label in IDS if label not in self.scheme.ids],
            "interval": self.interval,
        }

    def digest(self, protocol: Mapping[str, Any]) -> str:
        kinds = () if self.server else (LABELS, INSTANCES)
        files = [self.target / (name + kind) for kind in kinds for name in self.names]
        return digest_of(files, file_sizes(self.images, [name + IMAGE for name in self.names]))

    def samples(self, protocol: Mapping[str, Any]) -> list[Sample]:
        """One sample for each scene, its city as group."""
        return [
            Sample(name, self.images / (name + IMAGE), group=name.partition("/")[0], orientation=self.orientation)
            for name in self.names
        ]

    def truth(self, samples: Sequence[Sample]) -> dict[int | str, np.ndarray]:
        """Sample id -> class indices (H, W) uint16 of its label file, NO_CLASS where a label is none that counts."""
        classes = {label: index for index, label in enumerate(self.scheme.ids)}
        return {each.id: class_map(read_labels(self.target / f"{each.id}{LABELS}", MAP), classes) for each in samples}

    def notes(self, protocol: Mapping[str, Any]) -> list[str]:
        """Names cities that do not belong to the official split."""
        here = {name.partition("/")[0] for name in self.names}
        more = ", ".join(sorted(here - set(self.cities))) if self.cities else ""
        return [f"cities that do not belong to Cityscapes {self.split} count as well: {more}"] if more else []

    def facts(self) -> dict[str, int]:
        """Numbers of files of each kind, and of cities."""
        counts = {WORDS[kind]: len(found) for kind, found in self._found.items()}
        return {**counts, "cities": len({name.partition("/")[0] for name in self.names})}

    def look(self, sample: Sample) -> list[str]:
        """Faults of a scene: damaged files, wrong sizes, labels out of range, instances that contradict labels."""
        if self.server:
            return image_faults(sample.path, None, sample.orientation)
        labels, instances = (self.target / f"{sample.id}{kind}" for kind in (LABELS, INSTANCES))
        faults = label_faults(sample.path, labels, IDS, sample.orientation)
        try:
            numbers = read_labels(instances, MAP)
        except (InputError, MissingError) as error:
            return [*faults, str(error)]
        return faults or instance_faults(labels, read_labels(labels, MAP), instances, numbers)

    def submit(self, predictions: Mapping[str, Path], folder: Path) -> Path:
        """Writes the zip that the server takes: a PNG of label ids for each scene, named by city, sequence and frame.

        predictions: name of the metric -> its folder with a PNG for each scene.

        Raises MissingError for a scene without a PNG.
        """
        place = next(iter(predictions.values()))
        coded = stored_kind(place, "ids") == "ids"
        found = {path.name.removesuffix(".png"): path for path in sorted(place.rglob("*.png"))}

        def members() -> Iterator[tuple[str, bytes]]:
            for name in self.names:
                scene = name.partition("/")[2]
                if scene not in found:
                    raise MissingError(f"no prediction of {name} in {place}: the server takes all {len(self.names)}")
                yield f"{scene}_pred_labelIds.png", recode(found[scene], self.scheme.ids, coded=coded)

        return write_archive(folder / f"cityscapes_{self.split}.zip", members())


def instance_faults(path: Path, labels: np.ndarray, beside: Path, instances: np.ndarray) -> list[str]:
    """At most one sentence about instance ids (H, W) whose labels differ from `labels` (H, W)."""
    if labels.shape != instances.shape:
        (height, width), (rows, columns) = labels.shape, instances.shape
        return [f"instance ids {beside} are {columns}x{rows} pixels, the label ids {path} {width}x{height}"]
    numbers = instances.astype(np.int64)
    other = np.where(numbers < 1000, numbers, numbers // 1000) != labels
    if not other.any():
        return []
    y, x = np.unravel_index(int(np.argmax(other)), labels.shape)
    return [
        f"instance ids {beside} say {instances[y, x]} at ({x}, {y}), where {path} says label {labels[y, x]}; "
        f"{np.count_nonzero(other)} of {labels.size} pixels differ"
    ]
