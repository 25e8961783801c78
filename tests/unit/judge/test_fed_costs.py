"""Latencies of different inputs, data and caches are not compared; what is usual need not be stated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hrbench.cost.end_to_end.quantities import STAGE
from hrbench.cost.latency.summary import LATENCY
from hrbench.judge.comparability import basis_of_cost, cost_differences
from hrbench.judge.costs import cell_of, quick_sides
from hrbench.types import Conditions, Measurement

PLAIN = Conditions(batch=1, dtype="float32", device="a processor", mode="gate")
FED = replace(PLAIN, inputs="8 images of pets", data="0123456789ab", weights="official", caches="warm")


def differences(one: Conditions, other: Conditions) -> list[str]:
    found = cost_differences(Measurement(LATENCY, 1.0, conditions=one), Measurement(LATENCY, 1.0, conditions=other))
    assert (basis_of_cost(one) == basis_of_cost(other)) is (not found)
    return found


def test_what_is_usual_is_the_same_stated_or_not() -> None:
    assert not differences(PLAIN, replace(PLAIN, inputs="standard normal", caches="warm"))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (PLAIN, ["inputs 8 images of pets / -", "data 0123456789ab / -"]),
        (replace(FED, data="ba9876543210"), ["data 0123456789ab / ba9876543210"]),
        (replace(FED, inputs="7 images of pets"), ["inputs 8 images of pets / 7 images of pets"]),
        (replace(FED, weights="random"), ["weights - / random"]),
        (replace(FED, caches="cold"), ["caches - / cold"]),
        (replace(FED, weights="openmmlab"), []),  # weights are among what is judged
    ],
)
def test_other_inputs_data_and_caches_are_not_compared(other: Conditions, told: list[str]) -> None:
    assert differences(FED, other) == told


def test_a_cold_latency_is_another_cell() -> None:
    cells = [cell_of(Measurement(LATENCY, 1.0, conditions=one)) for one in (FED, replace(FED, caches="cold"))]
    assert cells == ["batch 1", "batch 1 cold"]


def test_the_advice_names_the_probe_that_measures_the_quantity() -> None:
    one = Measurement(STAGE["decode"], 1.0, conditions=replace(FED, mode="quick"))
    assert quick_sides(one, one).endswith("measure with `cost: {end_to_end: {mode: gate}}`")
