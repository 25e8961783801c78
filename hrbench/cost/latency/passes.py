"""Forward passes one after the other: the first, those that warm up, those that are kept. Knows a clock, no network.

Warming up ends when the medians of three successive windows agree within 2 %. A window has at least three passes and at
least 2 % of the budget. After a quarter of the budget measuring starts anyway, and the conditions say whether there was
no time to tell or warming up never settled.

A quick latency whose budget nobody stated is looked at a few times, and ends when it is precise (`looks.py`). Its
windows are of a tenth of the time to the first look, and it warms up no longer than that time once there were three
windows: samples of one second need no warm-up of more.

If the passes go over several inputs, one after the other, a window is of whole rotations, since passes on different
inputs may take different times; and there is at least one rotation of samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from hrbench.cost.latency.clocks import Clock, Timed
from hrbench.cost.latency.looks import HALF_WIDTH, is_precise
from hrbench.cost.latency.pace import MAX_SAMPLES, MIN_SAMPLES, Pace
from hrbench.types import Reason

WARM_UP_SHARE = 0.25
WINDOWS = 3
WINDOW_PASSES = 3
WINDOW_SHARE = 0.02
WINDOW_SHARE_OF_LOOK = 0.1
STABLE_WITHIN = 0.02

PROGRESS_SECONDS = 0.25
"""At most so often progress is told: each time wakes another process."""

Progress = Callable[[float, float], None]


class Passes(NamedTuple):
    """What passes took.

    first: seconds of the first pass.
    warm_up: passes that were discarded, with the first.
    settled: whether the warm-up ended by itself; None if there was no time to tell.
    samples: the passes that were kept.
    every: which passes were kept: every `every`-th.
    reason: why there are no samples.
    looks: seconds of samples at each look at them.
    ended: what ended the passes, in words; "" if they were not looked at.
    """

    first: float
    warm_up: int
    settled: bool | None
    samples: list[Timed]
    every: int = 1
    reason: Reason | None = None
    looks: tuple[float, ...] = ()
    ended: str = ""


def time_passes(
    work: Callable[[], object],
    clock: Clock,
    pace: Pace,
    progress: Progress | None = None,
    mark: Callable[[], object] = lambda: None,
    rotation: int = 1,
    flush: Callable[[], object] | None = None,
    window: int = WINDOW_PASSES,
) -> Passes:
    """First pass, warm-up, samples.

    work: one forward pass.
    progress: called as `progress(seconds done, budget)`, at most every `PROGRESS_SECONDS`.
    mark: called before the first and after the last sample.
    rotation: how many inputs `work` goes over, one after the other.
    flush: called before each pass, outside of its time; None for nothing.
    window: passes of a window of warm-up at least.
    """
    timer = _Timer(work, clock, pace, progress, flush)
    first = timer.once().seconds
    if timer.spent() > pace.budget:
        whose = "a budget of" if pace.mode == "quick" else "its process's share of the cap,"
        why = Reason(f"the first pass alone took {timer.spent():.3g} s of {whose} {pace.budget:.3g} s",
                     f"raise {'budget' if pace.mode == 'quick' else 'cap'}")  # fmt: skip
        return Passes(first, 1, None, [], reason=why)
    passes, settled, usual = _warm_up(timer, first, rotation, window)
    # a fast network keeps every k-th pass, so that its samples spread over all seconds that are asked for
    every = max(1, math.ceil(pace.seconds / (MAX_SAMPLES * usual))) if usual > 0 else 1
    while math.gcd(every, rotation) > 1:  # else some inputs would never be kept
        every += 1
    least = MIN_SAMPLES if pace.mode == "smoke" else max(MIN_SAMPLES, rotation)
    samples: list[Timed] = []
    looks = _Looks(pace)
    mark()
    began = clock.now()
    while len(samples) < least or not (
        _is_enough(pace, len(samples), clock.now() - began, timer.spent()) or looks.end(samples, clock.now() - began)
    ):
        for _ in range(every - 1):
            timer.once()
        samples.append(timer.once())
    mark()
    return Passes(first, passes, settled, samples, every, None, *looks.told(samples, clock.now() - began))


def _is_enough(pace: Pace, samples: int, seconds: float, spent: float) -> bool:
    if samples < MIN_SAMPLES:
        return False
    return spent >= pace.budget or (samples >= pace.samples and seconds >= pace.seconds)


class _Looks:
    """The looks at a quick latency. done: seconds of samples at each of them."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.left = list(pace.looks)
        self.done: list[float] = []
        self.precise = False

    def end(self, samples: Sequence[Timed], seconds: float) -> bool:
        """Whether the passes end here: a look is due, and it is the last or finds the median precise."""
        if not self.left or seconds < self.left[0]:
            return False
        while self.left and seconds >= self.left[0]:  # a slow pass may be past several of them
            self.left.pop(0)
        self._look(samples, seconds)
        return self.precise or not self.left

    def told(self, samples: Sequence[Timed], seconds: float) -> tuple[tuple[float, ...], str]:
        """When the samples were looked at, and what ended them, in words; ((), "") without looks."""
        if not self.pace.looks:
            return (), ""
        spent = bool(self.left) and not self.precise
        if spent:
            self._look(samples, seconds)
        if self.precise:
            why = f"its median was known within {100 * HALF_WIDTH:g} %"
        elif not spent:
            why = "it was looked at for the last time"
        else:
            why = "it had the most passes" if len(samples) >= self.pace.samples else "its budget was spent"
        return tuple(self.done), why

    def _look(self, samples: Sequence[Timed], seconds: float) -> None:
        self.done.append(round(seconds, 3))
        self.precise = is_precise([one.seconds for one in samples], len(self.pace.looks))


