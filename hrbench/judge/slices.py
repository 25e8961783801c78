"""Slices of a test set, named by a file: the images at night, small cities, one camera.

    image,slice
    000000000139,night
    000000000139,rain
    000000000285,night

A number of a slice is named NUMBER:SLICE, such as AP:night; margins and rules of a policy name it so.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hrbench.errors import InputError, MissingError
from hrbench.judge.evidence import Evidence

Slices = Mapping[str, frozenset[str]]
"""Slice -> ids of its images, as text; ids of whole numbers without leading zeros."""


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
    rows = csv.DictReader(text.splitlines())
    if not {"image", "slice"} <= {*(rows.fieldnames or ())}:
        raise InputError(f"{path}:1: the columns must be image and slice, not {', '.join(rows.fieldnames or ['none'])}")
    found: dict[str, set[str]] = {}
    for row in rows:
        image, name = (row["image"] or "").strip(), (row["slice"] or "").strip()
        if not image or not name or None in row:
            raise InputError(f"{path}:{rows.line_num}: a row is an image and a slice")
        found.setdefault(name, set()).add(_id(image))
    if not found:
        raise InputError(f"{path}: names no slice")
    return {name: frozenset(images) for name, images in found.items()}


def _id(image: str) -> str:
    """COCO's ids are whole numbers, which files often write with leading zeros."""
    return str(int(image)) if image.isascii() and image.isdigit() else image


def members(images: np.ndarray, slice: frozenset[str]) -> np.ndarray:
    """(I,) bool: which images are in a slice."""
    return np.fromiter((_id(str(image)) in slice for image in images.tolist()), bool, len(images))


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
