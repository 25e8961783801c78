"""Writing COCO keypoint results as predictions arrive."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from ..types import InputError, Prediction
from .files import replacing


def write_results(predictions: Iterable[Prediction], path: Path, joints: int) -> None:
    """One JSON list of all rows, streamed to a file beside `path` that then takes its place.

    A prediction's value is a list of rows: image_id, category_id, keypoints (3 x joints numbers), score, and whatever
    else JSON can hold; NumPy numbers and arrays are written as numbers and lists.
    Raises InputError for a row that no reader would take, UsageError where the folder cannot be written.
    """
    encode = msgspec.json.Encoder(enc_hook=_plain).encode
    with replacing(path) as stream:
        stream.write(b"[")
        separator = b"\n"
        for prediction in predictions:
            for number, row in enumerate(prediction.value):
                _check(row, f"image {prediction.sample}, row {number}", joints)
                stream.write(separator + encode(row))
                separator = b",\n"
        stream.write(b"\n]\n")


def _check(row: dict[str, Any], where: str, joints: int) -> None:
    for key in ("image_id", "category_id", "keypoints", "score"):
        if key not in row:
            raise InputError(f"{where}: {key!r} is missing from the prediction; COCO results need it")
    if len(row["keypoints"]) != 3 * joints:
        raise InputError(f"{where}: {len(row['keypoints'])} numbers in keypoints; {joints} joints need {3 * joints}")
    # JSON knows no NaN, and msgspec would write null for it
    if not math.isfinite(row["score"]):
        raise InputError(f"{where}: score is {row['score']}; does the network diverge?")
    for place, value in enumerate(row["keypoints"]):
        if not math.isfinite(value):
            raise InputError(f"{where}: keypoints[{place}] is {value}; does the network diverge?")


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return value.tolist()
    raise InputError(f"{type(value).__name__} {value!r} cannot be written as JSON")
