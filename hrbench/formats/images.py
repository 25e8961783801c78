"""Image files: read by OpenCV or Pillow as the official codes do, with their size; incomplete files are refused.

OpenCV decodes a truncated file to a partly grey image without an error; Pillow refuses it. So the end of a file is
checked before OpenCV reads it. COFW's images lie in a MATLAB file, and a path may lead into one (`formats.cofw`).
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hrbench.core.stages import stage
from hrbench.errors import InputError, MissingError
from hrbench.formats import cofw, png
from hrbench.formats.orientation import (
    Orientation,
    oriented,
    oriented_size,
    refuse_tag,
    size_remark,
    tag_of,
    tag_of_file,
)

_JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def read_image(path: Path, size: tuple[int, int] | None = None, orientation: Orientation = "stored") -> np.ndarray:
    """The image by OpenCV as uint8 (H, W, 3) in BGR.

    size: (width, height) that the annotation states; another size is an error.
    orientation: whether the pixels are as stored, or turned as the EXIF orientation says; "" refuses turned files.

    Raises MissingError, or InputError naming the file.
    """
    with stage("decode"):
        return _read_image(path, size, orientation)


def _read_image(path: Path, size: tuple[int, int] | None, orientation: Orientation) -> np.ndarray:
    if cofw.holds_image(path):
        image = np.ascontiguousarray(cofw.read_cell(path)[..., ::-1])
        check_size(path, (image.shape[1], image.shape[0]), size)
        return image
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingError(f"no image {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character, which no file has
        raise InputError(f"image {path!r} cannot be read: {_why(error)}") from None
    if truncated(data):
        raise InputError(f"image {path} is truncated ({len(data)} bytes): fetch it again")
    tag = tag_of(data)
    refuse_tag(path, tag, orientation)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise InputError(f"{path} is not an image that OpenCV {cv2.__version__} can read ({len(data)} bytes)")
    image = oriented(image, data, tag, orientation)
    check_size(path, (image.shape[1], image.shape[0]), size, tag, orientation)
    return image


@contextmanager
def opened(path: Path) -> Iterator[tuple[Image.Image, bytes]]:
    """The image by Pillow, fully decoded, and its bytes. The file format comes from the content, not from the suffix.

    Raises MissingError, or InputError naming the file, what is wrong with it and its size.
    """
    if cofw.holds_image(path):
        yield Image.fromarray(cofw.read_cell(path)), b""
        return
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            yield image, data
    except FileNotFoundError:
        raise MissingError(f"no image {path}") from None
    except InputError:
        raise
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


def stated_size(path: Path, orientation: Orientation = "stored") -> tuple[int, int]:
    """(width, height) in pixels from the file's header, without decoding.

    orientation: as of `read_image`.

    Raises MissingError if there is no file, InputError if it is not an image.
    """
    if cofw.holds_image(path):
        height, width = cofw.read_cell(path).shape[:2]
        return width, height
    try:
        with Image.open(path) as image:
            size, tiff = image.size, image.format == "TIFF"
    except FileNotFoundError:
        raise MissingError(f"no image {path}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is not an image whose size can be read: {error}") from None
    if orientation == "stored" and not tiff:
        return size
    tag = tag_of_file(path)
    refuse_tag(path, tag, orientation)
    return oriented_size(size, b"II*\0" if tiff else b"", tag, orientation)


def decoded_size(path: Path, orientation: Orientation = "stored") -> tuple[int, int]:
    """(width, height) of an image, fully decoded. Raises InputError for a damaged file, MissingError for none.

    orientation: as of `read_image`, but nothing is refused for its tag.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata that Pillow cannot parse; only pixels matter
        with opened(path) as (image, data):
            return oriented_size(image.size, data, tag_of(data), orientation)


def image_faults(path: Path, size: tuple[int, int] | None = None, orientation: Orientation = "stored") -> list[str]:
    """What is wrong with an image, for `hrbench datasets NAME --check`.

    size: (width, height) that its annotation states, None if it states none.
    orientation: as of `read_image`, but nothing is refused for its tag.
    """
    try:
        found = decoded_size(path, orientation)
        check_size(path, found, size, 1 if size in (None, found) else tag_of_file(path), orientation)
    except (InputError, MissingError) as error:
        return [str(error)]
    return []


def check_size(
    path: Path,
    found: tuple[int, int],
    stated: tuple[int, int] | None,
    tag: int = 1,
    orientation: Orientation = "stored",
) -> None:
    """Raises InputError if an image's (width, height) differs from the annotated one; None is not checked.

    tag, orientation: what the file says, and which picture was asked for, for the message.
    """
    if stated is not None and found != tuple(stated):
        remark = size_remark(found, stated, tag, orientation)
        raise InputError(
            f"image {path} is {found[0]}x{found[1]} pixels, its annotation says {stated[0]}x{stated[1]}{remark}",
            "orientation" if remark else "",
        )


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
