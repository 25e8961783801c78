"""Which costs stand in one plot, and what their points are called there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hrbench.core import units
from hrbench.report.condition_words import worded
from hrbench.report.rows import row_labels
from hrbench.types import Measurement, Result

_ORDER = ("device", "dtype", "runtime", "threads", "mode")


@dataclass(frozen=True, slots=True)
class PlotGroup:
    """The costs of one plot.

    conditions: what they have in common, in words.
    members: (result, what it is called, cost); what the names tell apart is not among the conditions.
    """

    conditions: str
    members: tuple[tuple[Result, str, Measurement], ...]


def plot_groups(
    results: Sequence[Result], shown: Callable[[Measurement], bool], same: Sequence[str], named: Sequence[str]
) -> list[PlotGroup]:
    """The costs of a plot each.

    shown: whether a cost is drawn.
    same: conditions in which the costs of one plot agree.
    named: conditions in which they may differ; the names then tell them.
    """
    groups: dict[tuple[Any, ...], list[tuple[Result, Measurement]]] = {}
    for result in results:
        for cost in filter(shown, result.costs):
            groups.setdefault(tuple(getattr(cost.conditions, name) for name in same), []).append((result, cost))
    return [_group(members, (*same, *named)) for members in groups.values()]


def _group(members: Sequence[tuple[Result, Measurement]], names: Sequence[str]) -> PlotGroup:
    """What most costs have is told once, and what others have in their names."""
    results = list({id(result): result for result, _ in members}.values())
    labels = dict(zip(map(id, results), row_labels(results, with_dtype=False), strict=True))
    under = [{name: _value(result, cost, name) for name in names} for result, cost in members]
    most = {name: Counter(one[name] for one in under).most_common(1)[0][0] for name in _ORDER if name in names}
    common = [
        worded(name, value) + ("" if all(one[name] == value for one in under) else " unless named")
        for name, value in most.items()
        if value not in ("", "eager", None) or any(one[name] != value for one in under)
    ]
    named = []
    for (result, cost), own in zip(members, under, strict=True):
        label = f"{labels[id(result)]} {units.size(result.entry.variant.input)}".rstrip()
        told = [worded(name, value) for name, value in own.items() if value != most[name]]
        told = [words for words in _without_repeats(told) if words not in label]
        named.append((result, ", ".join([label, *told]), cost))
    return PlotGroup(", ".join(_without_repeats(common)), tuple(named))


def _value(result: Result, cost: Measurement, name: str) -> Any:
    """A condition of a cost; a runtime always by its name."""
    value = getattr(cost.conditions, name)
    return (value or ("own" if result.entry.runtime.name == "own" else "eager")) if name == "runtime" else value


def _without_repeats(words: Sequence[str]) -> list[str]:
    """Words that no other holds: a runtime may name its threads.

    >>> _without_repeats(["compile, threads 1", "threads 1"])
    ['compile, threads 1']
    """
    return [one for one in words if not any(one != other and one in other.split(", ") for other in words)]
