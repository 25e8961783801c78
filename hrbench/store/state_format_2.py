"""States of COCO's metrics in files of formats 1 and 2, which kept a number for every pair of image and category.

Since format 3 pairs without objects are not there; see `metrics.coco.matching.Matches`. No number changes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

METRICS = ("coco-keypoints", "coco-boxes", "coco-masks")


def occupied_alone(metric: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a state as they are written today, from those of format 1 or 2; of other metrics, the same."""
    if metric not in METRICS or "positives" not in arrays:
        return dict(arrays)
    offsets, category, positives = occupied(arrays["positives"])
    parts = {"object_offsets": offsets, "object_category": category, "positives": positives}
    changed: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        changed |= parts if name == "positives" else {name: array}
    return changed


def occupied(positives: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`object_offsets`, `object_category` and `positives` of a state, from a table (I, C, A) of all pairs.

    >>> occupied(np.array([[[0], [2]], [[0], [0]]]))
    (array([0, 1, 1]), array([1], dtype=uint16), array([[2]], dtype=int32))
    """
    image, category = np.nonzero(positives.any(axis=2))
    offsets = np.searchsorted(image, np.arange(len(positives) + 1))
    return offsets, category.astype(np.uint16), positives[image, category].astype(np.int32)
