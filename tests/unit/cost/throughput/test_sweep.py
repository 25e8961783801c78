"""Which batches a sweep times, by networks whose time is a formula."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrbench.cost.throughput.pace import pace_of_batch
from hrbench.cost.throughput.sweep import KEPT, LEAST_GAIN, batch_time, knee, of_curves, spread_over, sweep
from hrbench.errors import UsageError
from hrbench.types import BatchTime, Reason


def timed(seconds):
    """Times a batch by a formula, and tells which batches were asked for."""
    asked: list[int] = []

    def time_batch(batch: int) -> BatchTime | Reason:
        asked.append(batch)
        return batch_time(batch, [seconds(batch)])

    return time_batch, asked


@given(st.floats(0.001, 1), st.floats(0.0001, 0.1))
def test_the_knee_of_a_fixed_cost_and_one_for_each_image_is_where_the_formula_says(fixed, each):
    """Doubling B gains (a + b B) / (a / 2 + b B) - 1, which falls under g from B = a (1 / g - 1) / (2 b) on."""
    time_batch, asked = timed(lambda batch: fixed + each * batch)
    found = sweep(1, 2**20, time_batch)
    bound = fixed * (1 - LEAST_GAIN) / (2 * LEAST_GAIN * each)
    expected = 2 ** max(0, math.ceil(math.log2(bound)))
    best, there = knee(found.curve)
    assert there and (best.batch == expected or abs(math.log2(bound) - round(math.log2(bound))) < 1e-6)
    assert asked == [2**k for k in range(len(asked))] and asked[-1] == 2 * best.batch
    assert best.rate == pytest.approx(best.batch / (fixed + each * best.batch))
    assert found.ended.startswith(f"batch {asked[-1]} brought +")


def test_the_largest_batch_ends_a_sweep_without_a_knee():
    found = sweep(1, 12, timed(lambda batch: 1.0)[0])
    assert [one.batch for one in found.curve] == [1, 2, 4, 8]
    assert knee(found.curve) == (found.curve[-1], False) and found.curve[-1].rate == 8
    assert found.ended == "batch 8 was the largest asked for"


def test_a_batch_that_cannot_be_timed_ends_it_and_keeps_the_others():
    def time_batch(batch: int) -> BatchTime | Reason:
        return batch_time(batch, [1.0]) if batch < 8 else Reason("out of memory on a GPU", "buy one")

    found = sweep(1, 64, time_batch)
    assert [one.rate for one in found.curve] == [1, 2, 4] and found.reason is None
    assert found.ended == "batch 8 was not measured: out of memory on a GPU"


def test_without_a_first_batch_there_is_its_reason():
    found = sweep(1, 64, lambda batch: Reason("out of memory"))
    assert (found.curve, found.ended, found.reason) == ((), "", Reason("out of memory"))


def test_a_file_of_a_fixed_batch_is_swept_over_its_multiples():
    time_batch, asked = timed(lambda batch: 1.0)
    sweep(3, 30, time_batch)
    assert asked == [3, 6, 12, 24]
    found = sweep(3, 2, time_batch)
    assert str(found.reason) == "the network's file takes 3 images at once, and the largest batch is 2; raise largest"


def test_slower_is_told_with_its_sign():
    assert sweep(1, 4, timed(lambda batch: batch**2)[0]).ended == "batch 2 brought −50.0 %"


def test_a_batch_keeps_few_samples_and_tells_of_all():
    one = batch_time(4, [float(k) for k in range(1, 1002)])
    assert (one.p50, one.rate, one.passes) == (501.0, 4 / 501.0, 1001)
    assert len(one.samples) == KEPT and one.samples[0] == 1 and one.samples[-1] == 1001
    assert list(one.samples) == sorted(one.samples)
    assert spread_over([1.0, 2.0], 60) == (1.0, 2.0)


def test_one_curve_of_several_processes_has_their_common_batches():
    curves = [[batch_time(b, [s * b]) for b in batches] for s, batches in ((1, (1, 2)), (3, (1, 2, 4)), (2, (1, 2)))]
    merged = of_curves(curves)
    assert [(one.batch, one.p50, one.rate, one.passes) for one in merged] == [(1, 2, 0.5, 3), (2, 4, 0.5, 3)]
    assert merged[0].samples == (1, 3, 2)


def test_modes_are_those_of_latency():
    assert pace_of_batch("quick", None, None).budget == 3 and pace_of_batch("quick", 0.5, None).budget == 0.5
    gate = pace_of_batch("gate", None, 60)
    assert (gate.budget, gate.warm_up, gate.seconds, gate.samples) == (10, 1, 2.5, 100)
    assert pace_of_batch("smoke", None, None).samples == 3
    with pytest.raises(UsageError, match="mode 'slow' is unknown; there are quick, gate, smoke"):
        pace_of_batch("slow", None, None)
    with pytest.raises(UsageError, match="a throughput budget is a positive number of seconds, not -1"):
        pace_of_batch("quick", -1, None)
