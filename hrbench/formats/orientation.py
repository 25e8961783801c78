"""The EXIF orientation of photographs: read from the bytes of a file, and applied to pixels or not.

A camera that was turned stores the picture as its sensor has it, and says in a tag how to turn it (EXIF 2.32, section
4.6.5; the tag is 0x0112, a number from 1 to 8, and 1 means as it is stored). Libraries and labelling tools differ in
whether they heed it, so an annotation may belong to either picture. COCO, ImageNet and the other official sets are
annotated, and evaluated everywhere, as they are stored.

JPEG has the tag in an APP1 segment, PNG in the chunk eXIf, WebP in the chunk EXIF, TIFF in its first directory. OpenCV
and Pillow turn TIFF files whatever they are told, so what they decode is turned back where the stored picture is asked
for. The tag is found in microseconds: no pixel is decoded for it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from hrbench.core.units import amount
from hrbench.errors import InputError, MissingError, UsageError
from hrbench.formats import png

Orientation = Literal["", "stored", "applied"]
"""Which picture an annotation belongs to: as stored, or turned as the tag says; "": files with a tag are refused."""

TAG = 0x0112
ADVICE = (
    "set `orientation: stored` for the data set if its annotations belong to the picture as the file stores it, "
    "`orientation: applied` if they belong to the picture as viewers show it"
)
_TIFF = (b"II*\0", b"MM\0*")
_HEAD_BYTES = 1 << 16
_INVERSE = {6: 8, 8: 6}
"""The tag that undoes a tag, if that is not the tag itself."""


def checked(asked: str | None, official: bool) -> Orientation:
    """The orientation of a data set's pictures.

    asked: "stored", "applied", or None if the data set does not say.
    official: whether the set is one of those that are evaluated as stored everywhere.

    Raises UsageError for another word.
    """
    if asked is None:
        return "stored" if official else ""
    if asked == "stored" or asked == "applied":
        return asked
    raise UsageError(f"orientation: stored or applied was expected, not {asked!r}")


def tag_of(data: bytes) -> int:
    """The orientation, 1 to 8, of an image file; 1 if it has none, or one that does not exist."""
    found = _parsed(data)
    return 1 if found is None else found


def tag_of_file(path: Path) -> int:
    """The orientation of the image at a path, of which no more is read than needed.

    Raises MissingError, InputError if it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
            found = _parsed(head) if head.startswith(b"\xff\xd8") or len(head) < _HEAD_BYTES else None
            return tag_of(head + stream.read()) if found is None else found
    except FileNotFoundError:
        raise MissingError(f"no image {path}") from None
    except OSError as error:
        raise InputError(f"image {path} cannot be read ({error.strerror})") from None


def _parsed(data: bytes) -> int | None:
    """The orientation; 1 for a file without it; None if the data end before that is known."""
    try:
        if data.startswith(b"\xff\xd8"):
            return _of_jpeg(data)
        if data.startswith(png.SIGNATURE):
            return next((_of_tiff(data[at + 8 : end - 4]) for name, at, end in png.chunks(data) if name == b"eXIf"), 1)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _of_webp(data)
        return _of_tiff(data) if data[:4] in _TIFF else 1
    except (struct.error, ValueError):
        return None


def _of_jpeg(data: bytes) -> int | None:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return 1
        marker = data[at + 1]
        if marker == 0xFF:  # a byte of padding
            at += 1
            continue
        if marker in (0xDA, 0xD9):  # pixels begin, or the file ends
            return 1
        if 0xD0 <= marker <= 0xD7 or marker == 0x01:  # markers without a length
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            end = at + 2 + length
            return _of_tiff(data[at + 10 : end]) if end <= len(data) else None
        at += 2 + length
    return None


