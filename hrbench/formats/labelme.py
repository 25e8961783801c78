"""labelme's annotations: one JSON an image with `shapes` and `imagePath`. Recognised, so that messages can say so.

Of labelme's scripts, `labelme2coco.py` (examples/instance_segmentation) makes COCO annotations of a folder of them, and
`labelme2voc.py` (examples/semantic_segmentation) label maps, palette PNGs where 255 is `__ignore__`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LABELME = "is an annotation of labelme, one file an image"
TO_COCO = "make COCO annotations of their folder, as with labelme's own labelme2coco.py (docs/own-data.md)"
TO_MAPS = (
    "make label maps of the polygons, as with labelme's own labelme2voc.py (docs/own-data.md), and give their folder"
)


def is_labelme(content: Any) -> bool:
    """Whether a parsed JSON is one of labelme's.

    >>> is_labelme({"shapes": [], "imagePath": "a.png"}), is_labelme({"shapes": []}), is_labelme([])
    (True, False, False)
    """
    return isinstance(content, dict) and isinstance(content.get("shapes"), list) and "imagePath" in content


def first_labelme(folder: Path) -> Path | None:
    """The first JSON of a folder, by name, if it is one of labelme's."""
    first = min(folder.glob("*.json"), default=None)
    return first if first is not None and is_labelme(_content(first)) else None


def annotation_of(image: Path) -> Path | None:
    """The file of labelme's beside an image of which this is the photograph, so that it is no label map."""
    beside = image.with_suffix(".json")
    content = _content(beside)
    return beside if is_labelme(content) and content["imagePath"] == image.name else None


def _content(path: Path) -> Any:
    """A parsed JSON, None if it cannot be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
