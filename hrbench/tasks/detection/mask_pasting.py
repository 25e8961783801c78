"""Masks of a detector on the original image, and as COCO's run lengths: probabilities in a box become pixels.

    paste         the box                                              the mask in it                        is it from
    mmdet         as it is                                             sampled at the centre of each pixel   0.5 on
    mmdet1        cut to whole pixels, ends included                   resized, its border repeated          above 0.5
    tf            grown by a mask pixel each side, cut as before       resized with a border of zeros        above 0.5
    torchvision   the same, cut from corners not from a centre         the same, by torch                    above 0.5

mmdet is mmdetection 2 and 3 (FCNMaskHead, after detectron2), mmdet1 mmdetection 1, tf `paste_instance_masks` of
tensorflow/models and tensorflow/tpu, torchvision `paste_masks_in_image`. Resizing is bilinear. torch is imported only
where a mask is pasted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, Literal

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from hrbench.core.native.calls import In, NativeCall, Out
from hrbench.core.native.loader import library
from hrbench.formats.coco.rle import MAX_PIXELS

Paste = Literal["mmdet", "mmdet1", "tf", "torchvision"]

PIXELS_AT_ONCE = 1 << 25
"""Pixels of masks that are encoded together: a hundred masks of a large photograph would be a gigabyte."""

LIKELY_CHARACTERS = 1 << 13
"""Of the code of a mask: room that is enough for nearly all."""

_MIN_WIDTH = 1e-6
"""Pixels; dividing by less may leave the range of numbers, which is looked after apart."""


@dataclass(frozen=True, slots=True)
class _MaskPart:
    """A mask where it may be set: pixels (h, w) bool with their upper left corner at (left, top) of the image."""

    pixels: np.ndarray
    left: int
    top: int


_NOTHING = _MaskPart(np.zeros((0, 0), bool), 0, 0)
_Into = Callable[[tuple[int, int], np.ndarray, np.ndarray], _MaskPart]
"""(height and width of the image, probabilities, box) -> the mask in a part of the image."""

_ENCODE = NativeCall("hrb_encode_part", In(np.uint8), int, int, int, int, int, int, Out(np.uint8))


def pasted(crops: np.ndarray, boxes: np.ndarray, size: tuple[int, int], paste: Paste) -> list[dict[str, Any]]:
    """Mask probabilities (M, s, s) in boxes (M, 4), x1 y1 x2 y2 in the image's pixels, float32 -> M run lengths.

    size: (width, height) of the image. Run lengths are {"size": [height, width], "counts": str}.
    """
    into = _PASTE_FUNCTIONS[paste]

    def part(i: int) -> _MaskPart:
        return into((size[1], size[0]), np.ascontiguousarray(crops[i], dtype=np.float32), boxes[i])

    return _encoded(len(crops), size, part)


def scaled(masks: np.ndarray, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Boolean masks (M, h, w) of a network's whole input -> M run lengths on an image of this (width, height).

    Where the sizes differ a mask is resized bilinearly and is what is above one half.
    """

    def part(i: int) -> _MaskPart:
        mask = masks[i].astype(np.float32)
        if mask.shape != size[::-1]:
            mask = cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR)
        return _MaskPart(mask > 0.5, 0, 0)

    return _encoded(len(masks), size, part)


