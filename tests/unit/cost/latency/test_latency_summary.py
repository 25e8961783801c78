"""Statistics of samples against the binomial distribution itself."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from hrbench.cost.latency.summary import LATENCY, of_processes, percentile_costs
from hrbench.statistics.percentiles import INTERVAL_SAMPLES, least_samples, median_interval, percentile, upper_bound
from hrbench.types import Conditions, Measurement, Reason


@pytest.mark.parametrize(("percent", "counts"), [(90, (64, 127, 197)), (99, (662, 1307, 2010))])
def test_the_least_samples_are_those_of_the_early_stopping_rule(percent, counts):
    for above, n in zip((1, 5, 10), counts, strict=True):
        assert least_samples(above, percent) == n
        assert binom.cdf(above, n, 1 - percent / 100) <= 0.01 < binom.cdf(above, n - 1, 1 - percent / 100)


@given(st.integers(1, 3000), st.sampled_from([50, 90, 99]))
def test_a_bound_leaves_as_many_above_as_chance_almost_never_does(n, percent):
    bound = upper_bound(range(1, n + 1), percent)
    if bound is None:
        assert n < least_samples(1, percent)
        return
    above = n - bound
    share = 1 - percent / 100
    assert above >= 1 and binom.cdf(above, n, share) <= 0.01 < binom.cdf(above + 1, n, share)


@pytest.mark.parametrize("percent", [90, 99])
def test_a_bound_holds_as_often_as_it_says(percent):
    chance = np.random.default_rng(0)
    true = -np.log(1 - percent / 100)
    held = sum(upper_bound(chance.exponential(size=1500).tolist(), percent) >= true for _ in range(500))
    assert held >= 490  # 495 expected; 490 or fewer with a probability of 3 %, and this seed gives more


@pytest.mark.parametrize(("percent", "confidence"), [(0, 0.99), (100, 0.99), (90, 0), (90, 1)])
def test_a_bound_of_nothing_is_refused(percent, confidence):
    with pytest.raises(ValueError, match="a percentile in"):
        upper_bound([1.0] * 100, percent, confidence)


def test_six_is_the_smallest_n_with_an_interval():
    assert median_interval([1.0] * (INTERVAL_SAMPLES - 1)) is None
    assert median_interval([1.0] * INTERVAL_SAMPLES) == (1.0, 1.0)


@pytest.mark.parametrize("n", [6, 7, 9, 20, 100, 101, 662, 2000])
def test_the_interval_is_the_narrowest_pair_of_order_statistics_that_covers(n):
    low, high = median_interval([float(i) for i in range(1, n + 1)])
    k = int(low)
    assert high == n + 1 - k
    assert 1 - 2 * binom.cdf(k - 1, n, 0.5) >= 0.95
    assert 1 - 2 * binom.cdf(k, n, 0.5) < 0.95


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.integers(1, 100))
def test_a_percentile_is_the_first_sample_with_enough_at_or_below_it(samples, percent):
    value = percentile(samples, percent)
    assert value in samples
    assert sum(sample <= value for sample in samples) * 100 >= percent * len(samples)
    assert sum(sample < value for sample in samples) * 100 < percent * len(samples)


@pytest.mark.parametrize(("samples", "percent"), [([], 50), ([1.0], 0), ([1.0], 101)])
def test_a_percentile_of_nothing_is_refused(samples, percent):
    with pytest.raises(ValueError, match="percentile"):
        percentile(samples, percent)


def measured(n: int) -> Measurement:
    samples = [0.001 * (i + 1) for i in range(n)]
    random.Random(0).shuffle(samples)
    conditions = Conditions(batch=4, dtype="float32")
    return Measurement(LATENCY, 0.001 * (n + 1) / 2, samples=samples, conditions=conditions)


def test_bounds_appear_at_64_and_662_samples_and_say_why_not_below():
    p50, p90, p99 = percentile_costs(measured(63))
    assert p50.value == pytest.approx(0.032) and p50.samples == ()
    assert "p90 needs 64 samples, there are 63" in str(p90.reason) and p90.value is None
    _, p90, p99 = percentile_costs(measured(661))
    assert p90.value is not None and p99.value is None and "662 samples, there are 661" in str(p99.reason)
    p50, p90, p99 = percentile_costs(measured(662))
    assert p99.value == pytest.approx(0.661)  # the second largest
    assert [one.quantity.name for one in (p50, p90, p99)] == ["latency", "latency-p90", "latency-p99"]
    assert [one.conditions.percentile for one in (p50, p90, p99)] == [50, 90, 99]


def test_an_empty_cell_stays_empty_with_its_reason():
    empty = Measurement(LATENCY, None, samples=(0.1,), conditions=Conditions(batch=4), reason=Reason("out of memory"))
    assert [(cost.value, str(cost.reason)) for cost in percentile_costs(empty)] == [(None, "out of memory")] * 3


def one_process(*samples: float, **more) -> Measurement:
    conditions = Conditions(batch=1, mode="gate", budget=5.0, warm_up_passes=4, warm_up_settled=True,
                            stability="stable", **more)  # fmt: skip
    return Measurement(LATENCY, median(samples), samples=samples, conditions=conditions)


def test_several_processes_make_one_latency_with_the_interval_of_their_medians():
    parts = [one_process(k, k + 0.5, k + 1, first_pass=float(k), seen={"waited": k / 100}) for k in range(1, 7)]
    one = of_processes(parts)
    assert one.value == 4 and one.interval == (1.5, 6.5)
    assert one.samples == tuple(sample for part in parts for sample in part.samples)
    under = one.conditions
    assert (under.passes, under.process_passes, under.warm_up_passes, under.budget) == (18, (3,) * 6, 24, 30)
    assert (under.first_pass, under.seen, under.stability) == (3.5, {"waited": 0.06}, "stable")


def test_one_disturbed_process_makes_the_latency_unstable_and_says_in_how_many_it_was():
    calm = one_process(1.0, 1.0)
    share = "threads waited for a processor ({} of the time in which they ran or waited)"
    disturbed = [
        replace(calm, conditions=replace(calm.conditions, stability="unstable", stability_reasons=(text,)))
        for text in (share.format("7 %"), share.format("12 %"))
    ]
    under = of_processes([calm, *disturbed]).conditions
    assert under.stability == "unstable"
    assert under.stability_reasons == (
        "threads waited for a processor (12 % of the time in which they ran or waited; in 2 of 3 processes)",
    )


def test_a_process_without_a_value_leaves_none():
    none = Measurement(LATENCY, None, reason=Reason("out of memory"))
    assert of_processes([one_process(1.0), none]).reason == Reason("out of memory")
