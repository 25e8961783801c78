"""What a cost that is measured on images depends on: its key follows weights, data and protocol; no other does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from hrbench.models.weights.load import save
from hrbench.runner.cost_keys import cost_keys, digests_for, valid_costs
from hrbench.runner.costs import cost_cells, is_fed, measure_cell
from hrbench.runner.fed_images import fed_parts
from hrbench.runner.settings import Settings
from hrbench.suite.registry import known
from hrbench.types import DatasetRow, Entry, Provenance, Reason, Result, Variant, WeightsRecord

COST: dict[str, Any] = {
    "parameters": False, "operations": False, "latency": {"inputs": "images", "mode": "smoke"},
    "end_to_end": {"images": 2, "mode": "smoke"},
}  # fmt: skip
NETWORK = """
from torch import nn


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        return self.net(x).mean((2, 3))


def small():
    return Small()
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / "val" / name).mkdir(parents=True)
        for number in range(2):
            pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "pets" / "val" / name / f"{name}{number}.png"), pixels)
    (tmp_path / "fed_net.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    net = nn.Module()
    net.net = nn.Conv2d(3, 2, 1)
    save(net, tmp_path / "one.safetensors")
    return Settings(data=tmp_path, weights=tmp_path, device="cpu")


@pytest.fixture
def entry(settings: Settings) -> Entry:
    variant = Variant("small", "fed_net:small", "classification", (16, 16))
    row = DatasetRow("pets", "image-folders", "classification", ("topk",), {"folder": "pets"})
    protocol = {name: getattr(known().protocols["classification"](), name) for name in ("name", "version")}
    weights = str(settings.data / "one.safetensors")
    return Entry("e", variant, row, protocol, ("topk",), COST, weights=weights)


def keys(entry: Entry, settings: Settings) -> dict[str, str]:
    return cost_keys(entry, settings)


def test_it_is_measured_with_the_entry_s_weights(entry: Entry, settings: Settings):
    latency, pipeline = (measure_cell(entry, cell, settings, lambda event: None) for cell in cost_cells(entry))
    under = latency[0].conditions
    assert latency[0].value and (under.inputs, under.weights) == ("3 images of pets", "file") and len(under.data) == 12
    values = {one.quantity.name: one.value for one in pipeline}
    assert values["end-to-end"] and values["end-to-end-decode"] and values["frames-per-second"]
    assert pipeline[0].conditions.inputs == "2 images of pets" and pipeline[0].conditions.weights == "file"


def test_keys_follow_weights_data_and_protocol(entry: Entry, settings: Settings):
    before = keys(entry, settings)
    assert keys(entry, settings) == before and {*before} == {"latency", "end_to_end"}
    others = [keys(replace(entry, protocol={**entry.protocol, "crop_fraction": 0.5}), settings)]
    others.append(keys(replace(entry, weights="none"), settings))
    net = nn.Module()
    net.net = nn.Conv2d(3, 2, 1)
    save(net, settings.data / "one.safetensors")
    others.append(keys(entry, settings))
    (settings.data / "pets" / "val" / "cat" / "cat1.png").unlink()
    others.append(keys(entry, settings))
    for name in before:
        assert len({before[name], *(other[name] for other in others)}) == 5


def test_a_random_input_s_key_follows_none_of_them(entry: Entry, settings: Settings):
    entry = replace(entry, cost={**COST, "latency": {"inputs": "random"}, "end_to_end": False})
    others = [entry, replace(entry, weights="none"), replace(entry, dataset=None, protocol={})]
    assert len({keys(each, settings)["latency"] for each in others}) == 1


def test_a_detector_without_data_has_the_key_of_its_random_input_until_they_are_there(
    entry: Entry, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    entry = replace(
        entry, variant=replace(entry.variant, task="detection"), cost={**COST, "latency": True, "end_to_end": False}
    )
    there = keys(entry, settings)["latency"]
    random = keys(replace(entry, weights="none"), settings)["latency"]
    absent = keys(entry, replace(settings, data=settings.data / "nowhere"))["latency"]
    assert absent == random != there
    assert is_fed(entry, cost_cells(entry)[0]) and not is_fed(replace(entry, weights="none"), cost_cells(entry)[0])


def test_a_stored_number_is_not_reused_for_other_data(entry: Entry, settings: Settings):
    costs = tuple(one for cell in cost_cells(entry) for one in measure_cell(entry, cell, settings, lambda event: None))
    stored = Result("e", entry, "done", costs=costs, cost_keys=keys(entry, settings))
    assert {*valid_costs(entry, settings, stored)} == {"latency", "end_to_end"}
    (settings.data / "pets" / "val" / "cat" / "cat1.png").unlink()
    assert not valid_costs(entry, settings, stored)


def test_what_is_missing_is_the_reason(entry: Entry, settings: Settings):
    def told(entry: Entry, settings: Settings = settings) -> set[str]:
        cells = cost_cells(entry)
        found = [one for cell in cells for one in measure_cell(entry, cell, settings, lambda event: None)]
        assert all(one.value is None for one in found)
        return {str(one.reason) for one in found}

    assert told(replace(entry, dataset=None)) == {
        "no data set was asked for, and this is measured on images; name one with dataset:"
    }
    (reason,) = told(replace(entry, weights="/nowhere.pth"))
    assert reason == "the weights /nowhere.pth are not there"
    (reason,) = told(entry, replace(settings, data=settings.data / "nowhere"))
    assert "pets" in reason
    assert isinstance(fed_parts(replace(entry, protocol={"crop_fraction": 7.0}), settings), Reason)


def test_without_weights_it_is_measured_and_said(entry: Entry, settings: Settings):
    entry = replace(entry, weights="none", cost={**COST, "latency": False})
    (cell,) = cost_cells(entry)
    whole = measure_cell(entry, cell, settings, lambda event: None)[0]
    assert whole.value and whole.conditions.weights == "random"


def test_weights_that_a_network_brings_itself_are_known_from_its_result(entry: Entry, settings: Settings):
    entry = replace(entry, weights="own")
    results = [
        Result("e", entry, "done", provenance=Provenance(weights=WeightsRecord("own", digit * 64))) for digit in "12"
    ]
    found = [digests_for(entry, settings, result)() for result in (*results, None)]
    assert [one["weights"] for one in found if one] == ["1" * 64, "2" * 64, "own"]


def test_data_are_looked_at_only_if_a_cost_depends_on_them(entry: Entry, settings: Settings, monkeypatch):
    monkeypatch.setattr("hrbench.runner.fed_images.fed_parts", lambda *_, **__: pytest.fail("nothing is fed"))
    keys(replace(entry, cost={**COST, "latency": True, "end_to_end": False}), settings)


def test_random_weights_are_the_same_in_each_process(entry: Entry, settings: Settings):
    from hrbench.runner.fed_images import evaluated

    parts = fed_parts(replace(entry, weights="none"), settings)
    assert not isinstance(parts, Reason)
    one, other = (evaluated(parts).build().state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)
