"""Panoptic predictions as a folder: predictions.json, and in `predictions` a PNG of segment ids for each image."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from hrbench.core.files import whole_folder, write_whole
from hrbench.errors import InputError
from hrbench.formats.panoptic.pixels import MOST, VOID, write_ids
from hrbench.types import Prediction

NAME = "predictions"


def write_folder(predictions: Iterable[Prediction], path: Path) -> None:
    """Writes a folder as panopticapi reads it, completely or not at all.

    predictions: values are (ids (H, W) of integers, 0 for void; a list of {"id", "category_id"}, one for each id).
    path: the new folder.

    Raises InputError naming the image for another value, one predicted twice, or a name that leads out of the folder;
    UsageError if the disk refuses.
    """
    rows, seen = [], set()
    with whole_folder(Path(path)) as place:
        (place / NAME).mkdir()
        for prediction in predictions:
            image = prediction.sample
            if image in seen:
                raise InputError(f"image {image!r}: predicted twice")
            seen.add(image)
            name = png_name(image)
            ids, segments = prediction.value
            ids = np.asarray(ids)
            if ids.ndim != 2 or ids.dtype.kind not in "iu" or not ids.size:
                raise InputError(f"image {image!r}: a prediction is a map of segment ids (H, W), this is {ids.shape}")
            if ids.min() < VOID or ids.max() > MOST:
                raise InputError(f"image {image!r}: segment ids run from {ids.min()} to {ids.max()}; 0 to {MOST} fit")
            write_ids(place / NAME / name, ids)
            listed = [{"id": int(one["id"]), "category_id": int(one["category_id"])} for one in segments]
            rows.append({"image_id": image, "file_name": name, "segments_info": listed})
        content = msgspec.json.encode({"annotations": rows})
        write_whole(place / f"{NAME}.json", lambda stream: stream.write(content))


def png_name(image: int | str) -> str:
    """The name of an image's PNG: twelve digits of a number, as COCO's own, or the text.

    Raises InputError for a text that is no name of a file.

    >>> png_name(139), png_name("ulm_000000_000019")
    ('000000000139.png', 'ulm_000000_000019.png')
    """
    if isinstance(image, int):
        return f"{image:012d}.png"
    if not image or any(mark in image for mark in "/\\\0") or image in (".", ".."):
        raise InputError(f"image {image!r}: its name is no name of a file")
    return f"{image}.png"
