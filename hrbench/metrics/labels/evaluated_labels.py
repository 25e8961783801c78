"""The 19 evaluated classes of Cityscapes as indices: what the numbers of files and the counts of a state stand for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hrbench.metrics.labels.cityscapes_counts import COUNT
from hrbench.metrics.labels.cityscapes_labels import CLASSES, LABELS
from hrbench.metrics.labels.classes import IGNORED
from hrbench.metrics.labels.states import class_sums

_TRAIN = np.array([label.train if label.evaluated else len(CLASSES) for label in LABELS], np.uint16)
"""(34,) class index of each label id, 19 for one that is not evaluated."""

_NUMBERS = 1 << 16


def evaluated_truths() -> np.ndarray:
    """(65536,) uint16: the class index of each label id, IGNORED for all others."""
    table = np.full(_NUMBERS, IGNORED, np.uint16)
    table[:COUNT] = np.where(len(CLASSES) > _TRAIN, _TRAIN, IGNORED)
    return table


def evaluated_guesses(ids: np.ndarray | None) -> np.ndarray:
    """(65536,) uint16: the class index of each predicted number, 19 for none.

    ids: (256,) the label id of each number, above 33 for none; None if the numbers are label ids.
    """
    table = np.full(_NUMBERS, len(CLASSES), np.uint16)
    numbers = np.arange(COUNT) if ids is None else ids
    known = np.flatnonzero(numbers < COUNT)
    table[known] = _TRAIN[numbers[known]]
    return table


def evaluated_sums(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of evaluated classes: of each image, and their confusion matrix.

    arrays: of a state, by image.

    Returns (I, 3, 19) float64, pixels right, annotated and predicted; and (19, 20) int64, the last column no class.
    """
    image = np.repeat(np.arange(len(arrays["image"])), arrays["cells"])
    truth, predicted = _TRAIN[arrays["truth"]], _TRAIN[arrays["predicted"]]
    judged = truth < len(CLASSES)
    own, found, pixels = truth[judged], predicted[judged], arrays["pixels"][judged]
    matrix = np.zeros((len(CLASSES), len(CLASSES) + 1), np.int64)
    np.add.at(matrix, (own, found), pixels)
    parts = {
        "image": arrays["image"], "cells": np.bincount(image[judged], minlength=len(arrays["image"])),
        "truth": own, "predicted": found, "pixels": pixels,
    }  # fmt: skip
    return class_sums(parts, len(CLASSES)), matrix
