"""What the tensors of a network are called elsewhere: one explicit map for each source, and how it is applied.

A map says of every key of a file what it is in our network, or why it is beside it. A key of which it says nothing is
left over, and what is left over is refused by whoever loads. The maps themselves are data, in `keys/`: rules are
regular expressions that must match a whole key, tried in order, with what it is called here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

State = dict[str, Tensor]
Rules = tuple[tuple[str, str], ...]
PREFIXES = ("module.", "model.")  # DataParallel's, and the official segmentation code's
OWN: Rules = ((r"(.+)", r"\1"),)
"""The network's own keys, which are the official ones."""


@dataclass(frozen=True, slots=True)
class Want:
    """What a network must be built with to compute what the source's does: an attribute of it (also of a part of it,
    "backbone.padding"), and its value. A network without the attribute is taken as it is.
    """

    attribute: str
    value: Any


@dataclass(frozen=True, slots=True)
class KeyMap:
    """The names that one source gives to the tensors of certain networks.

    sources: of the catalog, e.g. "openmmlab". uses: entry points; one that ends in ":" stands for all that begin so.
    rules: file's key -> ours. listing: the same as a table that depends on the network, in place of rules. beside:
    (keys of the file that belong to no network, the reason). zero: (keys of ours that the source does without, all of
    them together, the reason); they are set to 0. convert: values of the source's conventions -> ours, for keys that
    are ours already, with a note ("" where nothing changed). wants: see `Want`. note: what a user of the source's files
    must know.
    """

    name: str
    sources: tuple[str, ...]
    uses: tuple[str, ...]
    rules: Rules = OWN
    listing: Callable[[Mapping[str, Tensor]], Mapping[str, str]] | None = None
    beside: tuple[tuple[str, str], ...] = ()
    zero: tuple[tuple[str, str], ...] = ()
    convert: Callable[[State, nn.Module], tuple[State, str]] | None = None
    wants: tuple[Want, ...] = ()
    note: str = ""

    def speaks_of(self, use: str) -> bool:
        return any(use == each or (each.endswith(":") and use.startswith(each)) for each in self.uses)


@dataclass(frozen=True, slots=True)
class Translated:
    """A file's tensors under our keys. unknown: keys of the file that the map does not speak of, and those that two of
    its keys came to. notes: what was dropped, renamed, converted or set.
    """

    state: State
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def translate(key_map: KeyMap, state: Mapping[str, Tensor], net: nn.Module, target: Mapping[str, Tensor]) -> Translated:
    """Apply a map to what was read from a file; target: the state dict of `net`. Changes neither."""
    kept, notes = set_aside(state, key_map.beside, target)
    kept, prefix = without_prefix(kept, target)
    if prefix:
        notes = [f"prefix {prefix!r} dropped from all keys", *notes]
    renamed, unknown = rename(key_map, kept, target)
    if any(key not in kept for key in renamed):
        notes.append(f"keys renamed from those of {key_map.name}")
    if key_map.convert is not None:
        renamed, note = key_map.convert(renamed, net)
        notes += [note] if note else []
    for pattern, reason in key_map.zero:
        absent = [key for key in target if re.fullmatch(pattern, key)]
        absent = [] if any(key in renamed for key in absent) else absent
        renamed |= {key: target[key].new_zeros(target[key].shape) for key in absent}
        notes += [f"{_counted(absent)} set to 0: {reason}"] if absent else []
    return Translated(renamed, tuple(unknown), (*notes, *([key_map.note] if key_map.note else [])))


def set_aside(
    state: Mapping[str, Tensor], beside: tuple[tuple[str, str], ...], target: Mapping[str, Tensor]
) -> tuple[State, list[str]]:
    """The state without the keys that belong to no network, and a note for each reason. Keys of the network stay."""
    kept, notes = dict(state), []
    for pattern, reason in beside:
        found = [key for key in kept if re.fullmatch(pattern, key) and key not in target]
        for key in found:
            del kept[key]
        notes += [f"{_counted(found)} beside the network: {reason}"] if found else []
    return kept, notes


def without_prefix(state: State, expected: Mapping[str, Tensor]) -> tuple[State, str]:
    """The state without the prefix that all its keys share, each of `PREFIXES` at most once, and that prefix."""
    dropped = ""
    for prefix in PREFIXES:
        shared = bool(state) and all(key.startswith(prefix) for key in state)
        wanted = bool(expected) and all(key.startswith(prefix) for key in expected)
        if shared and not wanted:
            state = {key.removeprefix(prefix): value for key, value in state.items()}
            dropped += prefix
    return state, dropped


def rename(key_map: KeyMap, state: State, target: Mapping[str, Tensor]) -> tuple[State, list[str]]:
    """The state under our keys, and the keys of the file that have none, or one that another has taken."""
    listed = key_map.listing(target) if key_map.listing is not None else None
    rules = [(re.compile(pattern), ours) for pattern, ours in key_map.rules]
    renamed: State = {}
    unknown = []
    for key, value in state.items():
        ours = listed.get(key) if listed is not None else _by_rules(rules, key)
        if ours is None or ours in renamed:
            unknown.append(key)
        else:
            renamed[ours] = value
    return renamed, unknown


def unmet(key_map: KeyMap, net: nn.Module) -> list[str]:
    """What the network is built with otherwise than the source's networks, in words."""
    found = [(want, _attribute(net, want)) for want in key_map.wants]
    return [
        f"{want.attribute}={want.value!r} (this network has {value!r})" for want, value in found if value != want.value
    ]


def _attribute(net: nn.Module, want: Want) -> Any:
    value: Any = net
    for name in want.attribute.split("."):
        value = getattr(value, name, want.value)
    return value


def _by_rules(rules: list[tuple[re.Pattern[str], str]], key: str) -> str | None:
    for pattern, ours in rules:
        found = pattern.fullmatch(key)
        if found is not None:
            return found.expand(ours)
    return None


def _counted(keys: list[str]) -> str:
    """ "a.bias" for one, "a.bias and 3 more" for four."""
    return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} more"
