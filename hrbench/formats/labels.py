"""One PNG of labels: a number a pixel, read exactly or refused with one line, and written whole.

The PNG specification (ISO/IEC 15948) gives every chunk a checksum. Decoders do not all look at it, and some decode a
file that ends early to a picture that is partly empty; so the chunks are checked here first, which takes microseconds
for files that compress as well as labels do, and the decoder is handed only those that make up the pixels.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from hrbench.core.files import reading, write_whole
from hrbench.errors import InputError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3
_KEPT = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_STRETCH = {2: 85, 4: 17}  # by which a decoder stretches grey values of so many bits to 0..255
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


def read_labels(path: Path, what: str) -> np.ndarray:
    """(H, W) uint8, or uint16 of a 16-bit file: grey values as they are stored, or indices of a palette.

    what: in words what the file is, for the errors. Raises MissingError where there is none, InputError naming it where
    it is no PNG, is truncated or damaged, or holds colours.
    """
    with reading(path, what) as stream:
        data = stream.read()
    try:
        pixels, bits, colour = _pixels(data)
    except ValueError as error:
        raise InputError(f"{path}: {error} ({len(data)} bytes); it should be {what}") from None
    if colour not in (_GREY, _PALETTE):
        raise InputError(f"{path}: holds colours; it should be {what}, one number a pixel")
    try:
        with Image.open(io.BytesIO(pixels), formats=("PNG",)) as picture:
            labels = np.asarray(picture)
    except _DAMAGE as error:
        why = "is truncated" if "truncated" in str(error) else f"cannot be decoded ({error})"
        raise InputError(f"{path}: {why} ({len(data)} bytes); it should be {what}") from None
    if bits == 16:
        return labels.astype(np.uint16, copy=False)
    labels = labels.astype(np.uint8, copy=False)
    return labels // _STRETCH[bits] if colour == _GREY and bits in _STRETCH else labels


def _pixels(data: bytes) -> tuple[bytes, int, int]:
    """The file without what is no pixel, its bits a sample and its colour type; every chunk's checksum is right.

    Raises ValueError saying what is wrong.
    """
    if not data.startswith(_SIGNATURE):
        raise ValueError("is no PNG" if data else "is empty")
    parts, at, name = [_SIGNATURE], len(_SIGNATURE), b""
    while name != b"IEND":
        if at + 12 > len(data):
            raise ValueError("is truncated")
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("is truncated")
        if at == len(_SIGNATURE) and (name != b"IHDR" or length != 13):
            raise ValueError("is damaged: it does not begin with a PNG header")
        if name in _KEPT:
            if zlib.crc32(data[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
                raise ValueError(f"is damaged: the checksum of {name.decode()} is wrong")
            parts.append(data[at:end])
        at = end
    return b"".join(parts), data[24], data[25]


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Writes (H, W) uint8 or uint16 as a grey PNG, whole or not at all. Raises UsageError where the disk refuses."""
    stream = io.BytesIO()
    Image.fromarray(labels).save(stream, "PNG", compress_level=3)
    write_whole(path, lambda file: file.write(stream.getvalue()))
