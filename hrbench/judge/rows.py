"""The rows of a comparison: one number each, judged under a policy; as objects, and as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from hrbench.judge.costs import TIMES
from hrbench.judge.evidence import Evidence, Means
from hrbench.judge.verdict import Judgement, Verdict
from hrbench.types import Policy, Tier

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Row:
    """One number of a comparison, judged under a policy.

    judgement: its verdict, with the evidence.
    tier: what the policy makes of it.
    where: "file:line" of the rule that decided its tier, "default" for none.
    floor: the bound that it is below, in words; "" if there is none.
    waiver: why its regression is accepted, in words; "" if it is not.
    """

    judgement: Judgement
    tier: Tier
    where: str = "default"
    floor: str = ""
    waiver: str = ""

    @property
    def evidence(self) -> Evidence:
        return self.judgement.evidence

    @property
    def entry(self) -> str:
        return self.evidence.entry

    @property
    def key(self) -> str:
        return self.evidence.key

    @property
    def counts(self) -> bool:
        """Whether the row is looked at: an ignored one only if it is below a floor."""
        return self.tier != "ignored" or bool(self.floor)

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides, judged.

    first, second: their names.
    rows: by entry in the order of the second side, then those that only the first has.
    changes: entry -> what differs that is judged: network, weights, code, libraries.
    damaged: what could not be read, a sentence each.
    policy: that the rows were judged under.
    notes: on the policy: what in it fits no number, or has expired.
    """

    first: str
    second: str
    rows: tuple[Row, ...]
    changes: Mapping[str, tuple[str, ...]]
    damaged: tuple[str, ...]
    policy: Policy
    notes: tuple[str, ...] = ()

    def frame(self) -> pandas.DataFrame:
        """The rows as a table, a column for each field of `judge.values.RowValues`, the interval as low and high."""
        import pandas

        rows = [asdict(row_values(row)) for row in self.rows]
        for row in rows:
            row["low"], row["high"] = row.pop("interval") or (None, None)
        return pandas.DataFrame(rows)

    @property
    def compared(self) -> int:
        """How many rows have a difference."""
        return sum(row.evidence.state == "compared" for row in self.rows)


@dataclass(frozen=True, slots=True)
class RowValues:
    """One number of a comparison.

    entry, former_entry: names on the second and on the first side.
    metric: "" for a cost.
    cell: under which of several conditions a cost was measured.
    slice: the part of the images it is of; "" for all.
    before, after: in the unit (fractions in [0, 1], seconds, bytes); null if there is none.
    change: after minus before, or for times, energy and memory the ratio minus 1 (`change_is`).
    interval: 95 %, of the change.
    margin: as the change is.
    p: one-sided, of the hypothesis that it is not worse by more than the margin.
    level: that p was compared with.
    p_no_difference: McNemar's exact test, for shares of images.
    quiet: 95 % interval of the first side against itself, logarithm of the ratio, of times measured in turns.
    units: images or groups that were resampled; rounds of times measured in turns.
    replicates: of the bootstrap.
    rule: "file:line" of the rule that decided the tier, or "default".
    label: what people read in place of METRIC/QUANTITY: "PCKh@0.5 mean".
    """

    entry: str
    former_entry: str
    metric: str
    quantity: str
    cell: str
    unit: str
    better: str
    single_class: bool
    slice: str
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
    quiet: tuple[float, float] | None
    units: int
    replicates: int
    label: str


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
        evidence.slice,
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
        evidence.quiet,
        evidence.units,
        evidence.replicates,
        quantity.label or quantity.name,
    )
