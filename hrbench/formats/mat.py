"""Reads numbers and names from MATLAB files of level 5, and checks every size before using it.

SciPy's reader (1.17) crashes the whole process with a segmentation fault on many damaged files; this one cannot. It
reads what MPII and ImageNet need: numeric and logical arrays, text, and cells and structures of these. Source:
MathWorks, MAT-File Format, "Level 5 MAT-Files".
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_TEXT = {1: "latin-1", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED, _CELL, _STRUCTURE, _CHAR, _COMPLEX = 14, 15, 1, 2, 4, 0x08
MAX_BYTES = 1 << 30  # of one decompressed variable
MAX_DEPTH = 4  # nested cells and structures


def read_mat(data: bytes, names: tuple[str, ...]) -> dict[str, Any]:
    """The variables `names` that the file holds, by name.

    Numbers: arrays of the variable's class and shape (native byte order, column-major as stored); text: str; cells: a
    list of these in column-major order; structures: a list of one mapping of field to value for each element, likewise.
    Raises ValueError if it is not such a file, is damaged, or holds other types.
    """
    if len(data) < 128 or data[126:128] not in (b"IM", b"MI"):
        raise ValueError("not a MATLAB file of level 5 (save it with scipy.io.savemat, or in MATLAB with -v7)")
    order = "<" if data[126:128] == b"IM" else ">"
    found: dict[str, Any] = {}
    for kind, body in _elements(memoryview(data)[128:], order):
        if kind == _COMPRESSED:
            kind, body = _decompressed(bytes(body), order)
        if kind != _MATRIX:
            raise ValueError(f"a variable is expected, but there is an element of type {kind}")
        name, value = _variable(body, order, names)
        if name in names:
            found[name] = value
    return found


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """(type, content) of each data element in turn."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("the file ends within an element")
        first, size = np.frombuffer(data[at : at + 8], f"{order}u4").tolist()
        if first >> 16:  # a small element: type, size and up to four bytes in one tag
            kind, size, start, step = first & 0xFFFF, first >> 16, at + 4, 8
            if size > 4:
                raise ValueError("a small element says it is large")
        else:
            kind, start = first, at + 8
            step = 8 + size + (0 if kind == _COMPRESSED else -size % 8)
        if start + size > len(data):
            raise ValueError("an element is longer than the file")
        yield kind, data[start : start + size]
        at += step


def _decompressed(packed: bytes, order: str) -> tuple[int, memoryview]:
    try:
        unfolded = zlib.decompressobj().decompress(packed, MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"a compressed variable is damaged ({error})") from None
    for kind, body in _elements(memoryview(unfolded), order):
        return kind, body
    raise ValueError("a compressed variable is empty")


def _variable(body: memoryview, order: str, names: tuple[str, ...] | None, depth: int = 0) -> tuple[str, Any]:
    """(name, value) of a matrix element; the value is None if `names` (None: all) does not hold the name."""
    if not body and depth:  # how MATLAB writes an empty cell or field
        return "", np.zeros((0, 0))
    parts = _elements(body, order)
    try:
        flags, dims, title = next(parts)[1], next(parts)[1], next(parts)[1]
        array_class, marks = (
            np.frombuffer(flags, f"{order}u4")[0].item() & 0xFF,
            np.frombuffer(flags, f"{order}u4")[0] >> 8,
        )
        shape = tuple(np.frombuffer(dims, f"{order}i4").tolist())
        name = bytes(title).decode("ascii")
    except (StopIteration, IndexError, UnicodeDecodeError):
        raise ValueError("the head of a variable is damaged") from None
    if names is not None and name not in names:
        return name, None
    many = math.prod(shape)
    if len(shape) < 2 or min(shape) < 0 or many > MAX_BYTES:
        raise ValueError(f"{name or 'a cell'} has the impossible shape {shape}")
    if array_class == _CELL and depth < MAX_DEPTH:
        inner = [_variable(part, order, None, depth + 1)[1] for kind, part in parts if kind == _MATRIX]
        if len(inner) != many:
            raise ValueError(f"{name} should hold {many} cells, not {len(inner)}")
        return name, inner
    if array_class == _STRUCTURE and depth < MAX_DEPTH:
        return name, _structures(name, parts, order, many, depth)
    if (array_class not in _CLASSES and array_class != _CHAR) or marks & _COMPLEX:
        raise ValueError(f"{name or 'a cell'} is neither numbers, text, cells nor structures (class {array_class})")
    kind, content = next(parts, (0, memoryview(b"")))
    return name, _text(kind, content, order) if array_class == _CHAR else _numbers(
        name, kind, content, order, array_class, shape
    )


def _structures(
    name: str, parts: Iterator[tuple[int, memoryview]], order: str, many: int, depth: int
) -> list[dict[str, Any]]:
    """The elements of an array of structures: field -> value."""
    (length,) = np.frombuffer(next(parts, (0, memoryview(bytes(4))))[1], f"{order}i4").tolist()[:1] or [0]
    heads = bytes(next(parts, (0, memoryview(b"")))[1])
    if length < 1 or len(heads) % length:
        raise ValueError(f"the fields of {name} are damaged")
    fields = [heads[at : at + length].split(b"\0")[0].decode("latin-1") for at in range(0, len(heads), length)]
    values = [_variable(part, order, None, depth + 1)[1] for kind, part in parts if kind == _MATRIX]
    if len(values) != many * len(fields):
        raise ValueError(f"{name} should hold {many} structures of {len(fields)} fields, not {len(values)} values")
    starts = range(0, len(values), len(fields)) if fields else []
    return [dict(zip(fields, values[at : at + len(fields)], strict=True)) for at in starts]


def _numbers(
    name: str, kind: int, content: memoryview, order: str, array_class: int, shape: tuple[int, ...]
) -> np.ndarray:
    """An array; MATLAB may store it in a smaller type than its class."""
    if kind not in _NUMBERS and content:
        raise ValueError(f"{name} is stored in the unknown type {kind}")
    stored = np.dtype(order + _NUMBERS.get(kind, "u1"))
    if len(content) != math.prod(shape) * stored.itemsize:
        raise ValueError(f"{name} should be of shape {shape}, but holds {len(content)} bytes")
    with np.errstate(invalid="ignore"):  # a damaged NaN is NaN
        return np.frombuffer(content, stored).astype(_CLASSES[array_class]).reshape(shape, order="F")


def _text(kind: int, content: memoryview, order: str) -> str:
    if kind not in _TEXT and content:
        raise ValueError(f"text is stored in the unknown type {kind}")
    code = _TEXT.get(kind, "utf-8")
    return bytes(content).decode(code + ("-le" if order == "<" else "-be") if code in ("utf-16", "utf-32") else code)
