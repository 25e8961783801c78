"""Weights on disk <-> a network: load strictly, look whether they would fit, save.

Nothing in a weights file is ever run (`read.py`), and nothing is skipped: a key of the file or of the network without a
partner is an error (`fit.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from hrbench.core.digests import sha256
from hrbench.core.files import write_whole
from hrbench.core.text import first_sentence
from hrbench.errors import InputError
from hrbench.models.weights.fit import best_fit
from hrbench.models.weights.read import plain_state, read_layout, read_state, read_weights
from hrbench.types import Note, Remark

__all__ = ["LoadReport", "check_fit", "load", "read_state", "save", "state_digest"]


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was loaded. tensors: how many of the network's were set. notes: for readers of the results."""

    path: Path
    digest: str
    tensors: int
    notes: tuple[Remark, ...] = ()


def load(net: nn.Module, path: Path, *, source: str = "", use: str = "", key: str = "") -> LoadReport:
    """Set every parameter and buffer of `net` from a file, in place; dtypes and devices stay the network's.

    source: the catalog's source of the file ("official", "openmmlab", "timm", ...).
    use: the network's entry point.
    key: of the part of a checkpoint ("model_ema"); "" for the one that `checkpoint/containers.py` chooses.

    `source` and `use` select the maps by which keys may be renamed (`keys/`): those of the source, or of every source
    if it has none. The network's own keys are tried first; the first map that fits in both directions is taken.
    Prefixes of wrappers are dropped by the rule of `key_maps.py`. Norm counters (`num_batches_tracked`) may be missing
    from the file only all together; evaluation does not use them. Weights that are not finite are noted.
    Raises MissingError, and InputError that lists what does not fit the closest map; then nothing was loaded.
    """
    read = read_weights(path, key)
    fit = best_fit(path, read.state, net, source, use, read.notes)
    net.load_state_dict(plain_state(fit.state), strict=True)
    loaded = net.state_dict()
    return LoadReport(path, sha256(path), len(loaded), (*read.notes, *fit.notes, *_not_finite(loaded)))


def check_fit(net: nn.Module, path: Path, *, source: str = "", use: str = "", key: str = "") -> tuple[Remark, ...]:
    """Whether `load` would fit the file to the network, by names, shapes and types alone: no number is read.

    net: may be on the meta device; it is not changed. The other arguments are those of `load`.
    Returns the notes that loading would give. Raises what `load` raises.
    """
    read = read_layout(path, key)
    return (*read.notes, *best_fit(path, read.state, net, source, use, read.notes).notes)


def _not_finite(state: Mapping[str, Tensor]) -> list[Note]:
    """A note on tensors that hold NaN or infinite values: which is the first, and how many there are."""
    found = [key for key, value in state.items() if not _finite(value)]
    if not found:
        return []
    what = f"tensors of the weights hold NaN or infinite values, the first {found[0]}"
    return [Note("weights_not_finite", what, len(found), len(state), "what they reach is no number either")]


def _finite(value: Tensor) -> bool:
    if not value.numel() or not (value.is_floating_point() or value.is_complex()) or value.is_meta:
        return True
    numbers = torch.view_as_real(value) if value.is_complex() else value
    if numbers.element_size() == 1:  # types of eight bits, which torch does not compute in
        numbers = numbers.float()
    return all(bool(torch.isfinite(end)) for end in numbers.aminmax())


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
                f"the network's tensor {key!r} cannot be written as safetensors: {first_sentence(error)}"
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
        raise InputError(f"{path}: these weights cannot be written as safetensors: {first_sentence(error)}") from error
    # save_file would keep the file from everybody else (mode 600), also once it is in a wheel
    write_whole(path, lambda stream: stream.write(content))
