"""Boxes of people for a network that estimates joints in each: annotated ones, and those of a detector's file.

Detector boxes are neither clipped nor suppressed; annotated boxes are clamped to the image first. Source:
lib/dataset/coco.py of deep-high-resolution-net.pytorch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from hrbench.errors import InputError
from hrbench.formats.coco.annotations import KeypointListing, ListedPerson, read_boxes
from hrbench.types import Person

OFFICIAL_BOXES = {
    "val2017": "COCO_val2017_detections_AP_H_56_person.json",
    "test-dev2017": "COCO_test-dev2017_detections_AP_H_609_person.json",
}
"""Detector boxes behind the published tables, by split; their box AP on people is in the name (56.4, 60.9)."""

OFFICIAL_BOX_AP = {"val2017": 0.564}
"""Box AP on people of those boxes, as the papers state it; for test-dev only the server could compute it."""

BOXES_HOME = "the HRNet and SimpleBaseline repositories link it under 'COCO person detection results'"


def annotated_people(content: KeypointListing, judged: Mapping[int, str]) -> dict[int, list[Person]]:
    """Annotated boxes clamped to the image; crowds, empty boxes and people without a joint are left out."""
    by_image: dict[int, list[ListedPerson]] = {}
    for person in content.annotations:
        by_image.setdefault(person.image_id, []).append(person)
    kept: dict[int, list[Person]] = {}
    index = 0
    for image in content.images:
        for person in by_image.get(image.id, ()):
            if person.iscrowd or person.category_id not in judged:
                continue
            x, y, w, h = person.bbox
            x1, y1 = max(0.0, x), max(0.0, y)
            x2 = min((image.width or math.inf) - 1, x1 + max(0.0, w - 1))
            y2 = min((image.height or math.inf) - 1, y1 + max(0.0, h - 1))
            if person.area > 0 and x2 >= x1 and y2 >= y1 and max(person.keypoints, default=0) != 0:
                box = (x1, y1, x2 - x1, y2 - y1)
                kept.setdefault(image.id, []).append(Person(index, box=box, category=_own(person.category_id, judged)))
                index += 1
    return kept


def _own(category: int, judged: Mapping[int, str]) -> int | None:
    """The category of a person, None if there is only one."""
    return category if len(judged) > 1 else None


def detected_people(path: Path, judged: Mapping[int, str], threshold: float) -> dict[int, list[Person]]:
    """Boxes of a detector file with an estimated class and at least the threshold's score, in file order."""
    boxes = read_boxes(path)
    present = sorted({box.category_id for box in boxes})
    if boxes and not any(category in judged for category in present):
        some = ", ".join(map(str, present[:10])) + (", ..." if len(present) > 10 else "")
        wanted, name = next(iter(judged.items()))
        raise InputError(
            f"{path}: its {len(boxes)} boxes are of category {some}; none is of category {wanted} "
            f"({name}), whose joints are estimated: give the boxes meant for it category_id {wanted}, "
            "or set protocol.boxes to ground_truth",
            "boxes: ground_truth",
        )
    kept: dict[int, list[Person]] = {}
    for index, box in enumerate(boxes):
        if box.category_id not in judged or box.score < threshold:
            continue
        if not all(map(math.isfinite, (*box.bbox, box.score))):
            raise InputError(f"{path}: box {index} of image {box.image_id} holds a number that is not finite")
        person = Person(index, score=box.score, box=box.bbox, category=_own(box.category_id, judged))
        kept.setdefault(box.image_id, []).append(person)
    return kept
