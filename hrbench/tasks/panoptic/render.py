"""Pictures of panoptic segments over their image: a hue for each class, with the borders of every segment."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hrbench.formats.labels import NO_CLASS
from hrbench.tasks.segmentation.render import render_class_map
from hrbench.types import ClassScheme


def render_segments(image: np.ndarray, ids: np.ndarray, places: Mapping[int, int], scheme: ClassScheme) -> np.ndarray:
    """The image beside itself in grey, tinted by class, with white borders between segments, above the names of the
    classes; uint8 (h, w, 3) BGR.

    image: uint8 (H, W, 3) BGR.
    ids: (H, W) of segments, of another size than the image if a prediction that was given is.
    places: id -> position of its class; ids that are not there are of none.
    """
    known, inverse = np.unique(ids, return_inverse=True)
    classes = np.array([places.get(int(one), NO_CLASS) for one in known], np.uint16)[inverse.reshape(ids.shape)]
    return render_class_map(image, classes, scheme, borders=inverse.reshape(ids.shape))
