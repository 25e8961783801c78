"""Slices of a test set, named by a file: the images at night, small cities, one camera.

    image,slice
    000000000139,night
    000000000139,rain
    000000000285,night

A number of a slice is named NUMBER:SLICE, such as AP:night; margins and rules of a policy name it so.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hrbench.errors import InputError, MissingError
from hrbench.judge.evidence import Evidence

Slices = Mapping[str, frozenset[str]]
"""Slice -> ids of its images, as text."""


def read_slices(path: Path) -> dict[str, frozenset[str]]:
    """The slices in a CSV file with the columns image and slice, in the order in which they are first named.

    Raises MissingError, InputError with the line at fault.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingError(f"no file {path}: give a CSV file with the columns image and slice") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}") from None
    rows, found = csv.reader(io.StringIO(text, newline=""), strict=True), dict[str, set[str]]()
    try:
        head = [name.strip() for name in next(rows, [])]
        if head.count("image") != 1 or head.count("slice") != 1:
            raise InputError(f"{path}:1: the columns must be image and slice, not {', '.join(head) or 'none'}")
        for row in filter(None, rows):
            cells = dict(zip(head, map(str.strip, row), strict=False))
            if len(row) != len(head) or not cells["image"] or not cells["slice"]:
                raise InputError(f"{path}:{rows.line_num}: a row is an image and a slice")
            if not cells["slice"].isprintable() or set(cells["slice"]) & set("*?[]:"):
                told = "the name of a slice is printable text with none of * ? [ ] : in it"
                raise InputError(f"{path}:{rows.line_num}: {told}, not {cells['slice']!r:.60}")
            found.setdefault(cells["slice"], set()).add(cells["image"])
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num}: not CSV: {error}") from None
    if not found:
        raise InputError(f"{path}: names no slice")
    return {name: frozenset(images) for name, images in found.items()}


def members(images: np.ndarray, slice: frozenset[str]) -> np.ndarray:
    """(I,) bool: which images are in a slice. Ids that are whole numbers, as COCO's, may have leading zeros there."""
    named = _names(images, slice)
    return np.fromiter((str(image) in named for image in images.tolist()), bool, len(images))


def _names(images: np.ndarray, slice: frozenset[str]) -> frozenset[str]:
    """The images of a slice as these are named."""
    if images.dtype.kind in "iu":
        return frozenset(image.lstrip("0") or "0" for image in slice)
    return slice


def unmatched(name: str, slice: frozenset[str], inside: np.ndarray, images: np.ndarray) -> tuple[str, ...]:
    """What should be known of a slice that names images which are not judged.

    inside: as `members` gives it of these images.
    images: that are judged, one at least.
    """
    many = len(_names(images, slice))
    lost = many - int(inside.sum())
    told = f"{lost:,} of the {many:,} images of the slice {name} are not among those judged, which are named like"
    return (f"{told} {images[0]}",) if lost > 0 else ()


def slice_row(row: Evidence, name: str) -> Evidence:
    """The row of the same number on a slice, without values."""
    quantity = row.quantity
    on = replace(
        quantity,
        name=f"{quantity.name}:{name}",
        label=f"{quantity.label}, {name}",
        description=f"{quantity.description} On the images of the slice {name}.".strip(),
    )
    return Evidence(row.entry, row.former, row.metric, on, slice=name, notes=row.notes)
