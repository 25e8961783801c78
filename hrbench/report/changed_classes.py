"""The classes that changed most between two results, as a table of the page; no verdict is on them."""

from __future__ import annotations

from dataclasses import dataclass

from hrbench.core import units
from hrbench.judge.images import ClassChange, most_changed_classes
from hrbench.judge.rows import Comparison
from hrbench.judge.sides import Side
from hrbench.report.changed_images import changed_entries


@dataclass(frozen=True, slots=True)
class ChangedClass:
    """A row: name of the number, before, after and change in points, as text."""

    name: str
    before: str
    after: str
    change: str


@dataclass(frozen=True, slots=True)
class ClassesOfEntry:
    """An entry with its classes that changed most, by its first metric."""

    entry: str
    metric: str
    rows: tuple[ChangedClass, ...]


def changed_classes(comparison: Comparison, sides: tuple[Side, Side]) -> list[ClassesOfEntry]:
    """Entries whose classes were not judged (`--classes` has them among the numbers, with intervals)."""
    judged = {row.evidence.entry for row in comparison.rows if row.evidence.single_class}
    found = []
    for entry, metric, first, second in changed_entries(comparison, sides):
        if entry not in judged and (rows := most_changed_classes(first, second, metric)):
            found.append(ClassesOfEntry(entry, metric, tuple(map(_row, rows))))
    return found


def _row(one: ClassChange) -> ChangedClass:
    before, after = (units.show(value, "fraction", 2) for value in (one.before, one.after))
    return ChangedClass(one.name, before, after, f"{100 * one.change:+.2f}".replace("-", "−"))
