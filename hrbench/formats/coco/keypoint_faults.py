"""What is wrong with a file of COCO keypoints: the first offender by position and ids, and what to do about it.

Slow and only for files already known to be at fault.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hrbench.errors import InputError
from hrbench.formats.coco.json_faults import (
    Fault,
    annotation_file,
    check_box,
    check_detection,
    check_finite,
    check_object,
    fault_of,
    kind,
    need_keys,
    parsed,
    shown,
)


def explain_truth(path: Path, data: bytes, joints: int) -> None:
    """Raise InputError for the first fault of an annotation file; returns where none is found."""
    content, images, categories = annotation_file(path, data)
    seen: dict[int, int] = {}
    for index, row in enumerate(content["annotations"]):
        _annotation(path, index, row, joints, images, categories, seen)


def explain_results(path: Path, data: bytes, joints: int, images: set[int], categories: set[int]) -> None:
    """Raise InputError for the first fault of a results file; returns where none is found."""
    content = parsed(path, data)
    if not isinstance(content, list):
        raise InputError(
            f"{path}: holds {kind(content)}; COCO results are a list of rows with image_id, category_id, "
            "keypoints, score"
        )
    boxed = isinstance(content[0], dict) and bool(content[0].get("bbox")) if content else False
    for index, row in enumerate(content):
        fault = fault_of(path, f"result {index}", row, ("image_id", "category_id"))
        need_keys(fault, row, ("image_id", "category_id", "keypoints", "score"))
        check_detection(fault, row, images, categories)
        _points(fault, row["keypoints"], joints)
        for key in ("segmentation", "caption"):
            if key in row:
                fault(f"{key!r} does not belong into keypoint results and changes what pycocotools does; remove it")
        if bool(row.get("bbox")) != boxed:
            fault("'bbox' must be in all rows or in none: the area of detections is taken from it if the first has it")
        if "bbox" in row and row["bbox"] != []:
            check_box(fault, row["bbox"])


def _annotation(
    path: Path, index: int, row: Any, joints: int, images: set[int], categories: set[int], seen: dict[int, int]
) -> None:
    fault = fault_of(path, f"annotation {index}", row, ("id", "image_id"))
    need_keys(fault, row, ("id", "image_id", "category_id", "area", "bbox", "iscrowd", "num_keypoints", "keypoints"))
    check_object(fault, index, row, images, categories, seen)
    check_box(fault, row["bbox"])
    if not isinstance(row["num_keypoints"], int) or isinstance(row["num_keypoints"], bool) or row["num_keypoints"] < 0:
        fault(f"num_keypoints is {shown(row['num_keypoints'])}; it must be a whole number, zero or more")
    _points(fault, row["keypoints"], joints)


def _points(fault: Fault, points: Any, joints: int) -> None:
    if not isinstance(points, list) or len(points) != 3 * joints:
        found = f"{len(points)} values" if isinstance(points, list) else kind(points)
        fault(f"keypoints holds {found}; {joints} joints need {3 * joints} numbers (another skeleton: give its sigmas)")
    check_finite(fault, "keypoints", points)
