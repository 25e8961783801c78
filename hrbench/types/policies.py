"""What a gate holds a release to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Margin:
    """How much worse a number may be; of an absolute and a relative margin the larger counts.

    points: absolute: percentage points of a fraction, else in the quantity's unit.
    relative: a share of the former value (0.03 for 3 %).
    """

    points: float | None = None
    relative: float | None = None


Tier = Literal["required", "watched", "ignored"]
"""What a row's regression does: it blocks, it is told, or nothing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a policy; of the rules that fit a row the last that sets a tier, or a margin, decides.

    quantity: a pattern for NAME or METRIC/NAME of a score, or the name of a cost.
    entry: a pattern for names of entries.
    tier, margin: None for what the rule does not set.
    where: "file:line".
    """

    quantity: str = "*"
    entry: str = "*"
    tier: Tier | None = None
    margin: Margin | None = None
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Floor:
    """A bound that a number must keep whatever it was before.

    quantity, entry: patterns, as in `Rule`.
    bound: in the quantity's unit (fractions in [0, 1]).
    least: whether the number must be at least, rather than at most, the bound.
    """

    quantity: str
    bound: float
    least: bool = True
    entry: str = "*"
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Waiver:
    """A regression that somebody has accepted for a time.

    quantity, entry: patterns, as in `Rule`.
    reason: shown wherever the row is.
    until: the last day, "2027-01-31".
    """

    quantity: str
    reason: str
    until: str
    entry: str = "*"
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a gate requires. Two policies that require the same are equal, wherever they were read.

    source: the file, or "" for the default policy.
    block_open: whether a required row that cannot be told blocks.
    """

    source: str = field(default="", compare=False)
    block_open: bool = False
    rules: tuple[Rule, ...] = ()
    floors: tuple[Floor, ...] = ()
    waivers: tuple[Waiver, ...] = ()
