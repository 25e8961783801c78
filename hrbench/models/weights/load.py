"""Weights on disk <-> a network: read safely, load strictly, save.

Nothing in a weights file is ever executed: safetensors hold no code, and PyTorch's pickles are read with
`weights_only=True`. Nothing is skipped: a key of the file or of the network without a partner is an error.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from hrbench.core.digests import sha256
from hrbench.core.files import write_whole
from hrbench.errors import InputError, MissingError
from hrbench.models.weights.arrays import read_h5, read_npz
from hrbench.models.weights.key_maps import SAME_KEYS, KeyMap, translate, unmet_requirements, without_prefix
from hrbench.models.weights.keys import candidates, maps_with_same_keys
from hrbench.models.weights.pickles import damaged_record, foreign_globals

__all__ = ["LoadReport", "load", "read_state", "save", "state_digest"]

PICKLES = (".pth", ".pt", ".tar")
PRESENT = {"numpy", "torch"}  # always installed with hrbench
ARRAYS = {".npz": read_npz, ".h5": read_h5}
CONTAINERS = ("state_dict", "model")  # keys of a training checkpoint that hold the state dict
COUNTER = "num_batches_tracked"
LISTED = 10


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was loaded. tensors: how many of the network's were set. notes: for readers of the results."""

    path: Path
    digest: str
    tensors: int
    notes: tuple[str, ...] = ()


def load(net: nn.Module, path: Path, *, source: str = "", use: str = "") -> LoadReport:
    """Set every parameter and buffer of `net` from a file, in place; dtypes and devices stay the network's.

    source: the catalog's source of the file ("official", "openmmlab", "timm", ...).
    use: the network's entry point.

    `source` and `use` select the maps by which keys may be renamed (`keys/`): those of the source, or of every source
    if it has none. The network's own keys are tried first; the first map that fits in both directions is taken. A
    prefix "module.", "model." or both on all keys of the file is dropped, unless the network's keys have it too. Norm
    counters (`num_batches_tracked`) may be missing from the file only all together; evaluation does not use them.
    Raises MissingError, and InputError that lists what does not fit the closest map; then nothing was loaded.
    """
    state = _read(path)
    target = net.state_dict()
    maps = candidates(source, use)
    fits: list[_Fit] = []
    for key_map in maps:
        fit = _fit(key_map, state, target, net)
        fits.append(fit)
        if not fit.misfits:
            break
    fit = min(fits, key=lambda each: each.misfits)
    if fit.misfits:
        read_as = (
            "" if fit.key_map.rules == SAME_KEYS and not fit.key_map.requires else f" (read as {fit.key_map.name})"
        )
        raise InputError(f"{path}: does not fit the network{read_as}, nothing was loaded; {'; '.join(fit.wrong)}")
    narrowed = sorted({_narrowing(fit.state[key], target[key]) for key in target} - {""})
    net.load_state_dict(fit.state, strict=True)
    notes = (
        *fit.notes,
        *_other_readings(fit.key_map, use, net),
        *(f"values narrowed from {pair}" for pair in narrowed),
    )
    return LoadReport(path, sha256(path), len(target), notes)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by key, on the CPU, without one prefix "module." or "model." that all keys share.

    Takes .safetensors; .pth, .pt, .tar as `torch.save` writes them, of a training checkpoint the "state_dict" or
    "model"; and Keras variables by name in .npz or .h5.
    Raises MissingError, and InputError for a file that is damaged, holds no tensors, or asks to run code.
    """
    return without_prefix(_read(path), {})[0]


def state_digest(net: nn.Module) -> str:
    """SHA-256 of all parameters and buffers, 64 hexadecimal digits: names, dtypes, shapes and values, by name.

    For networks whose weights come from no file that hrbench reads. Raises InputError for a state that is no tensors.
    """
    found = hashlib.sha256()
    for key, value in sorted(net.state_dict().items()):
        if not isinstance(value, Tensor):
            raise InputError(f"the network's state {key!r} is a {type(value).__name__}, not a tensor")
        try:
            found.update(safetensors.torch.save({key: value.detach().cpu().contiguous()}))
        except (SafetensorError, KeyError, ValueError) as error:
            raise InputError(
                f"the network's tensor {key!r} cannot be written as safetensors: {_line(error)}"
            ) from error
    return found.hexdigest()


def save(
    weights: nn.Module | Mapping[str, Tensor],
    path: Path,
    dtype: torch.dtype | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write all parameters and buffers as safetensors; `dtype` converts the floating-point ones (float16 halves them).

    metadata: how the weights were made, kept in the file's header.
    The file appears whole or not at all. Raises UsageError if the disk refuses, InputError for tensors that
    safetensors cannot hold.
    """
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    # Channels-last tensors must be laid out plainly, and tied ones stored twice, or safetensors refuses them.
    plain = {
        key: value.detach().to("cpu", dtype if value.is_floating_point() else None).contiguous().clone()
        for key, value in state.items()
    }
    try:
        content = safetensors.torch.save(plain, metadata={"format": "pt", **(metadata or {})})
    except SafetensorError as error:
        raise InputError(f"{path}: these weights cannot be written as safetensors: {_line(error)}") from error
    # save_file would keep the file from everybody else (mode 600), also once it is in a wheel
    write_whole(path, lambda stream: stream.write(content))