def _of_webp(data: bytes) -> int:
    at = 12
    while at + 8 <= len(data):
        name, length = data[at : at + 4], int(struct.unpack_from("<I", data, at + 4)[0])
        if name == b"EXIF":
            return _of_tiff(data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return 1


def _of_tiff(data: bytes) -> int:
    """The orientation in the first directory of a TIFF file, which is also what EXIF data are."""
    if data[:4] not in _TIFF:
        return 1
    order = "<" if data[:2] == b"II" else ">"
    try:
        (first,) = struct.unpack_from(f"{order}I", data, 4)
        (entries,) = struct.unpack_from(f"{order}H", data, first)
        for index in range(entries):
            tag, kind, count = struct.unpack_from(f"{order}HHI", data, first + 2 + 12 * index)
            if tag == TAG:
                form = {1: "B", 3: "H", 4: "I"}.get(kind)
                value = struct.unpack_from(f"{order}{form}", data, first + 10 + 12 * index)[0] if form and count else 1
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def turned(image: np.ndarray, tag: int) -> np.ndarray:
    """The picture (H, W, ...) as a viewer shows it: (W, H, ...) for the tags 5 to 8.

    >>> turned(np.array([[1, 2, 3], [4, 5, 6]]), 6).tolist()
    [[4, 1], [5, 2], [6, 3]]
    """
    if tag >= 5:
        image = image.swapaxes(0, 1)
    return image[:: -1 if tag in (3, 4, 7, 8) else 1, :: -1 if tag in (2, 3, 6, 7) else 1]


def oriented(image: np.ndarray, data: bytes, tag: int, orientation: Orientation) -> np.ndarray:
    """Decoded pixels (H, W, ...) as they are asked for.

    image: as OpenCV or Pillow decode the file, told to ignore its orientation.
    data: the file.
    tag: its orientation.
    orientation: which picture is asked for.
    """
    if tag == 1:
        return image
    applied = data[:4] in _TIFF
    if orientation == "applied" and not applied:
        image = turned(image, tag)
    elif orientation != "applied" and applied:
        image = turned(image, _INVERSE.get(tag, tag))
    return np.ascontiguousarray(image)


def oriented_size(size: tuple[int, int], data: bytes, tag: int, orientation: Orientation) -> tuple[int, int]:
    """(width, height) of what `oriented` returns, of the size that Pillow states; arguments as there."""
    exchanged = tag >= 5 and (orientation == "applied") != (data[:4] in _TIFF)
    return (size[1], size[0]) if exchanged else size


def refuse_tag(path: Path, tag: int, orientation: Orientation) -> None:
    """Raises InputError for a picture that is turned, if nothing says which picture its annotation belongs to."""
    if tag != 1 and not orientation:
        raise InputError(
            f"image {path} has EXIF orientation {tag}: it is stored otherwise than shown; {ADVICE}", "orientation"
        )


def size_remark(found: tuple[int, int], stated: tuple[int, int], tag: int, orientation: Orientation) -> str:
    """What to say of a picture whose size is not the stated one: "" unless its tag exchanges width and height."""
    if (found[1], found[0]) != tuple(stated) or tag < 5:
        return ""
    other = "stored" if orientation == "applied" else "applied"
    return (
        f"; its EXIF orientation is {tag}, which exchanges width and height: the annotation seems to be of the other "
        f"picture, which the data set gives by `orientation: {other}`"
    )


def sentence(tags: Sequence[tuple[Path, int]], total: int, orientation: Orientation) -> str:
    """How many pictures are turned, and what becomes of them; "" if none is.

    tags: path and orientation of those whose tag is not 1.
    total: how many pictures were looked at.
    """
    if not tags:
        return ""
    (path, tag), many = tags[0], f"{len(tags):,} of {amount(total, 'image')}"
    first = f"the first is {path} ({tag})"
    if orientation == "applied":
        return f"{many} are turned as their EXIF orientation says (orientation: applied); {first}"
    if orientation == "stored":
        return f"{many} have an EXIF orientation and are read as they are stored (orientation: stored); {first}"
    return f"{many} have an EXIF orientation other than 1, {first}; {ADVICE}"


def turned_files(paths: Sequence[Path]) -> list[tuple[Path, int]]:
    """Path and orientation of the images whose tag is not 1; those that cannot be read are left to the decoder."""
    found = []
    for path in paths:
        try:
            tag = tag_of_file(path)
        except (InputError, MissingError):
            continue
        if tag != 1:
            found.append((path, tag))
    return found
