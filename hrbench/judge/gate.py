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
from hrbench.judge import baseline
from hrbench.judge.rows import Comparison, Row
from hrbench.judge.sides import Side
from hrbench.store.integrity import changed_files

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
    told = "; ".join(side.damaged.values())
    if (side.path / "baseline.json").exists():  # a run folder has none
        known = baseline.read(side.path.resolve().name, side.path.resolve().parent)
        if changed := changed_files(side.path, known.pictures):
            told = told or f"{side.path / changed[0]} is not the picture that was saved"
        if lost := sorted({*known.entries} - {*side.whole}):
            told = told or f"{side.path} does not hold {', '.join(lost)}, which was saved in it"
    if told:
        raise InputError(f"the baseline {side.name} cannot be trusted: {told}; save it again, or restore its files")


def check_release(side: Side) -> None:
    """Raises InputError if a result of the release cannot be read; one that was changed by hand counts as failed."""
    if unread := [text for name, text in side.damaged.items() if name not in side.whole]:
        raise InputError("; ".join(unread))


def decide(comparison: Comparison, strict: bool = False) -> Decision:
    """What the gate says of a comparison.

    strict: whether a required row that cannot be told blocks, as a release asks.
    """
    rows = [row for row in comparison.rows if row.counts]
    required = [row for row in rows if row.tier == "required" and not row.waiver]
    worse = [row for row in required if row.verdict in ("regressed", "missing")]
    # a floor holds whatever the tier is, and whatever was waived
    worse += [row for row in rows if row.floor and not any(row is other for other in worse)]
    classes: list[tuple[Outcome, list[Row]]] = [
        ("failed", [row for row in required if row.verdict == "failed"]),
        ("regressed", worse),
        ("not comparable", [row for row in required if row.verdict == "not comparable"]),
    ]
    if strict or comparison.policy.block_open:
        classes.append(("cannot tell", [row for row in required if row.verdict == "cannot tell"]))
    nothing: tuple[Outcome, list[Row]] = ("passed", [])
    outcome, blocking = next((one for one in classes if one[1]), nothing)
    words = _words(outcome, blocking, rows)
    if outcome == "passed" and not comparison.compared:
        outcome, words = "failed", f"nothing was compared: {comparison.first} and {comparison.second} share no number"
    elif outcome == "passed" and not comparison.policy.floors and not any(row.tier == "required" for row in rows):
        outcome, words = "failed", "nothing is required: the policy leaves no number that could block"
    decided = {id(row) for row in blocking}
    told = [row for row in rows if id(row) not in decided and _worth_telling(row)]
    return Decision(comparison, outcome, tuple(blocking), tuple(told), words)


def _worth_telling(row: Row) -> bool:
    return row.verdict not in ("unchanged", "not worse") or bool(row.waiver or row.floor)


def _words(outcome: Outcome, blocking: Sequence[Row], rows: Sequence[Row]) -> str:
    if outcome == "passed":
        required = [row for row in rows if row.tier == "required"]
        open_rows = sum(row.verdict == "cannot tell" for row in required)
        new, waived = sum(row.verdict == "new" for row in required), sum(bool(row.waiver) for row in required)
        told = [
            f"{many} {what}" for many, what in ((open_rows, "cannot be told"), (new, "new"), (waived, "waived")) if many
        ]
        more = f" ({', '.join(told)})" if told else ""
        return f"passed: none of {len(required)} required numbers is worse than its margin allows{more}"
    first = blocking[0]
    others = len(blocking) - 1
    more = f"; {others} more {'numbers block' if others > 1 else 'number blocks'}" if others else ""
    return f"{outcome}: {first.key} of {first.entry} {_what(outcome, first)}{more}"


def _what(outcome: Outcome, first: Row) -> str:
    if first.floor and outcome == "regressed":
        return "does not keep its floor"
    if first.verdict == "missing":
        return "is missing"
    words: dict[Outcome, str] = {
        "failed": "failed",
        "regressed": "is worse than its margin allows",
        "not comparable": "cannot be compared",
        "cannot tell": "cannot be told",
    }
    return words[outcome]
