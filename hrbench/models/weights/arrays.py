"""Files of named arrays as tensors: NumPy's .npz, and the .h5 that Keras writes. Neither holds code that could run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from hrbench.core.npz import npz_heads
from hrbench.core.npz import read_npz as read_arrays
from hrbench.core.text import first_sentence
from hrbench.errors import InputError, MissingError

T = TypeVar("T")


def read_npz(path: Path) -> dict[str, Tensor]:
    """Every array by its name. Raises InputError for a damaged file, and for arrays of anything but numbers."""
    return _of_npz(path, lambda: {name: torch.from_numpy(array) for name, array in read_arrays(path).items()})


def npz_layout(path: Path) -> dict[str, Tensor]:
    """The same shapes and types as tensors of the meta device; no number is read. Raises what `read_npz` raises."""
    return _of_npz(path, lambda: {name: _meta(shape, dtype) for name, (shape, dtype) in npz_heads(path).items()})


def _of_npz(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except (OSError, ValueError, TypeError, MemoryError) as error:  # TypeError: of torch, for arrays of text
        raise InputError(
            f"{path}: not a whole .npz file of numbers (damaged or truncated?): {first_sentence(error)}"
        ) from error


def _meta(shape: tuple[int, ...], dtype: np.dtype) -> Tensor:
    """A tensor of the meta device. Raises TypeError for a type that torch lacks."""
    return torch.empty(shape, dtype=torch.from_numpy(np.empty(0, dtype)).dtype, device="meta")


def read_h5(path: Path) -> dict[str, Tensor]:
    """Every variable of a Keras model by its own name, e.g. "conv2d_5/kernel:0".

    Files of `save_weights` list each layer's variables in the attribute "weight_names"; elsewhere (other writers) a
    variable goes by its path. Raises MissingError if h5py is not installed, InputError for a damaged file.
    """
    return _of_h5(path, lambda item: torch.from_numpy(np.asarray(item)))


def h5_layout(path: Path) -> dict[str, Tensor]:
    """The same shapes and types as tensors of the meta device; no number is read. Raises what `read_h5` raises."""
    return _of_h5(path, lambda item: _meta(tuple(item.shape), item.dtype))


def _of_h5(path: Path, read: Callable[[Any], Tensor]) -> dict[str, Tensor]:
    try:
        import h5py
    except ImportError as error:
        raise MissingError(f"{path}: reading .h5 files needs h5py: pip install 'hrbench[keras]'") from error
    try:
        with h5py.File(path, "r") as file:
            return {name: read(item) for name, item in _variables(file.get("model_weights", file), h5py).items()}
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, MemoryError) as error:
        raise InputError(
            f"{path}: not a whole .h5 file of numbers (damaged or truncated?): {first_sentence(error)}"
        ) from error


def _variables(root: Any, h5py: Any) -> dict[str, Any]:
    if "layer_names" in root.attrs:
        return {
            _text(name): layer[name]
            for layer in (root[name] for name in root.attrs["layer_names"])
            for name in layer.attrs["weight_names"]
        }
    named: dict[str, Any] = {}
    root.visititems(lambda name, item: named.update({name: item} if isinstance(item, h5py.Dataset) else {}))
    return named


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
