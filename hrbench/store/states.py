"""states.npz: the state of a metric, read without pickle.

The form of the file has a number of its own, which has nothing to do with the metric's version: a new form changes no
number. Every format that was ever written is read.

Format 3: of COCO's metrics only pairs of image and category that have objects are kept (`state_format_2`).
Format 2: metrics put digests of each image's ground truth among the arrays, and float64 arrays are stored by the place
of their bytes, all first bytes, then all second ones, which compresses to four fifths and in a fraction of the time.
Format 1: neither, and no number of the format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hrbench.core.files import write_whole
from hrbench.core.npz import read_npz
from hrbench.errors import InputError, MissingError
from hrbench.store.state_format_2 import occupied_alone
from hrbench.types import State

FORMAT = 3
"""Of the file; raised if an older hrbench could misread a newer one."""


def state_file(metrics: Sequence[str], number: int) -> str:
    """The name in an entry's folder of the state of the metric with this number among those that scored the entry."""
    return f"states-{metrics[number]}.npz" if number else "states.npz"


def write_state(state: State, path: Path) -> None:
    """Writes states.npz: the arrays, and metric, version and parameters as JSON in an array of bytes."""
    planes = {name: list(each.shape) for name, each in state.arrays.items() if each.dtype == np.float64}
    head = {"format": FORMAT, "metric": state.metric, "version": state.version, "params": dict(state.params)}
    arrays: dict[str, Any] = {"__head__": np.frombuffer(msgspec.json.encode({**head, "planes": planes}), np.uint8)}
    arrays |= {name: _planes(each) if name in planes else each for name, each in state.arrays.items()}
    write_whole(path, lambda stream: np.savez_compressed(stream, **arrays))


def read_state(path: Path) -> State:
    """Reads states.npz without pickle. Raises InputError if the file is damaged."""
    try:
        arrays = read_npz(path)
        head = msgspec.json.decode(arrays.pop("__head__").tobytes())
        if head.get("format", 1) > FORMAT:
            raise ValueError(f"it has format {head['format']}, this hrbench reads up to {FORMAT}")
        arrays |= {name: _whole(arrays[name], shape) for name, shape in head.get("planes", {}).items()}
        if head.get("format", 1) < 3:
            arrays = occupied_alone(head["metric"], arrays)
        return State(head["metric"], head["version"], head["params"], arrays)
    except FileNotFoundError:
        raise MissingError(f"no file {path}") from None
    except Exception as error:  # zip, header and JSON errors alike mean a damaged file
        raise InputError(f"{path} is not a state of hrbench: {error}") from None


def _planes(array: np.ndarray) -> np.ndarray:
    """(8, N) uint8: the first bytes of all numbers, the second ones, ..."""
    return np.ascontiguousarray(array.astype("<f8").reshape(-1).view(np.uint8).reshape(-1, 8).T)


def _whole(planes: np.ndarray, shape: list[int]) -> np.ndarray:
    """The float64 numbers of some shape whose bytes lie in planes."""
    return np.ascontiguousarray(planes.T).view("<f8").reshape(shape).astype(np.float64)
