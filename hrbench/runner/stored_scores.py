"""Recomputes scores from the stored states, and compares stored scores with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hrbench.contracts import GainedNumbers, Metric
from hrbench.errors import HrbenchError
from hrbench.store.states import read_state, state_file
from hrbench.types import Entry, Measurement, Reason, Result


def main_first(scores: Sequence[Measurement], metric: Metric) -> list[Measurement]:
    """A metric's scores in the order in which a result holds them: its main number first."""
    return sorted(scores, key=lambda score: score.quantity.name != metric.main)


def recompute_scores(entry: Entry, metrics: Sequence[Metric], folder: Path) -> list[Measurement]:
    """The scores of an entry's stored states, as a run gives them. Runs no network and reads no predictions.

    metrics: of the entry, in its order.
    folder: of the entry.

    Raises HrbenchError for a state that is missing, damaged, or of another metric or version.
    """
    scores: list[Measurement] = []
    names = [metric.name for metric in metrics]
    for number, metric in enumerate(metrics):
        state = read_state(folder / state_file(names, number))
        scores += main_first(metric.summarise(state, resamples=entry.resamples, seed=entry.seed), metric)
    return scores


def score_mismatch(stored: Result, metrics: Sequence[Metric]) -> Reason | None:
    """Why the scores of a stored result are not valid; None if they equal those computed from its stored states.

    Values, intervals and counts are compared to the last bit. A result that a server scores has nothing to compare, and
    numbers that a metric gained since it was stored are not asked for.
    """
    if stored.status == "submitted":
        return None
    remedy = "the entry is run again"
    try:
        computed = recompute_scores(stored.entry, metrics, Path(stored.folder))
    except HrbenchError as error:
        return Reason(f"the stored scores cannot be compared with their states: {error}", remedy)
    held = {_name(one) for one in stored.scores}
    gained = {(one.name, name) for one in metrics if isinstance(one, GainedNumbers) for name in one.gained} - held
    computed = [one for one in computed if _name(one) not in gained]
    if [_name(one) for one in computed] != [_name(one) for one in stored.scores]:
        return Reason("the stored scores are not those that their states give", remedy)
    for new, old in zip(computed, stored.scores, strict=True):
        if (new.value, new.interval, new.n) != (old.value, old.interval, old.n):
            what = f"{new.metric} {new.quantity.name} is stored as {old.value!r}, its states give {new.value!r}"
            return Reason(what, remedy)
    return None


def _name(one: Measurement) -> tuple[str, str]:
    return one.metric, one.quantity.name
