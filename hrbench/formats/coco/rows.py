"""Rows of COCO results for a few of thousands of images, to render them: read block by block, few checks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hrbench.errors import InputError
from hrbench.formats.coco.columns import READ_ERRORS, blocks

BLOCK_BYTES = 1 << 19
"""Of a prediction file, in memory at a time."""


class PersonRow(msgspec.Struct):
    """A predicted person; keypoints of images that are not wanted stay undecoded."""

    image_id: int | str
    keypoints: msgspec.Raw


class ObjectRow(msgspec.Struct):
    """A detection; masks of images that are not wanted stay undecoded."""

    image_id: int | str
    category_id: int
    score: float
    bbox: list[float] | None = None
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


Row = TypeVar("Row", PersonRow, ObjectRow)


def people_of(path: Path, ids: Collection[int | str]) -> dict[int | str, list[dict[str, Any]]]:
    """Image id -> {"keypoints": numbers} of each predicted person, in the order of the file.

    Raises InputError if the file is no list of rows with image_id and keypoints.
    """
    rows: dict[int | str, list[dict[str, Any]]] = {key: [] for key in ids}
    numbers = msgspec.json.Decoder(list[float]).decode
    try:
        for row in _chosen(path, PersonRow, rows):
            rows[row.image_id].append({"keypoints": numbers(row.keypoints)})
    except READ_ERRORS as error:
        raise InputError(f"{path}: holds no list of predicted people: {error}; predict again") from None
    return rows


def objects_of(path: Path, ids: Collection[int | str]) -> dict[int | str, list[dict[str, Any]]]:
    """Image id -> its detections in the order of the file: category_id, score, and bbox and segmentation if there.

    Raises InputError if the file is no list of detections.
    """
    rows: dict[int | str, list[dict[str, Any]]] = {key: [] for key in ids}
    try:
        for row in _chosen(path, ObjectRow, rows):
            rows[row.image_id].append(_plain(row))
    except READ_ERRORS as error:
        raise InputError(f"{path}: holds no list of detections: {error}; predict again") from None
    return rows


def _chosen(path: Path, kind: type[Row], ids: Collection[int | str]) -> Iterator[Row]:
    with path.open("rb") as stream:
        for rows in blocks(stream, kind, BLOCK_BYTES):
            yield from (row for row in rows if row.image_id in ids)


def _plain(row: ObjectRow) -> dict[str, Any]:
    plain: dict[str, Any] = {"category_id": row.category_id, "score": row.score}
    if row.bbox is not None:
        plain["bbox"] = row.bbox
    segmentation = msgspec.json.decode(row.segmentation)
    return plain if segmentation is None else {**plain, "segmentation": segmentation}
