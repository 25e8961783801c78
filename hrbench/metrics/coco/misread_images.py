"""Whether detections lie on the objects of other images than their own: ids that are off by one, or another data set.

Measured on the sample of `misread`, and only where detections fit the objects of their own image poorly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hrbench.formats.coco.columns import sorted_unique
from hrbench.metrics.coco.misread import BETTER, ENOUGH, GOOD, best_fit, sampled
from hrbench.metrics.coco.notes import EvaluatedRows
from hrbench.types import Note, State

POOR = 0.3
"""Detections of which the mean IoU or OKS is below fit nothing."""

SAME = 0.03
"""Two means that differ by less are alike."""

FEW_IMAGES = 10
"""Fewer images with detections say nothing about others."""

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]


def misread_images(
    similarity: Similarity, plain: np.ndarray, score: np.ndarray, seen: EvaluatedRows, state: State, of: str
) -> list[Note]:
    """A note if detections fit the objects of the image before or after theirs, or those of any image as well.

    similarity: takes positions of detections and of objects, gives (pairs,) values in [0, 1].
    plain: (g,) bool, which of the evaluated objects count.
    score: (N,) of all detections.
    seen: what is evaluated.
    state: of the measurement.
    of: what the similarity is called.
    """
    images, many = state.arrays["image"], seen.classes
    truth = seen.truth[plain], seen.truth_group[plain]
    image, category = seen.found_group // many, seen.found_group % many
    if len(sorted_unique(image)) < FEW_IMAGES:
        return []

    def fit(other: np.ndarray, kept: np.ndarray | None = None) -> float:
        """The mean similarity of detections with the objects of other images, given by their positions."""
        group, rows = other * many + category, seen.found
        if kept is not None:
            group, rows = group[kept], rows[kept]
        pairs = sampled((rows, group), truth, score)
        return best_fit(similarity, pairs) if len(pairs.rows) >= ENOUGH else 0.0

    asked = fit(image)
    if asked >= GOOD:
        return []
    for by, wrong, mend in ((1, "small", "add 1 to"), (-1, "large", "take 1 from")):
        at = np.minimum(np.searchsorted(images, images[image] + by), len(images) - 1)
        shifted = fit(at, images[at] == images[image] + by)
        if shifted >= GOOD and shifted >= asked + BETTER:
            what = f"image ids of detections look too {wrong} by one"
            effect = (
                f"their mean {of} with the nearest object is {asked:.2f}, and would be {shifted:.2f}; nothing is "
                f"converted: {mend} each image_id"
            )
            return [Note("misread_images", what, effect=effect)]
    others = max(fit((image + step) % len(images)) for step in (len(images) // 2, max(1, len(images) // 3)))
    if not others > 0 or asked >= POOR or asked > others + SAME:
        return []
    what = "detections fit the objects of their image no better than those of other images"
    effect = (
        f"their mean {of} with the nearest object is {asked:.2f}, and {others:.2f} in other images; are they results "
        "of these images, and numbered as in this annotation file?"
    )
    return [Note("unrelated_results", what, effect=effect)]
