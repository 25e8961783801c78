"""Whether what was read fits a network, by the maps of its sources: every key must have a partner on either side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from hrbench.errors import InputError
from hrbench.models.weights.key_maps import (
    SAME_KEYS,
    KeyMap,
    Translated,
    nearly_shared_prefix,
    translations,
    unmet_requirements,
)
from hrbench.models.weights.keys import candidates, maps_with_same_keys

COUNTER = "num_batches_tracked"
LISTED = 10


@dataclass(frozen=True, slots=True)
class WeightsFit:
    """A file read by one map. misfits: how many keys do not fit; wrong: the same in words."""

    key_map: KeyMap
    state: dict[str, Tensor]
    misfits: int
    wrong: tuple[str, ...]
    notes: tuple[str, ...]


def best_fit(
    path: Path, state: Mapping[str, Tensor], net: nn.Module, source: str, use: str, said: Iterable[object] = ()
) -> WeightsFit:
    """A file's tensors under the network's keys, by the first map that fits, with the fewest prefixes dropped.

    path: of the file, for errors.
    state: what was read; values are not looked at, so tensors may be on the meta device.
    source, use: select the maps, as `load.load` takes them.
    said: notes from reading, for the error.

    Raises InputError that lists what does not fit by the closest reading.
    """
    target = net.state_dict()
    closest: WeightsFit | None = None
    for fit in _fits(candidates(source, use), state, target, net):
        if not fit.misfits:
            narrowed = sorted({_narrowing(fit.state[key], target[key]) for key in target} - {""})
            others = _other_readings(fit.key_map, use, net)
            notes = (*fit.notes, *others, *(f"values narrowed from {pair}" for pair in narrowed))
            return WeightsFit(fit.key_map, fit.state, 0, (), notes)
        if closest is None or fit.misfits < closest.misfits:
            closest = fit
    assert closest is not None
    own = closest.key_map.rules == SAME_KEYS and not closest.key_map.requires
    read_as = "" if own else f" (read as {closest.key_map.name})"
    hints = [hint for hint in (nearly_shared_prefix(state, target) if own else "", *map(str, said)) if hint]
    raise InputError(
        f"{path}: does not fit the network{read_as}, nothing was loaded; {'; '.join((*closest.wrong, *hints))}"
    )


def _fits(
    maps: Iterable[KeyMap], state: Mapping[str, Tensor], target: Mapping[str, Tensor], net: nn.Module
) -> Iterator[WeightsFit]:
    for key_map in maps:
        for translated in translations(key_map, state, net, target):
            yield _fit(key_map, translated, target, net)


def _fit(key_map: KeyMap, translated: Translated, target: Mapping[str, Tensor], net: nn.Module) -> WeightsFit:
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
    return WeightsFit(key_map, state, sum(map(len, misfits.values())) + len(otherwise), tuple(wrong), tuple(notes))


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
