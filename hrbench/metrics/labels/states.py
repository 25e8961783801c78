"""States of the label metrics: the counts of each image, as named arrays.

Rows by image (I): `image` (I,) str, `group` (I,) str. Each image has a block of pairs: `cells` (I,) int64 says how many
(truth, prediction) pairs an image has; their rows are `truth`, `predicted` (N,) uint16 and `pixels` (N,) int64,
how many pixels have this pair, pairs rising. Cityscapes has a second block of instances (see `cityscapes_counts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hrbench.metrics.states import TRUTH, StateForm
from hrbench.types import Measurement, Quantity, Reason, State

CELLS = ("truth", "predicted", "pixels")

AT_ONCE = 50
"""How many resamples are counted together: their arrays are a few classes wide."""


def form_of(metric: str, version: int, **blocks: tuple[str, ...]) -> StateForm:
    """Rows by image, with the group it belongs to. blocks: see `StateForm`."""
    return StateForm(metric, version, "image", ("group",), blocks)


def cells_of(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """The block of an image's pairs from its confusion matrix (rows ground truth)."""
    truth, predicted = np.nonzero(matrix)
    return {
        "truth": truth.astype(np.uint16),
        "predicted": predicted.astype(np.uint16),
        "pixels": matrix[truth, predicted].astype(np.int64),
    }


def map_bytes(*maps: np.ndarray) -> list[bytes | np.ndarray]:
    """Maps of labels (H, W) as parts of bytes that differ wherever their size or one of their labels differs."""
    parts: list[bytes | np.ndarray] = []
    for each in maps:  # the same labels give the same bytes, in a file of 8 bits or of 16
        width = "<u2" if int(each.max(initial=0)) > 255 else "u1"
        parts += [np.array(each.shape, "<i8").tobytes(), np.ascontiguousarray(each.astype(width, copy=False))]
    return parts


def state_of(
    form: StateForm,
    params: Mapping[str, Any],
    images: Sequence[str],
    groups: Sequence[str],
    rows: Sequence[Mapping[str, np.ndarray]],
    kinds: Mapping[str, type],
) -> State:
    """A state from each image's rows.

    rows: the arrays of the blocks, a number for each extra array, and under `TRUTH` the digest of the ground truth.
    kinds: the dtype of each array of a block (needed without images).
    """
    arrays: dict[str, np.ndarray] = {"image": np.array(images, np.str_), "group": np.array(groups, np.str_)}
    arrays[TRUTH] = np.concatenate([np.zeros(0, np.uint64), *(row[TRUTH] for row in rows)])
    for name in form.extra:
        if name != TRUTH and all(name in row for row in rows):
            arrays[name] = np.array([row[name] for row in rows], np.int64)
    for count, names in form.blocks.items():
        arrays[count] = np.array([len(row[names[0]]) for row in rows], np.int64)
        for name in names:
            parts = [row[name] for row in rows]
            arrays[name] = np.concatenate(parts).astype(kinds[name]) if parts else np.zeros(0, kinds[name])
    return State(form.metric, form.version, params, arrays)


def matrices(arrays: Mapping[str, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """(I, T x P) float64, whole numbers: every image's confusion matrix, laid out row after row."""
    images = np.repeat(np.arange(len(arrays["image"])), arrays["cells"])
    cells = arrays["truth"].astype(np.int64) * shape[1] + arrays["predicted"]
    table = np.zeros((len(arrays["image"]), shape[0] * shape[1]))
    table[images, cells] = arrays["pixels"]
    return table


def class_sums(arrays: Mapping[str, np.ndarray], classes: int) -> np.ndarray:
    """(I, 3, C) float64, whole numbers, of each image: pixels right, annotated and predicted of each of C classes.

    The truth and prediction of a pair are indices; C in a prediction means no class.
    """
    images = len(arrays["image"])
    at = np.repeat(np.arange(images), arrays["cells"])
    truth, predicted, pixels = arrays["truth"], arrays["predicted"], arrays["pixels"]
    table = np.zeros((images, 3, classes))
    right = truth == predicted
    table[at[right], 0, truth[right]] = pixels[right]
    np.add.at(table[:, 1], (at, truth), pixels)
    known = predicted < classes
    np.add.at(table[:, 2], (at[known], predicted[known]), pixels[known])
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
    """Scores of these values, NaN if nothing occurs. alone: how many single images have each quantity."""
    scores = []
    for quantity, value, end, n in zip(quantities, values, ends, alone, strict=True):
        if np.isnan(value):
            part = quantity.name.partition("/")[2] or "what is judged"
            many = f"{images} image" + ("" if images == 1 else "s")
            lacks = "occurs neither in ground truth nor in predictions of"
            if quantity.name.startswith("acc/"):
                lacks = "is not annotated in"
            reason = f"{part} {lacks} {many}"
            scores.append(Measurement(quantity, None, metric, reason=Reason(reason)))
        else:
            scores.append(Measurement(quantity, value, metric, end, n))
    return scores
