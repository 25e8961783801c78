"""How long each mode measures, under a clock that goes as the test says, and what a disturbed machine makes of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from statistics import median

import pytest
from torch import nn

from hrbench.cost.latency.clocks import Timed
from hrbench.cost.latency.measure import measure_latency
from hrbench.cost.latency.pace import MAX_SAMPLES, PROCESSES, pace_of
from hrbench.cost.latency.passes import time_passes
from hrbench.cost.latency.probe import Latency, LatencyOptions
from hrbench.cost.telemetry.watch import Record
from hrbench.errors import UsageError
from hrbench.models.runtimes.eager import Eager
from hrbench.statistics.percentiles import upper_bound


class Ideal:
    """A clock on which pass number i takes `seconds(i)` and nothing else takes time."""

    def __init__(self, seconds: Callable[[int], float]) -> None:
        self.seconds, self.elapsed, self.calls = seconds, 0.0, 0

    def now(self) -> float:
        return self.elapsed

    def time(self, work: Callable[[], object]) -> Timed:
        took = self.seconds(self.calls)
        self.calls, self.elapsed = self.calls + 1, self.elapsed + took
        return Timed(took)


def passes(mode: str, seconds: Callable[[int], float], cap: float | None = None):
    clock = Ideal(seconds)
    return time_passes(lambda: None, clock, pace_of(mode, None, cap, on_gpu=False)), clock


@pytest.mark.parametrize("took", [0.0004, 0.003, 0.012])
def test_a_gate_process_takes_five_seconds_and_335_samples_after_two_of_warm_up(took):
    found, clock = passes("gate", lambda i: took)
    assert found.settled is True and found.warm_up * took >= 2
    sampled = clock.elapsed - found.warm_up * took
    assert sampled >= 5 - 1e-6 and 335 <= len(found.samples) <= MAX_SAMPLES
    assert sampled <= 5 + 2 * took * found.every
    assert found.every == max(1, -(-5 // (MAX_SAMPLES * took)))  # spread over all five seconds


def test_a_slow_network_ends_with_its_share_of_the_cap():
    found, clock = passes("gate", lambda i: 0.5)
    assert clock.elapsed == pytest.approx(20, abs=0.5) and len(found.samples) < 335
    _, capped = passes("gate", lambda i: 0.5, cap=60)
    assert capped.elapsed == pytest.approx(10, abs=0.5)


def test_six_processes_together_bound_p99_with_ten_samples_above_it():
    found, _ = passes("gate", lambda i: 0.015)
    every = [one.seconds for one in found.samples] * PROCESSES
    assert len(every) >= 2010 and upper_bound(every, 99) is not None


def test_smoke_takes_three_passes_after_the_first():
    found, clock = passes("smoke", lambda i: 2.0)
    assert (clock.calls, len(found.samples), found.settled, found.warm_up) == (4, 3, None, 1)


def test_a_slow_pass_of_a_hundred_moves_the_bound_of_p99_and_not_the_median():
    steady, _ = passes("gate", lambda i: 0.004)
    planted, _ = passes("gate", lambda i: 0.0045 if i % 100 == 50 else 0.004)
    one, other = ([each.seconds for each in found.samples] for found in (steady, planted))
    assert (median(one), median(other)) == (0.004, 0.004)
    assert (upper_bound(one, 99), upper_bound(other, 99)) == (0.004, 0.0045)
    assert upper_bound(other, 90) == 0.004


def test_an_unknown_mode_and_times_that_are_none_are_refused():
    with pytest.raises(UsageError, match="latency mode 'slow' is unknown; there are quick, gate, smoke"):
        pace_of("slow", None, None, on_gpu=False)
    with pytest.raises(UsageError, match="a latency cap is a positive number of seconds, not -1"):
        pace_of("gate", None, -1, on_gpu=False)
    with pytest.raises(ValueError, match="cap is the time of mode gate"):
        LatencyOptions(cap=3.0)
    with pytest.raises(ValueError, match="budget is the time of mode quick"):
        LatencyOptions(mode="gate", budget=3.0)
    assert Latency().processes(LatencyOptions(mode="gate")) == 6 and Latency().processes(LatencyOptions()) == 1


def watched(**last: float):
    """A watch whose machine did what is given from the first to the last sample."""

    class Seeing:
        record = Record()
        marks = 0.0

        def mark(self) -> float:
            self.marks += 1
            return self.marks

    @contextmanager
    def watch(gpu: str):
        seeing = Seeing()
        yield seeing
        whole = {"ran": 10.0, "waited": 0.0, "steal": [0.0], "throttled": 0.0, **last}
        first = {name: [0.0] if isinstance(value, list) else 0.0 for name, value in whole.items()}
        seeing.record = Record([{"at": 1.0, **first}, {"at": 2.0, **whole}], busy=0.001)

    return watch


def latency(seconds: Callable[[int], float], watch, mode: str = "quick", budget: float | None = None):
    net, clock = nn.Conv2d(3, 4, 1), Ideal(seconds)
    return measure_latency(net, (1, 3, 4, 4), runtime=Eager(), clock=clock, watch=watch, mode=mode, budget=budget)


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ({"waited": 2.0}, "threads waited for a processor (17 % of the time in which they ran or waited)"),
        ({"steal": [0.1]}, "the hypervisor took time of a processor (10 % of it was stolen)"),
        ({"throttled": 0.3}, "a CPU quota throttled threads (30 % of the time)"),
    ],
)
def test_a_disturbed_machine_makes_a_latency_unstable_with_that_reason(machine, reason):
    conditions = latency(lambda i: 0.01, watched(**machine)).conditions
    assert (conditions.stability, conditions.stability_reasons) == ("unstable", (reason,))
    quiet = latency(lambda i: 0.01, watched()).conditions
    assert (quiet.stability, quiet.stability_reasons, quiet.mode) == ("stable", (), "quick")
    assert quiet.seen["waited"] == 0 and quiet.seen["sampler"] == 0.001


def test_a_drift_and_a_warm_up_without_end_are_told():
    drifting = latency(lambda i: 0.01 if i < 400 else 0.0105, watched(), budget=10).conditions
    assert drifting.stability_reasons == ("passes drifted (medians of successive windows lie 4.8 % apart)",)
    restless = latency(lambda i: 0.01 * 1.3 ** (i // 20 % 2), watched(), budget=10).conditions
    assert "the warm-up never settled" in restless.stability_reasons


def test_three_passes_are_no_measurement_and_are_not_judged():
    conditions = latency(lambda i: 0.01, watched(waited=9.0), "smoke").conditions
    assert (conditions.mode, conditions.stability, conditions.passes) == ("smoke", "", 3)
