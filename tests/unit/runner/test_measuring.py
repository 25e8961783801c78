"""What is stored of an entry's costs while they are measured, and what of them counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hrbench import catalog
from hrbench.contracts import Outcome
from hrbench.errors import EntryError
from hrbench.runner.costs import unmeasured
from hrbench.runner.execution import JobFailed
from hrbench.runner.measuring import Measuring
from hrbench.runner.settings import Settings
from hrbench.types import Entry, Reason, Result

COST = {"latency": {"batch": [1, 2], "dtype": ["float32"], "mode": "smoke"}, "memory": {"batch": [1]}}
ENTRY = Entry("e", catalog.variants()["cls_hrnet_miniature_imagenet"], None, {}, (), COST, weights="none")


@dataclass
class Run:
    """A run whose cells measure nothing, but end; those that are named raise an error instead."""

    errors: Mapping[str, BaseException] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    stored: list[Result] = field(default_factory=list)

    def measuring(self) -> Measuring:
        settings = Settings(data=Path(), weights=Path(), device="cpu")
        return Measuring(settings, self.call, lambda event: None, self.store)

    def call(self, entry: Entry, cell: Mapping[str, Any]) -> tuple[dict[str, Any], Outcome]:
        self.asked.append(cell["name"])
        for name, error in self.errors.items():
            if name in cell["name"]:
                raise error
        return {"costs": msgspec.to_builtins(unmeasured(entry, cell, Reason("not here"))), "environment": {}}, Outcome()

    def store(self, result: Result) -> Result:
        self.stored.append(result)
        return result


def test_each_probe_is_stored_when_its_last_cell_has_ended():
    run = Run()
    whole = run.measuring().with_costs(Result("e", ENTRY, "costs_only"), {})
    cells = ["operations", "latency, batch 1, float32", "latency, batch 2, float32", "memory, batch 1, float32"]
    assert run.asked == cells
    assert [sorted(each.cost_keys) for each in run.stored] == [
        ["operations", "parameters"],
        ["latency", "operations", "parameters"],
    ]
    assert sorted(whole.cost_keys) == ["latency", "memory", "operations", "parameters"]
    assert {cost.quantity.name for cost in run.stored[-1].costs} < {cost.quantity.name for cost in whole.costs}


def test_after_an_interrupt_only_the_rest_is_measured():
    first = Run({"memory": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        first.measuring().with_costs(Result("e", ENTRY, "costs_only"), {})
    second = Run()
    whole = second.measuring().with_costs(first.stored[-1], {})
    assert second.asked == ["memory, batch 1, float32"] and len(whole.cost_keys) == 4
    assert Run().measuring().with_costs(whole, {}) == whole


@pytest.mark.parametrize(("error", "unavailable"), [("it broke", False), ("this machine cannot", True)])
def test_a_cell_without_a_number_is_tried_again(error: str, unavailable: bool):
    run = Run({"batch 2": JobFailed(error, unavailable=unavailable)})
    whole = run.measuring().with_costs(Result("e", ENTRY, "costs_only"), {})
    assert sorted(whole.cost_keys) == ["memory", "operations", "parameters"]
    assert (whole.costs_reason is None) is unavailable
    (one,) = (cost for cost in whole.costs if cost.quantity.name == "latency" and cost.conditions.batch == 2)
    assert str(one.reason) == (error if unavailable else f"latency, batch 2, float32 was not measured: {error}")
    again = Run()
    again.measuring().with_costs(whole, {})
    assert again.asked == ["latency, batch 1, float32", "latency, batch 2, float32"]


def test_a_network_that_cannot_be_built_is_not_timed():
    run = Run({"operations": EntryError("no such layer")})
    whole = run.measuring().with_costs(Result("e", ENTRY, "costs_only"), {})
    assert run.asked == ["operations"] and not whole.cost_keys and not whole.costs and not run.stored
    assert str(whole.costs_reason) == "costs were not measured: no such layer"


def test_numbers_of_another_entry_with_the_same_key_are_shared():
    known: dict[str, Any] = {}
    Run().measuring().with_costs(Result("e", ENTRY, "costs_only"), known)
    run = Run()
    whole = run.measuring().with_costs(Result("f", ENTRY, "costs_only"), known)
    assert not run.asked and not run.stored and len(whole.cost_keys) == 4
