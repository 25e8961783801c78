"""Image and label files looked at whole: what is damaged, of another size or out of range, in a sentence each.

For `hrbench datasets NAME --check`. Pillow decodes here: it refuses files that are cut off, and gives the indices of
PNGs with a palette (PASCAL VOC), of which OpenCV gives the colours.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from hrbench.errors import InputError, MissingError

FAULTS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises for files that are no images, or only half there."""


@contextmanager
def _opened(path: Path, what: str) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that Pillow cannot make out; pixels are what counts
            with Image.open(path) as picture:
                picture.load()
                yield picture
    except FileNotFoundError:
        raise MissingError(f"no {what} {path}") from None
    except FAULTS as error:
        why = "truncated" if "truncated" in str(error).lower() else " ".join(str(error).split())
        why = "not an image" if "cannot identify" in why else why
        raise InputError(f"{what} {path} cannot be read ({why}; {path.stat().st_size} bytes): get it again") from None


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) of an image, all of it decoded. Raises InputError for a damaged file, MissingError for none."""
    with _opened(path, "image") as picture:
        return picture.size


def read_labels(path: Path) -> np.ndarray:
    """The labels of a PNG, (H, W), unsigned or int32: grey values, or palette indices.

    Raises InputError for a damaged file and for one that holds colours, MissingError for none.
    """
    with _opened(path, "labels") as picture:
        if picture.mode not in ("1", "L", "P", "I", "I;16", "I;16B"):
            raise InputError(f"labels {path} hold colours (Pillow calls it {picture.mode}), not one number a pixel")
        values = np.asarray(picture)
        grey, png = picture.mode == "L", picture.format == "PNG"
    if values.dtype == bool:
        return values.astype(np.uint8)
    return values // _STRETCH.get(_bits(path), 1) if grey and png else values


_STRETCH = {2: 85, 4: 17}
"""By how much Pillow multiplies grey values of so few bits, that the largest is 255."""


def _bits(path: Path) -> int:
    """Bits of a value in a PNG: the header's ninth byte (ISO/IEC 15948, 11.2.2)."""
    with path.open("rb") as stream:
        return stream.read(25)[24]


def image_faults(path: Path, size: tuple[int, int] | None = None) -> list[str]:
    """What is wrong with an image. size: (width, height) that its annotation states, None where it states none."""
    try:
        found = image_size(path)
    except (InputError, MissingError) as error:
        return [str(error)]
    if size is not None and found != tuple(size):
        return [f"image {path} is {found[0]}x{found[1]} pixels, its annotation says {size[0]}x{size[1]}"]
    return []


def label_faults(image: Path, labels: Path, known: Collection[int]) -> list[str]:
    """What is wrong with an image and its labels: either damaged, of two sizes, or a label not in `known`."""
    faults, size = [], None
    try:
        size = image_size(image)
    except (InputError, MissingError) as error:
        faults.append(str(error))
    try:
        values = read_labels(labels)
    except (InputError, MissingError) as error:
        return [*faults, str(error)]
    if size is not None and size != values.shape[::-1]:
        width, height = values.shape[::-1]
        faults.append(f"labels {labels} are {width}x{height} pixels, their image {image} is {size[0]}x{size[1]}")
    return [*faults, *range_faults(labels, values, known)]


def range_faults(path: Path, values: np.ndarray, known: Collection[int]) -> list[str]:
    """At most one sentence on labels (H, W) that are not in `known`: the first of them, and how many pixels hold one.

    >>> range_faults(Path("a.png"), np.array([[0, 9], [1, 9]]), {0, 1})
    ['labels a.png hold 9 at (1, 0), which is no label of this data set (0 to 1); 2 of 4 pixels are out of range']
    """
    strange = ~np.isin(values, np.fromiter(known, np.int64, len(known)))
    count = int(np.count_nonzero(strange))
    if not count:
        return []
    y, x = np.unravel_index(int(np.argmax(strange)), values.shape)
    return [
        f"labels {path} hold {values[y, x]} at ({x}, {y}), which is no label of this data set ({runs(known)}); "
        f"{count} of {values.size} pixels are out of range"
    ]


def runs(numbers: Collection[int]) -> str:
    """Whole numbers in words.

    >>> runs([0, 1, 2, 5, 255])
    '0 to 2, 5, 255'
    """
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join(" to ".join(map(str, part)) for part in parts)
