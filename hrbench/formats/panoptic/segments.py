"""The segments of one image, and whether its pixels are those that its `segments_info` describes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrbench.formats.label_runs import runs
from hrbench.formats.panoptic.pixels import VOID


@dataclass(frozen=True)
class Segments:
    """S segments in the order of the file.

    ids: (S,) int64, each once, 1 to 2^24 - 1.
    category: (S,) int64 position of each segment's category in the file's list.
    crowd: (S,) bool; of predictions all False.
    area: (S,) float64 pixels as the file states them; of predictions, and where they are to be counted, NaN.
    """

    ids: np.ndarray
    category: np.ndarray
    crowd: np.ndarray
    area: np.ndarray

    def places(self, ids: np.ndarray) -> np.ndarray:
        """(V,) the row of each id, -1 where no segment has it."""
        if not len(self.ids):
            return np.full(len(ids), -1)
        order = np.argsort(self.ids)
        at = np.minimum(np.searchsorted(self.ids, ids, sorter=order), len(order) - 1)
        found = order[at]
        return np.where(self.ids[found] == ids, found, -1)


def counted(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids that occur in a map (H, W), rising, and how many pixels have each, both (V,) int64."""
    (values,), lengths = runs([ids])
    found, place = np.unique(values, return_inverse=True)
    return found.astype(np.int64), np.bincount(place, lengths, len(found)).astype(np.int64)


def truth_fault(segments: Segments, ids: np.ndarray, pixels: np.ndarray) -> tuple[str, str]:
    """What is wrong with the pixels of an annotated image, and the option that allows it; ("", "") if nothing is.

    ids: (V,) ids that occur in the PNG, each once.
    pixels: (V,) how many pixels have each.
    """
    strange = _strange(segments, ids, pixels)
    if strange:
        return f"{strange}; describe it there, or write 0 (void) in its place", ""
    rows = segments.places(ids)
    small = (rows >= 0) & (segments.area[rows] < pixels) if len(segments.ids) else np.zeros(len(ids), np.bool_)
    if not small.any():
        return "", ""
    at = int(np.argmax(small))
    stated = f"{segments.area[rows[at]]:g}"
    return (
        f"segment {ids[at]} has the area {stated} and {pixels[at]} pixels in the PNG; option truth_area: pixels "
        "takes the areas from there",
        "truth_area: pixels",
    )


def prediction_fault(segments: Segments, ids: np.ndarray, pixels: np.ndarray) -> str:
    """What is wrong with the pixels of a predicted image; "" if nothing is. Arguments as of `truth_fault`."""
    strange = _strange(segments, ids, pixels)
    if strange:
        return f"{strange}; list it there with its category_id, or write 0 (void) in its place"
    absent = segments.ids[~np.isin(segments.ids, ids)]
    return (
        f"segments_info lists segment {absent[0]}, which has no pixel in the PNG; leave it out" if len(absent) else ""
    )


def _strange(segments: Segments, ids: np.ndarray, pixels: np.ndarray) -> str:
    strange = (segments.places(ids) < 0) & (ids != VOID)
    if not strange.any():
        return ""
    at = int(np.argmax(strange))
    return f"holds segment id {ids[at]} at {pixels[at]} pixels, which its segments_info does not describe"
