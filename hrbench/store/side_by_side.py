"""pictures/index.json of a run folder: pictures of the same images for all networks that were judged on them.

    runs/pose/pictures/index.json 0/1-truth.webp 0/1-0.webp 0/1-1.webp ...

They belong to the run rather than to an entry: which images are shown depends on all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from hrbench.core.files import write_whole

FOLDER, INDEX = "pictures", "index.json"
FORMAT = 1
"""Of the index; another one is not read, and the pictures are rendered again."""


@dataclass(frozen=True, slots=True)
class NetworkPicture:
    """What one network predicted of an image.

    entry: its name.
    quality: of the image, in [0, 1].
    file: relative to the folder of pictures.
    """

    entry: str
    quality: float
    file: str


@dataclass(frozen=True, slots=True)
class SharedImage:
    """An image with the predictions of all networks.

    sample: its id.
    kind: why it was chosen: networks were worst on it in the mean, differed most, or neither.
    classes: names of the classes in it.
    truth: file of the picture of what is annotated; "" if there is none.
    """

    sample: int | str
    kind: Literal["worst", "disagreed", "typical"]
    classes: tuple[str, ...]
    truth: str
    networks: tuple[NetworkPicture, ...]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Networks that were judged on the same images by the same metric.

    dataset: its name.
    metric: whose `qualities` chose the images.
    quality_is: what the quality of an image is, in words.
    score_keys: name of each entry -> the score key of the result that is shown.
    reason: why nothing was rendered; "" if it was.
    networks: how many there are; of more than can be compared by eye the best ones are shown.
    """

    dataset: str
    metric: str
    quality_is: str
    score_keys: dict[str, str]
    images: tuple[SharedImage, ...] = ()
    reason: str = ""
    networks: int = 0


class _Index(msgspec.Struct):
    format: int
    key: str
    groups: list[SideBySide]


def write_side_by_side(folder: Path, key: str, groups: Sequence[SideBySide]) -> None:
    """Writes the index into the folder of pictures. key: digest of all that they were made of."""
    data = msgspec.json.format(msgspec.json.encode(_Index(FORMAT, key, list(groups))), indent=1) + b"\n"
    write_whole(folder / INDEX, lambda stream: stream.write(data))


def side_by_side_key(run: Path) -> str:
    """The key of the pictures that a run folder has; "" if it has none, or not all of them."""
    index = _read(run)
    if index is None:
        return ""
    files = [file for group in index.groups for image in group.images for file in _files_of(image)]
    try:
        return index.key if all((run / FOLDER / file).is_file() for file in files) else ""
    except (OSError, ValueError):  # a name that no file can have
        return ""


def read_side_by_side(run: Path) -> list[SideBySide]:
    """The groups of a run folder; none if nothing was rendered, or the index is damaged or of another format."""
    index = _read(run)
    return [] if index is None else index.groups


def _read(run: Path) -> _Index | None:
    try:
        index = msgspec.json.decode((run / FOLDER / INDEX).read_bytes(), type=_Index)
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return None
    qualities = (one.quality for group in index.groups for image in group.images for one in image.networks)
    return index if index.format == FORMAT and all(0 <= quality <= 1 for quality in qualities) else None


def _files_of(image: SharedImage) -> list[str]:
    return [*([image.truth] if image.truth else []), *(one.file for one in image.networks)]
