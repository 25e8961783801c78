"""Energy under a clock and a counter that go as the test says: nothing waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from hrbench.cost.energy import probe
from hrbench.cost.energy.measure import IDLE_SECONDS, measure_energy
from hrbench.cost.energy.probe import Energy, EnergyOptions
from hrbench.cost.latency.clocks import Timed
from hrbench.cost.telemetry.watch import Record
from hrbench.errors import EntryError
from hrbench.judge.comparability import basis_of_cost, comparison_key, cost_differences
from hrbench.models.runtimes.eager import Eager
from hrbench.types import Conditions, Reason, Variant


class World:
    """A clock, a counter and a way to wait. watts: at rest and during passes; a pass takes `seconds`."""

    of = "a fake"

    range: float | None = None

    def __init__(self, idle: float = 5.0, busy: float | Callable[[float], float] = 20.0, seconds: float = 0.1) -> None:
        self.idle, self.busy, self.seconds = idle, busy, seconds
        self.elapsed = self.energy = 0.0
        self.ran = False

    def now(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.elapsed += seconds
        self.energy += seconds * self.idle

    def time(self, work: Callable[[], object]) -> Timed:
        if not self.ran:
            work()
            self.ran = True
        watts = self.busy(self.elapsed) if callable(self.busy) else self.busy
        self.elapsed += self.seconds
        self.energy += self.seconds * watts
        return Timed(self.seconds)

    def read(self) -> tuple[int, ...]:
        return (round(self.energy * 1e6),)

    def joules(self, before: Sequence[int], after: Sequence[int]) -> float:
        return (after[0] - before[0]) / 1e6


def energy(world: World, net: nn.Module | None = None, batch: int = 2, **more):
    more = {"watch": None, **more}
    net = net or nn.Conv2d(3, 4, 1)
    return measure_energy(net, (batch, 3, 4, 6), world, runtime=Eager(), clock=world, sleep=world.sleep, **more)


def test_the_value_is_power_times_time_of_an_image_and_the_power_at_rest_is_in_it():
    one = energy(World(idle=5.0, busy=20.0, seconds=0.1))
    assert one.value == pytest.approx(20.0 * 0.1 / 2) and one.quantity.unit == "joules"
    assert one.samples == pytest.approx((1.0, 1.0, 1.0)) and one.interval is None
    under = one.conditions
    assert (under.idle_power, under.power, under.windows) == (pytest.approx(5.0), pytest.approx(20.0), 3)
    assert under.window is not None and under.window >= 10 and under.energy_of == "a fake"
    assert under.passes is not None and under.passes >= 300 and under.warm_up_settled is True


def test_a_fast_network_counts_every_pass_and_not_only_those_that_are_kept():
    one = energy(World(busy=30.0, seconds=0.001), batch=1, windows=1)
    assert one.value == pytest.approx(0.03, rel=1e-3) and one.conditions.passes >= 10_000


def test_the_median_of_windows_has_an_interval_from_six_on():
    begins = IDLE_SECONDS + 2.5
    world = World(busy=lambda at: 20.0 + int((at - begins) // 10.0), seconds=0.5)
    one = energy(world, windows=6)
    assert len(one.samples) == 6 and list(one.samples) == sorted(one.samples)
    assert one.interval == (one.samples[0], one.samples[-1])
    assert one.value == pytest.approx(sum(one.samples[2:4]) / 2)


def test_a_counter_that_stands_still_is_no_number():
    one = energy(World(idle=0.0, busy=0.0))
    assert one.value is None and one.conditions.power is None and one.conditions.idle_power is None
    assert str(one.reason) == "the energy counter stood still during 10.1 s of passes (a fake)"
    one = energy(World(busy=lambda at: 20.0 if at < 25 else 0.0))
    assert one.value is None and "stood still" in str(one.reason)
    one = energy(World(busy=-1.0))
    assert "went back" in str(one.reason)


def test_a_counter_that_may_go_round_twice_within_a_window_is_no_number():
    """What it counts is then less by a whole round, which nothing shows."""
    world = World(idle=5.0, busy=20.0)
    world.range = 400.0  # ten times the power at rest, for ten seconds, is 500 J
    assert "begins again after 400 J" in str(energy(world).reason)
    world = World(idle=5.0, busy=20.0)
    world.range = 6000.0
    assert energy(world).value is not None


def test_a_counter_that_rests_while_the_machine_does_has_no_power_at_rest():
    one = energy(World(idle=0.0))
    assert one.value == pytest.approx(1.0) and one.conditions.idle_power is None


def test_slow_passes_and_failures_have_their_reason():
    one = energy(World(seconds=50.0))
    assert str(one.reason) == "the first pass alone took 50 s, and a window 10 s; raise seconds"
    assert "float16 is not measured on a CPU" in str(energy(World(), dtype="float16").reason)

    class Fails(nn.Module):
        def __init__(self, error):
            super().__init__()
            self.error, self.layer = error, nn.Conv2d(3, 1, 1)

        def forward(self, x):
            raise self.error

    assert str(energy(World(), Fails(torch.OutOfMemoryError("CUDA out of memory"))).reason).startswith("out of memory")
    world = World()
    world.read = lambda: (_ for _ in ()).throw(OSError("NVML: GPU is lost"))
    assert str(energy(world).reason) == "the energy counter cannot be read any more: NVML: GPU is lost"
    with pytest.raises(EntryError, match="a forward pass failed while energy was measured: odd"):
        energy(World(), Fails(ValueError("odd")))


@pytest.mark.parametrize(("others", "verdict"), [(0.05, "stable"), (0.6, "unstable")])
def test_other_work_on_the_processors_makes_it_unstable(others, verdict):
    readings = [{"at": at, "ran": 0.5 * at, "waited": 0.0, "used": (0.5 + others) * at} for at in range(100)]
    world = World()
    watched = SimpleNamespace(mark=world.now, record=Record(readings))
    one = energy(world, watch=lambda gpu: nullcontext(watched))
    assert one.conditions.stability == verdict
    assert one.conditions.stability_reasons == (
        () if verdict == "stable" else
        ("other processes used the processors, and their energy is in it (0.6 processors)",)
    )  # fmt: skip


def test_energies_of_different_counters_are_not_compared_and_other_costs_keep_their_basis():
    one = energy(World())
    other = replace(one, conditions=replace(one.conditions, energy_of="another"))
    assert cost_differences(one, other) == ["energy of a fake / another"]
    assert comparison_key(SimpleNamespace(), one) != comparison_key(SimpleNamespace(), other)
    assert basis_of_cost(one.conditions) != basis_of_cost(other.conditions)
    assert basis_of_cost(Conditions(batch=1, dtype="float32")) == "6eac439d535dce36"


def test_the_probe_says_why_there_is_no_counter_and_runs_nothing(monkeypatch):
    why = Reason("this machine has no energy counter")
    monkeypatch.setattr(probe, "_counter_of", lambda device: why)
    subject = SimpleNamespace(variant=Variant("net", "here:Net", "pose", (4, 6)), device="cpu")
    (one,) = Energy().measure(subject, Conditions(batch=1, dtype="float32"), EnergyOptions())
    assert (one.value, one.reason, one.conditions.batch) == (None, why, 1)