class _Timer:
    """Times passes and tells progress. spent: seconds since it was made."""

    def __init__(
        self,
        work: Callable[[], object],
        clock: Clock,
        pace: Pace,
        progress: Progress | None,
        flush: Callable[[], object] | None = None,
    ) -> None:
        self.work, self.clock, self.pace, self.progress, self.flush = work, clock, pace, progress, flush
        self.began = clock.now()
        self.told = -math.inf

    def once(self) -> Timed:
        if self.flush is not None:
            self.flush()
        timed = self.clock.time(self.work)
        if self.progress is not None and math.isfinite(self.pace.budget):
            done = self.spent()
            if done - self.told >= PROGRESS_SECONDS:
                self.progress(min(done, self.pace.budget), self.pace.budget)
                self.told = done
        return timed

    def spent(self) -> float:
        return self.clock.now() - self.began


def _warm_up(timer: _Timer, first: float, rotation: int, window_passes: int) -> tuple[int, bool | None, float]:
    """Passes that were discarded, with the first; whether `WINDOWS` successive windows agreed; and what a pass takes.

    None for whether they agreed if there was no time for so many windows.
    """
    pace = timer.pace
    passes, window, middles = 1, [first], []
    if pace.warm_up is None:
        return passes, None, first
    first_look = pace.looks[0] if pace.looks else math.inf
    least = min(WINDOW_SHARE * pace.budget, WINDOW_SHARE_OF_LOOK * first_look)
    while timer.spent() < max(WARM_UP_SHARE * pace.budget, pace.warm_up):
        whole = len(window) >= window_passes and len(window) % rotation == 0
        if whole and sum(window) >= least:
            middles.append(median(window))
            last = middles[-WINDOWS:]
            agree = len(last) == WINDOWS and max(last) - min(last) <= STABLE_WITHIN * median(last)
            if agree and timer.spent() >= pace.warm_up:
                return passes, True, middles[-1]
            if len(middles) >= WINDOWS and timer.spent() >= first_look:
                break
            window = []
        window.append(timer.once().seconds)
        passes += 1
    return passes, None if len(middles) < WINDOWS else False, middles[-1] if middles else median(window)
