"""Judging predictions made anywhere: a metric's name, a ground truth and a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrbench.contracts import Metric
from hrbench.resolve import resolve
from hrbench.types import EntryError, Score, State, UsageError


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores, the state they came from, and one sentence on what verifying found ("" where it was not asked for)."""

    scores: list[Score]
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
    such as sigmas. verify: compare with the official code as well. Raises UsageError, InputError naming the first
    offender of a file, MissingError, EntryError where the official code disagrees.
    """
    try:
        judge: Metric = resolve("hrbench.metrics", metric)(**(options or {}))
    except TypeError as error:
        raise UsageError(f"{metric} does not take these options: {error}") from None
    target = judge.read_target(Path(ground_truth))
    state = judge.measure(judge.read_predictions(Path(predictions), target), target)
    scores = judge.summarise(state, resamples=resamples, seed=seed)
    said = verdict(scores, judge.verify(Path(ground_truth), Path(predictions)), judge.name) if verify else ""
    return Judged(scores, state, said)


def verdict(scores: Sequence[Score], official: Mapping[str, float], metric: str) -> str:
    """One sentence on how our scores compare with the official code's; raises EntryError where they differ."""
    ours = {score.quantity.name: -1.0 if score.value is None else score.value for score in scores}
    for name, value in official.items():
        if ours[name] != value:
            raise EntryError(f"{metric}: {name} is {ours[name]!r} here and {value!r} by the official code")
    return f"{metric}: the official code gives the same {len(official)} numbers, bit for bit"
