"""Writes a generated data set: whole or not at all, its images as PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from hrbench.core.files import REMEDY, whole_folder
from hrbench.errors import InputError, UsageError


def write_dataset(folder: Path, write: Callable[[Path], None]) -> None:
    """Calls `write` to fill `folder`, which appears whole or not at all. Raises UsageError if it cannot be written.

    Two processes may generate a set at once: the one that is finished first stays, the other has the same pixels.
    """
    try:
        with whole_folder(folder, replace=False) as part:
            write(part)
    except OSError as error:
        raise UsageError(f"{folder}: the miniature cannot be drawn there: {error}; {REMEDY}") from error


def save_png(path: Path, image: np.ndarray, options: Sequence[int] | None = None) -> None:
    """Write (H, W, 3) BGR or (H, W), uint8 or uint16, as PNG. Raises InputError if OpenCV does not.

    options: of `cv2.imencode`; () for OpenCV's defaults. None compresses labels but not images: noise would shrink to
    half its size at best, and would take three times as long to read.
    """
    if options is None:
        options = (cv2.IMWRITE_PNG_COMPRESSION, 0 if image.ndim == 3 else 4)
    done, data = cv2.imencode(".png", image, options)
    if not done:
        raise InputError(f"{path}: OpenCV could not write a PNG")
    path.write_bytes(data.tobytes())
