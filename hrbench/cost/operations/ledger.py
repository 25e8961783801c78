"""The ledger of a network's operations: by module, by operator, under every convention at once.

Plain data: no tensors, no torch. `count.py` fills it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hrbench.cost.operations.calls import Call
from hrbench.cost.operations.conventions import CONVENTIONS, CountingConvention, Tally, tally
from hrbench.cost.operations.traced import activations
from hrbench.errors import UsageError


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Calls of one operator by one module, or a sum of such rows.

    module: dotted path in the network, "" for the network itself or for all of it.
    operator: as the module called it ("aten::conv2d", not the kernel), "" in a sum over operators.
    calls: how often.
    elements: numbers in the first outputs, over all calls.
    counts: convention -> operations; without those that count nothing here.
    parameters: of the module with all its submodules, None if the row is for an operator.
    largest: numbers in the largest of these outputs.
    activations: numbers in the outputs of convolutions, linear layers and matrix products, by fvcore's convention.
    """

    module: str
    operator: str
    calls: int
    elements: int
    counts: Mapping[str, int | float]
    parameters: int | None = None
    largest: int = 0
    activations: int = 0


@dataclass(frozen=True, slots=True)
class Uncounted:
    """An operator that computes something a convention has no rule for. elements: of the outputs, over all calls."""

    operator: str
    calls: int
    elements: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """All operations of one forward pass.

    input: (N, C, H, W).
    rows: by module and operator in the order of their first call, without what computes nothing.
    uncounted: convention -> what it left out, most calls first; its keys are all conventions that were used.
    parameters: module path -> parameters, without submodules.
    conditions: what else affects the numbers, empty for a plain forward pass; for a detector counted by part, the
        numbers of boxes and what was not counted.
    """

    input: tuple[int, int, int, int]
    rows: tuple[LedgerRow, ...]
    uncounted: Mapping[str, tuple[Uncounted, ...]]
    parameters: Mapping[str, int] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def conventions(self) -> tuple[str, ...]:
        """Names of the counting conventions."""
        return tuple(self.uncounted)

    def total(self, convention: str) -> int | float:
        """Operations of the whole network by one convention, a plain count. Raises UsageError for an unknown one."""
        if convention not in self.conventions:
            known = ", ".join(self.conventions)
            raise UsageError(f"no counting convention is called {convention!r}; there are {known}")
        return sum(row.counts.get(convention, 0) for row in self.rows)

    @property
    def activations(self) -> int:
        """Numbers in the outputs of convolutions, linear layers and matrix products, by fvcore's convention."""
        return sum(row.activations for row in self.rows)

    def by_operator(self) -> tuple[LedgerRow, ...]:
        """One row per operator, in the order of first calls."""
        groups: dict[str, list[LedgerRow]] = {}
        for row in self.rows:
            groups.setdefault(row.operator, []).append(row)
        return tuple(_sum(rows, "", operator, None) for operator, rows in groups.items())

    def by_module(self, depth: int = 1) -> tuple[LedgerRow, ...]:
        """One row per module at most `depth` names deep, in the order of first calls; depth 0 is the whole network.

        What a module above that depth computes itself is under its own path, so the rows add up to the total. Modules
        with parameters that are never called come last, without calls.
        """
        if depth < 0:
            raise UsageError(f"a depth of modules is 0 or more, not {depth}")
        groups: dict[str, list[LedgerRow]] = {}
        for row in self.rows:
            groups.setdefault(_head(row.module, depth), []).append(row)
        weights: dict[str, int] = {}
        for path, count in self.parameters.items():
            weights[_head(path, depth)] = weights.get(_head(path, depth), 0) + count
        names = dict.fromkeys([*groups, *(name for name, count in weights.items() if count)])
        return tuple(_sum(groups.get(name, []), name, "", weights.get(name, 0)) for name in names)


def enter(
    calls: Iterable[tuple[str, Call]],
    input: tuple[int, int, int, int],
    parameters: Mapping[str, int],
    conditions: Mapping[str, Any] | None = None,
    conventions: Mapping[str, CountingConvention] = CONVENTIONS,
) -> Ledger:
    """The ledger of (module path, call) pairs, in the order of the calls."""
    groups: dict[tuple[str, str], list[LedgerRow]] = {}
    totals = {name: Tally() for name in conventions}
    for module, call in calls:
        if call.idle:
            continue
        counts = {}
        for name, convention in conventions.items():
            tallied = tally(convention, call)
            totals[name].add(tallied)
            if tallied.counted:
                counts[name] = tallied.operations
        row = LedgerRow(
            module, call.operator, 1, call.elements, counts, largest=call.elements, activations=activations(call)
        )
        groups.setdefault((module, call.operator), []).append(row)
    rows = tuple(_sum(rows, *key, None) for key, rows in groups.items())
    uncounted = {name: _listed(total) for name, total in totals.items()}
    return Ledger(input, rows, uncounted, dict(parameters), dict(conditions or {}))


def _sum(rows: list[LedgerRow], module: str, operator: str, parameters: int | None) -> LedgerRow:
    counts: dict[str, int | float] = {}
    for row in rows:
        for convention, count in row.counts.items():
            counts[convention] = counts.get(convention, 0) + count
    calls, elements, active = (sum(getattr(row, name) for row in rows) for name in ("calls", "elements", "activations"))
    largest = max((row.largest for row in rows), default=0)
    return LedgerRow(module, operator, calls, elements, counts, parameters, largest, active)


def _listed(total: Tally) -> tuple[Uncounted, ...]:
    items = sorted(total.uncounted.items(), key=lambda item: (-item[1][0], item[0]))
    return tuple(Uncounted(operator, calls, elements) for operator, (calls, elements) in items)


def _head(path: str, depth: int) -> str:
    return ".".join(path.split(".")[:depth])
