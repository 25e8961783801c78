"""Checks that say what is wrong with a COCO file: the first fault by position and ids, and what to do about it.

Slow, and used only for files that are known to have a fault. Python's own parser is used: only it accepts the NaN and
Infinity that Python's json writes, on which evaluation engines disagree silently.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Set
from pathlib import Path
from typing import Any, NoReturn

from hrbench.core.files import MAX_COORDINATE
from hrbench.errors import InputError

Fault = Callable[[str], NoReturn]

REMEDIES = {
    "id": "renumber: true numbers the annotations in the order of the file",
    "area": "truth_area: box, box*0.53 (CrowdPose's and AI Challenger's rule) or segmentation takes it from there",
    "iscrowd": "iscrowd: 0 takes rows that do not say for no crowds",
    "num_keypoints": "num_keypoints: joints counts them",
}
"""Key of an annotation that exports leave out -> the option that does without it."""


def annotation_file(path: Path, data: bytes) -> tuple[dict[str, Any], set[int], set[int]]:
    """(content, ids of images, ids of categories). Raises InputError if these have a fault."""
    content = parsed(path, data)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds {kind(content)}; COCO annotations are an object with images, annotations, "
            "categories" + (" (is this a results file?)" if isinstance(content, list) else "")
        )
    for key in ("images", "annotations", "categories"):
        if not isinstance(content.get(key), list):
            raise InputError(
                f"{path}: {key!r} is {'missing' if key not in content else kind(content[key])}; "
                "COCO annotations need a list of it"
            )
    images = named(path, content["images"], "images", "image")
    categories = named(path, content["categories"], "categories", "category")
    if not categories:
        raise InputError(f'{path}: \'categories\' is empty; list at least one, e.g. {{"id": 1, "name": "person"}}')
    return content, images, categories


def parsed(path: Path, data: bytes) -> Any:
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}; "
            "was it written completely?"
        ) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, a number of thousands of digits, endless nesting
        raise InputError(f"{path}: not valid JSON: {str(error).splitlines()[0]}") from None


def named(path: Path, rows: list[Any], key: str, what: str) -> set[int]:
    """The ids of images or categories."""
    seen: dict[int, int] = {}
    for index, row in enumerate(rows):
        fault = fault_of(path, f"{what} {index}", row, ())
        need_keys(fault, row, ("id",))
        if not is_integer(row["id"]):
            text = what == "image" and isinstance(row["id"], str)
            more = "; option match: file_name numbers the images" if text else whole_remedy(row["id"])
            fault(f"id is {shown(row['id'])}; ids must be whole numbers{more}")
        if row["id"] in seen:
            fault(f"id {row['id']} is already that of {what} {seen[row['id']]}; ids in {key!r} must differ")
        seen[row["id"]] = index
    return set(seen)


def fault_of(path: Path, where: str, row: Any, ids: tuple[str, ...]) -> Fault:
    def fault(text: str) -> NoReturn:
        known = isinstance(row, dict) and ", ".join(f"{key} {shown(row[key])}" for key in ids if key in row)
        raise InputError(f"{path}: {where}{f' ({known})' if known else ''}: {text}")

    return fault


def need_keys(fault: Fault, row: Any, keys: tuple[str, ...]) -> None:
    if not isinstance(row, dict):
        fault(f"is {kind(row)}; it must be an object")
    for key in keys:
        if key not in row:
            fault(f"{key!r} is missing{_remedy(key) if 'image_id' in row else ''}")


def _remedy(key: str) -> str:
    """How an option of the metric and the data set is told: as a suite writes it."""
    return f"; option {REMEDIES[key]}" if key in REMEDIES else ""


def check_object(
    fault: Fault, index: int, row: dict[str, Any], images: Set[int], categories: Set[int], seen: dict[int, int]
) -> None:
    """Checks what all annotated objects have: id (not in `seen`; it is added there), other ids, area, iscrowd."""
    if not is_integer(row["id"]) or row["id"] < 1:
        fault(
            f"id is {shown(row['id'])}; ids must be whole numbers from 1 on (pycocotools takes 0 for 'no match')"
            + (whole_remedy(row["id"]) or _remedy("id"))
        )
    if row["id"] in seen:
        fault(f"id is already that of annotation {seen[row['id']]}; ids must differ" + _remedy("id"))
    seen[row["id"]] = index
    check_ids(fault, row, images, categories)
    if not is_number(row["area"]) or row["area"] < 0:
        fault(
            f"area is {shown(row['area'])}; it must be a finite number of square pixels, zero or more" + _remedy("area")
        )
    if row["iscrowd"] not in (0, 1) or isinstance(row["iscrowd"], float):
        fault(f"iscrowd is {shown(row['iscrowd'])}; it must be 0 or 1" + whole_remedy(row["iscrowd"]))


def check_detection(fault: Fault, row: dict[str, Any], images: Set[int], categories: Set[int]) -> None:
    """Checks what all results have: ids and a score."""
    check_ids(fault, row, images, categories)
    if not is_number(row["score"]):
        fault(f"score is {shown(row['score'])}; scores must be finite numbers")


def check_ids(fault: Fault, row: dict[str, Any], images: Set[int], categories: Set[int]) -> None:
    for key, known, where in (("image_id", images, "images"), ("category_id", categories, "categories")):
        if not is_integer(row[key]):
            by_name = "; option match: file_name takes it for the name of the image's file"
            more = by_name if key == "image_id" and isinstance(row[key], str) else whole_remedy(row[key])
            fault(f"{key} is {shown(row[key])}; it must be a whole number{more}")
        if row[key] not in known:
            some = ", ".join(str(one) for one in sorted(known)[:5]) + (", ..." if len(known) > 5 else "")
            more = (
                "; option match: file_name, if it is the number in the image's file name" if key == "image_id" else ""
            )
            fault(f"{key} {row[key]} is not among the {where} of the ground truth ({some or 'it has none'}){more}")


def check_box(fault: Fault, box: Any) -> None:
    if not isinstance(box, list) or len(box) != 4:
        fault(f"bbox is {shown(box)}; it must be [x, y, width, height]")
    check_finite(fault, "bbox", box)


def check_finite(fault: Fault, key: str, values: list[Any], largest: float = MAX_COORDINATE) -> None:
    for place, value in enumerate(values):
        if not is_number(value) or abs(value) > largest:
            fault(f"{key}[{place}] is {shown(value)}; it must be a finite number of at most {largest:.0e}")


def whole_remedy(value: Any) -> str:
    """The option that takes 3.0 for 3, if a value is such a number."""
    return "; option whole_ids: true takes it for one" if isinstance(value, float) and value.is_integer() else ""


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the range of floats
        return False


def shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def kind(value: Any) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return names.get(type(value), "a number")
