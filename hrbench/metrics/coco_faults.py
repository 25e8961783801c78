"""What is wrong with a COCO file: the first offender by position and ids, and what to do about it.

Slow and only for files already known to be at fault. Python's own parser is used, because it alone takes the NaN and
Infinity that Python's json writes and that make evaluation engines disagree silently.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from ..types import InputError
from .files import FARTHEST

Fault = Callable[[str], NoReturn]


def explain_truth(path: Path, data: bytes, joints: int) -> None:
    """Raise InputError for the first fault of an annotation file; returns where none is found."""
    content = _parsed(path, data)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds {_kind(content)}; COCO annotations are an object with images, annotations, "
            "categories" + (" (is this a results file?)" if isinstance(content, list) else "")
        )
    for key in ("images", "annotations", "categories"):
        if not isinstance(content.get(key), list):
            raise InputError(
                f"{path}: {key!r} is {'missing' if key not in content else _kind(content[key])}; "
                "COCO annotations need a list of it"
            )
    images = _named(path, content["images"], "images", "image")
    categories = _named(path, content["categories"], "categories", "category")
    if not categories:
        raise InputError(f'{path}: \'categories\' is empty; list at least one, e.g. {{"id": 1, "name": "person"}}')
    seen: dict[int, int] = {}
    for index, row in enumerate(content["annotations"]):
        _annotation(path, index, row, joints, images, categories, seen)


def explain_results(path: Path, data: bytes, joints: int, images: set[int], categories: set[int]) -> None:
    """Raise InputError for the first fault of a results file; returns where none is found."""
    content = _parsed(path, data)
    if not isinstance(content, list):
        raise InputError(
            f"{path}: holds {_kind(content)}; COCO results are a list of rows with image_id, category_id, "
            "keypoints, score"
        )
    boxed = isinstance(content[0], dict) and bool(content[0].get("bbox")) if content else False
    for index, row in enumerate(content):
        fault = _fault(path, f"result {index}", row, ("image_id", "category_id"))
        _keys(fault, row, ("image_id", "category_id", "keypoints", "score"))
        _ids(fault, row, images, categories)
        if not _number(row["score"]):
            fault(f"score is {_shown(row['score'])}; scores must be finite numbers")
        _points(fault, row["keypoints"], joints)
        for key in ("segmentation", "caption"):
            if key in row:
                fault(f"{key!r} does not belong into keypoint results and changes what pycocotools does; remove it")
        if bool(row.get("bbox")) != boxed:
            fault("'bbox' must be in all rows or in none: the area of detections is taken from it if the first has it")
        if "bbox" in row and row["bbox"] != []:
            _box(fault, row["bbox"])


def _annotation(
    path: Path, index: int, row: Any, joints: int, images: set[int], categories: set[int], seen: dict[int, int]
) -> None:
    fault = _fault(path, f"annotation {index}", row, ("id", "image_id"))
    _keys(fault, row, ("id", "image_id", "category_id", "area", "bbox", "iscrowd", "num_keypoints", "keypoints"))
    if not _integer(row["id"]) or row["id"] < 1:
        fault(f"id is {_shown(row['id'])}; ids must be whole numbers from 1 on (pycocotools takes 0 for 'no match')")
    if row["id"] in seen:
        fault(f"id is already that of annotation {seen[row['id']]}; ids must differ")
    seen[row["id"]] = index
    _ids(fault, row, images, categories)
    if not _number(row["area"]) or row["area"] < 0:
        fault(f"area is {_shown(row['area'])}; it must be a finite number of square pixels, zero or more")
    _box(fault, row["bbox"])
    if row["iscrowd"] not in (0, 1) or isinstance(row["iscrowd"], float):
        fault(f"iscrowd is {_shown(row['iscrowd'])}; it must be 0 or 1")
    if not isinstance(row["num_keypoints"], int) or isinstance(row["num_keypoints"], bool) or row["num_keypoints"] < 0:
        fault(f"num_keypoints is {_shown(row['num_keypoints'])}; it must be a whole number, zero or more")
    _points(fault, row["keypoints"], joints)


def _parsed(path: Path, data: bytes) -> Any:
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}; "
            "was it written completely?"
        ) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, a number of thousands of digits, endless nesting
        raise InputError(f"{path}: not valid JSON: {str(error).splitlines()[0]}") from None


def _named(path: Path, rows: list[Any], key: str, what: str) -> set[int]:
    """The ids of images or categories."""
    seen: dict[int, int] = {}
    for index, row in enumerate(rows):
        fault = _fault(path, f"{what} {index}", row, ())
        _keys(fault, row, ("id",))
        if not _integer(row["id"]):
            fault(f"id is {_shown(row['id'])}; ids must be whole numbers")
        if row["id"] in seen:
            fault(f"id {row['id']} is already that of {what} {seen[row['id']]}; ids in {key!r} must differ")
        seen[row["id"]] = index
    return set(seen)


def _fault(path: Path, where: str, row: Any, ids: tuple[str, ...]) -> Fault:
    def fault(text: str) -> NoReturn:
        known = isinstance(row, dict) and ", ".join(f"{key} {_shown(row[key])}" for key in ids if key in row)
        raise InputError(f"{path}: {where}{f' ({known})' if known else ''}: {text}")

    return fault


def _keys(fault: Fault, row: Any, keys: tuple[str, ...]) -> None:
    if not isinstance(row, dict):
        fault(f"is {_kind(row)}; it must be an object")
    for key in keys:
        if key not in row:
            fault(f"{key!r} is missing")


def _ids(fault: Fault, row: dict[str, Any], images: set[int], categories: set[int]) -> None:
    for key, known, where in (("image_id", images, "images"), ("category_id", categories, "categories")):
        if not _integer(row[key]):
            fault(f"{key} is {_shown(row[key])}; it must be a whole number")
        if row[key] not in known:
            some = ", ".join(str(one) for one in sorted(known)[:5]) + (", ..." if len(known) > 5 else "")
            fault(f"{key} {row[key]} is not among the {where} of the ground truth ({some or 'it has none'})")


def _points(fault: Fault, points: Any, joints: int) -> None:
    if not isinstance(points, list) or len(points) != 3 * joints:
        found = f"{len(points)} values" if isinstance(points, list) else _kind(points)
        fault(f"keypoints holds {found}; {joints} joints need {3 * joints} numbers (another skeleton: give its sigmas)")
    _finite(fault, "keypoints", points)


def _box(fault: Fault, box: Any) -> None:
    if not isinstance(box, list) or len(box) != 4:
        fault(f"bbox is {_shown(box)}; it must be [x, y, width, height]")
    _finite(fault, "bbox", box)


def _finite(fault: Fault, key: str, values: list[Any]) -> None:
    for place, value in enumerate(values):
        if not _number(value) or abs(value) > FARTHEST:
            fault(f"{key}[{place}] is {_shown(value)}; it must be a finite number of at most {FARTHEST:.0e}")


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the range of floats
        return False


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return names.get(type(value), "a number")
