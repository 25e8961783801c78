"""Run-length encoded masks of COCO: columns of compressed codes, checked, with their areas.

A mask is read column by column; its code is the lengths of its runs, those of zeros first. Compressed, every number is
written in groups of five bits, the lowest first, each a character from "0" on: bit 5 says that more follow, bit 4 of
the last is the sign; from the fourth number on it is the difference to the number two before. (rleToString,
rleFrString of https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c)

pycocotools does not check codes, and reads past the end of a truncated one: so all codes are decoded here first.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from pycocotools import mask as codec

MAX_PIXELS = 1 << 29  # of an image: the codec reads only numbers of up to 30 bits and a sign correctly
MAX_CHARACTERS = 6  # of one number
MAX_POLYGON_COORDINATE = 1e5  # px; the codec follows the sides of polygons pixel by pixel, and would take forever


class CodeError(ValueError):
    """A code that is not valid; the message says why."""


@dataclass(frozen=True)
class Masks:
    """N compressed masks as columns.

    size: (N, 2) int64, height and width.
    text: all codes concatenated.
    starts: (N + 1,) int64 into it.
    area: (N,) float64, px^2.
    plain: (N,) bool, False if a run within the code is empty, which no encoder writes.
    box: (N, 4) int32, left, top, right, bottom in px of the plain ones; None if nothing has computed them.
    """

    size: np.ndarray
    text: bytes
    starts: np.ndarray
    area: np.ndarray
    plain: np.ndarray
    box: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.size)

    def counts(self) -> list[bytes]:
        """The compressed code of each mask."""
        return [self.text[start:end] for start, end in pairwise(self.starts.tolist())]

    def codes(self, rows: np.ndarray) -> Any:
        """A list of masks as pycocotools takes them: {"size": [height, width], "counts": bytes}."""
        text = self.text
        bounds = zip(self.starts[rows].tolist(), self.starts[rows + 1].tolist(), strict=True)
        return [
            {"size": size, "counts": text[start:end]}
            for size, (start, end) in zip(self.size[rows].tolist(), bounds, strict=True)
        ]


def checked(text: bytes, lengths: Sequence[int] | np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(area (N,) float64 in px^2, plain (N,) bool) of N codes that are concatenated in `text`.

    lengths: characters of each. pixels: (N,) int64, height x width. Raises CodeError if a code is not valid for them.
    """
    many = np.asarray(lengths, np.int64)
    if not len(many):
        return np.zeros(0), np.zeros(0, bool)
    if not many.all():
        raise CodeError("counts is empty")
    length, first, place = _lengths(np.frombuffer(text, np.uint8), many)
    if length.min() < 0:
        raise CodeError("counts holds a run of negative length")
    total = np.add.reduceat(length, first)
    wrong = np.flatnonzero(total != pixels)
    if len(wrong):
        raise CodeError(f"counts covers {total[wrong[0]]} pixels; its size has {pixels[wrong[0]]}")
    empty = (length == 0) & (place > 0)
    plain = np.logical_not(np.logical_or.reduceat(empty, first))
    return np.add.reduceat(np.where(place & 1, length, 0), first).astype(np.float64), plain


def decoded(counts: str | bytes, size: tuple[int, int]) -> np.ndarray:
    """The mask (height, width) uint8, 0 or 1, of one compressed code.

    counts: the code.
    size: (height, width) of the image.
    Raises CodeError if the code is not valid for this size.
    """
    height, width = size
    text = counts.encode("utf-8", "replace") if isinstance(counts, str) else counts
    checked(text, [len(text)], np.array([height * width]))
    decode: Any = codec.decode  # its type stubs do not cover all that it takes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of how pycocotools 2.0.11 hands NumPy its memory
        return decode({"size": [height, width], "counts": text})


def run_lengths(masks: Masks, rows: np.ndarray) -> list[np.ndarray]:
    """The lengths of the runs of masks (n,), those of zeros first, each (R,) int64; column by column."""
    codes = [masks.text[start:end] for start, end in zip(masks.starts[rows], masks.starts[rows + 1], strict=True)]
    if not codes:
        return []
    length, first, _ = _lengths(np.frombuffer(b"".join(codes), np.uint8), np.array([len(code) for code in codes]))
    return np.split(length, first[1:])


def _lengths(text: np.ndarray, many: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of N codes of `many` characters each: the lengths of all runs (R,), where each mask's begin among them (N,), and
    the position of each run in its mask (R,).
    """
    values, runs = _values(text, many)
    first = np.cumsum(runs) - runs
    place = np.arange(len(values)) - np.repeat(first, runs)
    odd = (place & 1).astype(bool)
    # from the fourth number on, each is the difference to the one two before
    ones = _summed(np.where(odd, values, 0), first, runs)
    zeros = _summed(np.where(odd | (place == 0), 0, values), first, runs)
    return np.where(odd, ones, np.where(place == 0, values, zeros)), first, place


def _values(text: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(numbers of all codes, before differences are undone; how many of each code (N,))."""
    if text.min() < 48 or text.max() > 48 + 63:
        raise CodeError("counts holds a character that no compressed code has")
    bits = text - np.uint8(48)
    final = (bits & 32) == 0
    if not final[np.cumsum(lengths) - 1].all():
        raise CodeError("counts ends within a number; was it cut off?")
    ends = np.flatnonzero(final)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
    if (ends - starts).max() >= MAX_CHARACTERS:
        raise CodeError("counts holds a number larger than any image")
    values = (bits[ends] & 31).astype(np.int64)
    values -= (values & 16) << 1  # the sign
    for back in range(1, MAX_CHARACTERS):
        some = np.flatnonzero(ends - back >= starts)
        if not len(some):
            break
        values[some] = (values[some] << 5) | (bits[ends[some] - back] & 31)
    upto = np.concatenate((np.zeros(1, np.int64), np.cumsum(final)))
    return values, np.diff(upto[np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))])


def _summed(values: np.ndarray, first: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Running sums that restart with every mask."""
    sums = np.cumsum(values)
    return sums - np.repeat(sums[first] - values[first], runs)
