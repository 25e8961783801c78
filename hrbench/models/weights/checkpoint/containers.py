"""Which part of a training checkpoint is the network's state dict, and what is said of it.

The rule, in this order:

1. `key` of `weights: {file: ..., key: ...}` names the part, with dots for a part of a part ("ema.module").
2. A checkpoint that is a mapping of keys to tensors is the state dict itself.
3. Of the names that trainers use, `TRAINED` in its order, then `AVERAGED` in its order.
4. The only part that is a mapping of keys to tensors, whatever its name; of several, none: `key` has to choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hrbench.models.weights.checkpoint.values import GlobalName, SparseTensor, StandIn, Stored, StoredTensor, kind
from hrbench.types import Note

TRAINED = ("state_dict", "model", "model_state_dict", "model_state", "net", "network", "module", "params", "weights")
"""What codes call the weights that were trained, best known first."""
AVERAGED = (
    "state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema", "params_ema", "model_ema_state_dict",
    "ema_weights", "teacher_ema",
)  # fmt: skip
"""What codes call a running mean of the weights."""
PART = "checkpoint_part"  # the kind of the notes
LISTED = 8


class NoStateDict(ValueError):
    """A checkpoint, or a part of it, that is no state dict. The text says what it is."""


class WholeNetwork(NoStateDict):
    """A network that was pickled whole. name: of its class. part: where it lies in the checkpoint, () for all of it."""

    def __init__(self, name: str, part: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name, self.part = name, part


def choose(content: Any, key: str = "") -> tuple[dict[str, Stored], list[Note]]:
    """The state dict of a checkpoint, and notes on what was taken.

    content: of a checkpoint.
    key: of the part that the user chose; "" for the rule above.

    Raises NoStateDict, and WholeNetwork if the part is a pickled network.
    """
    if isinstance(content, (StandIn, GlobalName)):
        raise WholeNetwork(content.name, ())
    if not isinstance(content, Mapping) or not content:
        raise NoStateDict(f"holds a {kind(content)}, not a mapping of keys to tensors")
    parts = _parts(content)
    if key:
        return _chosen(content, key, parts)
    if _is_state(content):
        return _whole(content), []
    known = [part for part in parts if _rank(part) is not None]
    if known:
        part = min(known, key=lambda part: _rank(part) or 0)
        return _whole(parts[part]), [_told(part, [each for each in parts if each != part])]
    _refuse_networks(content, guess=not parts)
    if len(parts) == 1:
        ((part, state),) = parts.items()
        return _whole(state), [_told(part, [])]
    if parts:
        names = ", ".join(map(_name, [*parts][:LISTED]))
        raise NoStateDict(
            f"has {len(parts)} parts that could be the network ({names}): choose one by "
            f"weights: {{file: ..., key: {_name(next(iter(parts)))}}}"
        )
    empty = next((name for name in TRAINED if isinstance(content.get(name), Mapping)), None)
    return _whole(content if empty is None else content[empty]), []


def _chosen(
    content: Mapping[Any, Any], key: str, parts: dict[tuple[str, ...], Mapping[Any, Any]]
) -> tuple[dict[str, Stored], list[Note]]:
    within: Any = content.get(key)
    way = (key,)
    if key not in content:
        within, way = content, tuple(key.split("."))
        for name in way:
            within = within.get(name) if isinstance(within, Mapping) else None
    if isinstance(within, (StandIn, GlobalName)):
        raise WholeNetwork(within.name, way)
    below = [part for part in parts if part[: len(way)] == way]
    if isinstance(within, Mapping) and not _is_state(within) and len(below) == 1:
        way = below[0]
        within = parts[way]
    if not isinstance(within, Mapping) or not any(isinstance(value, Stored) for value in within.values()):
        there = "" if within is None else f"there is a {kind(within)}; "
        names = ", ".join(map(_name, [*parts][:LISTED]))
        known = f"its parts with tensors: {names}" if parts else "it has no parts with tensors"
        raise NoStateDict(f"has no weights at the key {key!r}: {there}{known}")
    return _whole(within), [Note(PART, f"the weights are {_name(way)!r} of the checkpoint, as asked for")]


def _parts(content: Mapping[Any, Any]) -> dict[tuple[str, ...], Mapping[Any, Any]]:
    """Way to a part -> the part, for all mappings with tensors: of the checkpoint, and of a part with a known name."""
    found: dict[tuple[str, ...], Mapping[Any, Any]] = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Mapping):
            continue
        if _is_state(value) or (name in (*TRAINED, *AVERAGED) and _has_tensors(value)):
            found[name,] = value
        elif name in (*TRAINED, *AVERAGED):
            known = (inner for inner in (*TRAINED, *AVERAGED) if isinstance(value.get(inner), Mapping))
            found |= {(name, inner): value[inner] for inner in known if _has_tensors(value[inner])}
    return found


def _rank(part: tuple[str, ...]) -> int | None:
    """The place of a part in the order of the rule; None for a name that no trainer is known to use."""
    order = (*TRAINED, *AVERAGED)
    return max(map(order.index, part)) if all(name in order for name in part) else None


def _is_state(value: Mapping[Any, Any]) -> bool:
    return bool(value) and all(isinstance(each, Stored) for each in value.values())


def _has_tensors(value: Mapping[Any, Any]) -> bool:
    return any(isinstance(each, (StoredTensor, SparseTensor)) for each in value.values())


def _whole(state: Mapping[Any, Any]) -> dict[str, Stored]:
    """The mapping, if it holds nothing but tensors by text keys."""
    if not state:
        raise NoStateDict(f"holds a {type(state).__name__}, not a mapping of keys to tensors")
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Stored):
            raise NoStateDict(f"{_short(key)} is a {kind(value)}, not a tensor: this is no state dict")
    return dict(state)


def _refuse_networks(content: Mapping[Any, Any], guess: bool) -> None:
    """Raises WholeNetwork if a part of the checkpoint is a pickled network: then others are no guess for it.

    guess: whether any object under a name that trainers use for networks is taken for one.
    """
    order = [*TRAINED, *AVERAGED]
    stand_ins = {key: value for key, value in content.items() if isinstance(value, StandIn)}
    whole = [key for key, value in stand_ins.items() if value.network or (guess and key in order)]
    if whole:
        first = min(whole, key=lambda key: order.index(key) if key in order else len(order))
        raise WholeNetwork(content[first].name, (str(first),))


def _told(part: tuple[str, ...], others: list[tuple[str, ...]]) -> Note:
    taken = f"the weights are {_name(part)!r} of the checkpoint"
    if not others:
        return Note(PART, taken)
    listed = ", ".join(repr(_name(each)) for each in others[:LISTED])
    return Note(PART, f"{taken}, which also has {listed}", option=f"weights: {{file: ..., key: {_name(others[0])}}}")


def _name(part: tuple[str, ...]) -> str:
    return _short(".".join(part), quoted=False)


def _short(value: Any, quoted: bool = True) -> str:
    """A key in a message: one line, not too long."""
    text = repr(value)[:100] if quoted else str(value)[:100]
    return text if text.isprintable() else ascii(text)
