"""How long a latency is measured: the modes. No torch.

quick    until its median is known within 1 %, looked at after 1, 2, 4 and 8 s of samples (`looks.py`), or a budget that
         the suite states, to its end; the default of a run, for a look
gate     of several processes, each at least 5 s and 335 samples after at least 2 s of warm-up, or its share of the
         cap; for numbers that are judged
smoke    three passes, to see that a network runs
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from hrbench.cost.latency.looks import LOOKS
from hrbench.errors import UsageError

Mode = Literal["quick", "gate", "smoke"]

CPU_BUDGET = 10.0
CUDA_BUDGET = 30.0
"""Seconds of wall time of a quick latency at most."""

CAP = 120.0
"""Seconds of wall time that the passes of all processes of a `gate` latency may take together."""

PROCESSES = 6
"""Of a `gate` latency: six medians are the fewest that have an interval of 95 %."""

GATE_SECONDS, GATE_SAMPLES = 30.0, 2010
"""Of all processes together. 2,010 samples bound p99 with 10 samples above it."""

GATE_WARM_UP = 2.0
"""Seconds that the warm-up of a `gate` latency takes at least, or half of its share of a small cap."""

MIN_SAMPLES = 3
MAX_SAMPLES = 2000  # of a process: more would only make the stored result larger


@dataclass(frozen=True, slots=True)
class Pace:
    """How long one process measures.

    budget: seconds of wall time after which no pass begins but the fewest that are needed.
    warm_up: seconds that warm-up takes at least; None for no warm-up but the first pass.
    seconds, samples: enough of both ends the measurement before its budget.
    looks: after so many seconds of samples a quick latency is looked at, rising; it ends when its median is known well
        enough, and with the last of them. () for none: then the budget ends it.
    """

    mode: Mode
    budget: float
    warm_up: float | None = 0.0
    seconds: float = 0.0
    samples: int = MAX_SAMPLES
    looks: tuple[float, ...] = ()


def pace_of(mode: str, budget: float | None, cap: float | None, on_gpu: bool) -> Pace:
    """The pace of one process.

    mode: one of `Mode`.
    budget: seconds of a quick latency, which it then takes whole; None for looks, and the device's default at most.
    cap: seconds of all processes of a gate latency, None for `CAP`.

    Raises UsageError for an unknown mode, or seconds that are no positive number.
    """
    for seconds, what in ((budget, "budget"), (cap, "cap")):
        if seconds is not None and not 0 < seconds < math.inf:
            raise UsageError(f"a latency {what} is a positive number of seconds, not {seconds}")
    if mode == "quick":
        if budget is not None:
            return Pace("quick", float(budget))
        return Pace("quick", CUDA_BUDGET if on_gpu else CPU_BUDGET, looks=LOOKS)
    if mode == "gate":
        share, samples = float(cap or CAP) / PROCESSES, math.ceil(GATE_SAMPLES / PROCESSES)
        return Pace("gate", share, min(GATE_WARM_UP, share / 2), GATE_SECONDS / PROCESSES, samples)
    if mode == "smoke":
        return Pace("smoke", math.inf, None, 0.0, MIN_SAMPLES)
    raise UsageError(f"latency mode {mode!r} is unknown; there are {', '.join(get_args(Mode))}")
