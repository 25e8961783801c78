"""Latencies that were measured together, round by round, as evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hrbench.judge.evidence import Evidence
from hrbench.judge.verdict import judge
from hrbench.statistics import interleaved
from hrbench.statistics.interleaved import Round
from hrbench.types import Margin, Result

Remeasure = Callable[[Result, Result, Evidence, Margin], Evidence]
"""Measures a latency of two results again, together; gives the evidence with what was seen."""


def with_rounds(evidence: Evidence, rounds: Sequence[Round]) -> Evidence:
    """The evidence of a latency as these rounds have it; of their last look."""
    changes, quiet = [one.change for one in rounds], [one.quiet for one in rounds]
    found = interleaved.interval(changes)
    firsts = [visit for one in rounds for visit in (one.visits[0], one.visits[2], one.visits[4])]
    seconds = [visit for one in rounds for visit in (one.visits[1], one.visits[3])]
    return replace(
        evidence,
        state="compared",
        first=interleaved.centre(firsts),
        second=interleaved.centre(seconds),
        difference=-interleaved.centre(changes),
        interval=None if found is None else (-found[1], -found[0]),
        quiet=interleaved.interval(quiet),
        means="interleaved",
        reasons=(),
        units=len(rounds),
        p=lambda bound: interleaved.p_not_above(changes, -bound),
    )


def is_open(evidence: Evidence, margin: Margin) -> bool:
    """Whether further rounds may still decide this row."""
    return judge([(evidence, margin)])[0].verdict == "cannot tell"
