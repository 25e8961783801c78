"""NumPy's arrays (.npy) and archives of them (.npz), read without pickle and with no more memory than there is to read.

NumPy believes the head of an array: it takes memory for a shape that is written there before it looks for the numbers,
so that a damaged file of a kilobyte can ask for a terabyte. Here each head is held to the size of its record first.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from numpy.lib import format as npy

HEAD_BYTES = 10_000  # of a record; NumPy's own limit
MOST_DEFLATED = 1040  # bytes that one compressed byte can stand for; deflate reaches 1,032
T = TypeVar("T")


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Every array of an archive by its name.

    Raises OSError if it cannot be opened, and ValueError, with the cause in words, if it is damaged, or holds anything
    but arrays of numbers and text.
    """
    return _of_each(path, _array)


def npz_heads(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and dtype of every array by its name; no number is read. Raises what `read_npz` raises."""
    return _of_each(path, _checked_head)


def _of_each(path: Path, read: Callable[[zipfile.ZipFile, zipfile.ZipInfo], T]) -> dict[str, T]:
    with path.open("rb") as stream:  # opened here, since NumPy does not close a file that is no complete archive
        try:
            with zipfile.ZipFile(stream) as archive:
                return {info.filename.removesuffix(".npy"): read(archive, info) for info in archive.infolist()}
        except MemoryError:
            raise
        except Exception as error:  # a scrambled head leads zipfile, tokenize and NumPy to any
            text = " ".join(str(error).split())[:200]
            raise ValueError(f"{type(error).__name__}: {text}".rstrip(": ")) from None


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    _checked_head(archive, info)
    with archive.open(info) as stream:
        return npy.read_array(stream, allow_pickle=False)


def _checked_head(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of a record. Raises ValueError unless it is as large as that, and can be in so many bytes."""
    with archive.open(info) as stream:
        shape, dtype = _head(stream)
        start = stream.tell()
    if dtype.hasobject:
        raise ValueError(f"{info.filename} holds objects of Python")
    if start + math.prod(shape) * dtype.itemsize != info.file_size:
        raise ValueError(f"{info.filename} has {info.file_size} bytes, which is no array of shape {shape}")
    if info.file_size > MOST_DEFLATED * info.compress_size:
        raise ValueError(f"{info.filename} is to hold {math.prod(shape):,} numbers, more than there are")
    return shape, dtype


def read_npy(data: bytes) -> np.ndarray:
    """The array of a `.npy` file. Raises ValueError, with the cause in words, if it is damaged or holds objects."""
    try:
        stream = io.BytesIO(data)
        shape, dtype = _head(stream)
        if dtype.hasobject:
            raise ValueError("it holds objects of Python")
        if stream.tell() + math.prod(shape) * dtype.itemsize > len(data):
            raise ValueError(f"it is cut off: {len(data)} bytes are no array of shape {shape}")
        return npy.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # as above
        text = " ".join(str(error).split())[:200]
        raise ValueError(text or type(error).__name__) from None


def _head(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of an array, as the beginning of its record says."""
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = npy.read_array_header_1_0(stream, max_header_size=HEAD_BYTES)
    elif version == (2, 0):
        shape, _, dtype = npy.read_array_header_2_0(stream, max_header_size=HEAD_BYTES)
    else:
        raise ValueError(f"an array in the form {version}")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"an array of shape {shape}")
    return shape, dtype
