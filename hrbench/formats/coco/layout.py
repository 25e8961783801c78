"""Data sets in COCO's layout: where files lie, and the archive that the server takes.

<data>/coco/annotations/{kind}_{split}.json         of test splits image_info_{split}.json, without ground truth
<data>/coco/{split}/*.jpg                           or  <data>/coco/images/{split}/*.jpg
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from hrbench.core.files import write_whole
from hrbench.formats.coco.annotations import ListedImage
from hrbench.formats.paths import Paths, inside, windows_names

UNPUBLISHED = ("test-dev2017", "test2017")
"""Splits of COCO whose ground truth is not published."""

PICTURES = {"test-dev2017": "test2017"}
"""Split -> folder of its images, if the names differ: test-dev is a part of the test images."""

SERVER = (
    "COCO publishes no ground truth of {split}: its server (see cocodataset.org/#upload) judges the archive of results"
)

ALGORITHM = "hrbench"
"""The name of the algorithm in the names of archives and their files."""

_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip archive can hold, so that an archive depends on its content alone."""


def annotation_file(folder: Path, kind: str, split: str) -> Path:
    """The official annotation file of a split; without ground truth, the list of its images."""
    return folder / "annotations" / f"{'image_info' if split in UNPUBLISHED else kind}_{split}.json"


def image_folder(folder: Path, split: str) -> Path:
    """The first of the two official folders of a split's images that exists; the one without `images` if none does."""
    name = PICTURES.get(split, split)
    nested = folder / "images" / name
    return nested if nested.is_dir() else folder / name


def image_files(path: Path, images: Sequence[ListedImage], folder: Path, paths: Paths) -> dict[int, str]:
    """Image id -> its file below `folder`.

    path: the annotation file, for messages.
    images: as it lists them.
    folder: of the images.
    paths: how names of files are taken.

    Raises InputError for a file outside the folder.
    """
    files = {image.id: inside(image.file_name, f"{path}: image {image.id}", paths) for image in images}
    if paths == "posix":
        return files
    found = windows_names(folder, files.values())
    return {key: found[name] or name for key, name in files.items()}


def server(split: str, user_defined: bool) -> str:
    """Which server evaluates results of a split; "" if the ground truth is published or user-defined."""
    return SERVER.format(split=split) if split in UNPUBLISHED and not user_defined else ""


def write_archives(kind: str, split: str, predictions: Mapping[str, Path], folder: Path) -> Path:
    """Writes {kind}_{split}_hrbench_results.zip with a metric's prediction file, as COCO's server takes it.

    Boxes and masks are evaluated separately: for several metrics, a folder of that name has an archive for each, named
    hrbench-{metric}. Returns the path of the archive, or of the folder.
    """
    names = {metric: f"{kind}_{split}_{ALGORITHM}-{metric}_results" for metric in predictions}
    whole = f"{kind}_{split}_{ALGORITHM}_results"
    if len(names) == 1:
        return _write_zip(folder / f"{whole}.zip", f"{whole}.json", next(iter(predictions.values())))
    for metric, name in names.items():
        _write_zip(folder / whole / f"{name}.zip", f"{name}.json", predictions[metric])
    return folder / whole


def _write_zip(path: Path, member: str, content: Path) -> Path:
    info = zipfile.ZipInfo(member, _EARLIEST)
    info.compress_type = zipfile.ZIP_DEFLATED

    def packed(stream: BinaryIO) -> None:
        with (
            zipfile.ZipFile(stream, "w") as archive,
            archive.open(info, "w", force_zip64=True) as into,
            content.open("rb") as source,
        ):
            shutil.copyfileobj(source, into, 1 << 20)

    write_whole(path, packed)
    return path


def duplicates(names: Sequence[Any]) -> list[Any]:
    """The elements that occur more than once, each once, in order.

    >>> duplicates([3, 1, 3, 3, 2])
    [3]
    """
    seen: set[Any] = set()
    twice: dict[Any, None] = {}
    for name in names:
        if name in seen:
            twice[name] = None
        seen.add(name)
    return list(twice)