def _encoded(count: int, size: tuple[int, int], part: Callable[[int], _MaskPart]) -> list[dict[str, Any]]:
    """Run lengths of `count` masks, each given by part(its number)."""
    width, height = size
    if library() is not None and width * height < MAX_PIXELS:
        return [{"size": [height, width], "counts": _compiled(part(i), height, width)} for i in range(count)]
    found: list[dict[str, Any]] = []
    step = max(1, PIXELS_AT_ONCE // (width * height))
    for start in range(0, count, step):
        canvases = np.zeros((height, width, min(step, count - start)), np.uint8, order="F")  # as the codec reads them
        for i in range(canvases.shape[2]):
            one = part(start + i)
            rows, columns = one.pixels.shape
            canvases[one.top : one.top + rows, one.left : one.left + columns, i] = one.pixels
        found.extend(coco_mask.encode(canvases))  # type: ignore[arg-type]
    return [{"size": [height, width], "counts": each["counts"].decode("ascii")} for each in found]


def _compiled(part: _MaskPart, height: int, width: int) -> str:
    """The code of a mask, of which only the columns of its part are looked at."""
    pixels = np.ascontiguousarray(part.pixels).view(np.uint8)
    code = np.empty(LIKELY_CHARACTERS, np.uint8)
    for _ in range(2):
        length = _ENCODE(pixels, *pixels.shape, part.left, part.top, height, width, code)
        if length <= len(code):
            break
        code = np.empty(length, np.uint8)
    return code[:length].tobytes().decode("ascii")


def _sampled(image: tuple[int, int], mask: np.ndarray, box: np.ndarray) -> _MaskPart:
    import torch
    import torch.nn.functional as F

    height, width = image
    corners = box.tolist()
    left, top = max(floor(corners[0]) - 1, 0), max(floor(corners[1]) - 1, 0)
    right, bottom = min(ceil(corners[2]) + 1, width), min(ceil(corners[3]) + 1, height)
    if right <= left or bottom <= top:
        return _NOTHING
    x1, y1, x2, y2 = np.asarray(box, np.float32)
    grid = np.empty((1, bottom - top, right - left, 2), np.float32)
    grid[..., 0] = _within(left, right, x1, x2)
    grid[..., 1] = _within(top, bottom, y1, y2)[:, None]
    values = F.grid_sample(torch.from_numpy(mask)[None, None], torch.from_numpy(grid), align_corners=False)[0, 0]
    return _MaskPart((values >= 0.5).numpy(), left, top)


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


def _whole(image: tuple[int, int], mask: np.ndarray, box: np.ndarray) -> _MaskPart:
    left, top, right, bottom = (int(v) for v in box)
    return _laid(image, cv2.resize(mask, _size(left, top, right, bottom)) > 0.5, left, top)


def _bordered(image: tuple[int, int], mask: np.ndarray, box: np.ndarray) -> _MaskPart:
    height, width = mask.shape
    grow = max((width + 2.0) / width, (height + 2.0) / height)
    halves = (box[2:] - box[:2]) * np.float32(0.5)
    centre = box[:2] + halves
    halves = halves * np.float32(grow)
    left, top, right, bottom = (int(v) for v in (*(centre - halves), *(centre + halves)))
    padded = np.pad(mask, 1)
    return _laid(image, cv2.resize(padded, _size(left, top, right, bottom)) > 0.5, left, top)


def _bordered_by_torch(image: tuple[int, int], mask: np.ndarray, box: np.ndarray) -> _MaskPart:
    import torch
    import torch.nn.functional as F

    grow = np.float32((len(mask) + 2.0) / len(mask))
    halves = (box[2:] - box[:2]) * np.float32(0.5) * grow
    centre = (box[2:] + box[:2]) * np.float32(0.5)
    left, top, right, bottom = (int(v) for v in (*(centre - halves), *(centre + halves)))
    width, height = _size(left, top, right, bottom)
    padded = torch.from_numpy(np.pad(mask, 1))[None, None]
    values = F.interpolate(padded, size=(height, width), mode="bilinear", align_corners=False)[0, 0]
    return _laid(image, (values > 0.5).numpy(), left, top)


def _size(left: int, top: int, right: int, bottom: int) -> tuple[int, int]:
    return max(right - left + 1, 1), max(bottom - top + 1, 1)


def _laid(image: tuple[int, int], mask: np.ndarray, left: int, top: int) -> _MaskPart:
    """The part of a mask that lies on the image; its upper left corner is at (left, top)."""
    height, width = image
    rows = slice(max(top, 0), min(top + mask.shape[0], height))
    columns = slice(max(left, 0), min(left + mask.shape[1], width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return _NOTHING
    part = mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return _MaskPart(part, columns.start, rows.start)


_PASTE_FUNCTIONS: dict[Paste, _Into] = {
    "mmdet": _sampled,
    "mmdet1": _whole,
    "tf": _bordered,
    "torchvision": _bordered_by_torch,
}
