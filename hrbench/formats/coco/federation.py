"""What a federated annotation file (LVIS) says beyond COCO's: which classes were looked for in which image.

An image has annotations of a few classes only. A class is verified in an image if it has annotations there or if the
image's `neg_category_ids` says that none is there; `not_exhaustive_category_ids` names classes of which not all objects
of the image are annotated. `frequency` of a class says in how many training images it is: r(are), c(ommon), f(requent).

Source: https://www.lvisdataset.org/dataset and the files of LVIS v1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hrbench.formats.coco.columns import need, whole
from hrbench.formats.coco.json_faults import fault_of, is_integer, kind, shown

FREQUENCIES = ("r", "c", "f")
_NEGATIVE, _PARTIAL = "neg_category_ids", "not_exhaustive_category_ids"


class ListedFederated(Protocol):
    """An image as a federated file lists it."""

    id: int
    neg_category_ids: Any
    not_exhaustive_category_ids: Any


class CountedCategory(Protocol):
    """A category as a federated file lists it."""

    id: int
    frequency: Any


@dataclass(frozen=True)
class Federation:
    """What was looked for where.

    negative: (P, 2) int64, ids of an image and a category that is known not to be in it.
    partial: (Q, 2) int64, ids of an image and a category of which not all objects are annotated.
    frequency: "r", "c" or "f" of each category, by rising id.
    """

    negative: np.ndarray
    partial: np.ndarray
    frequency: tuple[str, ...]


def federation_of(images: Sequence[ListedFederated], categories: Sequence[CountedCategory]) -> Federation:
    """Of images and categories as a file lists them. Raises FileFaultError if something is missing or no id."""
    pairs = []
    for key in (_NEGATIVE, _PARTIAL):
        lists = [getattr(image, key) for image in images]
        need(all(type(one) is list for one in lists))
        flat = [number for one in lists for number in one]
        need(all(type(number) is int for number in flat))
        many = np.array([len(one) for one in lists], np.int64)
        image = np.repeat(whole([image.id for image in images]), many)
        pairs.append(np.stack([image, whole(flat)], axis=1))
    ordered = sorted(categories, key=lambda one: one.id)
    need(all(one.frequency in FREQUENCIES for one in ordered))
    return Federation(pairs[0], pairs[1], tuple(one.frequency for one in ordered))


def explain_federation(path: Path, content: Mapping[str, Any], given: Collection[str] = ()) -> None:
    """Raises InputError for the first image or category that lacks what a federated file says; else returns.

    content: of the file, whose lists hold objects with ids.
    given: names of options by which it was read.
    """
    for index, row in enumerate(content["images"]):
        fault = fault_of(path, f"image {index}", row, ("id",), given)
        for key in (_NEGATIVE, _PARTIAL):
            if key not in row:
                fault(f"{key!r} is missing; LVIS needs it (a list of category ids), other files are for coco-instances")
            if not isinstance(row[key], list):
                fault(f"{key} is {kind(row[key])}; it must be a list of category ids")
            for place, number in enumerate(row[key]):
                if not is_integer(number):
                    fault(f"{key}[{place}] is {shown(number)}; it must be a whole number")
    for index, row in enumerate(content["categories"]):
        fault = fault_of(path, f"category {index}", row, ("id",), given)
        if row.get("frequency") not in FREQUENCIES:
            found = shown(row["frequency"]) if "frequency" in row else "missing"
            fault(f"frequency is {found}; LVIS needs r, c or f (rare, common, frequent in training images)")
