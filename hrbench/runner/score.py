"""Judging predictions made anywhere: a metric's name, a ground truth and a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrbench.contracts import DataSet, Metric
from hrbench.core.plugins import resolve
from hrbench.errors import EntryError, MissingError, UsageError
from hrbench.runner.data_access import generate_absent, server_of
from hrbench.types import DatasetRow, Measurement, State


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores, the state they came from, and one sentence on what verifying found ("" where it was not asked for)."""

    scores: list[Measurement]
    state: State
    verdict: str = ""


def score(
    metric: str,
    *,
    ground_truth: str | Path,
    predictions: str | Path,
    options: Mapping[str, Any] | None = None,
    verify: bool = False,
    resamples: int = 1000,
    seed: int = 0,
) -> Judged:
    """Scores of the predictions in a file, with 95 % bootstrap intervals over images.

    metric: a name of `hrbench metrics`, or "package.module:callable". options: what the metric is constructed with,
    such as sigmas. verify: compare with the oracle as well. Raises UsageError, InputError naming the first
    offender of a file, MissingError, EntryError where the oracle disagrees.
    """
    judge = _made(metric, options or {})
    target = judge.read_target(Path(ground_truth))
    state = judge.measure(judge.read_predictions(Path(predictions), target), target)
    scores = judge.summarise(state, resamples=resamples, seed=seed)
    said = verdict(scores, judge.verify(Path(ground_truth), Path(predictions)), judge) if verify else ""
    return Judged(scores, state, said)


def _made(metric: str, options: Mapping[str, Any]) -> Metric:
    make = resolve("hrbench.metrics", metric)
    strange, named = untaken(make, options)
    if strange:
        raise UsageError(f"{metric} does not take {', '.join(strange)}; it takes {', '.join(named) or 'no options'}")
    try:
        return make(**options)
    except TypeError as error:
        raise UsageError(f"{metric} does not take these options: {error}") from None


def untaken(make: Callable[..., Any], options: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Options that a callable does not take, and all that it takes.

    >>> untaken(lambda names, ids=(): None, {"ids": [1], "files": []})
    (['files'], ['names', 'ids'])
    """
    takes = inspect.signature(make).parameters.values()
    named = [one.name for one in takes if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    if any(one.kind is one.VAR_KEYWORD for one in takes):
        return [], named
    return [name for name in options if name not in named], named


def of_dataset(row: DatasetRow, data: Path) -> tuple[Path, dict[str, Any]]:
    """Ground truth of a catalog's data set below the folder `data`, and what its metrics are made with.

    A miniature that is not there is drawn.
    Raises MissingError naming what is not there, or who judges where the ground truth is not public.
    """
    dataset: DataSet = resolve("hrbench.datasets", row.use)(data, **row.args)
    if server := server_of(dataset):
        raise MissingError(f"{row.name} cannot be judged here: {server}")
    generate_absent(row, dataset)
    if not dataset.target.exists():
        raise MissingError("; ".join(dataset.missing({**row.fixed})))
    return dataset.target, dict(dataset.metric_options())


def verdict(scores: Sequence[Measurement], theirs: Mapping[str, float], metric: Metric) -> str:
    """One sentence on how our scores compare with the oracle's; raises EntryError where they differ.

    theirs: numbers by name; -1 or NaN where the oracle has none.
    """
    ours = {score.quantity.name: score.value for score in scores}
    for name, value in theirs.items():
        absent = value == -1 or value != value
        if ours[name] != (None if absent else value):
            raise EntryError(f"{metric.name}: {name} is {ours[name]!r} here and {value!r} by {metric.oracle}")
    return f"{metric.name}: {metric.oracle} gives the same {len(theirs)} numbers, bit for bit"
