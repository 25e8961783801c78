"""What panoptic quality counts in one image: matches with their IoU, false positives and misses of each category.

Source: Kirillov et al., Panoptic Segmentation, CVPR 2019, section 4; panopticapi (`evaluation.py`), whose arithmetic
and order are kept to the last bit:

- A predicted and an annotated segment of one category match if their IoU is above 0.5; there is at most one such pair.
  Pixels that are annotated as void are left out of the union, and crowds match nothing.
- The area of an annotated segment is the one that its file states, that of a predicted segment its pixels.
- A predicted segment without a match is a false positive, unless more than half of it lies in void and in the crowd
  region of its category. Of several such regions in one image panopticapi looks at the last alone.
- An annotated segment without a match, and no crowd, is missed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrbench.formats.label_runs import runs
from hrbench.formats.panoptic.pixels import VOID
from hrbench.formats.panoptic.segments import Segments

_SHIFT = np.uint64(24)


@dataclass(frozen=True)
class Pairs:
    """The P pairs of an annotated and a predicted id that occur, by rising annotated, then predicted id.

    truth, found: (P,) int64 ids.
    pixels: (P,) int64.
    """

    truth: np.ndarray
    found: np.ndarray
    pixels: np.ndarray

    def areas(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids, rising, and their pixels, both (V,) int64. which: `truth` or `found`."""
        ids, place = np.unique(which, return_inverse=True)
        return ids, np.bincount(place, self.pixels, len(ids)).astype(np.int64)  # whole numbers below 2^53: exact


@dataclass(frozen=True)
class ImageCounts:
    """Of one image, by position of the category.

    matched, iou: (M,) category and IoU of each match, by rising id of the annotated segment.
    false, missed: categories of the false positives, and of the segments that are missed.
    """

    matched: np.ndarray
    iou: np.ndarray
    false: np.ndarray
    missed: np.ndarray


def pairs_of(truth: np.ndarray, found: np.ndarray) -> Pairs:
    """Pairs of two maps (H, W) uint32 of ids below 2^24."""
    (own, seen), lengths = runs([truth, found])
    keys, place = np.unique((own.astype(np.uint64) << _SHIFT) | seen.astype(np.uint64), return_inverse=True)
    pixels = np.bincount(place, lengths, len(keys)).astype(np.int64)
    return Pairs((keys >> _SHIFT).astype(np.int64), (keys & np.uint64((1 << 24) - 1)).astype(np.int64), pixels)


@dataclass(frozen=True)
class MatchedSegments:
    """Of T annotated and F predicted segments of an image.

    one, other: (M,) int64, rows of the matches, annotated and predicted.
    iou: (M,) float64.
    missed: (T,) bool, annotated segments that count and match nothing.
    false: (F,) bool, predicted ones that match nothing and do not lie in void and crowds.
    row, column: (P,) int64, rows of the pairs of segments that share pixels.
    overlap: (P,) float64, IoU of each, whatever its classes.
    area: (T,) float64, of the annotated segments.
    """

    one: np.ndarray
    other: np.ndarray
    iou: np.ndarray
    missed: np.ndarray
    false: np.ndarray
    row: np.ndarray
    column: np.ndarray
    overlap: np.ndarray
    area: np.ndarray


def count(pairs: Pairs, truth: Segments, found: Segments) -> ImageCounts:
    """The counts of an image whose ids are those of its segments, and no area is below its pixels.

    pairs: of its two maps.
    truth, found: annotated and predicted segments; an annotated area that is NaN is counted.
    """
    own = matched_segments(pairs, truth, found)
    return ImageCounts(truth.category[own.one], own.iou, found.category[own.false], truth.category[own.missed])


def matched_segments(pairs: Pairs, truth: Segments, found: Segments) -> MatchedSegments:
    """Which segments match; parameters as of `count`."""
    own_area = np.where(np.isnan(truth.area), _areas(*pairs.areas(pairs.truth), truth), truth.area)
    area = area_of(pairs, found)

    row, column = truth.places(pairs.truth), found.places(pairs.found)
    ignored = np.zeros(len(found.ids), np.int64)  # pixels in void, and then in the crowd of the category
    in_void = (pairs.truth == VOID) & (column >= 0)
    ignored[column[in_void]] = pairs.pixels[in_void]

    both = (row >= 0) & (column >= 0)
    row, column, shared = row[both], column[both], pairs.pixels[both]
    alike = truth.category[row] == found.category[column]
    overlap = shared / (area[column] + own_area[row] - shared - ignored[column])
    match = alike & ~truth.crowd[row] & (overlap > 0.5)
    one, other, iou = row[match], column[match], overlap[match]

    missed = ~truth.crowd
    missed[one] = False
    last = {int(category): place for place, category in enumerate(truth.category) if truth.crowd[place]}
    crowds = alike & np.isin(row, np.fromiter(last.values(), np.int64, len(last)))
    ignored[column[crowds]] += shared[crowds]
    false = np.ones(len(found.ids), np.bool_)
    false[other] = False
    false &= ~(ignored / np.maximum(area, 1) > 0.5)
    return MatchedSegments(one, other, iou, missed, false, row, column, overlap, own_area)


def _areas(ids: np.ndarray, pixels: np.ndarray, segments: Segments) -> np.ndarray:
    """(S,) int64 pixels of each segment, of those of each id (V,)."""
    place, area = segments.places(ids), np.zeros(len(segments.ids), np.int64)
    area[place[place >= 0]] = pixels[place >= 0]
    return area


def area_of(pairs: Pairs, found: Segments) -> np.ndarray:
    """(F,) int64 pixels of each predicted segment. pairs: of its map."""
    return _areas(*pairs.areas(pairs.found), found)
