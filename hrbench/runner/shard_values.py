"""What tasks predict, as bytes and back without loss: arrays, rows, strings and numbers; no pickle.

    data = packed(value)
    unpacked(data)          # equal to `value`, bit for bit, of the same types

MessagePack, with extensions for what it does not know: arrays and NumPy's numbers by dtype, shape and bytes; tuples,
which differ from lists; whole numbers of more than 64 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from hrbench.errors import EntryError

ARRAY, SCALAR, TUPLE, LONG = 1, 2, 3, 4
"""Numbers of the extensions."""

_KINDS = "biufcSU"
"""Kinds of dtypes whose elements are their bytes."""

_NATIVE = (bool, int, float, str, bytes)


def packed(value: Any) -> bytes:
    """The bytes of a value. Raises EntryError for one of a type that would not come back as it is."""
    return msgspec.msgpack.encode(_plain(value))


def unpacked(data: bytes | bytearray | memoryview) -> Any:
    """The value of bytes that `packed` made. Arrays can be written to. Raises ValueError for other bytes."""
    try:
        return msgspec.msgpack.decode(data, ext_hook=_extended)
    except (msgspec.MsgspecError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _plain(value: Any) -> Any:
    kind = type(value)
    if value is None or kind in (bool, float, str, bytes):
        return value
    if kind is int:
        return value if -(2**63) <= value < 2**64 else msgspec.msgpack.Ext(LONG, str(value).encode())
    if kind is list:
        return [_plain(one) for one in value]
    if kind is tuple:
        return msgspec.msgpack.Ext(TUPLE, msgspec.msgpack.encode([_plain(one) for one in value]))
    if isinstance(value, np.ndarray | np.generic):
        return _array(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(one) for key, one in value.items()}
    raise EntryError(
        f"a prediction holds a value of type {kind.__module__}.{kind.__qualname__}, which cannot be stored in a file: "
        "use arrays, lists, tuples, mappings, strings and numbers, or run without shards"
    )


def _key(key: Any) -> Any:
    if type(key) in _NATIVE:
        return key
    if isinstance(key, np.generic):  # equal to the number itself, as a key
        return key.item()
    raise EntryError(f"a prediction holds a mapping with a key of type {type(key).__qualname__}: use strings")


def _array(value: np.ndarray | np.generic) -> msgspec.msgpack.Ext:
    if value.dtype.kind not in _KINDS:
        raise EntryError(
            f"a prediction holds an array of dtype {value.dtype}, which cannot be stored in a file: use numbers or text"
        )
    if isinstance(value, np.generic):
        data = msgspec.msgpack.encode([value.dtype.str, value.tobytes()])
        return msgspec.msgpack.Ext(SCALAR, data)
    data = msgspec.msgpack.encode([value.dtype.str, list(value.shape), value.tobytes()])
    return msgspec.msgpack.Ext(ARRAY, data)


def _extended(code: int, data: memoryview) -> Any:
    if code == LONG:
        return int(bytes(data).decode())
    value = msgspec.msgpack.decode(data, ext_hook=_extended)
    if code == TUPLE:
        return tuple(value)
    if code == SCALAR:
        dtype, content = value
        return np.frombuffer(content, np.dtype(dtype))[0]
    if code == ARRAY:
        dtype, shape, content = value
        return np.frombuffer(bytearray(content), np.dtype(dtype)).reshape(shape)
    raise ValueError(f"no extension has the number {code}")
