"""What a checkpoint's pickle describes, as data: tensors by their place in a storage, and stand-ins for all else.

Plain values (numbers, texts, bytes, lists, tuples, sets and mappings) stand for themselves. Nothing here needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ITEM_SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1,
    "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1,
    "bool": 1, "complex128": 16, "complex64": 8, "complex32": 4,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
    "qint8": 1, "quint8": 1, "qint32": 4,
}  # fmt: skip
"""Bytes of an element, by the name of its type in torch."""

STORAGE_TYPES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64", "QInt8Storage": "qint8", "QUInt8Storage": "quint8", "QInt32Storage": "qint32",
    "UntypedStorage": "uint8",
}  # fmt: skip
"""Class of a storage -> type of its elements. That of an untyped one is told by each tensor; its length is in bytes."""


class BadPickle(ValueError):
    """A pickle that no writer of checkpoints makes: damaged, truncated or hostile."""


@dataclass(frozen=True, slots=True, eq=False)
class GlobalName:
    """A class, function or constant that the pickle names. It is never imported. name: dotted, as in Python 3."""

    name: str


@dataclass(slots=True, eq=False)
class StandIn:
    """In place of an object that only its own code could make.

    name: of its class, or of the function that would have made it.
    network: whether its state is that of a torch module.
    """

    name: str
    network: bool = False


@dataclass(frozen=True, slots=True)
class Storage:
    """Numbers in a file.

    key: names them there.
    dtype: of the elements.
    count: how many there are.
    start: the element of the stored ones that this view begins with.
    """

    key: str
    dtype: str
    count: int
    start: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A tensor by its place in a storage; the fields that torch needs to show it as a view.

    storage: None for a tensor without values (of the meta device).
    dtype: name in torch, such as "float32".
    shape, stride: in elements, one number a dimension.
    offset: of the first element.
    conjugate, negative: whether its values are to be conjugated or negated on reading.
    quantiser: ("per_tensor_affine", scale, zero point) or ("per_channel_affine", scales, zero points, axis).
    """

    storage: Storage | None
    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int = 0
    conjugate: bool = False
    negative: bool = False
    quantiser: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SparseTensor:
    """A sparse tensor. layout: "sparse_coo", "sparse_csr" and so on; parts: indices and values, in torch's order."""

    layout: str
    dtype: str
    shape: tuple[int, ...]
    parts: tuple[StoredTensor, ...]


Stored = StoredTensor | SparseTensor


def kind(value: Any) -> str:
    """What a value is, in a word, for messages.

    >>> kind(3), kind(StandIn("argparse.Namespace")), kind({})
    ('int', 'argparse.Namespace', 'dict')
    """
    if isinstance(value, (StandIn, GlobalName)):
        return value.name
    return "Tensor" if isinstance(value, (StoredTensor, SparseTensor)) else type(value).__name__
