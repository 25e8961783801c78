"""Rows of a prediction file, a block of text at a time: drawings are of a few images out of thousands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, TypeVar

import msgspec

Row = TypeVar("Row")

BLOCK = 1 << 19
"""Bytes of a prediction file that are held at a time."""


def streamed(stream: BinaryIO, kind: type[Row]) -> Iterator[Row]:
    """The rows of a JSON list in order, no more than about a block of text in memory.

    Text is cut behind a "}" that a comma follows. Where that is inside a row, the piece does not decode, and more is
    read before it is tried again. Raises msgspec.MsgspecError where the file is no list of such rows.
    """
    decode = msgspec.json.Decoder(list[kind]).decode
    text, opening = b"", b""  # the file's own bracket opens the first piece
    while data := stream.read(BLOCK):
        text += data
        cut = text.rfind(b"}") + 1
        rest = text[cut:].lstrip()
        if not cut or not rest.startswith(b","):
            continue
        try:
            rows = decode(opening + text[:cut] + b"]")
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            continue
        yield from rows
        text, opening = rest[1:], b"["
    yield from decode(opening + text)
