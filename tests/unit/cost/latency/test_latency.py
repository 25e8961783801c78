"""Latency under a clock that goes as the test says: every way a cell can end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, pairwise, repeat

import pytest
import torch
from torch import Tensor, nn

from hrbench.cost.latency import measure
from hrbench.cost.latency.clocks import Timed
from hrbench.cost.latency.pace import MAX_SAMPLES, pace_of
from hrbench.cost.latency.summary import percentile_costs
from hrbench.errors import EntryError, UsageError
from hrbench.models.runtimes.eager import Eager

measure_latency = partial(measure.measure_latency, runtime=Eager(), watch=None)
SHAPE = (2, 3, 4, 4)


class Fake:
    """A clock on which the passes take the given seconds, the last of them for ever, and nothing else takes time."""

    def __init__(self, *seconds: float) -> None:
        self.elapsed = 0.0
        self.calls = 0
        self._next: Iterator[float] = chain(seconds, repeat(seconds[-1]))

    def now(self) -> float:
        return self.elapsed

    def time(self, work: Callable[[], object]) -> Timed:
        if self.calls == 0:
            work()  # once, to see that it runs: a thousand passes would only take real time
        self.calls += 1
        seconds = next(self._next)
        self.elapsed += seconds
        return Timed(seconds)


def net() -> nn.Module:
    return nn.Conv2d(3, 4, 1)


def measure(*seconds: float, **arguments):
    clock = Fake(*seconds)
    return measure_latency(net(), SHAPE, clock=clock, **arguments), clock


def test_a_steady_network_is_warm_after_three_windows():
    cost, clock = measure(0.1)
    assert cost.value == 0.1 and cost.reason is None
    assert cost.conditions.warm_up_passes == 9 and cost.conditions.warm_up_settled is True
    assert cost.conditions.passes == len(cost.samples) == clock.calls - 9
    assert cost.conditions.looks == (pytest.approx(1),) and cost.conditions.confidence == 0.9875
    assert cost.conditions.ended == "its median was known within 1 %" and 1.9 <= clock.elapsed < 2.1


def test_a_stated_budget_is_taken_whole_and_not_looked_at():
    cost, clock = measure(0.1, budget=10)
    assert cost.conditions.passes == len(cost.samples) == clock.calls - 9 and 10 <= clock.elapsed <= 10.1
    assert (cost.conditions.looks, cost.conditions.confidence, cost.conditions.ended) == ((), None, "")


def test_slow_first_passes_are_warmed_away_until_windows_agree():
    cost, _ = measure(0.5, 0.3, 0.2, 0.15, 0.14, 0.13, 0.1, budget=20)
    assert cost.conditions.warm_up_settled is True
    assert cost.conditions.warm_up_passes == 18  # windows of 0.4 s with medians 0.3, 0.14, and three of 0.1
    assert set(cost.samples) == {0.1}
    assert cost.conditions.first_pass == 0.5


def test_a_window_is_at_least_two_percent_of_a_stated_budget_or_a_tenth_of_the_first_look():
    looked_at, _ = measure(0.001)
    assert looked_at.conditions.warm_up_passes == pytest.approx(3 * 100, abs=3)
    cost, _ = measure(0.001, budget=10)
    assert cost.conditions.warm_up_passes == pytest.approx(3 * 200, abs=3)


def test_a_network_that_never_settles_is_measured_after_a_quarter_of_the_budget_and_says_so():
    cost, clock = measure(*(0.1 * 1.2 ** (i // 3 % 2) for i in range(300)), budget=10)
    assert cost.conditions.warm_up_settled is False
    warm = clock.elapsed - sum(cost.samples)
    assert 2.5 <= warm < 2.62
    assert cost.value in (0.1, pytest.approx(0.12), pytest.approx(0.11))


def test_samples_are_kept_in_order_and_their_median_is_the_value():
    cost, _ = measure(*[1.0] * 3, *[2.0, 1.5, 1.0, 3.0, 1.2], budget=10)
    assert list(cost.samples) == [2.0, 1.5, 1.0, 3.0]
    assert cost.value == 1.75 and cost.interval is None


def test_the_interval_of_the_median_is_kept_with_it():
    cost, _ = measure(*[1.0] * 6, *[0.9, 1.1] * 5, budget=11)
    low, high = cost.interval
    assert (low, high) == (0.9, 1.1) and low <= cost.value <= high
    assert percentile_costs(cost)[1].interval is None


def test_a_first_pass_over_budget_ends_the_cell():
    cost, clock = measure(12.0)
    assert clock.calls == 1
    assert cost.value is None and cost.samples == ()
    assert str(cost.reason) == "the first pass alone took 12 s of a budget of 10 s; raise budget"
    assert cost.conditions.first_pass == 12.0


@pytest.mark.parametrize("seconds", [3.0, 4.0, 9.0])
def test_three_passes_are_measured_though_they_outlast_the_budget(seconds):
    cost, clock = measure(seconds)
    assert clock.calls == 4 and cost.samples == (seconds,) * 3 and cost.value == seconds


def test_a_fast_network_stops_at_the_most_samples_worth_keeping():
    cost, clock = measure(0.0011, budget=10)
    assert len(cost.samples) == MAX_SAMPLES and clock.elapsed < 10
    assert [one.value for one in percentile_costs(cost)] == [0.0011] * 3


def test_budget_can_be_set_and_defaults_by_device():
    cost, clock = measure(0.1, budget=2)
    assert cost.conditions.budget == 2 and clock.elapsed < 2.2
    assert measure(0.1)[0].conditions.budget == 10
    assert pace_of("quick", None, None, on_gpu=True).budget == 30


@pytest.mark.parametrize("budget", [0, -1, float("inf"), float("nan")])
def test_a_budget_that_is_no_time_is_refused(budget):
    with pytest.raises(UsageError, match="positive number of seconds"):
        measure(0.1, budget=budget)


def test_progress_goes_up_to_the_budget_and_never_over():
    told: list[tuple[float, float]] = []
    measure(1.5, progress=lambda done, budget: told.append((done, budget)))
    assert [done for done, _ in told] == [1.5, 3.0, 4.5, 6.0, 7.5, 9.0, 10.0]
    assert {budget for _, budget in told} == {10}


def test_progress_is_told_four_times_a_second_however_short_a_pass():
    told: list[float] = []
    _, clock = measure(0.01, budget=10, progress=lambda done, budget: told.append(done))
    assert clock.calls > 900 and len(told) <= 41
    assert min(b - a for a, b in pairwise(told)) >= 0.25 - 1e-9


def test_float16_on_a_cpu_is_an_empty_cell_and_runs_nothing():
    cost, clock = measure(0.1, dtype="float16")
    assert cost.value is None and "float16 is not measured on a CPU" in str(cost.reason)
    assert clock.calls == 0 and cost.conditions.dtype == "float16"


def test_conditions_say_how_it_was_measured():
    cost, _ = measure(0.1)
    conditions = cost.conditions
    assert conditions.batch == 2 and conditions.input == (4, 4) and conditions.dtype == "float32"
    assert conditions.device and conditions.device_type == "cpu"
    assert conditions.threads == torch.get_num_threads() and conditions.torch == torch.__version__
    assert conditions.channels_last is False and "cudnn_benchmark" in conditions.flags
    assert (cost.quantity.name, cost.quantity.unit, cost.quantity.better) == ("latency", "seconds", "lower")


def test_threads_and_flags_are_those_in_force_while_it_was_timed():
    class Setting(nn.Module):
        def forward(self, x):
            torch.set_num_threads(before + 1)
            torch.backends.cudnn.benchmark = not benchmark
            return x

    before, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    try:
        conditions = measure_latency(Setting(), SHAPE, clock=Fake(0.1)).conditions
    finally:
        torch.set_num_threads(before)
        torch.backends.cudnn.benchmark = benchmark
    assert conditions.threads == conditions.flags["threads"] == before + 1
    assert conditions.flags["cudnn_benchmark"] is not benchmark


class Witness(nn.Module):
    """Notes under what circumstances it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout())
        self.seen: list[tuple] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append((self.training, torch.is_inference_mode_enabled(), x.dtype, x.sum().item(), x))
        return self.body(x)


