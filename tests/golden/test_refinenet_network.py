"""RefineNet against the record of DrSleep/refinenet-pytorch: keys, shapes, counts and float64 outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from empty import empty, on_meta
from torch import nn

from hrbench.models.refinenet import refinenet

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def record(golden: Any) -> dict[str, Any]:
    return golden("seg_cls_det/models/refinenet_r101_voc21.json")


@pytest.fixture(scope="module")
def filled(fill: Any) -> nn.Module:
    return fill.fill(empty(refinenet, depth=101, classes=21))


def test_keys_shapes_and_counts_are_the_official_ones(record: dict[str, Any], filled: nn.Module) -> None:
    keys = [[key, list(value.shape)] for key, value in filled.state_dict().items()]
    assert sorted(keys) == sorted(record["keys"])
    assert sum(p.numel() for p in filled.parameters()) == record["n_params"]


@pytest.mark.parametrize("size", [(64, 96), (75, 101)])
def test_outputs_are_the_official_ones(
    record: dict[str, Any], filled: nn.Module, size: tuple[int, int], fill: Any
) -> None:
    cases = {tuple(case["input_shape"][-2:]): case for case in (record, *record["more"])}
    assert len(cases) == 2
    expected = cases[size]["output"]
    image = torch.from_numpy(fill.image((1, 3, *size), seed=0))
    with torch.inference_mode():
        ours = fill.sample(filled(image).numpy())
    assert (ours["shape"], ours["index"]) == (expected["shape"], expected["index"])
    np.testing.assert_allclose(ours["value"], expected["value"], rtol=1e-9, atol=0)
    np.testing.assert_allclose(ours["std"], expected["std"], rtol=1e-9, atol=0)
    # The mean is what is left of large terms of both signs: relative to them, not to itself.
    assert abs(ours["mean"] - expected["mean"]) <= 1e-9 * expected["std"]


def test_multiply_adds_are_the_recorded_ones(record: dict[str, Any]) -> None:
    counted = 0

    def count(module: nn.Conv2d, inputs: Any, output: torch.Tensor) -> None:
        nonlocal counted
        counted += output.numel() * module.weight[0].numel()

    with on_meta():
        net = refinenet(depth=101, classes=21).eval()
        image = torch.empty(record["flops"]["input_shape"])
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    with torch.inference_mode():
        net(image)
    assert counted == round(record["flops"]["conv_linear_GMACs"] * 1e9)
