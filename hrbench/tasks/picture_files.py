"""Pictures of tasks as files, small enough that a page can hold some dozens of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hrbench.errors import EntryError

_QUALITY: dict[str, list[int]] = {
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 75],
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 85],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 85],
}
"""WebP at 75 looks as JPEG does at 85, in 30 to 45 % of its bytes (measured on the miniatures' pictures)."""


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Writes uint8 (H, W, 3) BGR to `path`, whose suffix says the format, and makes its folder.

    Raises EntryError if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture, _QUALITY.get(path.suffix.lower(), [])):
        raise EntryError(f"the picture {path} could not be written")
