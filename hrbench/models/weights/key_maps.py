"""Names of a network's tensors in other code bases: one explicit map for each source, and how it is applied.

A map gives for every key of a file our key, or the reason why the key is ignored. A key that a map does not cover is
left over, and `load` refuses files with keys left over. The maps are data, in `keys/`: rules are regular expressions
that must match a whole key, tried in order, each with our key.

Wrappers of networks put a prefix before every key. The rule: a prefix of `PREFIXES` that all keys of a file share may
be dropped, again and again; the file is read with as few dropped as make it fit the network, and what was dropped is
told. A prefix that only some keys have is never dropped, except `_orig_mod.`, which torch.compile puts before the parts
that it compiled. The number of models that went into an average (`n_averaged`) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from hrbench.core.units import amount

State = dict[str, Tensor]
Rules = tuple[tuple[str, str], ...]
PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.")
"""Of DataParallel and of averaged models, of torch.compile, of the official segmentation code and of trainers, and of
classifiers and detectors around a trunk."""
WRAPPERS = PREFIXES[:3]
"""Those that are no part of a network's own names."""
COMPILED = "_orig_mod."
AVERAGES = (("n_averaged", "how many models were averaged (torch.optim.swa_utils)"),)
SAME_KEYS: Rules = ((r"(.+)", r"\1"),)
"""The network's own keys, which are the official ones."""


@dataclass(frozen=True, slots=True)
class BuildRequirement:
    """What a network must be built with, so that it computes the same as the source's network.

    attribute: of the network or of a part of it, such as "backbone.padding". A network without it is accepted.
    value: what the attribute must be.
    """

    attribute: str
    value: Any


@dataclass(frozen=True, slots=True)
class KeyMap:
    """The names that one source gives to the tensors of certain networks.

    name: of the code base, for messages.
    sources: sources of the catalog that it is for, such as "openmmlab".
    uses: entry points; one that ends in ":" stands for all with that prefix.
    rules: key of the file -> our key.
    name_table: the same as a table that depends on the network, instead of rules.
    ignored: (keys of the file that belong to no network, the reason).
    zeroed: (our keys that the source does not have, the reason). They are set to 0, if the file has none of them.
    convert: values in the source's conventions -> ours, under our keys, with a note ("" if nothing changed).
    requires: what the network must be built with.
    note: what a user of the source's files must know.
    """

    name: str
    sources: tuple[str, ...]
    uses: tuple[str, ...]
    rules: Rules = SAME_KEYS
    name_table: Callable[[Mapping[str, Tensor]], Mapping[str, str]] | None = None
    ignored: tuple[tuple[str, str], ...] = ()
    zeroed: tuple[tuple[str, str], ...] = ()
    convert: Callable[[State, nn.Module], tuple[State, str]] | None = None
    requires: tuple[BuildRequirement, ...] = ()
    note: str = ""

    def applies_to(self, use: str) -> bool:
        return any(use == each or (each.endswith(":") and use.startswith(each)) for each in self.uses)


@dataclass(frozen=True, slots=True)
class Translated:
    """A file's tensors under our keys.

    state: our key -> tensor.
    unknown: keys of the file that the map does not cover, and those whose new key was already taken.
    notes: what was dropped, renamed, converted or set.
    """

    state: State
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def translations(
    key_map: KeyMap, state: Mapping[str, Tensor], net: nn.Module, target: Mapping[str, Tensor]
) -> Iterator[Translated]:
    """What a map makes of a file, for each number of prefixes that can be dropped, fewest first. Changes nothing.

    target: the state dict of `net`.
    """
    for kept, notes in _readings(dict(state), key_map.ignored, target):
        yield _translated(key_map, kept, notes, net, target)


def _readings(
    state: State, ignored: tuple[tuple[str, str], ...], target: Mapping[str, Tensor]
) -> Iterator[tuple[State, list[str]]]:
    """The state without 0, 1, 2 ... of the prefixes that all keys share, each without what is ignored, and notes."""
    dropped, notes = "", []
    while True:
        state, said = without_ignored(state, (*AVERAGES, *ignored), target)
        notes = [*notes, *said]
        told = [f"prefix {dropped!r} dropped from all keys"] if dropped else []
        yield state, [*told, *notes]
        plain, inner = without_compiled(state, target)
        if inner:
            yield plain, [*told, *inner, *notes]
        prefix = shared_prefix(state, PREFIXES)
        if not prefix:
            return
        state = {key.removeprefix(prefix): value for key, value in state.items()}
        dropped += prefix


