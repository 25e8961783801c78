"""Throughput under a clock that goes as the test says: every way a sweep can end, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from hrbench.cost.latency.clocks import Timed
from hrbench.cost.telemetry.watch import Record
from hrbench.cost.throughput.measure import SPARE, MainMemory, measure_throughput
from hrbench.cost.throughput.probe import Throughput, ThroughputOptions
from hrbench.cost.throughput.summary import of_processes
from hrbench.errors import EntryError, UnavailableError
from hrbench.judge.comparability import comparison_key
from hrbench.models.runtimes.eager import Eager
from hrbench.statistics.percentiles import median_interval
from hrbench.types import BatchTime, Conditions, Reason, Variant

GIB = 2**30


class Layer(nn.Module):
    """One convolution that remembers the batch, and fails from some batch on. fixed_batch: as of a file."""

    def __init__(self, fails: int = 2**30, error: Exception | None = None, fixed_batch: int | None = None) -> None:
        super().__init__()
        self.layer, self.batch, self.fails, self.error = nn.Conv2d(3, 4, 1), 0, fails, error
        self.fixed_batch = fixed_batch

    def forward(self, x):
        self.batch = len(x)
        if self.error is not None and self.batch >= self.fails:
            raise self.error
        return self.layer(x)


class BatchClock:
    """A clock on which a pass takes what the formula says of its batch."""

    def __init__(self, net: Layer, seconds: Callable[[int], float]) -> None:
        self.net, self.seconds, self.elapsed, self.batches = net, seconds, 0.0, []

    def now(self) -> float:
        return self.elapsed

    def time(self, work: Callable[[], object]) -> Timed:
        if work not in self.batches[-1:]:  # once a batch: thousands of passes would only take real time
            work()
            self.batches.append(work)
        self.elapsed += self.seconds(self.net.batch)
        return Timed(self.seconds(self.net.batch))


def measured(seconds=lambda batch: 0.1 + 0.01 * batch, net: Layer | None = None, **more):
    net = net or Layer()
    arguments = {
        "runtime": Eager(),
        "clock": BatchClock(net, seconds),
        "watch": None,
        "room": lambda batch: None,
        **more,
    }
    return measure_throughput(net, (4, 6), **arguments)


def test_the_value_is_that_of_the_knee_and_the_curve_is_kept():
    one = measured(mode="quick", budget=5.0)
    under = one.conditions
    assert [each.batch for each in under.curve] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    # 256 of 128 bring (0.1 + 0.01 x 128) / (0.05 + 0.01 x 128) - 1 = 3.8 %, so the largest is the last
    assert (under.knee, under.knee_found, under.ended) == (256, False, "batch 256 was the largest asked for")
    one = measured(lambda batch: 0.1 + 0.1 * batch, budget=20.0)
    under = one.conditions
    assert (under.knee, under.knee_found) == (32, True)  # 64 bring 1.5 % more
    assert one.value == pytest.approx(32 / 3.3) and one.quantity.unit == "rate"
    assert [each.p50 for each in under.curve] == [pytest.approx(0.1 + 0.1 * 2**k) for k in range(7)]
    assert under.passes == sum(each.passes for each in under.curve) and one.samples == ()
    assert (under.batch, under.mode, under.budget, under.input) == (None, "quick", 20.0, (4, 6))


def test_the_interval_is_that_of_passes_at_the_knee():
    pattern = iter([1.0] * 9 + [0.9, 1.0, 1.1] * 100)
    one = measured(lambda batch: next(pattern) if batch == 1 else 4.0 * batch, budget=30.0)
    low, high = median_interval(one.conditions.curve[0].samples)
    assert one.conditions.knee == 1 and one.interval == (1 / high, 1 / low) and one.interval[0] <= one.value


def test_memory_ends_the_sweep_as_a_note():
    one = measured(lambda batch: 1e-3, net=Layer(8, torch.OutOfMemoryError("CUDA out of memory")), budget=0.1)
    assert one.reason is None and one.value == pytest.approx(4000) and one.conditions.knee == 4
    assert one.conditions.knee_found is False
    assert one.conditions.ended.startswith("batch 8 was not measured: out of memory on ")
    one = measured(lambda batch: 1e-3, net=Layer(1, torch.OutOfMemoryError("CUDA out of memory")))
    assert one.value is None and str(one.reason).startswith("out of memory on ") and not one.conditions.curve


def test_another_failure_is_an_error_at_the_first_batch_and_told_at_a_later_one():
    with pytest.raises(EntryError, match="a forward pass failed while throughput was measured: no such size"):
        measured(net=Layer(1, ValueError("no such size")))
    one = measured(lambda batch: 1e-3, net=Layer(4, ValueError("no such size")), budget=0.1)
    assert one.value == pytest.approx(2000)
    assert one.conditions.ended == "batch 4 was not measured: a forward pass failed (no such size)"


class Compiles(Eager):
    """A runtime that compiles a network at its every call from some batch on. unavailable: raised instead."""

    def __init__(self, net: Layer, many: int, unavailable: bool = False) -> None:
        self.net, self.many, self.unavailable, self.compiled = net, many, unavailable, 0

    def prepare(self, net, input):
        if self.unavailable and len(input) >= self.many:
            raise UnavailableError("no compiler")
        return super().prepare(net, input)

    def compilations(self) -> int:
        self.compiled += self.net.batch >= self.many
        return self.compiled


def test_a_batch_at_which_a_network_is_compiled_again_is_no_batch():
    net = Layer()
    one = measured(lambda batch: 1e-3, net=net, budget=0.1, runtime=Compiles(net, 4))
    assert one.conditions.knee == 2
    assert one.conditions.ended == "batch 4 was not measured: the network was compiled again while it was measured"
    one = measured(lambda batch: 1e-3, net=net, budget=0.1, runtime=Compiles(net, 4, unavailable=True))
    assert one.conditions.ended == "batch 4 was not measured: no compiler"
    with pytest.raises(UnavailableError):
        measured(net=net, runtime=Compiles(net, 1, unavailable=True))


def test_time_ends_the_sweep():
    one = measured(lambda batch: batch**0.5, budget=3.0)
    assert one.conditions.ended == "batch 16 was not measured: the first pass alone took 4 s of a budget of 3 s"
    assert measured(lambda batch: 4.0, budget=3.0).value is None


def test_main_memory_is_looked_at_before_it_is_full():
    sizes = {"VmRSS": GIB, "VmHWM": GIB}
    free = [100 * GIB]
    memory = MainMemory(sizes.get, lambda: free[0])
    sizes |= {"VmRSS": 2 * GIB, "VmHWM": 4 * GIB}  # the last batch took 3 GiB at most and keeps one of them
    free[0] = 6 * GIB - GIB + SPARE
    assert memory.lacks(8) is None
    free[0] -= 1
    assert str(memory.lacks(8)) == "it would take about 6.0 GiB of the 7.0 GiB of memory that are free"
    assert MainMemory({}.get, lambda: 0).lacks(2) is None  # a system that does not tell
    one = measured(lambda batch: 1e-3, budget=0.1, room=lambda batch: Reason("full") if batch > 2 else None)
    assert one.conditions.ended == "batch 4 was not measured: full"


def test_smoke_tries_two_batches_and_judges_nothing():
    one = measured(lambda batch: 1e-3, mode="smoke")
    assert [(each.batch, each.passes) for each in one.conditions.curve] == [(1, 3), (2, 3)]
    assert one.conditions.stability == "" and one.conditions.budget is None


@pytest.mark.parametrize(("threads", "verdict"), [(0.5, "stable"), (0.9, "unstable")])
def test_one_disturbed_batch_makes_the_whole_unstable(threads, verdict):
    marks = iter(range(100))
    readings = [{"at": at, "ran": 0.5 * at, "waited": 0.0} for at in range(4)]
    readings += [{"at": at, "ran": readings[-1]["ran"] + threads * (at - 3), "waited": (0.6 - threads) * (3 - at) * 0.2
                  if threads > 0.6 else 0.0} for at in range(4, 40)]  # fmt: skip
    watched = SimpleNamespace(mark=lambda: float(next(marks)), record=Record(readings))
    one = measured(lambda batch: 0.1 * batch + 0.3, watch=lambda gpu: nullcontext(watched), budget=30.0, largest=4)
    assert one.conditions.stability == verdict
    told = " ".join(one.conditions.stability_reasons)
    assert ("threads waited for a processor (" in told and "of 3 batches)" in told) == (verdict == "unstable")


def subject(net: nn.Module, told: list) -> SimpleNamespace:
    return SimpleNamespace(
        variant=Variant("net", "here:Net", "pose", (4, 6)), device="cpu", runtime=Eager(), on_device=lambda: net,
        progress=lambda unit, done, total: told.append((unit, done, total)),
    )  # fmt: skip


@pytest.mark.parametrize(("largest", "said"), [(3, "2 or 4"), (100, "64 or 128")])
def test_a_largest_batch_that_no_sweep_reaches_is_refused(largest: int, said: str):
    with pytest.raises(ValueError, match=f"so that {largest} is none: {said}"):
        ThroughputOptions(largest=largest)


def test_the_probe_sweeps_over_multiples_of_a_files_batch():
    told: list = []
    options = ThroughputOptions(mode="smoke", largest=8)
    (one,) = Throughput().measure(subject(Layer(fixed_batch=3), told), Conditions(dtype="float32"), options)
    assert [each.batch for each in one.conditions.curve] == [3, 6] and one.conditions.load is not None
    assert told == [("batches", 0, 2), ("batches", 1, 2)]
    (one,) = Throughput().measure(subject(Layer(), told), Conditions(dtype="float16"), options)
    assert "float16 is not measured on a CPU" in str(one.reason)
    net = Layer()
    net.precision = torch.bfloat16
    (one,) = Throughput().measure(subject(net, told), Conditions(dtype="float32"), options)
    assert str(one.reason) == "the network's file computes in bfloat16; ask for that dtype"


def test_options_have_the_words_of_latency():
    with pytest.raises(ValueError, match="mode gate has cap"):
        ThroughputOptions(mode="gate", budget=3.0)
    with pytest.raises(ValueError, match="mode quick has budget"):
        ThroughputOptions(cap=3.0)
    assert Throughput().processes(ThroughputOptions(mode="gate")) == 6
    assert Throughput().processes(ThroughputOptions()) == 1


def test_one_throughput_of_six_processes():
    parts = [measured(lambda batch, s=s: s * (0.1 + 0.1 * batch), budget=20.0) for s in (1, 1.1, 1.2, 0.9, 1, 1)]
    (whole,) = Throughput().merge([[one] for one in parts])
    assert whole.conditions.knee == 32 and whole.value == pytest.approx(32 / 3.3)
    assert whole.interval == (min(one.value for one in parts), max(one.value for one in parts))
    assert whole.conditions.process_passes == tuple(one.conditions.passes for one in parts)
    assert whole.conditions.curve[0].passes == sum(one.conditions.curve[0].passes for one in parts)
    under = replace(parts[0].conditions, stability="unstable", stability_reasons=("passes drifted (by 7 %)",))
    worse = of_processes([replace(parts[0], conditions=under), *parts[1:]])
    assert worse.conditions.stability == "unstable"
    assert worse.conditions.stability_reasons == ("passes drifted (by 7 %; in 1 of 6 processes)",)
    without = replace(parts[0], value=None, reason=Reason("out of memory"))
    assert of_processes([*parts[:5], without]) == without


def test_processes_that_end_at_different_batches_say_so():
    short, long = measured(lambda batch: batch, budget=40.0), measured(lambda batch: 1.0, budget=40.0, largest=8)
    whole = of_processes([short, long])
    assert [one.batch for one in whole.conditions.curve] == [1, 2]
    assert whole.conditions.ended == (
        "processes ended at different batches (batch 2 brought +0.0 %; batch 8 was the largest asked for)"
    )
    lone = replace(long, conditions=replace(long.conditions, curve=(BatchTime(32, 1.0, 32.0, 3),)))
    assert str(of_processes([short, lone]).reason) == "no batch was measured in all processes"


def test_different_knees_are_compared():
    one, other = measured(lambda batch: batch, budget=40.0), measured(lambda batch: 1.0, budget=40.0)
    assert one.conditions.knee != other.conditions.knee
    result = SimpleNamespace()
    assert comparison_key(result, one) == comparison_key(result, other) is not None
