"""Each thing that may disturb a measurement, planted alone, gives that reason; none gives none."""

from __future__ import annotations

import numpy as np
import pytest

from hrbench.cost.telemetry.stability import drift, in_short, judged, together

QUIET = {"waited": 0.01, "steal": 0.001, "throttled": 0.0, "clock_spread": 0.02, "sm_clock_spread": 0.01, "slowed": 0.0,
         "foreign": 0}  # fmt: skip


def steady(n: int = 200) -> list[float]:
    return np.random.default_rng(0).normal(0.01, 0.0005, n).tolist()


def test_a_quiet_machine_is_stable():
    found = judged(QUIET, steady(), settled=True)
    assert (found.verdict, found.reasons) == ("stable", ())


@pytest.mark.parametrize(
    ("planted", "reason"),
    [
        ({"waited": 0.07}, "threads waited for a processor (7.0 % of the time in which they ran or waited)"),
        ({"steal": 0.031}, "the hypervisor took time of a processor (3.1 % of it was stolen)"),
        ({"throttled": 0.4}, "a CPU quota throttled threads (40 % of the time)"),
        ({"clock_spread": 0.08}, "the clock of the processors moved (by 8.0 %)"),
        ({"sm_clock_spread": 0.12}, "the clock of the GPU moved (by 12 %)"),
        ({"memory_clock_spread": 0.5}, "the clock of the GPU's memory moved (by 50 %)"),
        ({"slowed": 0.03}, "the GPU was throttled (3.0 % of the readings)"),
        ({"foreign": 2}, "foreign processes used the GPU (2)"),
    ],
)
def test_what_is_planted_is_the_reason(planted, reason):
    found = judged({**QUIET, **planted}, steady(), settled=True)
    assert (found.verdict, found.reasons) == ("unstable", (reason,))


@pytest.mark.parametrize(
    ("name", "bound"),
    [("waited", 0.05), ("steal", 0.02), ("throttled", 0.02), ("clock_spread", 0.05), ("slowed", 0.02)],
)
def test_what_is_at_its_bound_is_allowed(name, bound):
    assert judged({**QUIET, name: bound}, steady(), settled=True).verdict == "stable"
    assert judged({**QUIET, name: bound + 1e-6}, steady(), settled=True).verdict == "unstable"


def test_a_warm_up_that_never_settled():
    assert judged(QUIET, steady(), settled=False).reasons == ("the warm-up never settled",)


def test_drift_of_windows():
    rising = [0.010 + 0.0005 * i / 200 for i in range(200)]
    (reason,) = judged(QUIET, rising, settled=True).reasons
    assert reason == "passes drifted (medians of successive windows lie 3.9 % apart)"
    slightly = [0.010 + 0.0003 * i / 200 for i in range(200)]
    assert drift(slightly) == pytest.approx(0.0237, abs=1e-3)
    assert judged(QUIET, slightly, settled=True).verdict == "stable"


def test_passes_that_differ_by_chance_do_not_drift():
    chance = np.random.default_rng(1)
    noisy = [drift(chance.lognormal(-4, 0.1, 60).tolist()) for _ in range(200)]
    assert sum(one > 0.03 for one in noisy) <= 6  # intervals of 95 %, of the lowest and highest of five
    assert drift(steady(11)) is None


def test_a_slow_network_is_judged_by_its_few_passes():
    assert judged(QUIET, [1.0, 1.02, 1.1], settled=None).verdict == "stable"
    (reason,) = judged(QUIET, [1.0, 1.02, 1.5], settled=None).reasons
    assert reason == "passes differ, with no time to warm up until they agree (by 50 %)"


def test_a_system_that_does_not_tell_leaves_it_unknown_but_not_what_it_does_tell():
    found = judged({}, steady(), settled=True, missing="no /proc")
    assert (found.verdict, found.reasons) == ("unknown", ("no /proc",))
    assert "does not tell how long threads waited" in judged({"steal": 0.0}, steady(), settled=True).reasons[0]
    assert judged({"steal": 0.5}, steady(), settled=True).verdict == "unstable"


def test_reasons_of_processes_are_told_once():
    assert in_short("the warm-up never settled") == "the warm-up never settled"
    assert together([["the warm-up never settled"], ["the warm-up never settled"], []]) == (
        "the warm-up never settled (in 2 of 3 processes)",
    )