def without_compiled(state: State, target: Mapping[str, Tensor]) -> tuple[State, list[str]]:
    """The state without the `_orig_mod.` within keys, where torch.compile wrapped parts of a network, and a note.

    One that all keys begin with is left. All are, if the network has some, or if two keys would become one.
    """
    begin = shared_prefix(state, (COMPILED,))
    names = {key: begin + f".{key.removeprefix(begin)}".replace(f".{COMPILED}", ".")[1:] for key in state}
    touched = sum(new != key for key, new in names.items())
    if not touched or any(COMPILED in key for key in target) or len(set(names.values())) != len(state):
        return state, []
    said = f"prefix {COMPILED!r} (of torch.compile) dropped within {amount(touched, 'key')}"
    return {names[key]: value for key, value in state.items()}, [said]


def shared_prefix(state: Mapping[str, Any], prefixes: tuple[str, ...]) -> str:
    """The one of these prefixes that all keys begin with and have something behind, or ""."""
    for prefix in prefixes:
        if state and all(key.startswith(prefix) and len(key) > len(prefix) for key in state):
            return prefix
    return ""


def nearly_shared_prefix(state: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """Why a prefix that most keys of a file have was not dropped, in words; "" for one that the network has as well."""
    for prefix in PREFIXES:
        if any(key.startswith(prefix) for key in target):
            continue
        others = [key for key in state if not key.startswith(prefix)]
        if others and len(others) * 2 < len(state):
            return (
                f"prefix {prefix!r} is on {len(state) - len(others)} of {len(state)} keys, not on {_counted(others)}: "
                "only one that all keys share is dropped"
            )
    return _fitting_prefix(state, target)


def _fitting_prefix(state: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """Which prefix no rule drops, but would make most keys of a file those of the network; "" if none does."""
    found: dict[str, int] = {}
    for key in state:
        parts = key.split(".")
        for at in range(1, min(len(parts), 5)):
            if ".".join(parts[at:]) in target:
                prefix = ".".join(parts[:at]) + "."
                found[prefix] = found.get(prefix, 0) + 1
    best = max(found, key=lambda prefix: found[prefix], default="")
    if not best or found[best] * 2 <= len(target):
        return ""
    return (
        f"without the prefix {best!r} {found[best]} of {len(state)} keys of the file would be among the network's "
        f"{len(target)}; no option drops it, since it is no wrapper's ({', '.join(PREFIXES)}): save the file again "
        "with these keys"
    )


def without_prefixes(state: State) -> tuple[State, str]:
    """The state without any prefix of `WRAPPERS` that all keys share, and what was dropped."""
    dropped = ""
    while prefix := shared_prefix(state, WRAPPERS):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
        dropped += prefix
    return state, dropped


def _translated(
    key_map: KeyMap, kept: State, said: list[str], net: nn.Module, target: Mapping[str, Tensor]
) -> Translated:
    notes = [*said]
    renamed, unknown = rename(key_map, kept, target)
    if any(key not in kept for key in renamed):
        notes.append(f"keys renamed from those of {key_map.name}")
    if key_map.convert is not None:
        renamed, note = key_map.convert(renamed, net)
        notes += [note] if note else []
    for pattern, reason in key_map.zeroed:
        absent = [key for key in target if re.fullmatch(pattern, key)]
        absent = [] if any(key in renamed for key in absent) else absent
        renamed |= {key: target[key].new_zeros(target[key].shape) for key in absent}
        notes += [f"{_counted(absent)} set to 0: {reason}"] if absent else []
    return Translated(renamed, tuple(unknown), (*notes, *([key_map.note] if key_map.note else [])))


def without_ignored(
    state: Mapping[str, Tensor], ignored: tuple[tuple[str, str], ...], target: Mapping[str, Tensor]
) -> tuple[State, list[str]]:
    """The state without the keys that belong to no network, and a note for each reason. Keys of the network stay."""
    kept, notes = dict(state), []
    for pattern, reason in ignored:
        found = [key for key in kept if re.fullmatch(pattern, key) and key not in target]
        for key in found:
            del kept[key]
        notes += [f"{_counted(found)} beside the network: {reason}"] if found else []
    return kept, notes


def rename(key_map: KeyMap, state: State, target: Mapping[str, Tensor]) -> tuple[State, list[str]]:
    """The state under our keys, and the keys of the file that have none, or one that another has taken."""
    listed = key_map.name_table(target) if key_map.name_table is not None else None
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


def unmet_requirements(key_map: KeyMap, net: nn.Module) -> list[str]:
    """What the network is built with otherwise than the source's networks, in words."""
    found = [(want, _attribute(net, want)) for want in key_map.requires]
    return [
        f"{want.attribute}={want.value!r} (this network has {value!r})" for want, value in found if value != want.value
    ]


def _attribute(net: nn.Module, want: BuildRequirement) -> Any:
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
