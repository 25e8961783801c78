"""The annotation file that a user names: a file, not the folder that holds it."""

from __future__ import annotations

from pathlib import Path

from hrbench.errors import UsageError
from hrbench.formats.labelme import LABELME, TO_COCO, first_labelme

_SHOWN = 3


def annotation_file(path: Path) -> Path:
    """The path as it is. Raises UsageError for a folder, which names the JSON files that lie in it.

    A path without a file is taken: what is missing is told apart from what is wrong.
    """
    if not path.is_dir():
        return path
    labelme = first_labelme(path)
    if labelme is not None:
        raise UsageError(f"annotations: {path} is a folder, and {labelme.name} in it {LABELME}; {TO_COCO}")
    found = sorted(each.name for each in path.glob("*.json"))
    first = sorted(found, key=lambda name: "annotations" not in name)[:_SHOWN]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    there = f"name the file in it: {', '.join(first)}{more}" if found else "no JSON file lies in it"
    raise UsageError(f"annotations: {path} is a folder, not a file; {there}")
