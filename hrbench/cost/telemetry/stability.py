"""Whether a time can be trusted: what was seen of the machine, and of the passes themselves, held to fixed bounds.

    stable     nothing disturbed the measurement, as far as this system tells
    unstable   something did; the reasons say what
    unknown    the system does not tell how long threads waited for a processor, and nothing else was seen

Pure functions, no torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Literal

from hrbench.statistics.percentiles import median_interval

WAITED = 0.05
"""Share of the time in which threads ran or waited for a processor that they may have waited."""

TAKEN = 0.02
"""Share of wall time that the hypervisor, or a quota, may have taken."""

MOVED = 0.05
"""How far a clock may move, as a share of its median."""

DRIFT = 0.03
"""How far medians of successive windows of passes may lie apart, as a share of the median of all."""

WINDOWS, WINDOW_PASSES = 5, 6
"""So many windows, of at least so many passes each: below 6 passes a median has no interval."""

PASSES_DIFFER = 0.25
"""How far passes may differ where a network is too slow to warm up within its time."""


@dataclass(frozen=True, slots=True)
class Stability:
    """Whether a time can be trusted. reasons: in words; none if it is stable."""

    verdict: Literal["stable", "unstable", "unknown"]
    reasons: tuple[str, ...] = ()


def judged(seen: Mapping[str, Any], samples: Sequence[float], settled: bool | None, missing: str = "") -> Stability:
    """Whether a latency is stable.

    seen: what was seen of the machine while the samples were taken, as `seen.between` gives it.
    samples: seconds of the passes, in the order in which they were taken.
    settled: whether the warm-up settled; None if there was no time for it.
    missing: why nothing was seen, in words; "" if something was.
    """
    reasons = [*of_machine(seen), *of_passes(samples, settled)]
    if reasons:
        return Stability("unstable", tuple(reasons))
    if "waited" not in seen:
        why = missing or "this system does not tell how long threads waited for a processor"
        return Stability("unknown", (why,))
    return Stability("stable")


def of_machine(seen: Mapping[str, Any]) -> list[str]:
    """What disturbed a measurement, of what was seen of the machine. How much stands in brackets (`in_short`)."""
    found = []
    if seen.get("waited", 0) > WAITED:
        share = _percent(seen["waited"])
        found.append(f"threads waited for a processor ({share} of the time in which they ran or waited)")
    if seen.get("steal", 0) > TAKEN:
        found.append(f"the hypervisor took time of a processor ({_percent(seen['steal'])} of it was stolen)")
    if seen.get("throttled", 0) > TAKEN:
        found.append(f"a CPU quota throttled threads ({_percent(seen['throttled'])} of the time)")
    for name, what in (("clock", "processors"), ("sm_clock", "GPU"), ("memory_clock", "GPU's memory")):
        if seen.get(f"{name}_spread", 0) > MOVED:
            found.append(f"the clock of the {what} moved (by {_percent(seen[f'{name}_spread'])})")
    if seen.get("slowed", 0) > TAKEN:
        found.append(f"the GPU was throttled ({_percent(seen['slowed'])} of the readings)")
    if many := seen.get("foreign", 0):
        found.append(f"foreign processes used the GPU ({many})")
    return found


def of_passes(samples: Sequence[float], settled: bool | None) -> list[str]:
    """What the passes themselves tell of a machine that was not steady."""
    found = []
    if settled is False:
        found.append("the warm-up never settled")
    apart = drift(samples)
    if apart is not None and apart > DRIFT:
        found.append(f"passes drifted (medians of successive windows lie {_percent(apart)} apart)")
    if settled is None and samples and max(samples) > (1 + PASSES_DIFFER) * min(samples):
        apart = max(samples) / min(samples) - 1
        found.append(f"passes differ, with no time to warm up until they agree (by {_percent(apart)})")
    return found


def worst_verdict(verdicts: Sequence[str]) -> str:
    """The verdict on several measurements: as bad as the worst of them; "" for none.

    >>> worst_verdict(["stable", "unknown"]), worst_verdict([])
    ('unknown', '')
    """
    return next((one for one in ("unstable", "unknown", "stable") if one in verdicts), "")


def worst_seen(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was seen in several measurements: the largest value of each name."""
    names = dict.fromkeys(name for one in every for name in one)
    return {name: max(one[name] for one in every if name in one) for name in names}


def all_settled(every: Sequence[bool | None]) -> bool | None:
    """Whether all warm-ups settled; None if some had no time to tell and none never did."""
    return False if False in every else None if None in every else True


def in_short(reason: str) -> str:
    """A reason without how much.

    >>> in_short("threads waited for a processor (12 % of the time in which they ran or waited)")
    'threads waited for a processor'
    """
    return reason.partition(" (")[0]


def together(every: Sequence[Sequence[str]], what: str = "processes") -> tuple[str, ...]:
    """The reasons of several processes, each once: as the process with the most had it, and in how many it was.

    what: the reasons are of, such as processes.

    >>> together([["the clock moved (by 7 %)"], ["the clock moved (by 12 %)", "passes drifted (5 % apart)"]])
    ('the clock moved (by 12 %; in 2 of 2 processes)', 'passes drifted (5 % apart; in 1 of 2 processes)')
    """
    found: dict[str, list[str]] = {}
    for reasons in every:
        for reason in reasons:
            found.setdefault(in_short(reason), []).append(reason)
    return tuple(_worst(short, texts, f"{len(every)} {what}") for short, texts in found.items())


def _worst(short: str, texts: Sequence[str], of: str) -> str:
    worst = max(texts, key=lambda text: max(map(float, re.findall(r"\d+(?:\.\d+)?", text)), default=0.0))
    inside = worst.removeprefix(short).strip(" ()")
    where = f"in {len(texts)} of {of}"
    return f"{short} ({inside}; {where})" if inside else f"{short} ({where})"


def drift(samples: Sequence[float]) -> float | None:
    """How far apart the medians of successive windows lie, as a share of the median; None for too few passes.

    0 where the intervals of the lowest and the highest overlap: that is no more than passes differ by chance.
    """
    many = min(WINDOWS, len(samples) // WINDOW_PASSES)
    if many < 2:
        return None
    edges = [len(samples) * k // many for k in range(many + 1)]
    windows = [samples[a:b] for a, b in pairwise(edges)]
    middles = [median(window) for window in windows]
    low, high = middles.index(min(middles)), middles.index(max(middles))
    intervals = median_interval(windows[low]), median_interval(windows[high])
    if intervals[0] is None or intervals[1] is None or intervals[0][1] >= intervals[1][0]:
        return 0.0
    return (middles[high] - middles[low]) / median(samples)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
