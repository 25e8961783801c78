"""Writes COCO results while predictions arrive.

A prediction's value is a list of rows: image_id, category_id, score, and keypoints (3 x joints numbers), bbox (x, y,
width, height) or segmentation (a compressed RLE: size and counts). NumPy numbers and arrays are written as numbers and
lists. All writers stream one JSON list, and `path` exists only when it is complete. They raise InputError for a row
that no reader would accept, UsageError if the folder cannot be written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from hrbench.core.files import write_whole
from hrbench.errors import InputError
from hrbench.types import Prediction

Row = Mapping[str, Any]


def write_results(predictions: Iterable[Prediction], path: Path, joints: int) -> None:
    """Writes keypoints and all other keys of the rows."""

    def checked(row: Row, where: str) -> Row:
        _check(row, where, "keypoints")
        if len(row["keypoints"]) != 3 * joints:
            raise InputError(
                f"{where}: {len(row['keypoints'])} numbers in keypoints; {joints} joints need {3 * joints}"
            )
        _finite(row["keypoints"], where, "keypoints")
        return row

    _write(predictions, path, checked)


def write_boxes(predictions: Iterable[Prediction], path: Path) -> None:
    """Writes boxes and all other keys of the rows except masks, which would make the file large."""

    def checked(row: Row, where: str) -> Row:
        _check(row, where, "bbox")
        if len(row["bbox"]) != 4:
            raise InputError(f"{where}: {len(row['bbox'])} numbers in bbox; it must be x, y, width, height")
        _finite(row["bbox"], where, "bbox")
        if min(row["bbox"][2:]) < 0:
            raise InputError(f"{where}: a side of bbox is negative; it must be x, y, width, height")
        return {key: value for key, value in row.items() if key != "segmentation"}

    _write(predictions, path, checked)


def write_masks(predictions: Iterable[Prediction], path: Path) -> None:
    """Writes only masks: with a `bbox`, pycocotools would use its area as the area of the detection."""

    def checked(row: Row, where: str) -> Row:
        if "segmentation" not in row and "bbox" in row:
            raise InputError(
                f"{where}: a box without a mask; a network that gives none has `metrics: [coco-boxes]` or [lvis-boxes]"
            )
        _check(row, where, "segmentation")
        mask = row["segmentation"]
        if not isinstance(mask, Mapping) or not {"size", "counts"} <= set(mask):
            raise InputError(f"{where}: segmentation is no compressed RLE, an object with size and counts")
        counts = mask["counts"].decode("ascii") if isinstance(mask["counts"], bytes) else mask["counts"]
        if not isinstance(counts, str):
            raise InputError(f"{where}: counts of the segmentation is no text; compress it (pycocotools.mask)")
        kept = {key: row[key] for key in ("image_id", "category_id", "score")}
        return {**kept, "segmentation": {"size": mask["size"], "counts": counts}}

    _write(predictions, path, checked)


def _write(predictions: Iterable[Prediction], path: Path, checked: Callable[[Row, str], Row]) -> None:
    encode = msgspec.json.Encoder(enc_hook=_plain).encode

    def fill(stream: BinaryIO) -> None:
        stream.write(b"[")
        separator = b"\n"
        for prediction in predictions:
            for number, row in enumerate(prediction.value):
                stream.write(separator + encode(checked(row, f"image {prediction.sample}, row {number}")))
                separator = b",\n"
        stream.write(b"\n]\n")

    write_whole(path, fill)


def _check(row: Row, where: str, shape: str) -> None:
    for key in ("image_id", "category_id", shape, "score"):
        if key not in row:
            raise InputError(f"{where}: {key!r} is missing from the prediction; COCO results need it")
    # JSON knows no NaN, and msgspec would write null for it
    if not math.isfinite(row["score"]):
        raise InputError(f"{where}: score is {row['score']}; does the network diverge?")


def _finite(values: Iterable[float], where: str, key: str) -> None:
    for place, value in enumerate(values):
        if not math.isfinite(value):
            raise InputError(f"{where}: {key}[{place}] is {value}; does the network diverge?")


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return value.tolist()
    raise InputError(f"{type(value).__name__} {value!r} cannot be written as JSON")
