"""The pixels of a PNG of one channel by zlib and the compiled helper: what Pillow decodes, in half of its time.

Only what is plain is read here: one number of 8 or 16 bits a pixel, not interlaced, whole and without a fault. Of any
other file, and without the helper, `pixels` gives None, and Pillow decides.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from hrbench.core.native.calls import NOT_MINE, In, NativeCall, Out
from hrbench.core.native.loader import library

GREY, PALETTE = 0, 3
MOST = 1 << 26
"""Pixels; Pillow warns of images that are somewhat larger."""

RATIO = 1032
"""How many times its size deflated data can become at most."""

ROOM = 1 << 29
"""Bytes that a file may become at most to be read here; label maps of Cityscapes may become 30 MB, and are 2 MB."""

_unfiltered = NativeCall("hrb_unfiltered", In(np.uint8), int, int, Out(np.uint8))


def pixels(header: bytes, parts: Sequence[bytes], has_palette: bool) -> np.ndarray | None:
    """(H, W) uint8 or uint16 as they are stored; None if this is not for the helper.

    header: the 13 bytes of IHDR.
    parts: the contents of the IDAT chunks.
    """
    if library() is None:
        return None
    width, height, bits, colour, *rest = struct.unpack(">IIBBBBB", header)
    plain = (bits == 8 and (colour == GREY or (colour == PALETTE and has_palette))) or (bits == 16 and colour == GREY)
    if not plain or any(rest) or not 0 < width * height <= MOST:
        return None
    size = bits // 8
    expected = height * (width * size + 1)
    data = b"".join(parts)
    if len(data) * RATIO > ROOM:  # it might grow beyond all that the header says
        return None
    try:
        rows = zlib.decompress(data, bufsize=expected)  # raises unless the stream has its end and its checksum
    except zlib.error:
        return None
    if len(rows) != expected:
        return None
    out = np.empty((height, width), (np.uint8, np.uint16)[size - 1])
    filtered = np.frombuffer(rows, np.uint8)
    flat = out.reshape(-1).view(np.uint8)
    return None if _unfiltered(filtered, width * size, size, flat) == NOT_MINE else out
