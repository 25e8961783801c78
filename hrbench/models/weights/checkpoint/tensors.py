"""Descriptions of tensors to tensors: views of the mapped file, or without values on the meta device."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hrbench.models.weights.checkpoint.archive import CheckpointFile, NotACheckpoint
from hrbench.models.weights.checkpoint.values import ITEM_SIZES, SparseTensor, Stored, StoredTensor

MOST_TIMES = 16
SPARE = 2**20
"""Tensors may take together `MOST_TIMES` the file's size and this more: an expanded one takes more than it stores."""
_VF: Any = torch  # some functions of torch have no types
_PLAIN = {"qint8": "int8", "quint8": "uint8", "qint32": "int32"}


def state_of(stored: Mapping[str, Stored], file: CheckpointFile) -> dict[str, Tensor]:
    """Key -> tensor, on the CPU; dense and plain ones are views of the file, and two of one storage share it.

    Raises NotACheckpoint for numbers that are not in the file, and for tensors that would take far more than it.
    """
    total = sum(_bytes(one) for one in stored.values())
    if total > MOST_TIMES * len(file.data) + SPARE:
        raise NotACheckpoint(f"its tensors are to take {total:,} bytes, and the file has {len(file.data):,}")
    storages: dict[tuple[str, int, int], Tensor] = {}
    return {key: _tensor(one, file, storages) for key, one in stored.items()}


def without_values(stored: Mapping[str, Stored]) -> dict[str, Tensor]:
    """Key -> tensor of the same shape and type on the meta device. Raises NotACheckpoint for a type torch lacks."""
    return {
        key: torch.empty(one.shape, dtype=_dtype(_PLAIN.get(one.dtype, one.dtype)), device="meta")
        for key, one in stored.items()
    }


def _bytes(one: Stored) -> int:
    if isinstance(one, SparseTensor):
        return sum(map(_bytes, one.parts))
    return math.prod(one.shape) * ITEM_SIZES[one.dtype]


def _dtype(name: str) -> torch.dtype:
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise NotACheckpoint(f"it has tensors of the type {name}, which torch {torch.__version__} lacks")
    return found


def _tensor(one: Stored, file: CheckpointFile, storages: dict[tuple[str, int, int], Tensor]) -> Tensor:
    if isinstance(one, SparseTensor):
        return _sparse(one, [_tensor(part, file, storages) for part in one.parts])
    if one.storage is None:
        raise NotACheckpoint("it has tensors of the meta device, which have no values")
    key = (one.storage.key, one.storage.start, one.storage.count * ITEM_SIZES[one.storage.dtype])
    if key not in storages:
        storages[key] = _raw(one, file)
    dtype = _dtype(_PLAIN.get(one.dtype, one.dtype))
    raw, item = storages[key], ITEM_SIZES[one.dtype]
    whole = raw[: len(raw) // item * item].view(dtype)
    found = whole.as_strided(one.shape, one.stride, one.offset) if all(one.shape) else whole.new_empty(one.shape)
    if one.conjugate:
        found = found.conj().resolve_conj()
    if one.negative:
        found = -found
    return _quantised(found, one.quantiser, file, storages) if one.quantiser else found


def _raw(one: StoredTensor, file: CheckpointFile) -> Tensor:
    """The bytes of a tensor's storage, (B,) uint8, in this machine's order and aligned to their type."""
    assert one.storage is not None
    data, start, size = file.numbers(one.storage)
    if not size:
        return torch.empty(0, dtype=torch.uint8)
    if not file.swapped and start % 16 == 0 and data is file.data:
        return torch.frombuffer(data, dtype=torch.uint8, count=size, offset=start)
    if data is file.data:  # read anew: pages of the mapped file would be in memory beside the copy
        copied = np.fromfile(file.path, np.uint8, size, offset=start)
    else:
        copied = np.frombuffer(data, np.uint8, size, start).copy()
    if len(copied) != size:
        raise NotACheckpoint("the file is shorter than it was")
    if file.swapped:
        half = 2 if one.dtype.startswith("complex") else 1  # real and imaginary parts are swapped apart
        item = ITEM_SIZES[one.dtype] // half
        copied = copied[: size // item * item].view(f"u{item}").byteswap().view(np.uint8)
    return torch.from_numpy(copied)


def _quantised(
    found: Tensor, quantiser: tuple, file: CheckpointFile, storages: dict[tuple[str, int, int], Tensor]
) -> Tensor:
    scheme, *rest = quantiser
    with warnings.catch_warnings():  # torch wants no new ones of them
        warnings.filterwarnings("ignore", message=".*quantized tensor creation")
        if scheme == "per_tensor_affine":
            return _VF._make_per_tensor_quantized_tensor(found.contiguous(), float(rest[0]), int(rest[1]))
        scales, zeros = (_tensor(each, file, storages) for each in rest[:2])
        return _VF._make_per_channel_quantized_tensor(found.contiguous(), scales, zeros, int(rest[2]))


def _sparse(one: SparseTensor, parts: list[Tensor]) -> Tensor:
    """A sparse tensor whose indices were checked to lie within it."""
    try:
        if one.layout == "sparse_coo":
            return _VF.sparse_coo_tensor(*parts, one.shape, check_invariants=True)
        layout = getattr(torch, one.layout)
        return _VF.sparse_compressed_tensor(*parts, one.shape, layout=layout, check_invariants=True)
    except (RuntimeError, IndexError, TypeError) as error:
        raise NotACheckpoint(
            f"it has a sparse tensor that is none: {str(error).partition(chr(10))[0][:200]}"
        ) from error
