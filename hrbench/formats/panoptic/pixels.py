"""PNGs of segment ids, as COCO's panoptic format has them: each pixel's id is R + 256 G + 65536 B, 0 is void.

Source: https://cocodataset.org/#format-data, section 4 (panoptic segmentation).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hrbench.core.files import reading, write_whole
from hrbench.errors import InputError
from hrbench.formats.labels import DAMAGE, checked_chunks

VOID, MOST = 0, (1 << 24) - 1
"""The id of a pixel that belongs to no segment, and the largest id that three bytes hold."""

MOST_PIXELS = 1 << 26
"""Of an image; Pillow warns of somewhat larger ones."""

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_KINDS = {_GREY: "one channel of grey", _PALETTE: "a palette", _GREY_ALPHA: "grey and an alpha channel"}


def read_ids(path: Path, content: str) -> np.ndarray:
    """(H, W) uint32: the segment id of every pixel, 0 to 2^24 - 1. An alpha channel is not looked at.

    path: a PNG of 8 bits a channel.
    content: what the file should be, in words, for errors.

    Raises MissingError if there is no file; InputError if it is not such a PNG, is truncated or damaged.
    """
    with reading(path, content) as stream:
        data = stream.read()
    try:
        parts, bits, colour = checked_chunks(data)
    except ValueError as error:
        raise InputError(f"{path}: {error} ({len(data)} bytes); it should be {content}") from None
    if colour not in (_RGB, _RGBA) or bits != 8:
        what = _KINDS.get(colour, f"colours of {bits} bits")
        raise InputError(f"{path}: holds {what}; it should be {content}: ids are R + 256 G + 65536 B of 8 bits each")
    width, height = struct.unpack_from(">II", data, 16)
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{path}: is {width}x{height} pixels, which are more than {MOST_PIXELS:,}; it should be {content}"
        )
    try:
        return _decoded(parts)
    except DAMAGE as error:
        why = "is truncated" if "truncated" in str(error) else f"cannot be decoded ({error})"
        raise InputError(f"{path}: {why} ({len(data)} bytes); it should be {content}") from None


def _decoded(parts: Sequence[bytes]) -> np.ndarray:
    """The ids of a file's parts. Raises what Pillow raises."""
    with Image.open(io.BytesIO(b"".join(parts)), formats=("PNG",)) as picture:
        picture.load()
        # Pillow keeps four bytes a pixel: taken as they lie, three of them are the id in little-endian order
        four = picture.tobytes("raw", "RGBX" if picture.mode == "RGB" else "RGBA")
        return (np.frombuffer(four, "<u4") & np.uint32(MOST)).reshape(picture.height, picture.width)


def write_ids(path: Path, ids: np.ndarray) -> None:
    """Writes (H, W) integers, 0 to 2^24 - 1, whole or not at all. Raises UsageError if the disk refuses."""
    four = np.ascontiguousarray(ids.astype("<u4")).view(np.uint8).reshape(*ids.shape, 4)
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(four[..., :3])).save(stream, "PNG", compress_level=3)
    write_whole(path, lambda file: file.write(stream.getvalue()))
