"""Image files: read by OpenCV or Pillow as the official codes do, with their size; incomplete files are refused.

OpenCV decodes a truncated file to a partly grey image without an error; Pillow refuses it. So the end of a file is
checked before OpenCV reads it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hrbench.core.stages import stage
from hrbench.errors import InputError, MissingError
from hrbench.formats import png

_JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def read_image(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """The image by OpenCV as uint8 (H, W, 3) in BGR; EXIF orientation is ignored.

    size: (width, height) that the annotation states; another size is an error.
    Raises MissingError, or InputError naming the file.
    """
    with stage("decode"):
        return _read_image(path, size)


def _read_image(path: Path, size: tuple[int, int] | None) -> np.ndarray:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingError(f"no image {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character, which no file has
        raise InputError(f"image {path!r} cannot be read: {_why(error)}") from None
    if truncated(data):
        raise InputError(f"image {path} is truncated ({len(data)} bytes): fetch it again")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise InputError(f"{path} is not an image that OpenCV {cv2.__version__} can read ({len(data)} bytes)")
    check_size(path, (image.shape[1], image.shape[0]), size)
    return image


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The image by Pillow, fully decoded. The file format comes from the content, not from the suffix.

    Raises MissingError, or InputError naming the file, what is wrong with it and its size.
    """
    try:
        with Image.open(path) as image:
            image.load()
            yield image
    except FileNotFoundError:
        raise MissingError(f"no image {path}") from None
    except Exception as error:  # a damaged file: Pillow's readers may raise anything
        try:
            size = path.stat().st_size
        except (OSError, ValueError):  # a name that is too long, or has a null character
            raise InputError(f"image {path!r} cannot be read: {_why(error)}") from None
        why = " ".join(str(error).split()) or type(error).__name__
        why = "truncated" if "truncated" in why.lower() else why
        why = "it is empty" if not size else "it is no image" if "cannot identify" in why else why
        raise InputError(f"image {path} cannot be read whole ({why}; {size} bytes): fetch it again") from None


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__


def stated_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels from the file's header, without decoding; EXIF orientation is ignored.

    Raises MissingError if there is no file, InputError if it is not an image.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError:
        raise MissingError(f"no image {path}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is not an image whose size can be read: {error}") from None


def decoded_size(path: Path) -> tuple[int, int]:
    """(width, height) of an image, fully decoded. Raises InputError for a damaged file, MissingError for none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata that Pillow cannot parse; only pixels matter
        with opened(path) as image:
            return image.size


def image_faults(path: Path, size: tuple[int, int] | None = None) -> list[str]:
    """What is wrong with an image, for `hrbench datasets NAME --check`.

    size: (width, height) that its annotation states, None if it states none.
    """
    try:
        check_size(path, decoded_size(path), size)
    except (InputError, MissingError) as error:
        return [str(error)]
    return []


def check_size(path: Path, found: tuple[int, int], stated: tuple[int, int] | None) -> None:
    """Raises InputError if an image's (width, height) differs from the annotated one; None is not checked."""
    if stated is not None and found != tuple(stated):
        raise InputError(f"image {path} is {found[0]}x{found[1]} pixels, its annotation says {stated[0]}x{stated[1]}")


def truncated(data: bytes) -> bool:
    """Whether a JPEG or PNG is incomplete, or the file empty; other formats are left to the decoder."""
    if data.startswith(_JPEG):
        # entropy-coded data never contain a marker, so an end marker after the last start of scan ends the image
        return data.rfind(_JPEG_END) <= data.rfind(_JPEG_SCAN)
    if data.startswith(png.SIGNATURE):
        try:
            for _ in png.chunks(data):
                pass
        except ValueError:
            return True
    return not data
