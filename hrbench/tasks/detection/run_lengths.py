"""COCO's compressed run lengths of a mask that lies in some columns of an image.

A mask is read column by column; its code is the lengths of its runs, those of zeros first. Compressed, every number is
written in groups of five bits, the lowest first, each a character from "0" on: bit 5 says that more follow, bit 4 of
the last is the sign; from the fourth number on it is the difference to the number two before. (rleToString of
https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c) So zeros before a mask change its first number
only, whatever follows, and zeros after one that ends with zeros change its last number by as much.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as codec

from hrbench.core.native.calls import In, NativeCall, Out
from hrbench.core.native.loader import library
from hrbench.formats.coco.rle import MAX_PIXELS

LIKELY_CHARACTERS = 1 << 13
"""Of the code of a mask: room that is enough for nearly all."""

_ENCODE = NativeCall("hrb_encode_part", In(np.uint8), int, int, int, int, int, int, Out(np.uint8))


def encoded(part: np.ndarray, left: int, top: int, size: tuple[int, int]) -> dict[str, Any]:
    """{"size": [height, width], "counts": str} of a mask on an image of this (width, height).

    part: (columns, rows), pixels that are in the mask are not zero; all others of the image are not in it.
    left, top: column and row of the image where the part begins.
    """
    width, height = size
    if library() is not None and width * height < MAX_PIXELS:
        return {"size": [height, width], "counts": _compiled(part, left, top, height, width)}
    right = left + len(part)
    spare = int(right < width)  # a column of zeros, so that the last run is one of zeros
    canvas = np.zeros((len(part) + spare, height), np.uint8)
    canvas[: len(part), top : top + part.shape[1]] = part
    found: Any = codec.encode(canvas.T[:, :, None])  # type: ignore[arg-type]
    code = widened(found[0]["counts"], left * height, (width - right - spare) * height)
    return {"size": [height, width], "counts": code.decode("ascii")}


def _compiled(part: np.ndarray, left: int, top: int, height: int, width: int) -> str:
    pixels = np.ascontiguousarray(part != 0).view(np.uint8)
    code = np.empty(LIKELY_CHARACTERS, np.uint8)
    for _ in range(2):
        length = _ENCODE(pixels, *pixels.shape, left, top, height, width, code)
        if length <= len(code):
            break
        code = np.empty(length, np.uint8)
    return code[:length].tobytes().decode("ascii")


def widened(code: bytes, before: int, after: int) -> bytes:
    """A code with so many more zeros before and after its pixels. If there are any after, it must end with zeros.

    >>> widened(b"231", 0, 4), widened(b"231", 100, 0)
    (b'235', b'V331')
    """
    if before:
        end = 1
        while code[end - 1] - 48 & 32:
            end += 1
        code = _written(_number(code[:end]) + before) + code[end:]
    if after:
        start = len(code) - 1
        while start and code[start - 1] - 48 & 32:
            start -= 1
        code = code[:start] + _written(_number(code[start:]) + after)
    return code


def _number(text: bytes) -> int:
    """The number that characters of a code stand for."""
    value = 0
    for place, character in enumerate(text):
        value |= (character - 48 & 31) << 5 * place
    return value - (1 << 5 * len(text)) if text[-1] - 48 & 16 else value


def _written(number: int) -> bytes:
    """The characters of a number."""
    text = bytearray()
    while True:
        bits = number & 31
        number >>= 5
        if number == (-1 if bits & 16 else 0):
            text.append(bits + 48)
            return bytes(text)
        text.append((bits | 32) + 48)
