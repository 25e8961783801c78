"""Scores a file of predictions with a metric and a ground truth."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrbench.contracts import DataSet, HasMetricArgs, Metric, NotesInput
from hrbench.core.plugins import construct, names, resolve
from hrbench.core.remote import mirror
from hrbench.core.remote.mirror import local_copy
from hrbench.core.text import suggestion
from hrbench.errors import EntryError, MissingError, UsageError
from hrbench.runner.data_access import dataset_of, generate_absent, server_of
from hrbench.types import DatasetRow, Measurement, Note, State


@dataclass(frozen=True, slots=True)
class FileScores:
    """Scores of a file of predictions.

    scores: with intervals.
    state: that they were computed from.
    notes: what in the files changes the scores, or may.
    verdict: one sentence on the comparison with the reference implementation, "" if it was not requested.
    """

    scores: list[Measurement]
    state: State
    notes: tuple[Note, ...] = ()
    verdict: str = ""


def score_file(
    metric: str,
    *,
    ground_truth: str | Path,
    predictions: str | Path,
    options: Mapping[str, Any] | None = None,
    verify: bool = False,
    resamples: int = 1000,
    seed: int = 0,
) -> FileScores:
    """Scores of the predictions in a file, with 95 % bootstrap intervals over images.

    metric: a name of `hrbench metrics`, or "package.module:callable".
    ground_truth, predictions: files or folders in the metric's formats, or their addresses in an object store.
    options: arguments of the metric, such as sigmas.
    verify: whether to compare with the metric's reference implementation.
    resamples, seed: of the bootstrap.

    Raises UsageError, InputError naming the first faulty item of a file, MissingError, and EntryError if the reference
    implementation disagrees.
    """
    scorer = _construct(metric, options or {})
    truth_path, predictions_path = local_copy(ground_truth), local_copy(predictions)
    target = scorer.read_target(truth_path)
    found = scorer.read_predictions(predictions_path, target)
    state = scorer.measure(found, target)
    notes = tuple(scorer.input_notes(found, target, state)) if isinstance(scorer, NotesInput) else ()
    scores = scorer.summarise(state, resamples=resamples, seed=seed)
    comparison = verdict(scores, scorer.verify(truth_path, predictions_path), scorer) if verify else ""
    return FileScores(scores, state, notes, comparison)


def _construct(metric: str, options: Mapping[str, Any]) -> Metric:
    make = resolve("hrbench.metrics", metric)
    unknown, named = unknown_options(make, options)
    if unknown:
        raise UsageError(f"{metric} does not take {', '.join(unknown)}; it takes {', '.join(named) or 'no options'}")
    return construct(make, metric, **options)


def unknown_options(make: Callable[..., Any], options: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Options that a callable does not take, and all that it takes.

    >>> unknown_options(lambda names, ids=(): None, {"ids": [1], "files": []})
    (['files'], ['names', 'ids'])
    """
    takes = inspect.signature(make).parameters.values()
    named = [one.name for one in takes if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    if any(one.kind is one.VAR_KEYWORD for one in takes):
        return [], named
    return [name for name in options if name not in named], named


def target_of_dataset(
    row: DatasetRow, data: Path, needed: bool = True, metric: str = ""
) -> tuple[Path, dict[str, Any]]:
    """Ground truth of a data set of the catalog below the folder `data`, and the arguments of its metrics.

    row: of the catalog.
    data: the folder of --data.
    needed: whether the ground truth itself must be there; if not, only the arguments are wanted.
    metric: its name, whose own arguments are then among them.

    A miniature that does not exist yet is generated.
    Raises MissingError naming what is missing, or the server that scores if the ground truth is not public.
    """
    dataset: DataSet = dataset_of(row, data)
    if server := server_of(dataset):
        raise MissingError(f"{row.name} cannot be judged here: {server}")
    generate_absent(row, dataset)
    if needed and not dataset.target.exists():
        raise MissingError(mirror.told("; ".join(dataset.missing({**row.fixed}))))
    try:
        return dataset.target, {**dataset.metric_options(), **metric_args_of(metric, dataset)}
    except MissingError as error:
        gap = mirror.told((dataset.missing({**row.fixed}) or [str(error)])[0])
        raise MissingError(
            f"--dataset {row.name}: its options are read from its own annotations, whatever --gt is: {gap}"
        ) from None


def metric_args_of(name: str, dataset: DataSet) -> Mapping[str, Any]:
    """What a data set tells this metric alone. Raises UsageError if it names a metric that there is not."""
    if not isinstance(dataset, HasMetricArgs):
        return {}
    known = names("hrbench.metrics")
    for each, args in dataset.metric_args.items():
        if each not in known and ":" not in each:
            raise UsageError(f"metric_args: no metric is called {each!r}; {suggestion(each, known)}")
        if not isinstance(args, Mapping):
            raise UsageError(f"metric_args: {each}: {args!r} are no options; write them as {{option: value}}")
    return dataset.metric_args.get(name, {})


def verdict(scores: Sequence[Measurement], reference: Mapping[str, float], metric: Metric) -> str:
    """One sentence on how scores compare with the reference implementation's; raises EntryError if they differ.

    reference: numbers by name; -1 or NaN for no number.
    """
    values = {score.quantity.name: score.value for score in scores}
    for name, value in reference.items():
        absent = value == -1 or value != value
        if values[name] != (None if absent else value):
            raise EntryError(f"{metric.name}: {name} is {values[name]!r} here and {value!r} by {metric.oracle}")
    return f"{metric.name}: {metric.oracle} gives the same {len(reference)} numbers, bit for bit"
