"""From the JSON rows of COCO files to columns: what keypoint, box and mask files have in common.

Correct files are read fast: typed decoding, then checks on whole columns. If anything is wrong, `FileFaultError` or an
error of msgspec is raised without details, and the caller lets the slow functions of `faults` explain the file. Results
are decoded in blocks of rows, so that neither their text nor their objects are ever in memory as a whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO

import msgspec
import numpy as np

from hrbench.core.files import MAX_COORDINATE

BLOCK_BYTES = 1 << 17  # text decoded at a time: its objects stay in the cache
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Four = tuple[float, float, float, float]


class FileFaultError(ValueError):
    """Something is wrong with a file; `faults` says what."""


READ_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError)  # raised when a file with a fault is read


def blocks(stream: BinaryIO, row: type[Any], size: int = 0) -> Iterator[list[Any]]:
    """The rows of a JSON list in order, some at a time, decoded as `row`. size: bytes of a block; 0: BLOCK_BYTES.

    A block ends after some "}," of the text. If that is not the end of a row, brackets or quotes are not balanced and
    the block cannot be decoded: then the next block is appended and decoding is tried again.
    """
    decode = msgspec.json.Decoder(list[row]).decode  # pyright: ignore[reportInvalidTypeForm]
    text, first = b"", True
    while data := stream.read(size or BLOCK_BYTES):
        text += data
        cut = text.rfind(b"}") + 1
        head, tail = text[:cut], text[cut:].lstrip()
        if first:
            head = head.lstrip()
        if not cut or not tail.startswith(b",") or (first and not head.startswith(b"[")):
            continue
        try:
            rows = decode(head + b"]" if first else b"[" + head + b"]")
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            continue
        yield rows
        text, first = tail[1:], False
    rows = decode(text if first else b"[" + text)
    if rows:
        yield rows
    elif not first:
        raise FileFaultError("a comma before the closing bracket")


def joined(column: list[np.ndarray]) -> np.ndarray:
    """The parts of a column as one array. The list is emptied, so that large columns are not in memory twice."""
    whole_column = np.concatenate(column)
    column.clear()
    return whole_column


def need(held: bool) -> None:
    if not held:
        raise FileFaultError("inconsistent content")


def whole(values: list[Any]) -> np.ndarray:
    """Whole numbers, or equally long rows of them, as int64."""
    try:
        return np.array(values, np.int64)
    except OverflowError:
        raise FileFaultError("a number beyond 64 bits") from None


def numbers(rows: Sequence[Sequence[float]], width: int) -> np.ndarray:
    """(rows, width) float64. Packing is the fastest way to convert lists, and refuses a wrong length."""
    pack = struct.Struct(f"{width}d").pack
    try:
        return np.frombuffer(b"".join([pack(*row) for row in rows])).reshape(len(rows), width)
    except struct.error:
        raise FileFaultError("a list of the wrong length") from None


def known(ids: np.ndarray, among: np.ndarray) -> bool:
    """Whether all ids are in `among`, which is sorted."""
    if not len(ids) or not len(among):
        return not len(ids)
    return bool(np.all(among[np.minimum(np.searchsorted(among, ids), len(among) - 1)] == ids))


def within_limits(values: np.ndarray) -> bool:
    """Whether all are finite and at most MAX_COORDINATE; a comparison with NaN is false."""
    return not values.size or bool(values.min() >= -MAX_COORDINATE and values.max() <= MAX_COORDINATE)


@dataclass(frozen=True)
class Truths:
    """Annotated objects as columns (G), in the order of the file.

    image, category: int64 ids.
    area: float64, px^2.
    crowd: bool.
    ignore: bool, True if the object never counts, whatever its area (crowds included).
    """

    image: np.ndarray
    category: np.ndarray
    area: np.ndarray
    crowd: np.ndarray
    ignore: np.ndarray


@dataclass(frozen=True)
class Detections:
    """Detections as columns (N), in the order of the file.

    image, category: int64 ids.
    score, area: float64, finite.
    """

    image: np.ndarray
    category: np.ndarray
    score: np.ndarray
    area: np.ndarray


def sorted_unique(ids: np.ndarray) -> np.ndarray:
    """The distinct ids in rising order. (`np.unique` would import all of numpy.ma at its first call.)"""
    ordered = np.sort(ids)
    return ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0]
