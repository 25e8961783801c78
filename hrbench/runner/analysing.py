"""Error analyses of an entry: those that scoring makes and stores, and those of entries that were stored without."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hrbench.contracts import Analyses, Metric
from hrbench.core.plugins import names, resolve
from hrbench.core.text import suggestion
from hrbench.errors import InputError, MissingError, UsageError, in_words
from hrbench.judge.sides import check_files, state_of
from hrbench.metrics.states import TRUTH
from hrbench.runner.data_access import dataset_of
from hrbench.runner.precomputed import NO_PROTOCOL, limited_images, prediction_file
from hrbench.runner.prepare import metric_of
from hrbench.store.analyses import analyses_of, fault_of
from hrbench.types import Analysis, Result, State


def analysed(metric: Metric, predictions: Any, target: Any, state: State) -> tuple[list[Analysis], list[str]]:
    """The analysis of a metric that offers one, and a sentence if it failed: that does not cost an entry its scores.

    predictions, target: what the metric read.
    state: what it measured.
    """
    if not isinstance(metric, Analyses):
        return [], []
    try:
        found = metric.analyse(predictions, target, state)
        if fault := fault_of(found):
            raise ValueError(fault)
    except MemoryError:
        raise
    except Exception as error:  # the code may be a user's
        return [], [f"there is no error analysis of {metric.name} ({in_words(error)}); its scores are not affected"]
    return [found], []


@dataclass(frozen=True, slots=True)
class Explained:
    """The analyses of one entry.

    analyses: in the order of its metrics.
    notes: sentences on what is not there, or was made now.
    """

    analyses: tuple[Analysis, ...]
    notes: tuple[str, ...] = ()


def explain(result: Result, metric: str = "", data: Path | None = None) -> Explained:
    """The analyses of a stored result; one that is not stored is made of its stored predictions.

    metric: only of this one; "" for all of the entry's.
    data: folder of data sets, for what is not stored; None if only what is stored is wanted.

    Raises UsageError for a metric that the entry was not scored by; MissingError, saying what to do, if there is
    nothing to show; InputError if a file is damaged, or `data` holds other ground truth than was judged.
    """
    scored = list(dict.fromkeys(score.metric for score in result.scores))
    if metric and metric not in scored:
        raise UsageError(f"{result.name} was not scored by {metric!r}; {suggestion(metric, scored)}")
    if result.status != "done":
        raise MissingError(f"{result.name} has no scores to explain ({result.reason or result.status})")
    stored = {one.metric: one for one in analyses_of(result)}
    found: list[Analysis] = []
    notes: list[str] = []
    absent: list[str] = []
    wanted = [metric] if metric else scored
    for name in wanted:
        version = _version(name)
        if name in stored and (data is None or version in (None, stored[name].version)):
            found.append(stored[name])
            if version not in (None, stored[name].version):
                notes.append(
                    f"the stored analysis of {name} is of version {stored[name].version}: --data FOLDER makes one of "
                    f"version {version} now, the suite with --rescore stores it"
                )
        elif version is not None and data is None:
            # of an entry that was scored before this metric offered one, the others are shown all the same
            absent.append(
                f"{result.name} was scored without an error analysis of {name}: name the folder of data sets by --data "
                "FOLDER to make one of the stored predictions now, or run its suite with --rescore to store it"
            )
        elif version is not None and data is not None:
            found.append(_made(result, name, data))
            notes.append(f"the analysis of {name} was made now of the stored predictions, and is not stored")
    if not found and absent:
        raise MissingError(absent[0])
    if not found:
        raise MissingError(
            f"{result.name}: {' and '.join(wanted)} {'offers' if len(wanted) == 1 else 'offer'} no error analysis; "
            f"metrics that do: {', '.join(analysing_metrics()) or 'none'}"
        )
    return Explained(tuple(found), (*notes, *absent))


def analysing_metrics() -> list[str]:
    """Names of the metrics that offer an error analysis."""
    return [name for name in names("hrbench.metrics") if _version(name) is not None]


def _version(metric: str) -> int | None:
    """The version of a metric's analysis; None if it offers none."""
    offered = resolve("hrbench.metrics", metric) if metric in names("hrbench.metrics") else None
    return offered.analysis_version if isinstance(offered, Analyses) else None


def _made(result: Result, name: str, data: Path) -> Analysis:
    """The analysis of the stored predictions of an entry, after they were found to be those that were judged."""
    entry = result.entry
    assert entry.dataset is not None
    dataset = dataset_of(entry.dataset, data)
    if not dataset.target.exists():
        told = "; ".join(map(str, dataset.missing(NO_PROTOCOL))) or f"{dataset.target} is not there"
        raise MissingError(f"{result.name}: {told}")
    metric = metric_of(name, dataset)
    check_files(result, name, metric.prediction_file)
    path = prediction_file(metric, Path(result.folder))
    if not path.exists():
        raise MissingError(f"{result.folder} holds no predictions of {name}, as a baseline does not: name a run folder")
    target = metric.read_target(dataset.target)
    predictions = metric.read_predictions(path, target)
    judged = state_of(result, name)
    state = metric.measure(predictions, target, limited_images(entry, dataset))
    if not _same_truth(state, judged):
        raise InputError(f"{dataset.target} is not the ground truth that {result.name} was judged by")
    if not isinstance(metric, Analyses):
        raise MissingError(f"{name} offers no error analysis")
    return metric.analyse(predictions, target, state)


def _same_truth(state: State, judged: State) -> bool:
    """Whether two states are of the same images with the same ground truth, as far as they tell."""
    names = [name for name in ("image", TRUTH) if name in state.arrays and name in judged.arrays]
    return all(np.array_equal(state.arrays[name], judged.arrays[name]) for name in names)
