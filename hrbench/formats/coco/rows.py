"""Rows of COCO results for a few of thousands of images, to render them: read block by block, few checks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from hrbench.errors import InputError
from hrbench.formats.coco.columns import READ_ERRORS, blocks
from hrbench.formats.coco.forms import in_utf8
from hrbench.formats.paths import name_forms

NO_NAMES: Mapping[str, int | str] = MappingProxyType({})
BLOCK_BYTES = 1 << 19
"""Of a prediction file, in memory at a time."""


class PersonRow(msgspec.Struct):
    """A predicted person; keypoints of images that are not wanted stay undecoded.

    The other four keys are COCO-WholeBody's, of the joints after the 17 of the body.
    """

    image_id: int | float | str
    keypoints: msgspec.Raw
    foot_kpts: msgspec.Raw = msgspec.Raw(b"[]")
    face_kpts: msgspec.Raw = msgspec.Raw(b"[]")
    lefthand_kpts: msgspec.Raw = msgspec.Raw(b"[]")
    righthand_kpts: msgspec.Raw = msgspec.Raw(b"[]")


class ObjectRow(msgspec.Struct):
    """A detection; masks of images that are not wanted stay undecoded."""

    image_id: int | float | str
    category_id: int | float | str
    score: float | str
    bbox: list[float | str] | None = None
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


Row = TypeVar("Row", PersonRow, ObjectRow)


def people_of(
    path: Path, ids: Collection[int | str], names: Mapping[str, int | str] = NO_NAMES
) -> dict[int | str, list[dict[str, Any]]]:
    """Image id -> {"keypoints": numbers} of each predicted person, in the order of the file.

    path: of the results.
    ids: of the images that are wanted.
    names: what else rows may call an image -> its id.

    Raises InputError if the file is no list of rows with image_id and keypoints.
    """
    rows: dict[int | str, list[dict[str, Any]]] = {key: [] for key in ids}
    numbers = msgspec.json.Decoder(list[float], strict=False).decode  # also of texts, as `text_numbers` reads them
    try:
        for key, row in _chosen(path, PersonRow, rows, names):
            parts = (row.keypoints, row.foot_kpts, row.face_kpts, row.lefthand_kpts, row.righthand_kpts)
            rows[key].append({"keypoints": [number for part in parts for number in numbers(part)]})
    except READ_ERRORS as error:
        raise InputError(f"{path}: holds no list of predicted people: {error}; predict again") from None
    return rows


def objects_of(
    path: Path, ids: Collection[int | str], names: Mapping[str, int | str] = NO_NAMES
) -> dict[int | str, list[dict[str, Any]]]:
    """Image id -> its detections in the order of the file: category_id, score, and bbox and segmentation if there.

    Arguments are those of `people_of`.

    Raises InputError if the file is no list of detections.
    """
    rows: dict[int | str, list[dict[str, Any]]] = {key: [] for key in ids}
    try:
        for key, row in _chosen(path, ObjectRow, rows, names):
            rows[key].append(_plain(row))
    except READ_ERRORS as error:
        raise InputError(f"{path}: holds no list of detections: {error}; predict again") from None
    return rows


def _chosen(
    path: Path, kind: type[Row], ids: Collection[int | str], names: Mapping[str, int | str]
) -> Iterator[tuple[int | str, Row]]:
    """The image id of each row that is wanted, and the row."""
    with path.open("rb") as file:
        stream = in_utf8(file)
        for rows in blocks(stream, kind, BLOCK_BYTES):
            for row in rows:
                key = row.image_id
                if isinstance(key, str) and key not in ids:
                    key = next((names[form] for form in name_forms(key) if form in names), key)
                if key in ids:
                    yield int(key) if isinstance(key, float) else key, row


def _plain(row: ObjectRow) -> dict[str, Any]:
    plain: dict[str, Any] = {"category_id": int(row.category_id), "score": float(row.score)}
    if row.bbox is not None:
        plain["bbox"] = [float(side) for side in row.bbox]
    segmentation = msgspec.json.decode(row.segmentation)
    return plain if segmentation is None else {**plain, "segmentation": segmentation}
