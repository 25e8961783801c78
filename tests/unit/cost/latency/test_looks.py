"""When a quick latency ends, and that its interval holds the median as often as it says though it was looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from hrbench.cost.latency.clocks import Timed
from hrbench.cost.latency.looks import HALF_WIDTH, LOOKS, confidence_of
from hrbench.cost.latency.pace import MAX_SAMPLES, pace_of
from hrbench.cost.latency.passes import Passes, time_passes
from hrbench.statistics.percentiles import median_interval

QUICK = pace_of("quick", None, None, on_gpu=False)


class Drawn:
    """A clock on which passes take what comes next and nothing else takes time."""

    def __init__(self, seconds: Iterator[float]) -> None:
        self.seconds, self.elapsed = seconds, 0.0

    def now(self) -> float:
        return self.elapsed

    def time(self, work: Callable[[], object]) -> Timed:
        took = next(self.seconds)
        self.elapsed += took
        return Timed(took)


WARM = [0.021] * 15  # three windows of just over 0.1 s, the first pass included


def timed(samples: np.ndarray) -> Passes:
    found = time_passes(lambda: None, Drawn(iter([*WARM, *samples.tolist()])), QUICK)
    assert found.warm_up == len(WARM) and found.settled
    return found


def seconds(found: Passes) -> list[float]:
    return [one.seconds for one in found.samples]


@pytest.mark.parametrize(
    ("spread", "looks", "why"),
    [
        (0.0, 1, "its median was known within 1 %"),
        (0.5, 4, "it was looked at for the last time"),
    ],
)
def test_it_ends_at_the_first_look_at_which_it_is_precise_or_at_the_last(spread, looks, why):
    found = timed(0.02 * (1 + spread * np.resize([-1.0, 1.0], 1000)))
    assert found.looks == pytest.approx(LOOKS[:looks], abs=0.04) and found.ended == why
    assert sum(seconds(found)) == pytest.approx(LOOKS[looks - 1], abs=0.04)


@pytest.mark.parametrize("share", [0.004, 0.016])
def test_precise_means_an_interval_of_one_percent_to_either_side(share):
    """Passes of two kinds in turn: the interval goes from the one to the other."""
    found = timed(0.02 * (1 + share * np.resize([-1.0, 1.0], 1000)))
    low, high = median_interval(seconds(found), confidence_of(4))
    assert ((high - low) / 2 <= HALF_WIDTH * 0.02) == (share == 0.004) == (len(found.looks) == 1)


def test_what_ends_before_the_last_look_is_looked_at_in_its_place():
    restless = time_passes(lambda: None, Drawn(iter(np.resize([0.5, 0.7], 100).tolist())), QUICK)
    assert restless.ended == "its budget was spent" and len(restless.looks) == 4
    assert sum(seconds(restless)) == pytest.approx(restless.looks[-1], abs=1e-3) and restless.looks[-1] < 8
    fast = time_passes(lambda: None, Drawn(iter(np.resize([0.0015, 0.0005], 9000).tolist())), QUICK)
    assert fast.ended == "it had the most passes" and len(fast.samples) == MAX_SAMPLES and len(fast.looks) == 2


def test_a_slow_pass_that_is_past_several_looks_is_looked_at_once():
    found = time_passes(lambda: None, Drawn(iter([0.1] * 9 + [5.0] * 9)), QUICK)
    assert (found.looks, found.ended) == ((15.0,), "its budget was spent")


def test_it_warms_up_no_longer_than_its_first_look_once_there_were_three_windows():
    restless = time_passes(lambda: None, Drawn(iter(0.02 * 1.2 ** (np.arange(900) // 5 % 2))), QUICK)
    assert restless.settled is False and restless.warm_up * 0.022 == pytest.approx(LOOKS[0], abs=0.15)
    slow = time_passes(lambda: None, Drawn(iter(0.15 * 1.2 ** (np.arange(900) // 3 % 2))), QUICK)
    assert slow.settled is False and slow.warm_up == 9


def test_other_modes_and_a_stated_budget_are_not_looked_at():
    assert QUICK.looks == LOOKS and pace_of("quick", None, None, on_gpu=True).looks == LOOKS
    for mode, budget in (("quick", 10.0), ("gate", None), ("smoke", None)):
        pace = pace_of(mode, budget, None, on_gpu=False)
        found = time_passes(lambda: None, Drawn(iter([0.05] * 1000)), pace)
        assert (pace.looks, found.looks, found.ended) == ((), (), "")


SHAPES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "narrow": lambda rng, n: rng.normal(0.02, 0.0003, n),
    "wide": lambda rng, n: 0.02 * np.exp(rng.normal(0, 0.09, n)),
    "skewed": lambda rng, n: 0.018 + rng.exponential(0.002 / np.log(2), n),
    "two kinds": lambda rng, n: 0.02 + rng.choice([-0.0008, 0.0008], n) + rng.normal(0, 0.0004, n),
}
"""Independent passes, all with a median of 20 ms; they end at different looks."""


@pytest.mark.parametrize("name", SHAPES)
def test_the_interval_holds_the_median_in_95_of_100_measurements_though_each_ends_when_it_suits(name):
    rng, inside, ended = np.random.default_rng(20), 0, set()
    for _ in range(RUNS):
        found = timed(SHAPES[name](rng, 900))
        low, high = median_interval(seconds(found), confidence_of(len(QUICK.looks)))
        inside += low <= 0.02 <= high
        ended.add(len(found.looks))
    assert inside >= 0.95 * RUNS, (inside, ended)


RUNS = 1000


def test_without_the_correction_intervals_that_are_looked_at_four_times_hold_too_seldom():
    """What the correction is for: someone who stops as soon as an interval misses the median misses it too often."""
    rng, missed, corrected = np.random.default_rng(21), 0, 0
    for _ in range(RUNS):
        samples = rng.normal(0.02, 0.002, 400).tolist()
        parts = [samples[: int(look * 50)] for look in LOOKS]
        for level, misses in ((0.95, "plain"), (confidence_of(4), "corrected")):
            outside = any(not low <= 0.02 <= high for low, high in (median_interval(part, level) for part in parts))
            missed += outside and misses == "plain"
            corrected += outside and misses == "corrected"
    assert missed > 0.08 * RUNS and corrected <= 0.05 * RUNS
