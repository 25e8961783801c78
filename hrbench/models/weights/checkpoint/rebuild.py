"""What the names in a checkpoint stand for: descriptions of tensors, plain collections, and stand-ins for all others.

The functions by which torch's pickles rebuild tensors are those of `torch/_utils.py` (torch 0.4 to 2.15); here each is
a function of the same arguments that makes a description.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hrbench.models.weights.checkpoint.values import (
    ITEM_SIZES,
    STORAGE_TYPES,
    BadPickle,
    GlobalName,
    SparseTensor,
    StandIn,
    Storage,
    Stored,
    StoredTensor,
    kind,
)

MOST_DIMENSIONS = 64  # torch's own limit
_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # of Python 2
_NETWORK_STATE = {"_parameters", "_buffers", "_modules"}


def named(module: str, name: str) -> GlobalName:
    """The name of a class or function, as in Python 3."""
    return GlobalName(f"{_RENAMED.get(module, module)}.{name}")


def call(target: Any, args: Any) -> Any:
    """What calling `target` with these arguments stands for. Nothing is called but the functions of this file.

    target: a `GlobalName`; anything else gives a stand-in.
    args: a tuple.

    Raises BadPickle for arguments that torch never writes.
    """
    if not isinstance(target, GlobalName):
        return StandIn(target.name if isinstance(target, StandIn) else type(target).__name__)
    make = _MADE.get(target.name)
    if make is None:
        return StandIn(target.name)
    if not isinstance(args, tuple):
        raise BadPickle(f"{target.name} is called with a {type(args).__name__}")
    return make(*args)


def build(target: Any, state: Any) -> None:
    """Sets the state of an object: only whether it is that of a torch module is kept."""
    if isinstance(target, StandIn) and isinstance(state, dict):
        target.network = target.network or state.keys() >= _NETWORK_STATE


def storage(told: Any) -> Storage | Any:
    """The storage that a persistent id of torch names: ("storage", class, key, location, count[, view of legacy]).

    A legacy pickle may also name the source of a class, ("module", class, file, source): then the class.
    Raises BadPickle.
    """
    if not isinstance(told, tuple) or len(told) < 2:
        raise BadPickle("a persistent id is no tuple")
    parts = list(told)
    if parts[0] == "module":
        return parts[1]
    if parts[0] != "storage" or len(parts) not in (5, 6):
        raise BadPickle("a persistent id names no storage")
    _, cls, key, _, count, *view = parts
    module, _, name = cls.name.rpartition(".") if isinstance(cls, GlobalName) else ("", "", "")
    if module.partition(".")[0] != "torch" or name not in STORAGE_TYPES:
        raise BadPickle(f"{kind(cls)} is no storage that hrbench knows")
    dtype = STORAGE_TYPES[name]
    if not _is_count(count) or not isinstance(key, (str, int)):
        raise BadPickle("a storage has no whole size")
    if not view or view[0] is None:
        return Storage(str(key), dtype, count)
    _, start, length = _view(view[0])
    if start + length > count:
        raise BadPickle("a view lies outside its storage")
    return Storage(str(key), dtype, length, start)


def _view(told: Any) -> tuple[Any, int, int]:
    if not isinstance(told, tuple) or len(told) != 3 or not all(map(_is_count, told[1:])):
        raise BadPickle("the view of a storage has no whole place")
    return told


# --- tensors ---------------------------------------------------------------------------------------------------------


def _tensor(
    kept: Any, offset: Any, shape: Any, stride: Any, grad: Any = False, hooks: Any = None, metadata: Any = None
) -> StoredTensor:
    return _checked(kept, getattr(kept, "dtype", ""), offset, shape, stride, metadata)


def _tensor_of_type(
    kept: Any, offset: Any, shape: Any, stride: Any, grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> StoredTensor:
    return _checked(kept, _dtype(dtype), offset, shape, stride, metadata)


def _quantised(
    kept: Any, offset: Any, shape: Any, stride: Any, quantiser: Any, grad: Any = False, hooks: Any = None
) -> StoredTensor:
    found = _checked(kept, getattr(kept, "dtype", ""), offset, shape, stride, None)
    if not isinstance(quantiser, tuple) or not quantiser or not isinstance(quantiser[0], GlobalName):
        raise BadPickle("a quantised tensor without its scales")
    scheme = quantiser[0].name.removeprefix("torch.")
    rest = quantiser[1:]
    if scheme == "per_tensor_affine":
        fits = len(rest) == 2 and isinstance(rest[0], (int, float)) and isinstance(rest[1], int)
    else:
        scales = rest[:2]
        fits = scheme in ("per_channel_affine", "per_channel_affine_float_qparams") and len(rest) == 3
        fits = fits and all(isinstance(each, StoredTensor) and len(each.shape) == 1 for each in scales)
        fits = fits and _is_count(rest[2]) and rest[2] < len(found.shape)
        fits = fits and all(each.shape[0] == found.shape[rest[2]] for each in scales)
    if not fits:
        raise BadPickle(f"a quantised tensor whose scales ({scheme}) do not fit it")
    return StoredTensor(found.storage, found.dtype, found.shape, found.stride, found.offset, quantiser=(scheme, *rest))


def _sparse(layout: Any, data: Any) -> SparseTensor:
    name = layout.name.removeprefix("torch.") if isinstance(layout, GlobalName) else ""
    if not isinstance(data, tuple):
        raise BadPickle("a sparse tensor without its parts")
    many = {"sparse_coo": 2, "sparse_csr": 3, "sparse_csc": 3, "sparse_bsr": 3, "sparse_bsc": 3}.get(name)
    if many is None or len(data) not in (many + 1, many + 2):
        raise BadPickle(f"a sparse tensor of the layout {name!r}")
    parts, shape = data[:many], _sizes(data[many])
    if not all(isinstance(part, StoredTensor) for part in parts):
        raise BadPickle("a sparse tensor without its parts")
    return SparseTensor(name, parts[-1].dtype, shape, parts)


def _without_values(dtype: Any, shape: Any, stride: Any, grad: Any = False) -> StoredTensor:
    return StoredTensor(None, _dtype(dtype), _sizes(shape), _counts(stride))


def _parameter(data: Any = None, *rest: Any) -> Any:
    return data if isinstance(data, Stored) else StandIn("torch.nn.parameter.Parameter")


def _from_type(make: Any, cls: Any, args: Any, state: Any = None) -> Any:
    """A tensor of a class of its own, or with attributes: the tensor alone."""
    plain = isinstance(make, GlobalName) and make.name.removeprefix("torch._utils.") in _UTILS
    return call(make, args) if plain else StandIn(kind(make))


def _moved(data: Any, dtype: Any, device: Any, grad: Any = False) -> Any:
    if isinstance(data, StoredTensor) and isinstance(dtype, GlobalName) and _dtype(dtype) == data.dtype:
        return data
    return StandIn("torch._utils._rebuild_device_tensor_from_cpu_tensor")


def _checked(kept: Any, dtype: str, offset: Any, shape: Any, stride: Any, metadata: Any) -> StoredTensor:
    """A tensor that lies within its storage."""
    sizes, strides = _sizes(shape), _counts(stride)
    if not isinstance(kept, Storage) or not _is_count(offset) or len(sizes) != len(strides):
        raise BadPickle("a tensor without its storage, offset or strides")
    reach = offset + sum((size - 1) * step for size, step in zip(sizes, strides, strict=True)) + 1 if all(sizes) else 0
    if reach * ITEM_SIZES[dtype] > kept.count * ITEM_SIZES[kept.dtype]:
        shown = "x".join(map(str, sizes)) or "one number"
        raise BadPickle(f"a tensor ({shown}) reaches beyond its storage of {kept.count:,} elements")
    flags = metadata if isinstance(metadata, dict) else {}
    return StoredTensor(
        kept, dtype, sizes, strides, offset, conjugate=bool(flags.get("conj")), negative=bool(flags.get("neg"))
    )


def _sizes(value: Any) -> tuple[int, ...]:
    sizes = _counts(value)
    if math.prod(filter(None, sizes)) >= 2**60:
        raise BadPickle("a tensor has more elements than there are addresses")
    return sizes


def _counts(value: Any) -> tuple[int, ...]:
    if not isinstance(value, (tuple, list)) or len(value) > MOST_DIMENSIONS or not all(map(_is_count, value)):
        raise BadPickle("a tensor's shape or strides are no whole numbers")
    return tuple(map(int, value))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 2**63


def _dtype(value: Any) -> str:
    name = value.name.removeprefix("torch.") if isinstance(value, GlobalName) else ""
    if name not in ITEM_SIZES:
        raise BadPickle(f"a tensor of the type {name or type(value).__name__}, which hrbench does not know")
    return name


# --- plain values ----------------------------------------------------------------------------------------------------


def _ordered(pairs: Any = (), *rest: Any) -> dict[Any, Any]:
    """An OrderedDict: of Python 3, empty until its items are set; of Python 2, a list of pairs."""
    if isinstance(pairs, dict):
        return dict(pairs)
    if not isinstance(pairs, (list, tuple)):
        return {}
    if not all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], (str, int)) for pair in pairs
    ):
        raise BadPickle("an OrderedDict of other things than pairs")
    return {key: value for key, value in pairs}  # noqa: C416


def _set(values: Any = ()) -> set[Any]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(one, (str, int, float)) for one in values):
        raise BadPickle("a set of other things than numbers and texts")
    return set(values)


def _encoded(text: Any, encoding: Any = "utf-8") -> bytes:
    """Bytes, as protocol 2 writes them."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise BadPickle("bytes that are no text in a known encoding")
    return text.encode(encoding)


