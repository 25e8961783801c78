"""A comparison, and what a gate says of it, as plain values: gate.json, JSON and CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from hrbench.judge.compare import Comparison, Row
from hrbench.judge.costs import TIMES
from hrbench.judge.evidence import Means
from hrbench.judge.gate import Decision, Outcome
from hrbench.judge.verdict import Verdict
from hrbench.types import Tier

FORMAT = 1
"""Of gate.json; raised if a reader of a former one could misread it."""


@dataclass(frozen=True, slots=True)
class RowValues:
    """One number of a comparison.

    entry, former_entry: names on the second and on the first side.
    metric: "" for a cost.
    cell: under which of several conditions a cost was measured.
    before, after: in the unit (fractions in [0, 1], seconds, bytes); null if there is none.
    change: after minus before, or for times, energy and memory the ratio minus 1 (`change_is`).
    interval: 95 %, of the change.
    margin: as the change is.
    p: one-sided, of the hypothesis that it is not worse by more than the margin.
    level: that p was compared with.
    p_no_difference: McNemar's exact test, for shares of images.
    units: images or groups that were resampled.
    replicates: of the bootstrap.
    rule: "file:line" of the rule that decided the tier, or "default".
    """

    entry: str
    former_entry: str
    metric: str
    quantity: str
    cell: str
    unit: str
    better: str
    single_class: bool
    before: float | None
    after: float | None
    change: float | None
    change_is: Literal["absolute", "relative"]
    interval: tuple[float, float] | None
    margin: float
    verdict: Verdict
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    tier: Tier
    rule: str
    floor: str
    waiver: str
    judged_by: Means | Literal[""]
    p: float | None
    level: float | None
    p_no_difference: float | None
    standard_error: float
    units: int
    replicates: int


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


def change(row: Row) -> tuple[float, tuple[float, float] | None] | None:
    """How the number itself changed: (change, interval). For times, energy and memory the change is relative."""
    evidence = row.evidence
    if evidence.difference is None:
        return None
    sign = -1.0 if evidence.quantity.better == "lower" else 1.0
    turn = (lambda d: math.expm1(sign * d)) if evidence.quantity.unit in TIMES else (lambda d: sign * d + 0.0)
    interval = None
    if evidence.interval is not None:
        ends = sorted(turn(end) for end in evidence.interval)
        interval = (ends[0], ends[1])
    return turn(evidence.difference), interval


def row_values(row: Row) -> RowValues:
    """A row as plain values."""
    evidence, judgement = row.evidence, row.judgement
    at, quantity = change(row), evidence.quantity
    relative = quantity.unit in TIMES
    return RowValues(
        row.entry,
        evidence.former,
        evidence.metric,
        quantity.name,
        evidence.cell,
        quantity.unit,
        quantity.better,
        evidence.single_class,
        evidence.first,
        evidence.second,
        None if at is None else at[0],
        "relative" if relative else "absolute",
        None if at is None else at[1],
        math.expm1(judgement.margin) if relative else judgement.margin,
        row.verdict,
        judgement.reasons,
        evidence.notes,
        row.tier,
        row.where,
        row.floor,
        row.waiver,
        evidence.means,
        judgement.p,
        None if judgement.p is None else judgement.level,
        evidence.p_none,
        evidence.error,
        evidence.units,
        evidence.replicates,
    )


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
