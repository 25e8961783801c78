"""pycocotools with boundaries of whole masks by OpenCV: the reference of boundary AP for tests and --verify."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from hrbench.formats.coco.rle import decoded


def boundaries_by_opencv(evaluation: Any, ratio: float) -> Callable[[int, int], Any]:
    """What replaces an evaluation's `computeIoU`: the lower of mask IoU and boundary IoU, of crowds the mask IoU."""
    from pycocotools import mask as codec

    of_masks = evaluation.computeIoU

    def similarity(image: int, category: int) -> Any:
        alike = of_masks(image, category)
        params = evaluation.params
        groups = [(image, category)] if params.useCats else [(image, one) for one in params.catIds]
        truths, found = ([row for key in groups for row in rows[key]] for rows in (evaluation._gts, evaluation._dts))
        order = np.argsort([-row["score"] for row in found], kind="mergesort")[: params.maxDets[-1]]
        found = [found[place] for place in order]
        counting = [place for place, row in enumerate(truths) if not row["iscrowd"]]
        if not counting or not found:
            return alike
        alike = np.array(alike)
        edges: Any = [[_edge(codec, row["segmentation"], ratio) for row in rows] for rows in (found, truths)]
        crowds: Any = [0] * len(truths)
        others = np.array(codec.iou(edges[0], edges[1], crowds))
        alike[:, counting] = np.minimum(alike[:, counting], others[:, counting])
        return alike

    return similarity


def _edge(codec: Any, code: dict[str, Any], ratio: float) -> dict[str, Any]:
    """The code of the boundary, of the whole image eroded with a border of zeros."""
    import cv2

    height, width = code["size"]
    pixels = np.ascontiguousarray(decoded(code["counts"], (height, width)))
    steps = max(1, round(ratio * math.hypot(height, width)))
    padded = np.pad(pixels, 1)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=steps)[1:-1, 1:-1]
    return codec.encode(np.asfortranarray(pixels - inner))
