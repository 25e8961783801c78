"""The official Cityscapes evaluation itself, without output: the reference for tests and --verify."""

from __future__ import annotations

import contextlib
import copy
import io
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from hrbench.core.reference_packages import CITYSCAPES, reference_module
from hrbench.errors import EntryError
from hrbench.formats.labels import read_labels, write_labels
from hrbench.metrics.labels.asked import AskedNumbers
from hrbench.metrics.labels.cityscapes_labels import CLASSES


def official() -> ModuleType:
    """The official script as a module. Raises UsageError if it is not installed."""
    return reference_module("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling", "Cityscapes", CITYSCAPES)


def official_results(predictions: Sequence[Path], truths: Sequence[Path]) -> dict[str, Any]:
    """What the script's `evaluateImgLists` returns for label-id PNGs and *_gtFine_labelIds.png files, in their order.

    Raises UsageError if the script is not installed, EntryError if it fails.
    """
    script = official()
    args = copy.copy(script.args)
    args.quiet, args.JSONOutput = True, False
    output = io.StringIO()
    try:
        with _in1d(), contextlib.redirect_stdout(output):
            return script.evaluateImgLists([str(path) for path in predictions], [str(path) for path in truths], args)
    except (SystemExit, KeyError, IndexError) as error:
        lines = output.getvalue().strip().splitlines()
        raise EntryError(f"the official Cityscapes script gives up: {lines[-1] if lines else repr(error)}") from None


def official_numbers(results: Mapping[str, Any]) -> dict[str, float]:
    """The quantities of the metric by the script's own numbers; others from its confusion matrix."""
    found = {
        "mIoU": results["averageScoreClasses"],
        "iIoU_class": results["averageScoreInstClasses"],
        "IoU_category": results["averageScoreCategories"],
        "iIoU_category": results["averageScoreInstCategories"],
    }
    for name, key in {
        "IoU": "classScores",
        "iIoU_class": "classInstScores",
        "IoU_category": "categoryScores",
        "iIoU_category": "categoryInstScores",
    }.items():
        found |= {f"{name}/{part}": value for part, value in results[key].items()}
    return {name: float(value) for name, value in {**found, **_accuracies(results["confMatrix"])}.items()}


def _accuracies(matrix: Sequence[Sequence[int]]) -> dict[str, float]:
    """Accuracies, and training code's means, class by class."""
    ids = [label.id for label in CLASSES]
    right = [matrix[one][one] for one in ids]
    annotated = [sum(matrix[one]) for one in ids]
    taken = [sum(matrix[other][one] for other in ids) for one in ids]
    shares = [hit / many for hit, many in zip(right, annotated, strict=True) if many]
    total = 0.0
    for share in shares:
        total += share
    unions = [many + all_ - hit for hit, many, all_ in zip(right, annotated, taken, strict=True)]
    weighted = [many * hit / union for hit, many, union in zip(right, annotated, unions, strict=True) if union]
    return {
        "fwIoU": sum(weighted) / sum(annotated) if sum(annotated) else math.nan,
        "pixel_acc": sum(right) / sum(annotated) if sum(annotated) else math.nan,
        "mean_acc": total / len(shares) if shares else math.nan,
        "mIoU_training": float(np.mean([hit / max(1, union) for hit, union in zip(right, unions, strict=True)])),
        "mean_acc_training": float(np.mean([hit / max(1, many) for hit, many in zip(right, annotated, strict=True)])),
    }


def asked_numbers(predictions: Sequence[Path], truths: Sequence[Path], asked: AskedNumbers) -> dict[str, float]:
    """What is asked for, class by class, from the script's confusion matrices, which it makes again."""
    if not asked:
        return {}
    whole, found = official_results(predictions, truths)["confMatrix"], {}
    if asked.class_accuracy:
        for label in CLASSES:
            annotated = int(sum(whole[label.id]))
            found[f"acc/{label.name}"] = int(whole[label.id][label.id]) / annotated if annotated else math.nan
    if asked.dice is not None:
        pairs = zip(predictions, truths, strict=True)
        over = asked.dice_over == "set"
        matrices = [whole] if over else [official_results([one], [other])["confMatrix"] for one, other in pairs]
        tables = [[_dice_of(matrix, label.id, asked.dice) for label in CLASSES] for matrix in matrices]
        for place, label in enumerate(CLASSES):
            found[f"Dice/{label.name}"] = _mean_of([row[place] for row in tables])
        found["mDice"] = _mean_of([_mean_of(row) for row in tables])
    return found


def _dice_of(matrix: Sequence[Sequence[int]], label: int, empty: str) -> float:
    annotated, predicted = int(sum(matrix[label])), sum(int(matrix[other.id][label]) for other in CLASSES)
    if annotated + predicted:
        return 2 * int(matrix[label][label]) / (annotated + predicted)
    return {"left_out": math.nan, "one": 1.0, "zero": 0.0}[empty]


def _mean_of(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


@contextlib.contextmanager
def _in1d() -> Iterator[None]:
    """NumPy 2.4 removed `np.in1d`, which the script calls: it is restored while the script runs."""
    if hasattr(np, "in1d"):
        yield
        return
    np.__dict__["in1d"] = lambda one, two, invert=False: np.isin(np.ravel(one), two, invert=invert)
    try:
        yield
    finally:
        del np.__dict__["in1d"]


@contextlib.contextmanager
def as_ids(files: Sequence[Path], table: np.ndarray | None) -> Iterator[list[Path]]:
    """Files of label ids instead of `files`: the same files, or, with a `table` from numbers to label ids, temporary
    copies."""
    if table is None:
        yield list(files)
        return
    with tempfile.TemporaryDirectory() as folder:
        copies = []
        for number, file in enumerate(files):
            copies.append(Path(folder) / f"{number}.png")
            write_labels(copies[-1], table[read_labels(file, "a predicted label map")].astype(np.uint8))
        yield copies
