"""Whether a release may pass: the rows of a comparison under its policy, as one exit code.

The first that holds: 3 a required number failed, or nothing was compared; 1 a required number regressed, is missing, or
is below a floor; 2 a required number is not comparable; 4 a required number cannot be told, and that blocks; 0 else.
(2 also stands for usage and for input that cannot be read.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hrbench.errors import InputError
from hrbench.judge.rows import Comparison, Row
from hrbench.judge.sides import Side

Outcome = Literal["passed", "failed", "regressed", "not comparable", "cannot tell"]

EXIT_CODES: dict[Outcome, int] = {"passed": 0, "failed": 3, "regressed": 1, "not comparable": 2, "cannot tell": 4}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a gate says.

    blocking: the rows that decided it, most important first.
    told: rows that a person should see though they do not block.
    words: in a sentence.
    """

    comparison: Comparison
    outcome: Outcome
    blocking: tuple[Row, ...]
    told: tuple[Row, ...]
    words: str

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]


def check_baseline(side: Side) -> None:
    """Raises InputError if a baseline is not as it was saved: its entries would look new, and pass."""
    if side.damaged:
        told = "; ".join(side.damaged.values())
        raise InputError(f"the baseline {side.name} cannot be trusted: {told}; save it again, or restore its files")


def decide(comparison: Comparison, strict: bool = False) -> Decision:
    """What the gate says of a comparison.

    strict: whether a required row that cannot be told blocks, as a release asks.
    """
    rows = [row for row in comparison.rows if row.tier != "ignored"]
    required = [row for row in rows if row.tier == "required" and not row.waiver]
    classes: list[tuple[Outcome, list[Row]]] = [
        ("failed", [row for row in required if row.verdict == "failed"]),
        (
            "regressed",
            [row for row in required if row.verdict in ("regressed", "missing")]
            + [row for row in rows if row.floor and row.verdict not in ("regressed", "missing")],
        ),
        ("not comparable", [row for row in required if row.verdict == "not comparable"]),
    ]
    if strict or comparison.policy.block_open:
        classes.append(("cannot tell", [row for row in required if row.verdict == "cannot tell"]))
    outcome: Outcome = "passed"
    blocking: list[Row] = []
    for name, some in classes:
        if some and not blocking:
            outcome, blocking = name, some
    words = _words(outcome, blocking)
    if not comparison.compared and outcome not in ("failed", "not comparable"):
        outcome, words = (
            "failed",
            f"nothing was compared: {comparison.first} has none of the numbers of {comparison.second}",
        )
    told = [row for row in rows if row not in blocking and _worth_telling(row)]
    return Decision(comparison, outcome, tuple(blocking), tuple(told), words)


def _worth_telling(row: Row) -> bool:
    return row.verdict not in ("unchanged", "not worse") or bool(row.waiver or row.floor)


def _words(outcome: Outcome, blocking: Sequence[Row]) -> str:
    if outcome == "passed":
        return "passed: no required number is worse than its margin allows"
    first = blocking[0]
    what = (
        "is below its floor"
        if first.floor and outcome == "regressed" and first.verdict != "regressed"
        else {
            "failed": "failed",
            "regressed": "is missing" if first.verdict == "missing" else "is worse than its margin allows",
            "not comparable": "cannot be compared",
            "cannot tell": "cannot be told",
        }[outcome]
    )
    more = f", and {len(blocking) - 1} more" if len(blocking) > 1 else ""
    return f"{outcome}: {first.key} of {first.entry} {what}{more}"