def test_passes_are_in_eval_and_inference_mode_on_one_seeded_input():
    witness = Witness().train()
    witness.body.eval()
    for _ in range(2):
        measure_latency(witness, SHAPE, clock=Fake(1.0))
    assert [seen[:3] for seen in witness.seen] == [(False, True, torch.float32)] * 2
    assert witness.seen[0][3] == witness.seen[1][3] != 0
    assert witness.training and not witness.body.training


def test_another_dtype_is_measured_on_a_copy():
    witness = Witness()
    cost = measure_latency(witness, SHAPE, dtype=torch.bfloat16, clock=Fake(1.0))
    assert cost.value == 1.0 and cost.conditions.dtype == "bfloat16"
    assert next(witness.parameters()).dtype == torch.float32 and witness.seen == []


def test_a_detector_takes_a_list_of_images():
    class Detector(nn.Module):
        def forward(self, images: list[Tensor]) -> list[int]:
            assert isinstance(images, list) and images[0].shape == (3, 4, 4)
            return [len(images)]

    assert measure_latency(Detector(), SHAPE, clock=Fake(1.0), as_input=list).value == 1.0


class Failing(nn.Module):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: Tensor) -> Tensor:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried ..."),
    ],
)
def test_out_of_memory_is_an_empty_cell(error):
    cost = measure_latency(Failing(error), SHAPE, clock=Fake(1.0))
    assert cost.value is None and str(cost.reason).startswith("out of memory on ")


def test_a_dtype_the_device_cannot_do_is_an_empty_cell():
    error = RuntimeError("\"conv\" not implemented for 'BFloat16'\nmore")
    cost = measure_latency(Failing(error), SHAPE, dtype="bfloat16", clock=Fake(1.0))
    assert cost.value is None
    assert str(cost.reason).startswith("bfloat16 does not run on ") and str(cost.reason).endswith("for 'BFloat16'")


def test_a_network_that_fails_fails_its_entry():
    with pytest.raises(EntryError, match="forward pass failed while latency was measured: sizes differ"):
        measure_latency(Failing(RuntimeError("sizes differ\nmore")), SHAPE, clock=Fake(1.0))
    with pytest.raises(EntryError, match="measured: no head"):
        measure_latency(Failing(AttributeError("no head")), SHAPE, dtype="bfloat16", clock=Fake(1.0))
    with pytest.raises(UsageError, match=r"^wrong$"):
        measure_latency(Failing(UsageError("wrong")), SHAPE, clock=Fake(1.0))


@pytest.mark.parametrize("dtype", ["float23", "int8", "nn", torch.int64])
def test_a_dtype_that_is_none_is_refused(dtype):
    with pytest.raises(UsageError, match="float32, bfloat16"):
        measure(0.1, dtype=dtype)


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no CUDA device"):
        measure_latency(net(), SHAPE, device="cuda")


def test_the_real_clock_on_the_real_cpu():
    cost = measure_latency(net(), SHAPE, budget=0.2)
    assert cost.value is not None and 0 < cost.value < 0.2
    assert len(cost.samples) >= 3 and min(cost.samples) > 0
