"""How crowded each image of CrowdPose is: the key `crowdIndex` of its annotation files' images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hrbench.core.files import reading
from hrbench.errors import InputError
from hrbench.formats.coco.columns import READ_ERRORS, Whole
from hrbench.formats.coco.forms import CocoForm, annotations_in
from hrbench.formats.coco.json_faults import is_number, parsed, shown


class _CrowdedImage(msgspec.Struct, gc=False):
    id: Whole
    crowd_index: float = msgspec.field(name="crowdIndex")


class _CrowdedImages(msgspec.Struct):
    images: list[_CrowdedImage]


def read_crowd_index(path: Path, images: np.ndarray, form: CocoForm) -> np.ndarray:
    """(I,) float64: the crowd index of each image, from 0 to 1.

    path: the annotation file, which the reader of keypoints has read already.
    images: (I,) int64 ids, rising, as it gives them.
    form: how the file deviates from COCO's form.

    Raises InputError for an image without one.
    """
    with reading(path, "CrowdPose's annotations (JSON)") as stream:
        data = annotations_in(path, stream.read(), form)
    try:
        listed = msgspec.json.decode(data, type=_CrowdedImages).images
    except READ_ERRORS:
        listed = _slowly(path, data)
    found = {image.id: image.crowd_index for image in listed}
    values = np.array([found[image] for image in images.tolist()], np.float64)
    outside = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if len(outside):
        raise InputError(
            f"{path}: crowdIndex of image {images[outside[0]]} is {values[outside[0]]:g}; it is a share, from 0 to 1"
        )
    return values


def _slowly(path: Path, data: bytes) -> list[_CrowdedImage]:
    """The images of a file that typed decoding refuses. Raises InputError for the first without a crowd index."""
    content: Any = parsed(path, data)
    listed = []
    for row in content["images"]:
        value = row.get("crowdIndex")
        if not is_number(value):
            what = "has no crowdIndex" if "crowdIndex" not in row else f"has the crowdIndex {shown(value)}"
            raise InputError(
                f"{path}: image {shown(row.get('id'))} {what}; CrowdPose's files give each image a number from 0 to 1 "
                "(metric coco-keypoints needs none)"
            )
        listed.append(_CrowdedImage(row["id"], float(value)))
    return listed
