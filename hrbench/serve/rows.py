"""Rows of the index: what a run or a baseline says in short."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from hrbench.serve.places import RunPlace
from hrbench.types import Quantity


@dataclass(frozen=True, slots=True)
class MainScore:
    """The best of a run's entries on one data set, by the first number of a metric.

    dataset: its title.
    value: in the quantity's unit.
    entry: that has it.
    limited: how many images it was limited to; None for all.
    metric: if another one has a number of this name on the data set, too; "" otherwise.
    """

    dataset: str
    quantity: Quantity
    value: float
    entry: str
    limited: int | None
    metric: str = ""


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One stored result in short.

    status: as stored; "damaged" if it cannot be read.
    reason: why it failed, is empty or damaged; "" otherwise.
    network, dataset: their titles, the latter "" for costs only.
    scores: the first of each metric: its name, what it is, its value.
    limited: how many images it was limited to; None for all.
    protocol: under which it was predicted: equal for entries under the same.
    date: when it was scored, an ISO time; "" if it is not known.
    """

    name: str
    status: str
    reason: str = ""
    network: str = ""
    dataset: str = ""
    scores: tuple[tuple[str, Quantity, float | None], ...] = ()
    limited: int | None = None
    protocol: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run or a baseline in short.

    title: of the suite, its name if it has none.
    date: when it was measured, an ISO time; "" if nothing says so.
    note: of a baseline.
    entries: of the last run, in the suite's order; damaged ones, too.
    expected: how many entries the last run has; more than `entries` while it grows.
    damaged: what cannot be read, in sentences.
    odd: whether something in it is a link or no regular file; only the index looks at it then.
    """

    place: RunPlace
    suite: str = ""
    title: str = ""
    date: str = ""
    commit: str = ""
    options: tuple[str, ...] = ()
    note: str = ""
    is_baseline: bool = False
    entries: tuple[EntryRow, ...] = ()
    expected: int = 0
    damaged: tuple[str, ...] = ()
    odd: bool = False

    def count(self, *statuses: str) -> int:
        """How many entries have one of these statuses."""
        return sum(entry.status in statuses for entry in self.entries)

    @property
    def troubled(self) -> bool:
        """Whether anything failed, is empty or cannot be read."""
        return bool(self.damaged) or self.count("failed", "empty", "damaged") > 0

    def main_scores(self) -> list[MainScore]:
        """The best of each data set and metric, in the order of the suite.

        Of the entries under one protocol, on all or as many images: the one that most of them have, as in a report.
        """
        groups: dict[tuple[str, str, str], dict[tuple[str, int | None], list[MainScore]]] = {}
        for entry in self.entries:
            for metric, quantity, value in entry.scores:
                if value is not None:
                    alike = groups.setdefault((entry.dataset, metric, quantity.name), {})
                    one = MainScore(entry.dataset, quantity, value, entry.name, entry.limited)
                    alike.setdefault((entry.protocol, entry.limited), []).append(one)
        many = Counter((dataset, name) for dataset, _, name in groups)
        return [
            replace(_best(max(alike.values(), key=len)), metric=metric if many[dataset, name] > 1 else "")
            for (dataset, metric, name), alike in groups.items()
        ]


def _best(scores: list[MainScore]) -> MainScore:
    best = scores[0]
    for one in scores[1:]:
        if _is_better(one.quantity, one.value, best.value):
            best = one
    return best


def _is_better(quantity: Quantity, value: float, than: float) -> bool:
    return value > than if quantity.better == "higher" else quantity.better == "lower" and value < than
