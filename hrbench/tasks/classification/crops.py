"""The crop of a classifier from an image: what is resized to which size, and what is cut from its middle.

Facts of the sizes: torchvision's `Resize` and `CenterCrop`; timm's `transforms_imagenet_eval`, `ResizeKeepRatio` and
`CenterCropOrPad` (timm/data, 1.0); transformers' `get_resize_output_image_size` and `center_crop` (5.24); TensorFlow's
official models. Tested against the libraries, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from hrbench.formats.pil_images import resize
from hrbench.tasks.classification.protocols import CentreCrop

Size = tuple[int, int]


def centre_crop(
    image: np.ndarray, input: Size, protocol: CentreCrop, mean: Sequence[float] = (0.0, 0.0, 0.0)
) -> np.ndarray:
    """The crop uint8 (h, w, 3) of `input` = (height, width) from an image (H, W, 3) uint8.

    mean: of values in [0, 1]: what a border is filled with.
    """
    height, width = input
    if protocol.order == "crop, resize":
        part = _middle(image, input, protocol.crop_fraction)
        return resize(part, (width, height), protocol.interpolation, protocol.antialias)
    size = resized_size((image.shape[0], image.shape[1]), input, protocol)
    image = resize(image, (size[1], size[0]), protocol.interpolation, protocol.antialias)
    fill = [round(255 * value) for value in mean] if protocol.crop_mode == "border" else [0, 0, 0]
    return _cropped(_padded(image, input, fill), input, protocol.offset)


def _padded(image: np.ndarray, input: Size, fill: Sequence[int]) -> np.ndarray:
    """The image in the middle of what has `input` at least; an odd pixel more at the bottom and the right."""
    below, beside = (max(side - own, 0) for side, own in zip(input, image.shape[:2], strict=True))
    if not below and not beside:
        return image
    edges = (below // 2, (below + 1) // 2, beside // 2, (beside + 1) // 2)
    return cv2.copyMakeBorder(image, *edges, cv2.BORDER_CONSTANT, value=tuple(fill))


def _cropped(image: np.ndarray, input: Size, offset: str) -> np.ndarray:
    spare = [own - side for own, side in zip(image.shape[:2], input, strict=True)]
    top, left = (each // 2 if offset == "down" else round(each / 2) for each in spare)
    return image[top : top + input[0], left : left + input[1]]


def _middle(image: np.ndarray, input: Size, fraction: float) -> np.ndarray:
    """The largest window of the input's shape that fits an image (H, W, 3), times the fraction, from its middle.

    Sides and offsets are computed in float32 and cut to whole pixels, as TensorFlow's models do.
    """
    high, wide = image.shape[:2]
    height, width = input
    whole = (min(high, wide * height / width), min(wide, high * width / height))
    sides = [np.float32(fraction) * np.float32(side) for side in whole]
    top, left = (int((np.float32(side) - part) / 2) for side, part in zip((high, wide), sides, strict=True))
    tall, broad = (max(1, int(side)) for side in sides)
    return image[top : top + tall, left : left + broad]


def full_size(input: Size, protocol: CentreCrop) -> Size:
    """(height, width) that the crop is cut from: input / crop_fraction, rounded down, or what the protocol states."""
    if protocol.resized_to is not None:
        return protocol.resized_to
    tall, broad = (math.floor(side / protocol.crop_fraction + 1e-6) for side in input)
    return tall, broad


def resized_size(size: Size, input: Size, protocol: CentreCrop) -> Size:
    """(height, width) to resize an image of this size to before it is cropped."""
    high, wide = size
    tall, broad = full_size(input, protocol)
    if protocol.crop_mode == "squash":
        return tall, broad
    if protocol.crop_mode == "border" or protocol.rounding == "nearest":
        ratios = high / tall, wide / broad
        ratio = max(ratios) if protocol.crop_mode == "border" else min(ratios)
        return max(1, round(high / ratio)), max(1, round(wide / ratio))
    if tall * wide <= broad * high:  # the width binds; of a square input: the short side
        return max(tall, int(broad * high / wide)), broad
    return tall, max(broad, int(tall * wide / high))
