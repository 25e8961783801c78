"""Scores from the states that are stored beside them, and whether stored scores are still those."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hrbench.contracts import Metric
from hrbench.errors import HrbenchError
from hrbench.store.states import read_state
from hrbench.types import Entry, Measurement, Reason, Result


def state_file(metrics: Sequence[Metric], number: int) -> str:
    """The name in an entry's folder of the state of the metric with this number among the entry's."""
    return f"states-{metrics[number].name}.npz" if number else "states.npz"


def main_first(scores: Sequence[Measurement], metric: Metric) -> list[Measurement]:
    """A metric's scores in the order in which a result holds them: its main number first."""
    return sorted(scores, key=lambda score: score.quantity.name != metric.main)


def scores_from_states(entry: Entry, metrics: Sequence[Metric], folder: Path) -> list[Measurement]:
    """The scores of an entry's stored states, as a run gives them. Runs no network and reads no predictions.

    metrics: of the entry, in its order. folder: the entry's. Raises HrbenchError for a state that is not there, is
    damaged or is of another metric or version.
    """
    scores: list[Measurement] = []
    for number, metric in enumerate(metrics):
        state = read_state(folder / state_file(metrics, number))
        scores += main_first(metric.summarise(state, resamples=entry.resamples, seed=entry.seed), metric)
    return scores


def score_mismatch(stored: Result, metrics: Sequence[Metric]) -> Reason | None:
    """Why the scores of a stored result do not count; None if they are exactly those of its stored states.

    Compared are values, intervals and counts, to the last bit. A result that a server judges has no scores to hold.
    """
    if stored.status == "submitted":
        return None
    remedy = "the entry is run again"
    try:
        found = scores_from_states(stored.entry, metrics, Path(stored.folder))
    except HrbenchError as error:
        return Reason(f"the stored scores cannot be held to their states: {error}", remedy)
    if [_name(one) for one in found] != [_name(one) for one in stored.scores]:
        return Reason("the stored scores are not those that their states give", remedy)
    for ours, theirs in zip(found, stored.scores, strict=True):
        if (ours.value, ours.interval, ours.n) != (theirs.value, theirs.interval, theirs.n):
            said = f"{ours.metric} {ours.quantity.name} is stored as {theirs.value!r}, its states give {ours.value!r}"
            return Reason(said, remedy)
    return None


def _name(one: Measurement) -> tuple[str, str]:
    return one.metric, one.quantity.name
