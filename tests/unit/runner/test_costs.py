"""Costs of networks that are files, of networks that look at values, and of entries without a network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers.measured_costs import measured_costs
from torch import Tensor, nn

from hrbench.core.plugins import sources
from hrbench.runner.cost_keys import cost_keys
from hrbench.runner.costs import without_network
from hrbench.runner.settings import Settings
from hrbench.types import Conditions, Entry, Measurement, Reason, Variant

COST = {"operations": True, "latency": {"batch": [1], "dtype": ["float32", "float64"], "budget": 0.05}}
VARIANT = Variant("v", "theirs:looking", "classification", (8, 8))
ENTRY = Entry("e", VARIANT, None, {}, (), COST)
VIEWS = {"macs", "flops", "fvcore", "mmengine", "hrnet-paper", "activations"}


class Looking(nn.Module):
    """Its pass takes one way or another, by what the image holds; it computes in float64 alone."""

    precision = torch.float64
    counted = "elements of its file"

    def __init__(self, broken: bool) -> None:
        super().__init__()
        self.layer, self.broken = nn.Linear(3, 2, dtype=torch.float64), broken

    def forward(self, images: Tensor) -> Tensor:
        if self.broken:
            raise ValueError("nothing works")
        return self.layer(images.mean((2, 3))) if images.max().item() > -1e9 else images


def build(name: str, **about) -> nn.Module:
    return Looking(name == "broken")


@pytest.fixture(autouse=True)
def _theirs(monkeypatch: pytest.MonkeyPatch):
    known = {**sources(), "theirs": f"{__name__}:build"}
    for module in ("hrbench.core.plugins", "hrbench.core.plugins"):
        monkeypatch.setattr(f"{module}.sources", lambda: known)


def costs(entry: Entry) -> dict[str, list[Measurement]]:
    found: dict[str, list[Measurement]] = {}
    for cost in measured_costs(entry, Settings(device="cpu")):
        found.setdefault(cost.quantity.name, []).append(cost)
    return found


def test_a_network_that_looks_at_values_is_counted_on_the_cpu():
    found = costs(ENTRY)
    assert found["macs"][0].value == 6 and not found["parameters"][0].conditions.counted_on
    assert all("looks at values" in found[view][0].conditions.counted_on for view in VIEWS)
    assert found["parameters"][0].conditions == Conditions(counted="elements of its file")


def test_latency_is_measured_in_the_dtype_that_a_file_computes_in():
    single, double = costs(ENTRY)["latency"]
    assert single.value is None and single.reason == Reason(
        "the network's file computes in float64", "ask for that dtype"
    )
    assert double.value and double.conditions.dtype == "float64"


def test_a_file_that_takes_several_images_at_once_is_timed_with_so_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Looking, "fixed_batch", 2, raising=False)
    latency = {"batch": [1, 2, 4], "dtype": ["float64"], "budget": 0.05}
    one, two, four = costs(replace(ENTRY, cost={**COST, "latency": latency}))["latency"]
    assert one.value is None and "takes 2 images at once" in str(one.reason)
    assert two.value and two.conditions.batch == 2 and "one forward pass" in two.conditions.timed
    assert four.conditions.timed == "2 passes of the 2 images that the file takes, one after the other"


def test_what_fails_anywhere_is_the_reason():
    entry = replace(ENTRY, variant=replace(VARIANT, use="theirs:broken"), cost={**COST, "latency": None})
    found = costs(entry)
    assert all(found[view][0].value is None and "nothing works" in str(found[view][0].reason) for view in VIEWS)
    assert found["parameters"][0].value == 8
    assert {found[view][0].conditions.batch for view in VIEWS} == {costs(ENTRY)["macs"][0].conditions.batch}


def test_without_a_network_every_cost_says_so():
    every = without_network(replace(ENTRY, variant=Variant("p", "", "pose", (0, 0)), predictions="/p.json"))
    names = [cost.quantity.name for cost in every]
    assert {*names} == {"parameters", "buffers", "latency", *VIEWS} and names.count("latency") == 2
    assert {(cost.value, str(cost.reason)) for cost in every} == {(None, "no network: precomputed predictions")}


def test_the_version_of_a_source_s_library_is_in_the_key(monkeypatch: pytest.MonkeyPatch):
    entry = replace(ENTRY, variant=replace(VARIANT, use="timm:resnet10t"))
    before = cost_keys(entry, Settings(device="cpu"))
    monkeypatch.setattr("hrbench.runner.cost_keys.libraries", lambda use: {"timm": "0.0"})
    assert cost_keys(entry, Settings(device="cpu")) != before
