"""Rows of COCO's files straight to columns by the compiled helper; files of another than the usual form are not its.

The readers of `instances` and `keypoints` try it first. Where it gives up (`NotUsualError`), the general reader takes
the file from its beginning, and says what is wrong if something is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal, get_args

import numpy as np

from hrbench.core.native.calls import NOT_MINE, In, NativeCall, Out
from hrbench.formats.coco.rle import MAX_POLYGON_COORDINATE

BLOCK_BYTES = 1 << 18  # text read at a time: with its columns it stays in the cache
SHORTEST_ROW = 20  # characters, of a row with two keys

Field = Literal[
    "id", "image_id", "category_id", "score", "area", "iscrowd", "ignore", "num_keypoints", "bbox", "keypoints",
    "segmentation", "caption",
]  # fmt: skip
Mode = Literal["needed", "optional", "refused"]
FIELDS: tuple[Field, ...] = get_args(Field)
_MODES = {"skipped": 0, "needed": 1, "optional": 2, "refused": 3}
_DONE = 4
_SPACE = b" \t\n\r"

_READ = NativeCall(
    "hrb_coco_rows",
    In(np.uint8), In(np.uint8), int, float, Out(np.int64),  # text, mode of each field, values a row, limit, cursor
    Out(np.int64), Out(np.int64), Out(np.int64), Out(np.int64),  # id, image, category, num_keypoints
    Out(np.float64), Out(np.float64), Out(np.float64), Out(np.float64),  # score, area, box, keypoints
    Out(np.uint8), Out(np.uint8), Out(np.int64), Out(np.int64),  # flags, kind, size, parts
    Out(np.float64), Out(np.int64), Out(np.int64), Out(np.uint8),  # points, rings, runs, codes
)  # fmt: skip
_LISTS = NativeCall("hrb_coco_lists", In(np.uint8), Out(np.int64))


class NotUsualError(ValueError):
    """The file has something that only the general reader knows."""


@dataclass(frozen=True)
class RowColumns:
    """Some rows as columns (P), valid until the next are read; those of fields that nobody asked for are empty.

    id, image, category, labelled (`num_keypoints`): int64.
    score, area: float64; not checked.
    box: (P, 4) float64; only where `boxed`.
    keypoints: (P, values) float64.
    crowd, ignore, boxed: bool; `boxed` says which rows have a `bbox`.
    masks: segmentations, None if nobody asked for them.
    """

    id: np.ndarray
    image: np.ndarray
    category: np.ndarray
    labelled: np.ndarray
    score: np.ndarray
    area: np.ndarray
    box: np.ndarray
    keypoints: np.ndarray
    crowd: np.ndarray
    ignore: np.ndarray
    boxed: np.ndarray
    masks: RowMasks | None

    def __len__(self) -> int:
        return len(self.boxed)


@dataclass(frozen=True)
class RowMasks:
    """The segmentations of P rows.

    kind: (P,) uint8, 1 polygons, 2 lengths of runs, 3 a compressed code.
    size: (P, 2) int64, height and width of runs and codes.
    parts: (P,) int64, how many rings, runs or characters each has.
    points: float64, coordinates of all polygons, one ring after the other.
    ring: int64, how many coordinates each ring has.
    run: int64, lengths of all runs.
    code: uint8, characters of all codes.
    """

    kind: np.ndarray
    size: np.ndarray
    parts: np.ndarray
    points: np.ndarray
    ring: np.ndarray
    run: np.ndarray
    code: np.ndarray


def results_rows(stream: BinaryIO, modes: Mapping[Field, Mode], values: int = 0) -> Iterator[RowColumns]:
    """The rows of a results file, some at a time. Raises NotUsualError.

    modes: of the fields; others are skipped.
    values: numbers that each `keypoints` has.
    """
    reader, text, kept = _RowReader(modes, values), np.empty(BLOCK_BYTES, np.uint8), 0
    while not reader.done:
        if kept == len(text):  # a row that is longer than a block
            text = np.concatenate([text, np.empty_like(text)])
        more = stream.readinto(text[kept:])  # type: ignore[attr-defined]  # typing.BinaryIO lacks it
        if not more:
            raise NotUsualError("the list does not end")
        many = kept + more
        columns, taken = reader.read(text[:many])
        kept = many - taken
        text[:kept] = text[taken:many]
        if len(columns):
            yield columns
    if (text[:kept].tobytes() + stream.read()).strip(_SPACE):
        raise NotUsualError("more than one list")


def annotation_rows(
    data: bytes, span: tuple[int, int], modes: Mapping[Field, Mode], values: int = 0
) -> Iterator[RowColumns]:
    """The rows of a list that lies in `data` from span[0] to span[1]; else as `results_rows`."""
    reader, block = _RowReader(modes, values), BLOCK_BYTES
    text = np.frombuffer(data, np.uint8)[slice(*span)]
    while not reader.done:
        columns, taken = reader.read(text[:block])
        if len(columns):
            yield columns
        elif not reader.done:
            if block >= len(text):
                raise NotUsualError("the list does not end")
            block *= 2
        text = text[taken:]
    if len(text):
        raise NotUsualError("the list ends before")


def lists_in(data: bytes) -> dict[str, tuple[int, int]]:
    """Where the lists of an annotation file in valid UTF-8 lie: name -> start and end. Raises NotUsualError."""
    spans = np.zeros(6, np.int64)
    if _LISTS(np.frombuffer(data, np.uint8), spans) == NOT_MINE:
        raise NotUsualError("not an object with three lists")
    starts, ends = spans[::2].tolist(), spans[1::2].tolist()
    return dict(zip(("images", "annotations", "categories"), zip(starts, ends, strict=True), strict=True))


class _RowReader:
    """Reads a list text by text; `done` after its end."""

    def __init__(self, modes: Mapping[Field, Mode], values: int) -> None:
        self.modes, self.values = modes, values
        self.mode = np.array([_MODES[modes.get(field, "skipped")] for field in FIELDS], np.uint8)
        self.place, self.memory = 0, _Memory(BLOCK_BYTES, modes, values)

    @property
    def done(self) -> bool:
        return self.place == _DONE

    def read(self, text: np.ndarray) -> tuple[RowColumns, int]:
        """The rows that are in the text as a whole, and how many characters are done."""
        if len(text) > self.memory.characters:
            self.memory = _Memory(len(text), self.modes, self.values)
        memory, cursor = self.memory, np.array([0, self.place, 0, 0, 0, 0], np.int64)
        rows = _READ(
            text, self.mode, self.values, MAX_POLYGON_COORDINATE, cursor,
            memory.id, memory.image, memory.category, memory.labelled,
            memory.score, memory.area, memory.box, memory.keypoints,
            memory.flags, memory.kind, memory.size, memory.parts,
            memory.point, memory.ring, memory.run, memory.code,
        )  # fmt: skip
        if rows == NOT_MINE:
            raise NotUsualError("not of the usual form")
        taken, self.place, *many = cursor.tolist()
        return memory.columns(rows, many), taken


class _Memory:
    """Memory for the columns of a text of so many characters, used again for the next."""

    def __init__(self, characters: int, modes: Mapping[Field, Mode], values: int) -> None:
        self.characters, self.values = characters, values
        rows = characters // SHORTEST_ROW + 1

        def column(field: Field, width: int = 1, kind: type = np.int64, many: int = rows) -> np.ndarray:
            asked = modes.get(field, "refused") != "refused"
            return np.empty(many * width if asked else 0, kind)

        self.id, self.image, self.category = column("id"), column("image_id"), column("category_id")
        self.labelled = column("num_keypoints")
        self.score, self.area = column("score", kind=np.float64), column("area", kind=np.float64)
        self.box, self.keypoints = column("bbox", 4, np.float64), column("keypoints", values, np.float64)
        self.flags = np.zeros(3 * rows, np.uint8)
        self.kind, self.size = column("segmentation", kind=np.uint8), column("segmentation", 2)
        self.parts = column("segmentation")
        # a number has a character and one that ends it, a ring six numbers
        self.point = column("segmentation", kind=np.float64, many=characters // 2 + 1)
        self.ring = column("segmentation", many=characters // 12 + 1)
        self.run = column("segmentation", many=characters // 2 + 1)
        self.code = column("segmentation", kind=np.uint8, many=characters)

    def columns(self, rows: int, many: list[int]) -> RowColumns:
        """Of so many rows. many: coordinates, rings, runs and characters of codes that they have."""
        crowd, ignore, boxed = (part[:rows].astype(bool) for part in np.split(self.flags, 3))
        masks = None
        if len(self.kind):
            point, ring, run, code = many
            parts = self.point[:point], self.ring[:ring], self.run[:run], self.code[:code]
            masks = RowMasks(self.kind[:rows], self.size[: 2 * rows].reshape(-1, 2), self.parts[:rows], *parts)
        ints = self.id[:rows], self.image[:rows], self.category[:rows], self.labelled[:rows]
        box = self.box[: 4 * rows].reshape(-1, 4)
        keypoints = self.keypoints[: self.values * rows].reshape(-1, max(self.values, 1))
        return RowColumns(*ints, self.score[:rows], self.area[:rows], box, keypoints, crowd, ignore, boxed, masks)
