"""NumPy's archives of arrays (.npz), read without pickle, and only as far as the file is as large as it says.

NumPy believes the head of an array: it takes memory for a shape that is written there before it looks for the numbers,
so that a damaged file of a kilobyte can ask for a terabyte. Here each head is held to the size of its record first.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

HEAD_BYTES = 10_000  # of a record; NumPy's own limit


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Every array of an archive by its name.

    Raises OSError if it cannot be opened, and ValueError, with the cause in words, if it is damaged, or holds anything
    but arrays of numbers and text.
    """
    with path.open("rb") as stream:  # opened here, since NumPy does not close a file that is no complete archive
        try:
            with zipfile.ZipFile(stream) as archive:
                return {info.filename.removesuffix(".npy"): _array(archive, info) for info in archive.infolist()}
        except MemoryError:
            raise
        except Exception as error:  # a scrambled head leads zipfile, tokenize and NumPy to any
            text = " ".join(str(error).split())[:200]
            raise ValueError(f"{type(error).__name__}: {text}".rstrip(": ")) from None


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as stream:
        shape, dtype = _head(stream)
        start = stream.tell()
    if dtype.hasobject:
        raise ValueError(f"{info.filename} holds objects of Python")
    if start + math.prod(shape) * dtype.itemsize != info.file_size:
        raise ValueError(f"{info.filename} has {info.file_size} bytes, which is no array of shape {shape}")
    with archive.open(info) as stream:
        return npy.read_array(stream, allow_pickle=False)


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
