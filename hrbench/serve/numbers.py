"""All numbers of a stored entry, as its page shows them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from hrbench.core import units
from hrbench.errors import HrbenchError
from hrbench.judge.costs import cell_of
from hrbench.serve.places import RunPlace, open_file
from hrbench.store.results import from_json
from hrbench.types import Measurement


@dataclass(frozen=True, slots=True)
class NumberRow:
    """A score or a cost in words.

    what: its name, with the conditions of a cost.
    metric: "" for a cost.
    value: with its unit; "–" if it does not exist.
    told: a sentence on what it is.
    counted: by which of several ways.
    reason: why it does not exist.
    """

    what: str
    metric: str
    value: str
    interval: str
    told: str
    counted: str
    reason: str


def numbers_of(place: RunPlace, entry: str) -> tuple[NumberRow, ...]:
    """The scores and costs of an entry; none if its result cannot be read, which the row of the run tells."""
    path = place.path / "entries" / entry / "result.json"
    try:
        file = open_file(place.path, ("entries", entry, "result.json"))
        with os.fdopen(file.descriptor, "rb") as stream:
            result = from_json(stream.read(), path)
    except (HrbenchError, OSError):
        return ()
    return tuple(_rows((*result.scores, *result.costs)))


def _rows(numbers: tuple[Measurement, ...]) -> Iterator[NumberRow]:
    for one in numbers:
        quantity, cell = one.quantity, cell_of(one)
        own = quantity.divisor
        yield NumberRow(
            ", ".join(filter(None, (quantity.label or quantity.name, cell))),
            one.metric,
            "–" if one.value is None else units.with_unit(one.value, quantity.unit, own=own),
            "" if one.interval is None else units.interval(*one.interval, quantity.unit, own=own),
            quantity.description,
            quantity.convention,
            str(one.reason or ""),
        )
