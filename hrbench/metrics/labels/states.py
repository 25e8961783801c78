"""States of the label metrics: what was counted of each image, as named arrays, and their merging.

Rows by image (I): `image` (I,) str, `group` (I,) str. Below each image hang rows of blocks: `cells` (I,) int64 says how
many (truth, prediction) pairs an image has; their rows are `truth`, `predicted` (N,) uint16 and `pixels` (N,) int64,
how many pixels have this pair, pairs rising. Cityscapes has a second block of instances (see `cityscapes_counts`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hrbench.errors import InputError, UsageError
from hrbench.types import Measurement, Quantity, Reason, State

CELLS = ("truth", "predicted", "pixels")
Blocks = Mapping[str, tuple[str, ...]]
"""Name of the array (I,) that counts an image's rows -> names of the arrays with these rows."""


@dataclass(frozen=True)
class Form:
    """What a metric's states look like: its name, version and blocks."""

    metric: str
    version: int
    blocks: Blocks

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of all arrays."""
        below = (name for count, names in self.blocks.items() for name in (count, *names))
        return ("image", "group", *below)


def cells_of(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """The block of an image's pairs from its confusion matrix (rows ground truth)."""
    truth, predicted = np.nonzero(matrix)
    return {
        "truth": truth.astype(np.uint16),
        "predicted": predicted.astype(np.uint16),
        "pixels": matrix[truth, predicted].astype(np.int64),
    }


def state_of(
    form: Form,
    params: Mapping[str, Any],
    images: Sequence[str],
    groups: Sequence[str],
    rows: Sequence[Mapping[str, np.ndarray]],
    kinds: Mapping[str, type],
) -> State:
    """A state from each image's rows. kinds: the dtype of each array of a block, for where there are no images."""
    arrays: dict[str, np.ndarray] = {"image": np.array(images, np.str_), "group": np.array(groups, np.str_)}
    for count, names in form.blocks.items():
        arrays[count] = np.array([len(row[names[0]]) for row in rows], np.int64)
        for name in names:
            parts = [row[name] for row in rows]
            arrays[name] = np.concatenate(parts).astype(kinds[name]) if parts else np.zeros(0, kinds[name])
    return State(form.metric, form.version, params, arrays)


def arrays_of(state: State, form: Form) -> dict[str, np.ndarray]:
    """The arrays by rising image name. Raises InputError where the state is of another metric or version."""
    if (state.metric, state.version) != (form.metric, form.version):
        raise InputError(
            f"a state of {state.metric} version {state.version} was given to {form.metric} version {form.version}; "
            "measure again"
        )
    lacking = [name for name in form.arrays if name not in state.arrays]
    if lacking:
        raise InputError(f"a state of {form.metric} lacks {', '.join(lacking)}; measure again")
    order = np.argsort(state.arrays["image"], kind="stable")
    arrays = {name: state.arrays[name][order] for name in ("image", "group")}
    for count, names in form.blocks.items():
        many = state.arrays[count]
        starts = (np.cumsum(many) - many)[order]
        many = many[order]
        ends = np.cumsum(many)
        at = np.repeat(starts - (ends - many), many) + np.arange(many.sum())
        arrays |= {count: many, **{name: state.arrays[name][at] for name in names}}
    return arrays


def merged(states: Sequence[State], form: Form) -> State:
    """All rows together, by rising image name: the same bits for any split in any order.

    Raises UsageError for no states; InputError where an image occurs twice or the parameters differ.
    """
    if not states:
        raise UsageError(f"nothing to merge: give at least one state of {form.metric}")
    parts = [arrays_of(state, form) for state in states]
    params = states[0].params
    for state in states[1:]:
        for key in sorted({*params, *state.params}):
            one, other = (json.dumps(p.get(key), sort_keys=True) for p in (params, state.params))
            if one != other:
                raise InputError(
                    f"states of {form.metric} differ in {key}: {one[:60]} and {other[:60]}; measure all alike"
                )
    together = {name: np.concatenate([part[name] for part in parts]) for name in form.arrays}
    names, counts = np.unique(together["image"], return_counts=True)
    if len(names) < len(together["image"]):
        raise InputError(
            f"image {names[counts > 1][0]} is in more than one of the merged states; merge each image once"
        )
    return State(form.metric, form.version, params, arrays_of(State(form.metric, form.version, params, together), form))


def matrices(arrays: Mapping[str, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """(I, T x P) float64, whole numbers: every image's confusion matrix, laid out row after row."""
    images = np.repeat(np.arange(len(arrays["image"])), arrays["cells"])
    cells = arrays["truth"].astype(np.int64) * shape[1] + arrays["predicted"]
    table = np.zeros((len(arrays["image"]), shape[0] * shape[1]))
    table[images, cells] = arrays["pixels"]
    return table


def group_numbers(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """(I,) number of each image's group, from 0."""
    return np.unique(arrays["group"], return_inverse=True)[1]


def scores_of(
    metric: str,
    quantities: Sequence[Quantity],
    values: Sequence[float],
    ends: Sequence[tuple[float, float] | None],
    alone: Sequence[int],
    images: int,
) -> list[Measurement]:
    """Scores of these values, NaN where nothing occurs. alone: how many of the images have each quantity by itself."""
    scores = []
    for quantity, value, end, n in zip(quantities, values, ends, alone, strict=True):
        if np.isnan(value):
            part = quantity.name.partition("/")[2] or "what is judged"
            reason = f"{part} occurs neither in ground truth nor in predictions of {images} images"
            scores.append(Measurement(quantity, None, metric, reason=Reason(reason)))
        else:
            scores.append(Measurement(quantity, value, metric, end, n))
    return scores
