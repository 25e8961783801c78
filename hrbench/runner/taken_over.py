"""What a new result takes over: costs of the stored one, a note where that is of other weights, what processes did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hrbench.contracts import Outcome
from hrbench.core import units
from hrbench.runner.executors import witness
from hrbench.types import Note, Result


def replaced(stored: Result | None, result: Result) -> list[Note]:
    """A note if a result takes the place of one that was measured with other weights."""
    old, new = None if stored is None else stored.provenance.weights, result.provenance.weights
    if stored is None or not stored.scores or old is None or new is None or old.sha256 in (None, new.sha256):
        return []
    score = stored.scores[0]
    value = "" if score.value is None else f", {score.quantity.label} {units.show(score.value, score.quantity.unit)}"
    what = f"the result takes the place of one with other weights ({old.file or old.source}, {old.sha256[:8]}{value})"
    return [Note("other_weights", what, effect="a difference from former numbers is that of the weights, too")]


def with_costs_of(result: Result, stored: Result | None) -> Result:
    """A new result with the stored costs; their keys decide whether they are still valid."""
    if stored is None:
        return result
    return replace(
        result,
        costs=stored.costs,
        cost_key=stored.cost_key,
        cost_keys=stored.cost_keys,
        costs_reason=stored.costs_reason,
    )


def witnessed(outcomes: Sequence[Outcome]) -> list[str]:
    """Notes on what processes changed in themselves, each once."""
    return list(dict.fromkeys(note for outcome in outcomes for note in witness.notes(outcome)))
