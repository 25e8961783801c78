"""States as rows by image (or person): checked, sorted and merged in the same way for every metric.

A state's arrays have a row for each key (an image's id, a person's number). A row may have a block of further rows, as
many as a declared array says: the detections of an image, the pairs of labels that occur in it. A metric
declares this as a `StateForm`; merging then puts all rows together by rising key, so that any split of the images in
any order gives the same bits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.types import State

TRUTH = "truth_digest"
"""The array (N,) uint64 with a digest of each row's ground truth, so that two states can tell whether they mean the
same images. States in files of format 1 have none; no number depends on it."""


def truth_digests(rows: Iterable[bytes | memoryview | Iterable[bytes | np.ndarray]]) -> np.ndarray:
    """The digest of each row's ground truth as bytes: (N,) uint64, the first 8 bytes of BLAKE2b.

    rows: the bytes of each, or several parts of them, one after the other; arrays must be contiguous.
    """
    single = (bytes, memoryview)
    values = [_digest([row]) if isinstance(row, single) else _digest(row) for row in rows]  # pyright: ignore[reportArgumentType]
    return np.array(values, np.uint64)


def _digest(parts: Iterable[bytes | memoryview | np.ndarray]) -> int:
    whole = hashlib.blake2b(digest_size=8)
    for part in parts:
        whole.update(part.data if isinstance(part, np.ndarray) else part)
    return int.from_bytes(whole.digest(), "little")


@dataclass(frozen=True)
class StateForm:
    """What the states of a metric look like.

    key: the array (N,) whose values identify the rows; each occurs once.
    rows: names of the other arrays with a row for each key, (N, ...).
    blocks: name of an array that counts the rows below each key -> names of the arrays with these rows. A counting
    array is (N,) numbers of rows, or with `offsets` (N + 1,) where each block begins and the last ends.
    extra: names of arrays with a row for each key, (N,), that states of an earlier hrbench may lack; no number depends
        on them.
    unlike: array -> what it means, in words, if two states hold values of different kinds in it.
    """

    metric: str
    version: int
    key: str
    rows: tuple[str, ...]
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    offsets: bool = False
    extra: tuple[str, ...] = (TRUTH,)
    unlike: Mapping[str, str] = field(default_factory=dict)

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of all arrays."""
        return (self.key, *self.rows, *_inner(self))


def arrays_of(state: State, form: StateForm) -> dict[str, np.ndarray]:
    """The arrays by rising key. Raises InputError if the state is of another metric or version, or lacks an array."""
    if (state.metric, state.version) != (form.metric, form.version):
        raise InputError(
            f"a state of {state.metric} version {state.version} was given to {form.metric} version {form.version}; "
            "measure again"
        )
    missing = [name for name in form.arrays if name not in state.arrays]
    if missing:
        raise InputError(f"a state of {form.metric} lacks {', '.join(missing)}; measure again")
    known = [name for name in form.extra if name in state.arrays]
    if _in_order(state, form, known):
        return {name: state.arrays[name] for name in (form.key, *form.rows, *known, *_inner(form))}
    order = np.argsort(state.arrays[form.key], kind="stable")
    arrays = {name: state.arrays[name][order] for name in (form.key, *form.rows, *known)}
    for count, names in form.blocks.items():
        many, starts = _extents(state.arrays[count], form.offsets)
        many, starts = many[order], starts[order]
        ends = np.cumsum(many)
        at = np.repeat(starts - (ends - many), many) + np.arange(many.sum())
        arrays[count] = _offsets(many) if form.offsets else many
        arrays |= {name: state.arrays[name][at] for name in names}
    return arrays


def _inner(form: StateForm) -> list[str]:
    return [name for count, names in form.blocks.items() for name in (count, *names)]


def _in_order(state: State, form: StateForm, known: Sequence[str]) -> bool:
    """Whether keys rise and blocks follow one another, so that the arrays, which may be large, need no copy."""
    keys = state.arrays[form.key]
    if np.any(keys[1:] <= keys[:-1]) or any(len(state.arrays[name]) != len(keys) for name in (*form.rows, *known)):
        return False
    for count, names in form.blocks.items():
        many, starts = _extents(state.arrays[count], form.offsets)
        ends = np.cumsum(many)
        total = int(ends[-1]) if len(ends) else 0
        if len(many) != len(keys) or np.any(many < 0) or np.any(starts != ends - many):
            return False
        if any(len(state.arrays[name]) != total for name in names):
            return False
    return True


def merge(states: Sequence[State], form: StateForm) -> State:
    """All rows together, by rising key: the same bits for any split in any order.

    Raises UsageError for no states; InputError if a key occurs twice, or parameters or kinds of values differ.
    """
    if not states:
        raise UsageError(f"nothing to merge: give at least one state of {form.metric}")
    parts = [arrays_of(state, form) for state in states]
    _check_alike(states, parts, form)
    keys = np.sort(np.concatenate([part[form.key] for part in parts]))
    repeated = keys[1:][keys[1:] == keys[:-1]]
    if len(repeated):
        raise InputError(
            f"{form.key} {repeated[0]} is in more than one of the merged states; merge each {form.key} once"
        )
    params, whole = states[0].params, parts[0]
    if len(parts) > 1:
        single = [name for name in (*form.arrays, *form.extra) if name not in form.blocks]
        rows = [name for name in single if all(name in part for part in parts)]
        together = {name: np.concatenate([part[name] for part in parts]) for name in rows}
        for count in form.blocks:
            many = np.concatenate([_extents(part[count], form.offsets)[0] for part in parts])
            together[count] = _offsets(many) if form.offsets else many
        whole = arrays_of(State(form.metric, form.version, params, together), form)
    return State(form.metric, form.version, params, {name: whole[name] for name in states[0].arrays if name in whole})


def _check_alike(states: Sequence[State], parts: Sequence[Mapping[str, np.ndarray]], form: StateForm) -> None:
    params = states[0].params
    for state, part in zip(states[1:], parts[1:], strict=True):
        for key in sorted({*params, *state.params}):
            one, other = (json.dumps(p.get(key), sort_keys=True) for p in (params, state.params))
            if one != other:
                raise InputError(
                    f"states of {form.metric} differ in {key}: {one[:60]} and {other[:60]}; measure all alike"
                )
        for name in form.arrays:
            if part[name].dtype.kind != parts[0][name].dtype.kind:
                what = form.unlike.get(name, f"the kind of {name}")
                raise InputError(f"states of {form.metric} differ in {what}; measure all alike")


def _extents(count: np.ndarray, offsets: bool) -> tuple[np.ndarray, np.ndarray]:
    """How many rows each key has in the block, and the first of them, both (N,) int64."""
    return (np.diff(count), count[:-1]) if offsets else (count, np.cumsum(count) - count)


def _offsets(many: np.ndarray) -> np.ndarray:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(many)))