def _bytearray(text: Any = b"", *rest: Any) -> bytearray:
    """Bytes that can change. A number would ask for so many zeros: torch's writers give bytes or a text."""
    if isinstance(text, bytes):
        return bytearray(text)
    if not isinstance(text, str):
        raise BadPickle("a bytearray of a number")
    return bytearray(text.encode("latin-1"))


def _complex(real: Any = 0.0, imaginary: Any = 0.0) -> complex:
    if not isinstance(real, (int, float)) or not isinstance(imaginary, (int, float)):
        raise BadPickle("a complex number of other things than numbers")
    return complex(real, imaginary)


def _size(values: Any = ()) -> tuple[int, ...]:
    return _sizes(values)


def _layout(text: Any = "", *rest: Any) -> GlobalName:
    return GlobalName(str(text)) if isinstance(text, str) else GlobalName("")


def _reconstructed(cls: Any = None, *rest: Any) -> StandIn:
    """An object of a class in Python's oldest way of writing one."""
    return StandIn(cls.name if isinstance(cls, GlobalName) else "object")


_UTILS: dict[str, Callable[..., Any]] = {
    "_rebuild_tensor": _tensor,
    "_rebuild_tensor_v2": _tensor,
    "_rebuild_tensor_v3": _tensor_of_type,
    "_rebuild_qtensor": _quantised,
    "_rebuild_sparse_tensor": _sparse,
    "_rebuild_sparse_csr_tensor": _sparse,
    "_rebuild_meta_tensor_no_storage": _without_values,
    "_rebuild_parameter": _parameter,
    "_rebuild_parameter_with_state": _parameter,
    "_rebuild_device_tensor_from_cpu_tensor": _moved,
}

_MADE: dict[str, Callable[..., Any]] = {
    **{f"torch._utils.{name}": make for name, make in _UTILS.items()},
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch._tensor._rebuild_from_type": _from_type,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.nn.parameter.Buffer": _parameter,
    "torch.Size": _size,
    "torch.serialization._get_layout": _layout,
    "collections.OrderedDict": _ordered,
    "collections.Counter": _ordered,
    "collections.defaultdict": lambda *rest: {},
    "builtins.dict": _ordered,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "builtins.bytes": lambda: b"",  # those with anything in them are written otherwise
    "builtins.bytearray": _bytearray,
    "builtins.complex": _complex,
    "_codecs.encode": _encoded,
    "copyreg._reconstructor": _reconstructed,
}
"""Dotted name -> what stands for calling it."""
