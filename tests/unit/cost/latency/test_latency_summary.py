"""Statistics of samples against the binomial distribution itself."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from hrbench.cost.latency.summary import LATENCY, percentile_costs
from hrbench.statistics.percentiles import INTERVAL_SAMPLES, P99_SAMPLES, median_interval, percentile
from hrbench.types import Conditions, Measurement, Reason


def test_662_is_the_smallest_n_with_two_samples_above_p99_at_99_percent():
    def at_most_one_above(n: int) -> float:
        return float(binom.cdf(1, n, 0.01))

    assert at_most_one_above(P99_SAMPLES) <= 0.01 < at_most_one_above(P99_SAMPLES - 1)


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


def test_p99_appears_at_662_samples_and_says_why_not_below():
    p50, p99 = percentile_costs(measured(P99_SAMPLES - 1))
    assert p50.value == pytest.approx(0.331)
    assert p99.value is None and "662 samples, there are 661" in str(p99.reason)
    p50, p99 = percentile_costs(measured(P99_SAMPLES))
    assert p99.value == pytest.approx(0.656)  # the 656th: 0.99 x 662 = 655.4
    assert (p50.quantity.name, p99.quantity.name) == ("latency", "latency-p99")
    assert (p50.conditions.percentile, p99.conditions.percentile) == (50, 99)
    low, high = p50.interval
    assert low < p50.value < high


def test_few_samples_have_a_median_but_no_interval():
    p50, _ = percentile_costs(measured(3))
    assert p50.value == pytest.approx(0.002) and p50.interval is None


def test_an_empty_cell_stays_empty_with_its_reason():
    empty = Measurement(LATENCY, None, samples=(0.1,), conditions=Conditions(batch=4), reason=Reason("out of memory"))
    assert [(cost.value, str(cost.reason)) for cost in percentile_costs(empty)] == [(None, "out of memory")] * 2
