"""Box AP of a detector's person boxes, to check whether a box file is the one of the published tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hrbench.core.files import reading
from hrbench.errors import InputError
from hrbench.formats.coco.annotations import DetectedBox
from hrbench.formats.coco.columns import READ_ERRORS, Detections, blocks, need, numbers, whole, within_limits
from hrbench.formats.coco.instances import read_truth
from hrbench.metrics.coco.box_iou import box_iou
from hrbench.metrics.coco.curves import Accumulator
from hrbench.metrics.coco.instances import INSTANCES, NUMBERS
from hrbench.metrics.coco.matching import match


def person_box_ap(annotations: Path, boxes: Path, category: int = 1) -> float:
    """Box AP@[.5:.95] of one class, a fraction in [0, 1] equal to pycocotools', or -1 if nothing is annotated.

    annotations: a COCO file whose annotations have `bbox`, `area` and `iscrowd`.
    boxes: a COCO results list; other classes, and images that `annotations` does not list, are left out.
    category: id of the class.

    Raises InputError if no box is left, or a file cannot be read; MissingError.
    """
    target, unfit = read_truth(annotations, masks=False), f"boxes {boxes} cannot be scored against {annotations}"
    listed, parts, every = set(target.images.tolist()), [np.zeros((0, 5))], 0
    images = [np.zeros(0, np.int64)]
    with reading(boxes, "a detector's boxes (a JSON list of COCO results)") as stream:
        try:
            for rows in blocks(stream, DetectedBox):
                every += len(rows)
                mine = [row for row in rows if row.category_id == category and row.image_id in listed]
                images.append(whole([row.image_id for row in mine]))
                parts.append(numbers([(row.score, *row.bbox) for row in mine], 5))
                need(within_limits(parts[-1]))
        except READ_ERRORS as error:
            raise InputError(f"{unfit}: {error}") from None
    table = np.concatenate(parts)
    if not len(table):
        raise InputError(f"{unfit}: none of its {every} boxes is of category {category} in an image listed there")
    image, box = np.concatenate(images), np.ascontiguousarray(table[:, 1:])
    found = Detections(image, np.full(len(image), category), table[:, 0].copy(), box[:, 2] * box[:, 3])
    assert isinstance(target.shape, np.ndarray)
    similarity = box_iou(target.shape, target.truths.crowd, box)
    matches = match(target.truths, found, similarity, INSTANCES, target.images, np.array([category]))
    return float(Accumulator(matches, INSTANCES, NUMBERS[:1]).at()[0])
