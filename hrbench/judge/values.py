"""A comparison, and what a gate says of it, as plain values: gate.json, JSON and CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from hrbench.judge.gate import Decision, Outcome
from hrbench.judge.rows import Comparison, RowValues, row_values

FORMAT = 1
"""Of gate.json; raised if a reader of a former one could misread it."""


@dataclass(frozen=True, slots=True)
class ComparisonValues:
    """Two sides. changes: entry -> what differs that is judged."""

    first: str
    second: str
    rows: tuple[RowValues, ...]
    changes: Mapping[str, tuple[str, ...]]
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Blocking:
    """A row that blocks."""

    entry: str
    metric: str
    quantity: str
    cell: str


@dataclass(frozen=True, slots=True)
class GateValues:
    """gate.json. strict: whether a required number that cannot be told blocks."""

    format: int
    outcome: Outcome
    exit_code: int
    words: str
    strict: bool
    policy: str
    notes: tuple[str, ...]
    blocking: tuple[Blocking, ...]
    comparison: ComparisonValues


def comparison_values(comparison: Comparison) -> ComparisonValues:
    """A comparison as plain values."""
    return ComparisonValues(
        comparison.first,
        comparison.second,
        tuple(map(row_values, comparison.rows)),
        dict(comparison.changes),
        comparison.damaged,
    )


def gate_values(decision: Decision, strict: bool, notes: Sequence[str]) -> GateValues:
    """What gate.json holds. strict: as the command was called."""
    policy = decision.comparison.policy
    return GateValues(
        FORMAT,
        decision.outcome,
        decision.exit_code,
        decision.words,
        strict or policy.block_open,
        policy.source or "default",
        tuple(notes),
        tuple(
            Blocking(row.entry, row.evidence.metric, row.evidence.quantity.name, row.evidence.cell)
            for row in decision.blocking
        ),
        comparison_values(decision.comparison),
    )


def as_json(values: Any) -> str:
    """Plain values as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(values), indent=1).decode()


def gate_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of gate.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(GateValues)}
