"""Which costs stand in one plot, and what their points are called there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hrbench.core import units
from hrbench.report.rows import cost_labels
from hrbench.types import Measurement, Result

_ORDER = ("device", "dtype", "runtime", "threads", "mode")
_PLAIN = ("device", "dtype", "runtime")
"""Conditions that need no name."""


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
    labels = cost_labels(results)
    groups: dict[tuple[Any, ...], list[tuple[Result, str, Measurement]]] = {}
    for place, result in enumerate(results):
        for cost in filter(shown, result.costs):
            label = f"{labels[place, cost.conditions.dtype]} {units.size(result.entry.variant.input)}".rstrip()
            key = tuple(getattr(cost.conditions, name) for name in same)
            groups.setdefault(key, []).append((result, label, cost))
    return [_group(members, (*same, *named)) for members in groups.values()]


def _group(members: Sequence[tuple[Result, str, Measurement]], names: Sequence[str]) -> PlotGroup:
    under = [cost.conditions for *_, cost in members]
    differing = [name for name in _ORDER if name in names and len({getattr(one, name) for one in under}) > 1]
    shared = [_words(name, value) for name in _ORDER if name in names and name not in differing
              and (value := getattr(under[0], name)) not in ("", None)]  # fmt: skip
    named = []
    for result, label, cost in members:
        values = {name: getattr(cost.conditions, name) or str(result.entry.runtime) for name in differing}
        told = [words for name, value in values.items() if (words := _words(name, value)) not in label]
        told = [words for words in told if not any(words != other and words in other for other in told)]
        named.append((result, ", ".join([label, *told]), cost))
    return PlotGroup(", ".join(shared), tuple(named))


def _words(name: str, value: Any) -> str:
    return str(value) if name in _PLAIN else f"{name} {value}"
