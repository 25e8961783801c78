"""Resizing of images for detectors, and of boxes back to the image, as in the code of four repositories.

    resize        size of the input                                     pixels                        boxes go back by
    none          the image's own                                       its own                       nothing
    mmdet         short side, long side at most; rounded to nearest     OpenCV bilinear, uint8        a factor each side
    mmdet1        the same                                              the same                      one factor
    torchvision   the same, rounded down                                bilinear, normalised floats   a factor each side
    tf            the largest within the network's; halves to even      bilinear, normalised floats   a factor each side
    fixed         the network's, whatever its shape                     bilinear, normalised floats   a factor each side
    aspect        short side, long side at most; DETR's roundings       Pillow, antialiased, uint8    a factor each side
    squash        the network's, whatever its shape                     Pillow, antialiased, uint8    a factor each side

Facts from mmcv.imrescale and mmdet's `Resize` (versions 1 and 3), torchvision's GeneralizedRCNNTransform, and
`resize_and_crop_image` of tensorflow/models and tensorflow/tpu. Sides with a factor each differ in the fourth digit.
Boxes go back in float32 as they do there: whole pixels are cut from them later, where the last digit counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from hrbench.tasks.inputs import aspect_size

Resize = Literal["none", "mmdet", "mmdet1", "torchvision", "tf", "fixed", "aspect", "squash"]
ON_FLOATS: tuple[Resize, ...] = ("torchvision", "tf", "fixed")
"""Ways that resize normalised images, which the task does where the network computes; the others resize uint8."""

BY_PILLOW: tuple[Resize, ...] = ("aspect", "squash")
"""Ways of transformers' processors, whose images are read and resized by Pillow."""

BY_SHORT_SIDE: tuple[Resize, ...] = ("mmdet", "mmdet1", "torchvision", "aspect")
"""Ways whose sizes are the protocol's, whatever the input that a network is costed at."""

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Resizing:
    """How an image was resized to its item.

    original, input: (width, height) of the image and of the item, in pixels.
    factor: by which both sides were multiplied before rounding; 1 if each side had its own ("fixed").
    """

    original: Size
    input: Size
    factor: float = 1.0


def resizing_of(
    original: Size, resize: Resize, short: int, long: int, target: Size, round_down_to: int = 1
) -> Resizing:
    """Size of the input for an image of this (width, height).

    short, long: the short side is resized to `short`, or to less if the long side would exceed `long`.
    target: (width, height) of the network's input, for "tf", "fixed" and "squash".
    round_down_to: of "aspect": sides are multiples of it.
    """
    width, height = original
    if resize == "none":
        return Resizing(original, original)
    if resize == "aspect":
        sides = aspect_size((height, width), short, long)
        tall, wide = (max(round_down_to, side - side % round_down_to) for side in sides)
        return Resizing(original, (wide, tall))
    if resize in ("fixed", "squash"):
        return Resizing(original, target)
    if resize == "tf":
        sides = np.array(original, np.float32)
        scale = (np.array(target, np.float32) / sides).min()
        return Resizing(original, _at_least_one(np.rint(sides * scale)), float(scale))
    scale = min(max(short, long) / max(original), min(short, long) / min(original))
    if resize == "torchvision":
        return Resizing(original, _at_least_one(np.floor([width * scale, height * scale])), scale)
    return Resizing(original, _at_least_one(np.floor([width * scale + 0.5, height * scale + 0.5])), scale)


def _at_least_one(sides: np.ndarray) -> Size:
    return max(1, int(sides[0])), max(1, int(sides[1]))


def resized(image: np.ndarray, size: Size) -> np.ndarray:
    """The uint8 image (H, W, 3) at a (width, height), bilinear without antialias as mmcv resizes it."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def to_original(boxes: np.ndarray, resizing: Resizing, resize: Resize) -> np.ndarray:
    """Boxes (M, 4) float32 in pixels of the input -> in pixels of the original image, float32.

    Clipping is the network's, which knows to what its convention clips; scaling back moves no corner out by more than
    rounding does.
    """
    if resize == "none":
        return boxes
    if resize == "mmdet1":
        return boxes / np.float32(resizing.factor)
    if resize in ("torchvision", "fixed", *BY_PILLOW):
        ratios = [np.float32(a) / np.float32(b) for a, b in zip(resizing.original, resizing.input, strict=True)]
        return boxes * np.array(ratios * 2, np.float32)
    if resize == "tf":
        factors = [np.float32(b) / np.float32(a) for a, b in zip(resizing.original, resizing.input, strict=True)]
    else:
        factors = [b / a for a, b in zip(resizing.original, resizing.input, strict=True)]
    return boxes / np.array(factors * 2, np.float32)


def pasted_at(boxes: np.ndarray, resizing: Resizing, resize: Resize) -> np.ndarray:
    """Boxes (M, 4) of `to_original` as that code pastes masks at them.

    mmdetection 1 takes them to the input's pixels and back once more, which moves some across a whole pixel.
    """
    if resize != "mmdet1":
        return boxes
    factor = np.float32(resizing.factor)
    return boxes * factor / factor
