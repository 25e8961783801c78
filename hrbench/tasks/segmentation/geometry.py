"""Positions of a segmentation network's inputs in an image: sizes, paddings, windows, and normalised pixels.

NumPy and OpenCV only. All sizes here are (height, width) in pixels; images are (H, W, 3). The arithmetic follows
HRNet-Semantic-Segmentation (lib/datasets/base_dataset.py, cityscapes.py), and is tested against golden records.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hrbench.formats.pil_images import resize as resized_by_pillow
from hrbench.tasks.inputs import aspect_size
from hrbench.tasks.segmentation.protocols import Inference

Size = tuple[int, int]

STRIDE_OF_SHORT = 8
"""Images resized by their short side are padded to multiples of this (branch HRNet-OCR)."""


# --- the image before it is normalised -----------------------------------------------------------------------------


def short_side_to(size: Size, short: int) -> Size:
    """The size of an image whose short side is resized to `short`, the other rounded."""
    height, width = size
    if height < width:
        return short, int(width * short / height + 0.5)
    return int(height * short / width + 0.5), short


def long_side_to(size: Size, long: int) -> Size:
    """The size of an image whose long side is resized to `long`, the other rounded (at least 1)."""
    height, width = size
    if height > width:
        return long, max(1, int(width * long / height + 0.5))
    return max(1, int(height * long / width + 0.5)), long


def up_to_multiple(size: Size, multiple: int) -> Size:
    """The smallest multiples that are at least `size`."""
    return -(-size[0] // multiple) * multiple, -(-size[1] // multiple) * multiple


def input_sizes(size: Size, protocol: Inference) -> tuple[Size, Size]:
    """An image's size after the protocol's `size`: what is filled by the image, and with its padding."""
    if protocol.size == "squash":
        made = up_to_multiple(protocol.crop, protocol.to_multiple)
        return made, made
    if protocol.size == "short side":
        assert protocol.short is not None
        made = up_to_multiple(aspect_size(size, protocol.short, protocol.long), protocol.to_multiple)
        return made, made
    if protocol.size == "short":
        assert protocol.base is not None
        inner = short_side_to(size, protocol.base)
        return inner, up_to_multiple(inner, STRIDE_OF_SHORT)
    return size, size


def sized(image: np.ndarray, protocol: Inference, mean: Sequence[float]) -> np.ndarray:
    """The image, uint8, after the protocol's `size`; padded with `mean`, of values in [0, 1], rounded."""
    inner, whole = input_sizes((image.shape[0], image.shape[1]), protocol)
    if protocol.resizer == "pillow":
        image = resized_by_pillow(image, (inner[1], inner[0]), protocol.interpolation, antialias=True)
    else:
        image = resized(image, inner)
    return padded(image, whole, [float(np.rint(255 * value)) for value in mean])


def resized(image: np.ndarray, size: Size) -> np.ndarray:
    """The image, uint8 or float, resampled by OpenCV's bilinear filter; itself where it has the size already."""
    if image.shape[:2] == size:
        return image
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def padded(image: np.ndarray, size: Size, fill: Sequence[float]) -> np.ndarray:
    """The image with `fill` at its right and bottom, so that it has at least `size`."""
    below, right = max(size[0] - image.shape[0], 0), max(size[1] - image.shape[1], 0)
    if not below and not right:
        return image
    return cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT, value=tuple(fill))


# --- normalised pixels ---------------------------------------------------------------------------------------------


def value_table(mean: Sequence[float], std: Sequence[float], single: bool = False) -> np.ndarray:
    """What each byte is normalised to, by channel: (1, 256, 3) float32.

    As the official code rounds it: / 255 in float32; minus mean and over std each in float64, stored as float32.

    single: whether mean and std are float32 too, as torchvision and transformers have them.
    """
    values = np.repeat((np.arange(256, dtype=np.float32) / np.float32(255))[None, :, None], 3, axis=2)
    kind = np.float32 if single else np.float64
    values = (values - np.asarray(mean, dtype=kind)).astype(np.float32)
    return (values / np.asarray(std, dtype=kind)).astype(np.float32)


def normalised(image: np.ndarray, table: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) to float32 (H, W, 3) by `value_table`."""
    return cv2.LUT(image, table)


# --- the inputs at one scale ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """How an image of one size is cut into inputs at one scale.

    scaled: size of the resized image.
    whole: size of the resized image with padding.
    window: size of each input.
    corners: (top, left) of the windows in `whole`, row by row; a window that extends beyond it is padded.
    black: whether padding is black; otherwise it has the mean colour.
    """

    scaled: Size
    whole: Size
    window: Size
    corners: tuple[tuple[int, int], ...]
    black: bool

    def inputs(self, image: np.ndarray, black: Sequence[float]) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
        """Corner and pixels (*window, 3) of each input. image: normalised; black: the normalised black pixel."""
        fill = black if self.black else (0.0, 0.0, 0.0)
        image = padded(resized(image, self.scaled), self.whole, fill)
        for top, left in self.corners:
            piece = image[top : top + self.window[0], left : left + self.window[1]]
            yield (top, left), padded(piece, self.window, fill)

    def counts(self) -> np.ndarray:
        """In how many windows each pixel of `whole` lies, float32."""
        count = np.zeros(self.whole, dtype=np.float32)
        for top, left in self.corners:
            count[top : top + self.window[0], left : left + self.window[1]] += 1
        return count


def window_plan(size: Size, scale: float, protocol: Inference) -> WindowPlan:
    """How an image of that size, as `sized` leaves it, is cut into inputs at one of the protocol's scales."""
    base = max(size) if protocol.base is None else protocol.base
    scaled = long_side_to(size, max(1, int(base * scale + 0.5)))
    if protocol.windows == "cut":
        whole = (max(scaled[0], protocol.crop[0]), max(scaled[1], protocol.crop[1]))
        starts = [_starts(side, crop, protocol.stride) for side, crop in zip(whole, protocol.crop, strict=True)]
        window, black = protocol.crop, True
    elif protocol.windows == "shifted" and scale > 1:
        whole, black = up_to_multiple(scaled, protocol.multiple), False
        window = (min(whole[0], protocol.crop[0]), min(whole[1], protocol.crop[1]))
        starts = [
            [min(start, side - crop) for start in _starts(side, crop, protocol.stride)]
            for side, crop in zip(whole, window, strict=True)
        ]
    else:
        whole = window = up_to_multiple(scaled, protocol.multiple)
        starts, black = [[0], [0]], False
    return WindowPlan(scaled, whole, window, tuple((top, left) for top in starts[0] for left in starts[1]), black)


def _starts(side: int, crop: int, stride: float) -> list[int]:
    """Where windows begin along one side: as many as it takes to cover it."""
    step = max(1, int(crop * stride + 1e-6))  # so that 0.666667 of a crop that 3 divides is what 2/3 of it is
    return [number * step for number in range(math.ceil((side - crop) / step) + 1)]
