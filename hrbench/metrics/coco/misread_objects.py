"""All signs that boxes or masks are misread: their coordinates, their classes, their images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hrbench.formats.coco.columns import sorted_unique
from hrbench.formats.coco.instance_results import InstanceResults
from hrbench.formats.coco.instances import InstanceTruth
from hrbench.formats.coco.rle import Masks
from hrbench.metrics.coco.mask_iou import mask_boxes
from hrbench.metrics.coco.misread import misread_boxes, misread_classes, paired_iou
from hrbench.metrics.coco.misread_images import misread_images
from hrbench.metrics.coco.notes import EvaluatedRows
from hrbench.types import Note, State


def misread_objects(
    predictions: InstanceResults, target: InstanceTruth, seen: EvaluatedRows, state: State
) -> list[Note]:
    """Notes on detections that fit better if they are read another way. seen: what is evaluated, of the state."""
    truths, detections, notes = target.truths, predictions.detections, []
    if isinstance(predictions.shape, np.ndarray) and isinstance(target.shape, np.ndarray):
        size = target.size[np.searchsorted(target.images, detections.image)]
        notes += misread_boxes(target.shape, predictions.shape, size, truths, detections, seen)
    categories = list(zip(state.params["categories"], state.params["names"], strict=True))
    boxes = _boxes_of(target.shape), _boxes_of(predictions.shape)
    if not seen.as_one:
        notes += misread_classes(*boxes, truths, detections, seen, categories)
    if any(note.kind.startswith("misread") for note in notes):
        return notes

    def overlap(found: np.ndarray, objects: np.ndarray) -> np.ndarray:
        return paired_iou(_rows_of(boxes[1], found), _rows_of(boxes[0], objects))

    rows = seen
    if isinstance(target.shape, Masks):  # codes of others are not kept
        kept = np.isin(seen.found_group, seen.truth_group)
        rows = replace(seen, found=seen.found[kept], found_group=seen.found_group[kept])
    return notes + misread_images(overlap, ~truths.crowd[seen.truth], detections.score, rows, state, "IoU")


def _rows_of(box: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
    """(n, 4) boxes of rows that may come more than once; each is worked out once."""
    once = sorted_unique(rows)
    return box(once)[np.searchsorted(once, rows)]


def _boxes_of(shape: np.ndarray | Masks) -> Callable[[np.ndarray], np.ndarray]:
    """What gives the boxes (n, 4) x, y, width, height in px of rows (n,), those around masks."""
    if isinstance(shape, np.ndarray):
        return shape.__getitem__

    def around(rows: np.ndarray) -> np.ndarray:
        ends = mask_boxes(shape, rows)[rows]
        return np.concatenate([ends[:, :2], ends[:, 2:] - ends[:, :2]], axis=1)

    return around
