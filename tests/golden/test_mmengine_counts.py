"""The convention `mmengine` and fvcore's activations against what mmengine 0.10.7 counted (record_mmengine.py)."""

from __future__ import annotations

from typing import Any

import pytest
from operation_cases import ROWS, builders

from hrbench.cost.operations.count import count_operations
from hrbench.cost.operations.ledger import Ledger

# Sums of sizes, which a trace holds as numbers: no arithmetic of the network.
OF_SIZES = {"attention": {"aten::div", "aten::mul"}}
VECTORS = {"matrix and vector", "two vectors"}


@pytest.fixture(scope="module")
def record(golden: Any) -> dict[str, Any]:
    return golden("operations/mmengine.json")


@pytest.fixture(scope="module")
def ledgers() -> dict[str, Ledger]:
    return {name: count_operations(*case) for name, case in builders().items()}


def test_the_view_is_mmengines_count_operator_by_operator(record, ledgers):
    assert record["versions"]["mmengine"] == "0.10.7" and set(record["cases"]) == set(ledgers)
    for name, wanted in record["cases"].items():
        ledger = ledgers[name]
        assert ledger.total("mmengine") == wanted["flops"], name
        left_out = {item.operator: item.calls for item in ledger.uncounted["mmengine"]}
        assert left_out == {k: v for k, v in wanted["unsupported"].items() if k not in OF_SIZES.get(name, ())}, name
        counts: dict[str, float] = {}
        for row in ledger.by_operator():
            rule = "conv" if "conv" in row.operator else row.operator.removeprefix("aten::")
            if "mmengine" in row.counts:
                counts[rule] = counts.get(rule, 0) + row.counts["mmengine"]
        assert counts == wanted["by_operator"], name


def test_activations_are_those_of_its_analyzer(record, ledgers):
    assert {name: ledger.activations for name, ledger in ledgers.items()} == {
        name: wanted["activations"] for name, wanted in record["cases"].items()
    }


def test_it_differs_from_fvcore_by_products_with_vectors_alone(ledgers):
    differ = {name for name, ledger in ledgers.items() if ledger.total("mmengine") != ledger.total("fvcore")}
    assert differ == VECTORS and not differ & set(ROWS)
    for name in VECTORS:  # which fvcore cannot count
        assert [item.operator for item in ledgers[name].uncounted["fvcore"]] == ["aten::matmul"]


def test_a_network_in_training_mode_is_printed_with_more(record):
    """`get_model_complexity_info` leaves the mode as it is; batch norm is then 5 and not 2 operations per number."""
    import torchvision

    assert record["resnet50_printed"] == {"train": "4.145G", "eval": "4.112G"}
    ledger = count_operations(lambda: torchvision.models.resnet50(weights=None), (1, 3, 224, 224))
    assert f"{ledger.total('mmengine') / 1e9:.3f}" == "4.112"
    normalised = sum(row.elements for row in ledger.by_operator() if row.operator == "aten::batch_norm")
    assert f"{(ledger.total('mmengine') + 3 * normalised) / 1e9:.3f}" == "4.145"
