"""The chunks of a PNG (ISO/IEC 15948): their positions, and whether the file is complete."""

from __future__ import annotations

import struct
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and end (past its checksum) of every chunk, IEND being the last; checksums are not checked.

    data: a file that begins with SIGNATURE. Raises ValueError, with a message, if it ends before IEND does.
    """
    at, name = len(SIGNATURE), b""
    while name != b"IEND":
        if at + 12 > len(data):
            raise ValueError("is truncated")
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("is truncated")
        yield name, at, end
        at = end
