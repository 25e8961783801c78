"""Masks of annotations and results, from JSON to columns of compressed codes."""

from __future__ import annotations

from itertools import chain
from typing import Any

import msgspec
import numpy as np
from pycocotools import mask as codec

from hrbench.core.native.calls import NOT_MINE, In, NativeCall, Out
from hrbench.formats.coco.columns import Whole, joined, need
from hrbench.formats.coco.compiled_rows import NotUsualError, RowMasks
from hrbench.formats.coco.rle import MAX_POLYGON_COORDINATE, Masks, checked

BATCH_MASKS = 4096  # masks checked at a time
LEAST_ROOM = 1 << 18  # characters of codes written at a time

_CODES = NativeCall(
    "hrb_coco_masks",
    In(np.uint8), In(np.int64), In(np.int64), In(np.int64), In(np.uint8),  # kind, parts, size, that of images, kept
    In(np.float64), In(np.int64), In(np.int64), In(np.uint8),  # points, rings, runs, codes
    Out(np.int64), Out(np.float64), Out(np.uint8), Out(np.int32), Out(np.int64), Out(np.uint8),  # cursor and results
)  # fmt: skip


class Counts(msgspec.Struct, gc=False):
    """A run-length code: compressed text, or the plain lengths of its runs. size: height, width."""

    size: tuple[Whole, Whole]
    counts: str | list[int]


class MaskColumns:
    """Masks collected block by block, each checked against the size of its image."""

    def __init__(self) -> None:
        self.parts: list[tuple[np.ndarray, bytes, np.ndarray, np.ndarray, np.ndarray]] = []
        self.boxes: list[np.ndarray] = []

    def add(
        self, codes: list[bytes], found: np.ndarray, size: np.ndarray, kept: np.ndarray | None = None
    ) -> np.ndarray:
        """Areas (P,) float64 in px^2 of some compressed codes. Raises CodeError, FileFaultError.

        found: (P, 2) heights and widths as the codes have them.
        size: those of their images.
        kept: (P,) bool, False for those whose code will not be needed.
        """
        need(np.array_equal(found, size))
        lengths = np.array([len(code) for code in codes], np.int64)
        area, plain = checked(b"".join(codes), lengths, size[:, 0] * size[:, 1])
        if kept is not None:
            codes = [code if keep else b"" for code, keep in zip(codes, kept.tolist(), strict=True)]
            lengths = np.where(kept, lengths, 0)
        self.parts.append((size, b"".join(codes), lengths, area, plain))
        return area

    def add_any(
        self, masks: list[list[list[float]] | Counts], size: np.ndarray, kept: np.ndarray | None = None
    ) -> np.ndarray:
        """Areas of polygons and codes of both kinds, as pycocotools' `annToRLE` makes masks of them; see `add`."""
        _check_polygons([points for mask in masks if isinstance(mask, list) for points in mask])
        sizes = size.tolist()
        found = [list(mask.size) if isinstance(mask, Counts) else own for mask, own in zip(masks, sizes, strict=True)]
        codes = [compressed(mask, own) for mask, own in zip(masks, sizes, strict=True)]
        return self.add(codes, np.array(found, np.int64).reshape(-1, 2), size, kept)

    def add_rows(self, masks: RowMasks, size: np.ndarray, kept: np.ndarray | None = None) -> np.ndarray:
        """As `add_any`, by the compiled helper. Raises NotUsualError, also for faulty masks."""
        many = len(masks.kind)
        area, plain, box = np.empty(many), np.empty(many, np.uint8), np.empty((many, 4), np.int32)
        lengths, cursor, text = np.empty(many, np.int64), np.zeros(6, np.int64), b""
        keeps = np.ones(many, np.uint8) if kept is None else kept.view(np.uint8)
        room = max(len(masks.code), LEAST_ROOM)
        while cursor[0] < many:
            out, cursor[5], before = np.empty(room, np.uint8), 0, int(cursor[0])
            arrays = masks.kind, masks.parts, masks.size, size, keeps, masks.points, masks.ring, masks.run, masks.code
            if _CODES(*arrays, cursor, area, plain, box, lengths, out) == NOT_MINE:
                raise NotUsualError("a mask that is not valid, or very large")
            text += out[: cursor[5]].tobytes()
            room *= 1 if cursor[0] > before else 4  # a code that alone is longer
        self.parts.append((size, text, lengths, area, plain.view(bool)))
        self.boxes.append(box)
        return area

    def joined(self) -> Masks:
        """All masks; the collection is emptied."""
        if not self.parts:
            return Masks(np.zeros((0, 2), np.int64), b"", np.zeros(1, np.int64), np.zeros(0), np.zeros(0, bool))
        size, text, lengths, area, plain = zip(*self.parts, strict=True)
        self.parts.clear()
        box = joined(self.boxes) if self.boxes else None  # all parts have one, or none
        starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.concatenate(lengths))))
        return Masks(np.concatenate(size), b"".join(text), starts, np.concatenate(area), np.concatenate(plain), box)


def annotated(segmentations: list[list[list[float]] | Counts], size: np.ndarray) -> Masks:
    """Annotated masks, from polygons and both kinds of codes, as pycocotools' `annToRLE`. size: (G, 2) of their images.

    Raises FileFaultError, CodeError.
    """
    columns = MaskColumns()
    for start in range(0, len(segmentations), BATCH_MASKS):
        some, their = segmentations[start : start + BATCH_MASKS], size[start : start + BATCH_MASKS]
        columns.add_any(some, their)
    return columns.joined()


def _check_polygons(polygons: list[list[float]]) -> None:
    need(all(len(points) >= 6 and len(points) % 2 == 0 for points in polygons))
    values = np.fromiter(chain.from_iterable(polygons), np.float64)
    need(not len(values) or bool(values.min() >= -MAX_POLYGON_COORDINATE and values.max() <= MAX_POLYGON_COORDINATE))


def compressed(mask: list[list[float]] | Counts, size: list[int]) -> bytes:
    """The compressed code of a mask on an image of `size` (height, width). Raises FileFaultError for a faulty one."""
    height, width = size
    encode: Any = codec.frPyObjects  # its type stubs do not cover all that it takes
    if isinstance(mask, list):
        need(len(mask) > 0)
        return codec.merge(encode(mask, height, width))["counts"]  # type: ignore[return-value]
    if isinstance(mask.counts, str):
        return mask.counts.encode("ascii")
    need(list(mask.size) == size and min(mask.counts, default=-1) >= 0 and sum(mask.counts) == height * width)
    return encode({"size": size, "counts": mask.counts}, height, width)["counts"]
