"""Masks of a detector on the original image, and as COCO's run lengths: probabilities in a box become pixels.

    paste         the box                                              the mask in it                        is it from
    mmdet         as it is                                             sampled at the centre of each pixel   0.5 on
    mmdet1        cut to whole pixels, ends included                   resized, its border repeated          above 0.5
    tf            grown by a mask pixel each side, cut as before       resized with a border of zeros        above 0.5
    torchvision   the same, cut from corners not from a centre         the same, by torch                    above 0.5

mmdet is mmdetection 2 and 3 (FCNMaskHead, after detectron2), mmdet1 mmdetection 1, tf `paste_instance_masks` of
tensorflow/models and tensorflow/tpu, torchvision `paste_masks_in_image`. Resizing is bilinear. torch is imported only
where a mask is pasted.

Run lengths follow the columns of an image, so only the columns of a mask's box are drawn and encoded; those on its left
and right are zeros that lengthen the first and the last run (`run_lengths.py`). What is drawn has a column in each row
of its array, as the codec reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import Any, Literal

import cv2
import numpy as np

from hrbench.tasks.detection.run_lengths import encoded

Paste = Literal["mmdet", "mmdet1", "tf", "torchvision"]

_MIN_WIDTH = 1e-6
"""Pixels; dividing by less may leave the range of numbers, which is looked after apart."""

_Part = tuple[np.ndarray, int, int]
"""Pixels of a mask (columns, rows), those that are in it not zero, and the column and row of the image of the first."""

_Drawn = Callable[[np.ndarray, np.ndarray, tuple[int, int]], _Part]


def pasted(crops: np.ndarray, boxes: np.ndarray, size: tuple[int, int], paste: Paste) -> list[dict[str, Any]]:
    """Mask probabilities (M, s, s) in boxes (M, 4), x1 y1 x2 y2 in the image's pixels, float32 -> M run lengths.

    size: (width, height) of the image. Run lengths are {"size": [height, width], "counts": str}.
    """
    draw = _PASTE_FUNCTIONS[paste]
    return [
        encoded(*draw(np.ascontiguousarray(crop, dtype=np.float32), box, size), size)
        for crop, box in zip(crops, boxes, strict=True)
    ]


def scaled(packed: np.ndarray, drawn: tuple[int, int], size: tuple[int, int]) -> list[dict[str, Any]]:
    """Boolean masks of a network's whole input -> M run lengths on an image of this (width, height).

    packed: (M, h x w / 8) uint8, eight pixels of a mask in a byte (`outputs.ImageDetections.masks`).
    drawn: (h, w) of the masks.

    Where the sizes differ a mask is resized bilinearly and is what is above one half.
    """
    found = []
    for bits in packed:
        mask = np.unpackbits(bits, count=drawn[0] * drawn[1]).reshape(drawn)
        if (drawn[1], drawn[0]) != size:
            mask = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
        filled = np.flatnonzero(mask.any(axis=0))
        first, end = (int(filled[0]), int(filled[-1]) + 1) if len(filled) else (0, 0)
        found.append(encoded(mask[:, first:end].T, first, 0, size))
    return found


def _sampled(mask: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> _Part:
    import torch
    import torch.nn.functional as F

    width, height = size
    corners = box.tolist()
    left, top = max(floor(corners[0]) - 1, 0), max(floor(corners[1]) - 1, 0)
    right, bottom = min(ceil(corners[2]) + 1, width), min(ceil(corners[3]) + 1, height)
    if right <= left or bottom <= top:
        return _NO_PIXELS, 0, 0
    x1, y1, x2, y2 = np.asarray(box, np.float32)
    grid = np.empty((1, right - left, bottom - top, 2), np.float32)  # what is sampled does not depend on the order
    grid[..., 0] = _within(left, right, x1, x2)[:, None]
    grid[..., 1] = _within(top, bottom, y1, y2)
    values = F.grid_sample(torch.from_numpy(mask)[None, None], torch.from_numpy(grid), align_corners=False)[0, 0]
    return values.numpy() >= np.float32(0.5), left, top


def _within(first: int, end: int, x1: np.float32, x2: np.float32) -> np.ndarray:
    """Centres of the pixels from `first` to before `end` as places in a mask from x1 to x2: -1 there, 1 here."""
    places = np.arange(first, end, dtype=np.float32)
    places += np.float32(0.5)
    places -= x1
    wide = x2 - x1
    if wide > _MIN_WIDTH:
        places /= wide
        places *= 2
        places -= 1
        return places
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        places = places / wide * 2 - 1
    places[np.isinf(places)] = 0  # of a box without a width; mmdetection reads the mask's middle for it
    return places


def _whole(mask: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> _Part:
    left, top, right, bottom = (int(v) for v in box)
    return _inside(cv2.resize(mask, _size(left, top, right, bottom)) > 0.5, left, top, size)


def _bordered(mask: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> _Part:
    height, width = mask.shape
    grow = max((width + 2.0) / width, (height + 2.0) / height)
    halves = (box[2:] - box[:2]) * np.float32(0.5)
    centre = box[:2] + halves
    halves = halves * np.float32(grow)
    left, top, right, bottom = (int(v) for v in (*(centre - halves), *(centre + halves)))
    padded = np.pad(mask, 1)
    return _inside(cv2.resize(padded, _size(left, top, right, bottom)) > 0.5, left, top, size)


def _bordered_by_torch(mask: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> _Part:
    import torch
    import torch.nn.functional as F

    grow = np.float32((len(mask) + 2.0) / len(mask))
    halves = (box[2:] - box[:2]) * np.float32(0.5) * grow
    centre = (box[2:] + box[:2]) * np.float32(0.5)
    left, top, right, bottom = (int(v) for v in (*(centre - halves), *(centre + halves)))
    width, height = _size(left, top, right, bottom)
    padded = torch.from_numpy(np.pad(mask, 1))[None, None]
    values = F.interpolate(padded, size=(height, width), mode="bilinear", align_corners=False)[0, 0]
    return _inside(values.numpy() > np.float32(0.5), left, top, size)


def _size(left: int, top: int, right: int, bottom: int) -> tuple[int, int]:
    return max(right - left + 1, 1), max(bottom - top + 1, 1)


def _inside(mask: np.ndarray, left: int, top: int, size: tuple[int, int]) -> _Part:
    """The part of a mask (rows, columns) that lies on the image; its upper left corner is at (left, top)."""
    width, height = size
    rows = slice(max(top, 0), min(top + mask.shape[0], height))
    columns = slice(max(left, 0), min(left + mask.shape[1], width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return _NO_PIXELS, 0, 0
    part = mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return part.T, columns.start, rows.start


_NO_PIXELS = np.zeros((0, 0), bool)

_PASTE_FUNCTIONS: dict[Paste, _Drawn] = {
    "mmdet": _sampled,
    "mmdet1": _whole,
    "tf": _bordered,
    "torchvision": _bordered_by_torch,
}
