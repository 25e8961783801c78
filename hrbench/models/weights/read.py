"""A weights file to tensors by key, or to their shapes and types alone. Nothing in a file is ever run.

    read_state(path)                      # key -> tensor
    read_layout(path).state["fc.bias"]    # a tensor of the meta device: a shape and a type, no number was read

Takes .safetensors; .pth, .pt, .ckpt, .bin and .tar as `torch.save` writes them (`checkpoint/`); and Keras variables by
name in .npz or .h5.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from hrbench.core.remote import mirror
from hrbench.core.text import first_sentence
from hrbench.errors import InputError, MissingError
from hrbench.models.weights.arrays import h5_layout, npz_layout, read_h5, read_npz
from hrbench.models.weights.checkpoint.archive import NotACheckpoint, OldTar, TorchScript, opened
from hrbench.models.weights.checkpoint.containers import NoStateDict, WholeNetwork, choose
from hrbench.models.weights.checkpoint.tensors import state_of, without_values
from hrbench.models.weights.key_maps import AVERAGES, shared_prefix, without_ignored, without_prefixes
from hrbench.types import Note

PICKLES = (".pth", ".pt", ".ckpt", ".bin", ".tar")
ARRAYS = {".npz": (read_npz, npz_layout), ".h5": (read_h5, h5_layout)}
PRESENT = {"numpy", "torch"}  # always installed with hrbench
SAFETENSORS_TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "C64": "complex64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadWeights:
    """What a file holds.

    state: key -> tensor; on the meta device where no numbers were read.
    notes: which part of a checkpoint was taken, and which prefix was dropped as asked for.
    """

    state: dict[str, Tensor]
    notes: tuple[Note, ...] = ()


def read_state(path: Path, key: str = "") -> dict[str, Tensor]:
    """The tensors of a file by key, on the CPU, without those prefixes of wrappers that all keys share.

    key: of the part of a checkpoint, for example "model_ema"; "" for the one that `checkpoint/containers.py` chooses.
    Raises MissingError, and InputError for a file that is damaged, holds no tensors, or a network pickled whole.
    """
    state, _ = without_prefixes(read_weights(path, key).state)
    return {key: value.clone() for key, value in state.items()}  # the file may be mapped, and change


def read_layout(path: Path, key: str = "") -> ReadWeights:
    """The same keys, shapes and types, as tensors of the meta device: no number is read, whatever the file's size.

    Raises what `read_state` raises, except for damage among the numbers.
    """
    return _read(path, key, numbers=False)


def read_weights(path: Path, key: str = "") -> ReadWeights:
    """The tensors of a file by its own keys. Those of a checkpoint may be views of the file, for reading alone.

    Raises what `read_state` raises.
    """
    return _read(path, key, numbers=True)


def without_stated(path: Path, read: ReadWeights, drop: str) -> ReadWeights:
    """The same under keys without a prefix that the user states, and a note; unchanged for "".

    path: of the file, for errors.
    drop: the prefix; the dot at its end may be left out.
    Raises InputError unless every key has it, and something behind it.
    """
    if not drop:
        return read
    state, averages = without_ignored(read.state, AVERAGES, {})
    prefix = shared_prefix(state, (drop if drop.endswith(".") else f"{drop}.", drop))
    if not prefix:
        others = [name for name in state if not (name.startswith(drop) and len(name) > len(drop))]
        raise InputError(
            f"{path}: drop {drop!r} is for a prefix of all keys, and {len(others)} of {len(state)} do not have it, the "
            f"first {_printable(others[0])}: give one that all have, or save the file again with the network's keys "
            "alone"
        )
    note = Note("prefix_dropped", f"prefix {prefix!r} dropped from all keys, as asked for")
    told = (Note("averages_left_out", each) for each in averages)
    return ReadWeights({name.removeprefix(prefix): value for name, value in state.items()}, (*read.notes, note, *told))


def _read(path: Path, key: str, numbers: bool) -> ReadWeights:
    if not path.exists():
        raise MissingError(f"{path}: there is no such weights file")
    mirror.present([path])  # libraries below open files without Python
    if path.suffix in PICKLES:
        return _checkpoint(path, key, numbers)
    if key:
        raise InputError(f"{path}: key {key!r} chooses a part of a checkpoint of torch.save, which this file is not")
    if path.suffix == ".safetensors":
        return ReadWeights(_safetensors(path, numbers))
    if path.suffix in ARRAYS:
        whole, layout = ARRAYS[path.suffix]
        return ReadWeights((whole if numbers else layout)(path))
    raise InputError(
        f"{path}: weights are read from .safetensors and {', '.join((*PICKLES, *ARRAYS))} files; rename or convert it"
    )


def _safetensors(path: Path, numbers: bool) -> dict[str, Tensor]:
    try:
        if numbers:
            return safetensors.torch.load_file(path)
        with safetensors.safe_open(path, framework="pt") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
            return {
                key: torch.empty(part.get_shape(), dtype=_dtype(part.get_dtype()), device="meta")
                for key, part in slices.items()
            }
    except (SafetensorError, OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: not a whole safetensors file (damaged or truncated?): {first_sentence(error)}"
        ) from error


def _dtype(name: str) -> torch.dtype:
    return getattr(torch, SAFETENSORS_TYPES.get(name, name))


# --- checkpoints -----------------------------------------------------------------------------------------------------


def _checkpoint(path: Path, key: str, numbers: bool) -> ReadWeights:
    try:
        with opened(path) as file:
            stored, notes = choose(file.content, key)
            return ReadWeights(state_of(stored, file) if numbers else without_values(stored), tuple(notes))
    except WholeNetwork as found:
        raise InputError(_whole_network(path, found.name, found.part)) from None
    except NoStateDict as found:
        raise InputError(f"{path}: {_printable(str(found))}") from None
    except TorchScript as found:
        advice = _command(path, "torch.jit.load({path}, map_location='cpu').state_dict()")
        raise InputError(
            f"{path}: {found}, not a state dict. If you trust its author, save its tensors once:\n{advice}"
        ) from None
    except OldTar as found:
        raise InputError(f"{path}: {found}, which cannot be read without running it: get a newer file") from None
    except NotACheckpoint as error:
        if str(error).startswith("damaged: "):
            raise InputError(f"{path}: this PyTorch checkpoint is {_printable(str(error))}") from None
        what = _printable(str(error))
        raise InputError(f"{path}: not a whole PyTorch checkpoint (damaged or truncated?): {what}") from None
    except (OSError, RuntimeError, MemoryError) as error:
        raise InputError(
            f"{path}: not a whole PyTorch checkpoint (damaged or truncated?): {first_sentence(error)}"
        ) from error


def _whole_network(path: Path, name: str, part: tuple[str, ...]) -> str:
    """Why a pickled network is refused, and a command that saves its state dict, at the risk of whoever runs it."""
    what = f"its {'.'.join(part)!r} is" if part else "it holds"
    needs = _printable(name.partition(".")[0])
    where = "" if needs in PRESENT or needs in sys.stdlib_module_names else f", where {needs} can be imported"
    way = "".join(f"[{each!r}]" for each in part)
    advice = _command(path, f"torch.load({{path}}, map_location='cpu', weights_only=False){way}.state_dict()")
    return (
        f"{path}: refused unread, since {what} no state dict but an object that only running its code can make "
        f"({_printable(name)}). "
        f"If it is a network, and you trust its author, save its state dict once{where}:\n{advice}"
    )


def _command(path: Path, made: str) -> str:
    """A shell command that saves a state dict beside the file, for any path."""
    new = path.with_name(f"{path.name.partition('.')[0]}_state_dict.pth")
    code = f"import torch; torch.save({made.replace('{path}', repr(str(path)))}, {str(new)!r})"
    return f"python -c {shlex.quote(code)}"


def plain_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values as dense tensors, laid out one after another."""
    return {key: (value.to_dense() if value.layout != torch.strided else value) for key, value in state.items()}


def _printable(text: str) -> str:
    """A text with names from a file in one line of at most 500 characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:500])
