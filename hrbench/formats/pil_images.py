"""Reading and resizing images by Pillow, as the classification codes do: its pixels differ from OpenCV's.

JPEG: both use libjpeg-turbo, but their builds differ. Resizing: Pillow widens its filters when it reduces (antialias),
OpenCV does not, and its cubic filter has another coefficient (-0.75, in Pillow -0.5).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from hrbench.core.stages import stage
from hrbench.formats.images import check_size, opened
from hrbench.formats.orientation import Orientation, oriented, refuse_tag, tag_of

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
_PILLOW = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
_OPENCV = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


def read_rgb(path: Path, size: tuple[int, int] | None = None, orientation: Orientation = "stored") -> np.ndarray:
    """The image as uint8 (H, W, 3) in RGB, also from grey, CMYK or palettes, as `Image.convert` makes it.

    The content decides, not the suffix (ImageNet has a PNG with the suffix .JPEG).

    size: (width, height) that the annotation states; another size is an error.
    orientation: whether the pixels are as stored, or turned as the EXIF orientation says; "" refuses turned files.

    Raises MissingError, or InputError naming the file.
    """
    with stage("decode"):
        with opened(path) as (image, data):
            tag = tag_of(data)
            refuse_tag(path, tag, orientation)
            pixels = oriented(np.asarray(image.convert("RGB")), data, tag, orientation)
        check_size(path, (pixels.shape[1], pixels.shape[0]), size, tag, orientation)
        return pixels


def resize(image: np.ndarray, size: tuple[int, int], interpolation: Interpolation, antialias: bool) -> np.ndarray:
    """uint8 (H, W, 3) -> uint8 (height, width, 3), `size` being (width, height).

    antialias: by Pillow. Without it: by OpenCV on floats, rounded at the end, samples taken at pixel centres.
    """
    if (image.shape[1], image.shape[0]) == size:
        return image
    if antialias:
        return np.asarray(Image.fromarray(image).resize(size, _PILLOW[interpolation]))
    floats = cv2.resize(image.astype(np.float32), size, interpolation=_OPENCV[interpolation])
    return np.clip(np.rint(floats), 0, 255).astype(np.uint8)
