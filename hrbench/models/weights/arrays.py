"""Files of named arrays as tensors: NumPy's .npz, and the .h5 that Keras writes. Neither holds code that could run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hrbench.core.npz import read_npz as read_arrays
from hrbench.errors import InputError, MissingError


def read_npz(path: Path) -> dict[str, Tensor]:
    """Every array by its name. Raises InputError for a damaged file, and for arrays of anything but numbers."""
    try:
        return {name: torch.from_numpy(array) for name, array in read_arrays(path).items()}
    except (OSError, ValueError, TypeError) as error:  # TypeError: of torch, for arrays of text
        raise InputError(f"{path}: not a whole .npz file of numbers (damaged or truncated?): {_line(error)}") from error


def read_h5(path: Path) -> dict[str, Tensor]:
    """Every variable of a Keras model by its own name, e.g. "conv2d_5/kernel:0".

    Files of `save_weights` list each layer's variables in the attribute "weight_names"; elsewhere (other writers) a
    variable goes by its path. Raises MissingError if h5py is not installed, InputError for a damaged file.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingError(f"{path}: reading .h5 files needs h5py: pip install 'hrbench[keras]'") from error
    try:
        with h5py.File(path, "r") as file:
            return _variables(file.get("model_weights", file), h5py)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(f"{path}: not a whole .h5 file of numbers (damaged or truncated?): {_line(error)}") from error


def _variables(root: Any, h5py: Any) -> dict[str, Tensor]:
    if "layer_names" in root.attrs:
        named = {
            _text(name): layer[name]
            for layer in (root[name] for name in root.attrs["layer_names"])
            for name in layer.attrs["weight_names"]
        }
    else:
        named = {}
        root.visititems(lambda name, item: named.update({name: item} if isinstance(item, h5py.Dataset) else {}))
    return {name: torch.from_numpy(np.asarray(item)) for name, item in named.items()}


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}".rstrip(": ")
