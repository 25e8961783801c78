"""How long each batch of a throughput is timed: the words are those of latency. No torch.

quick    `budget` seconds a batch; the default
gate     each of 6 processes times each batch for at least 2.5 s and 100 passes after 1 s of warm-up, or its share of
         the cap
smoke    three passes of two batches
"""

from __future__ import annotations

import math
from typing import get_args

from hrbench.cost.latency.pace import MIN_SAMPLES, PROCESSES, Mode, Pace
from hrbench.errors import UsageError

BUDGET = 3.0
"""Seconds of wall time of one batch in mode quick."""

CAP = 60.0
"""Seconds of wall time that all processes may take for one batch in mode gate."""

GATE_WARM_UP, GATE_SECONDS, GATE_SAMPLES = 1.0, 2.5, 100

SMOKE_BATCHES = 2


def pace_of_batch(mode: str, budget: float | None, cap: float | None) -> Pace:
    """The pace of one batch in one process.

    mode: one of latency's.
    budget: seconds of a batch in mode quick, None for `BUDGET`.
    cap: seconds of a batch in all processes of mode gate, None for `CAP`.

    Raises UsageError for an unknown mode, or seconds that are no positive number.
    """
    for seconds, what in ((budget, "budget"), (cap, "cap")):
        if seconds is not None and not 0 < seconds < math.inf:
            raise UsageError(f"a throughput {what} is a positive number of seconds, not {seconds}")
    if mode == "quick":
        return Pace("quick", float(budget or BUDGET))
    if mode == "gate":
        share = float(cap or CAP) / PROCESSES
        return Pace("gate", share, min(GATE_WARM_UP, share / 2), GATE_SECONDS, GATE_SAMPLES)
    if mode == "smoke":
        return Pace("smoke", math.inf, None, 0.0, MIN_SAMPLES)
    raise UsageError(f"throughput mode {mode!r} is unknown; there are {', '.join(get_args(Mode))}")
