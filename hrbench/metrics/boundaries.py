"""Boundaries of masks: the pixels of a mask that lie near its edge.

Source: Cheng et al., Boundary IoU, CVPR 2021, and its code (boundary-iou-api, `mask_to_boundary`): the boundary of
width d of a mask are its pixels that d erosions by a square of 3 x 3 remove, with nothing outside the image, so that an
edge of the image is one of the mask, too. That is one erosion by a square of 2 d + 1, whose sides are eroded one after
the other, each by doubling: what holds for two neighbouring spans holds for their union.
"""

from __future__ import annotations

import math

import numpy as np

from hrbench.errors import UsageError

RATIO = 0.02
"""The width of boundaries in parts of the image's diagonal, as in the paper."""


def checked_ratio(ratio: float) -> float:
    """The option `dilation_ratio` as a number above 0, up to 1. Raises UsageError for anything else."""
    number = isinstance(ratio, (int, float)) and not isinstance(ratio, bool)
    if not number or not math.isfinite(ratio) or not 0 < ratio <= 1:
        raise UsageError(
            f"dilation_ratio {ratio!r}: give the width of boundaries in parts of the image's diagonal: 0.02"
        )
    return float(ratio)


def width_of(ratio: float, height: int, width: int) -> int:
    """The width of boundaries in px, at least 1; halves are rounded to the even number, as in the paper's code.

    >>> width_of(0.02, 480, 640), width_of(0.02, 75, 100), width_of(0.02, 3, 4)
    (16, 2, 1)
    """
    return max(1, round(ratio * math.sqrt(height**2 + width**2)))


def everywhere(flags: np.ndarray, span: int, axis: int) -> np.ndarray:
    """Whether all of `span` flags in a row along an axis are set; as `flags`, with span - 1 fewer along the axis.

    >>> everywhere(np.array([True, True, True, False, True]), 2, 0)
    array([ True,  True, False, False])
    """
    if flags.shape[axis] < span:
        shape = list(flags.shape)
        shape[axis] = 0
        return np.zeros(shape, bool)
    before, known = (slice(None),) * (axis % flags.ndim), 1
    while known < span:
        step = min(known, span - known)
        flags = flags[(*before, slice(-step))] & flags[(*before, slice(step, None))]
        known += step
    return flags


def boundary(mask: np.ndarray, width: int) -> np.ndarray:
    """The boundary of a mask (h, w) bool, likewise; outside it there is nothing.

    width: in px, 1 or more.
    """
    side = 2 * width + 1
    if min(mask.shape) < side:
        return mask
    edge = mask.copy()
    inside = edge[width:-width, width:-width]
    inside &= ~everywhere(everywhere(mask, side, 0), side, 1)
    return edge
