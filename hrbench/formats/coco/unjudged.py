"""Annotated people that are not judged: of another category, or without joints. Nothing holds them to a skeleton.

Slow: the readers of keypoints use it only for files that they could not read at first, and the reference always.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hrbench.formats.coco.json_faults import is_integer, parsed


def judged_alone(path: Path, data: bytes, joints: int, category: int | None) -> bytes:
    """The file with neutral values for what is not judged; `data` itself if there is nothing to do.

    - Rows of another category keep their ids, and get a box and joints of zeros.
    - Rows that say that no joint is labelled (`num_keypoints` 0 or not there, `keypoints` empty or not there, one of
      them said) get joints of zeros. They stay ignored, as in pycocotools.

    path: for messages.
    data: an annotation file in COCO's form.
    joints: how many a skeleton has; 0 if that is not known yet: then there are none.
    category: the only one that is judged; None for all.

    Raises InputError for what is no JSON.
    """
    content = parsed(path, data)
    rows = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        return data
    filled = [_filled(row, joints, category) for row in rows]
    if all(one is other for one, other in zip(filled, rows, strict=True)):
        return data
    return json.dumps({**content, "annotations": filled}).encode()


def named_category(path: Path, data: bytes) -> int | None:
    """The id of the first category that names its joints, None if none does. Raises InputError for what is no JSON."""
    content = parsed(path, data)
    listed = content.get("categories") if isinstance(content, dict) else None
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict) and one.get("keypoints") and is_integer(one.get("id")):
            return one["id"]
    return None


def _filled(row: Any, joints: int, category: int | None) -> Any:
    if not isinstance(row, dict):
        return row
    none = {"keypoints": [0] * (3 * joints), "num_keypoints": 0}
    if category is not None and is_integer(row.get("category_id")) and row["category_id"] != category:
        return {**row, "area": 0, "bbox": [0, 0, 0, 0], "iscrowd": 0, **none}
    points, many = row.get("keypoints"), row.get("num_keypoints")
    said = points == [] or (many == 0 and type(many) is int)
    if said and points in (None, []) and many in (None, 0) and not isinstance(many, bool):
        return {**row, **none}
    return row


def judged_results(path: Path, data: bytes, joints: int, category: int | None) -> bytes:
    """The results with joints of zeros in rows of other categories; `data` itself if there is nothing to do.

    Arguments and errors are those of `judged_alone`.
    """
    rows = parsed(path, data) if category is not None else None
    if not isinstance(rows, list):
        return data
    filled = [_unjudged(row, joints, category) for row in rows]
    return data if all(one is other for one, other in zip(filled, rows, strict=True)) else json.dumps(filled).encode()


def _unjudged(row: Any, joints: int, category: int | None) -> Any:
    other = isinstance(row, dict) and is_integer(row.get("category_id")) and row["category_id"] != category
    if not other or (isinstance(row.get("keypoints"), list) and len(row["keypoints"]) == 3 * joints):
        return row
    return {**row, "keypoints": [0] * (3 * joints)}