def _read(path: Path) -> dict[str, Tensor]:
    if not path.exists():
        raise MissingError(f"{path}: there is no such weights file")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix in PICKLES:
        return _tensors(path, _read_pickle(path))
    if path.suffix in ARRAYS:
        return ARRAYS[path.suffix](path)
    raise InputError(
        f"{path}: weights are read from .safetensors and {', '.join((*PICKLES, *ARRAYS))} files; rename or convert it"
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a whole safetensors file (damaged or truncated?): {_line(error)}") from error


def _read_pickle(path: Path) -> object:
    damaged = damaged_record(path)
    if damaged:
        raise InputError(
            f"{path}: this PyTorch checkpoint is damaged: {damaged} does not match its checksum; get it again"
        )
    try:
        with warnings.catch_warnings():  # torch warns of old pickle protocols and of archives that it then refuses
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files make the reader raise nearly anything
        names = foreign_globals(path) if path.is_file() else []
        if not names:
            raise InputError(
                f"{path}: not a whole PyTorch checkpoint (damaged or truncated?): {_line(error)}"
            ) from error
        needs = sorted({name.partition(".")[0] for name in names} - sys.stdlib_module_names - PRESENT)
        where = f", where {' and '.join(needs)} can be imported" if needs else ""
        raise InputError(
            f"{path}: refused unread, because this pickle asks for more than tensors: {_some(names)}. "
            f"If you trust its author, convert it once{where}:\n{_conversion(path)}"
        ) from error


def _conversion(path: Path) -> str:
    """A command that turns a pickle which needs code into safetensors, at the risk of whoever runs it."""
    new = path.with_suffix(".safetensors")
    return (
        'python -c "import torch, safetensors.torch as s; '
        f"d = torch.load('{path}', map_location='cpu', weights_only=False); "
        "d = d.state_dict() if hasattr(d, 'state_dict') else d.get('state_dict', d); "
        f"s.save_file({{k: v.contiguous() for k, v in d.items()}}, '{new}')\""
    )


def _tensors(path: Path, content: object) -> dict[str, Tensor]:
    """The state dict within a checkpoint: itself, or its "state_dict" or "model"."""
    if isinstance(content, Mapping):
        content = next((content[key] for key in CONTAINERS if isinstance(content.get(key), Mapping)), content)
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: holds a {type(content).__name__}, not a mapping of keys to tensors")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise InputError(f"{path}: {key!r} is a {type(value).__name__}, not a tensor: this is no state dict")
    return dict(content)


@dataclass(frozen=True, slots=True)
class _Fit:
    """A file read by one map. misfits: how many keys do not fit; wrong: the same in words."""

    key_map: KeyMap
    state: dict[str, Tensor]
    misfits: int
    wrong: tuple[str, ...]
    notes: tuple[str, ...]


def _fit(key_map: KeyMap, read: Mapping[str, Tensor], target: Mapping[str, Tensor], net: nn.Module) -> _Fit:
    translated = translate(key_map, read, net, target)
    state, notes = translated.state, list(translated.notes)
    counters = [key for key in target if key.rpartition(".")[2] == COUNTER]
    if counters and not any(key.rpartition(".")[2] == COUNTER for key in state):
        state = state | {key: target[key] for key in counters}
        notes.append(f"no {COUNTER} in the file (old PyTorch, other frameworks): the network's own are kept")
    misfits = _misfits(state, target)
    misfits["left over"] = sorted([*misfits["left over"], *translated.unknown])
    wrong = [f"{len(keys)} {what}: {_some(keys)}" for what, keys in misfits.items() if keys]
    otherwise = unmet_requirements(key_map, net)
    if otherwise:
        wrong.append(f"the network must be built with {' and '.join(otherwise)}, as that of {key_map.name} is")
    return _Fit(key_map, state, sum(map(len, misfits.values())) + len(otherwise), tuple(wrong), tuple(notes))


def _other_readings(key_map: KeyMap, use: str, net: nn.Module) -> list[str]:
    """Notes on sources with the same keys whose networks compute differently from this one."""
    if key_map.rules != SAME_KEYS or key_map.requires:
        return []
    found = [(each, unmet_requirements(each, net)) for each in maps_with_same_keys(use)]
    return [
        f"{each.name} has the same keys; a file of it is to be loaded with {' and '.join(other)}"
        for each, other in found
        if other
    ]


def _misfits(state: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, list[str]]:
    both = [key for key in target if key in state]
    return {
        "missing from the file": [key for key in target if key not in state],
        "left over": [key for key in state if key not in target],
        "of another shape": [
            f"{key} (file {_size(state[key])}, network {_size(target[key])})"
            for key in both
            if state[key].shape != target[key].shape
        ],
        "of another kind": [
            f"{key} (file {state[key].dtype}, network {target[key].dtype})"
            for key in both
            if state[key].is_floating_point() != target[key].is_floating_point()
        ],
    }


def _narrowing(source: Tensor, target: Tensor) -> str:
    """ "float64 to float32" if values may lose digits or range, else ""."""
    if torch.promote_types(source.dtype, target.dtype) == target.dtype:
        return ""
    return f"{source.dtype} to {target.dtype}".replace("torch.", "")


def _some(names: Iterable[str]) -> str:
    names = list(names)
    rest = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _line(error: Exception) -> str:
    """The kind of an error and the first sentence of its text, which may be long."""
    first = str(error).strip().partition("\n")[0].partition(". ")[0]
    return f"{type(error).__name__}: {first[:200]}".rstrip(": ")
