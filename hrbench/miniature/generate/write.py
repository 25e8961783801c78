"""How a drawn set gets on a disk: whole or not at all, its images as PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from hrbench.core.files import REMEDY, whole_folder
from hrbench.errors import InputError, UsageError


def draw_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Have `write` fill `folder`, which appears whole or not at all. Raises UsageError if it cannot be written.

    Two processes may draw a set at once: that of the first stays, the other is the same to the last pixel.
    """
    try:
        with whole_folder(folder, replace=False) as part:
            write(part)
    except OSError as error:
        raise UsageError(f"{folder}: the miniature cannot be drawn there: {error}; {REMEDY}") from error


def save_png(path: Path, image: np.ndarray, options: Sequence[int] | None = None) -> None:
    """Write (H, W, 3) BGR or (H, W), uint8 or uint16, as PNG. Raises InputError if OpenCV does not.

    options: of `cv2.imencode`; () for OpenCV's own. None compresses labels, and not images: noise halves at best, and
    takes three times as long to read.
    """
    if options is None:
        options = (cv2.IMWRITE_PNG_COMPRESSION, 0 if image.ndim == 3 else 4)
    done, data = cv2.imencode(".png", image, options)
    if not done:
        raise InputError(f"{path}: OpenCV could not write a PNG")
    path.write_bytes(data.tobytes())
