"""How a drawn set gets on a disk: whole or not at all, its images as PNG."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from hrbench.errors import InputError


def draw_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Have `write` fill a folder beside `folder`, then give it that name. Raises InputError if it cannot be written."""
    partial: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        write(partial)
        partial.chmod(0o755)  # mkdtemp made it private
        try:
            partial.rename(folder)
        except OSError:
            # Another process was faster: its set is the same to the last pixel.
            if not folder.is_dir() or not any(folder.iterdir()):
                raise
    except OSError as error:
        raise InputError(f"{folder}: the miniature cannot be drawn there: {error}") from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def save_png(path: Path, image: np.ndarray) -> None:
    """Write (H, W, 3) BGR or (H, W), uint8 or uint16, as PNG. Raises InputError where OpenCV does not.

    Images are not compressed: noise halves at best, and takes three times as long to read. Labels are.
    """
    done, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 0 if image.ndim == 3 else 4])
    if not done:
        raise InputError(f"{path}: OpenCV could not write a PNG")
    path.write_bytes(data.tobytes())
