"""Latencies of different inputs, data and caches are not compared; what is usual need not be stated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from releases import drifting, write_release

from hrbench.cost.end_to_end.quantities import STAGE
from hrbench.cost.latency.summary import LATENCY
from hrbench.cost.operations.conventions import CONVENTIONS
from hrbench.cost.operations.images_quantities import ON_IMAGES
from hrbench.judge.comparability import basis_of_cost, cost_differences
from hrbench.judge.compare import compare
from hrbench.judge.costs import cell_of, quick_sides
from hrbench.judge.evidence import Options
from hrbench.judge.gate import decide
from hrbench.judge.rows import Row
from hrbench.judge.sides import read_side
from hrbench.types import Conditions, Measurement, Policy, Quantity, Rule

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


COUNTED = Conditions(batch=1, images=4, inputs="4 images of pets", data="0123456789ab", weights="official", spread=2.0)


def judged(folder: Path, quantity: Quantity, after: float, policy: Policy | None = None, **more) -> tuple[Row, int]:
    """The row of an operations count of 100 that became another, and the gate's exit code."""
    for name, value, under in (("one", 100.0, COUNTED), ("two", after, replace(COUNTED, **more))):
        cost = Measurement(quantity, value, conditions=under if quantity in ON_IMAGES.values() else Conditions(batch=1))
        write_release(folder / name, next(iter(drifting(1, 0.0))), "2026-01-01", costs=(cost,))
    sides = [read_side(str(folder / name), folder / "none") for name in ("one", "two")]
    comparison = compare(sides[0], sides[1], policy or Policy(), Options())
    (found,) = [one for one in comparison.rows if one.key == quantity.name]
    return found, decide(comparison).exit_code


def test_operations_on_images_are_exact_and_watched_since_other_weights_change_them(tmp_path: Path) -> None:
    row, code = judged(tmp_path, ON_IMAGES["macs"], 101.0)
    known = row.judgement.evidence
    assert (row.tier, row.verdict, known.means, known.difference) == ("watched", "regressed", "exact", -1.0)
    assert code == 0


def test_operations_of_a_fixed_input_are_required(tmp_path: Path) -> None:
    row, code = judged(tmp_path, CONVENTIONS["macs"].quantity, 101.0)
    assert (row.tier, row.verdict, code) == ("required", "regressed", 1)


def test_a_policy_may_require_them_with_a_margin(tmp_path: Path) -> None:
    policy = Policy(rules=(Rule("*-on-images", "*", "required", where="p.yaml:2"),))
    assert judged(tmp_path, ON_IMAGES["macs"], 101.0, policy)[1] == 1
    assert judged(tmp_path, ON_IMAGES["macs"], 99.0, policy)[1] == 0


def test_operations_on_other_images_are_not_compared(tmp_path: Path) -> None:
    row, _ = judged(tmp_path, ON_IMAGES["macs"], 90.0, data="ba9876543210")
    assert row.verdict == "not comparable"
