"""The classes that changed most between two results, as a table of the page; no verdict is on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hrbench.core import units
from hrbench.judge.most_changed import ScoreChange
from hrbench.report.changed_images import ChangedEntry


@dataclass(frozen=True, slots=True)
class ChangedClass:
    """A row: name of the number, before, after and change in points, as text."""

    name: str
    before: str
    after: str
    change: str


@dataclass(frozen=True, slots=True)
class ClassesOfEntry:
    """An entry with its classes that changed most, by the first metric by which it changed."""

    entry: str
    metric: str
    rows: tuple[ChangedClass, ...]


def changed_classes(entries: Sequence[ChangedEntry]) -> list[ClassesOfEntry]:
    """The entries of which classes changed."""
    return [
        ClassesOfEntry(one.entry, one.metric, tuple(map(_row, one.most.classes))) for one in entries if one.most.classes
    ]


def _row(one: ScoreChange) -> ChangedClass:
    before, after = (units.show(value, "fraction", 2) for value in (one.before, one.after))
    return ChangedClass(str(one.name), before, after, f"{100 * one.change:+.2f}".replace("-", "−"))
