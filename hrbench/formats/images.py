"""Reading an image as the official code does, and refusing one that is only half there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hrbench.errors import InputError, MissingError

_JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"


def read_image(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """The image as uint8 (H, W, 3) in BGR; EXIF orientation is ignored.

    size: (width, height) that the annotation states; another size is an error. OpenCV decodes a truncated file to a
    partly grey image without a word, so the file's end is checked first: it raises InputError naming the file.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingError(f"no image {path}") from None
    if not _complete(data):
        raise InputError(f"image {path} is truncated ({len(data)} bytes): fetch it again")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise InputError(f"{path} is not an image that OpenCV {cv2.__version__} can read ({len(data)} bytes)")
    if size is not None and (image.shape[1], image.shape[0]) != tuple(size):
        raise InputError(
            f"image {path} is {image.shape[1]}x{image.shape[0]} pixels, its annotation says {size[0]}x{size[1]}"
        )
    return image


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels as the file's head says, its pixels undecoded; EXIF orientation is ignored.

    Raises MissingError where there is no file, InputError where it is no image.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError:
        raise MissingError(f"no image {path}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is not an image whose size can be read: {error}") from None


def _complete(data: bytes) -> bool:
    """Whether a JPEG or PNG holds its end marker; other formats are left to the decoder."""
    if not data:
        return False
    if data.startswith(_JPEG):
        # entropy-coded data never holds a marker, so an end after the last scan's start is the image's own
        return data.rfind(_JPEG_END) > data.rfind(_JPEG_SCAN)
    if data.startswith(_PNG):
        return _PNG_END in data[-64:]
    return True
