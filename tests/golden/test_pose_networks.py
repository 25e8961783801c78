"""The pose networks against records of the official code: keys, shapes, counts and float64 outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from empty import empty, on_meta
from seeds import some
from torch import nn

from hrbench.models.hrnet import pose_hrnet
from hrbench.models.pose_resnet import pose_resnet

pytestmark = pytest.mark.numeric

RECORDS = sorted(path.stem for path in (Path(__file__).parent / "data/pose/models").glob("*.json"))
NETWORKS = {
    "pose_hrnet_w32_coco_256x192": lambda: pose_hrnet(width=32, joints=17),
    "pose_hrnet_w32_mpii_256x256": lambda: pose_hrnet(width=32, joints=16),
    "pose_resnet_50_coco_256x192": lambda: pose_resnet(depth=50, joints=17),
    "pose_resnet_152_coco_384x288": lambda: pose_resnet(depth=152, joints=17),
}


def test_every_record_has_its_network() -> None:
    assert sorted(NETWORKS) == RECORDS


@pytest.mark.parametrize("name", RECORDS)
def test_keys_shapes_and_counts_are_the_official_ones(name: str, golden: Any) -> None:
    record = golden(f"pose/models/{name}.json")
    with on_meta():
        net = NETWORKS[name]()
    keys = [[key, list(value.shape)] for key, value in net.state_dict().items()]
    assert sorted(keys) == sorted(record["keys"])
    assert sum(p.numel() for p in net.parameters()) == record["n_params"]
    assert sum(b.numel() for b in net.buffers()) == record["n_buffers"]


@pytest.fixture(scope="module", params=some(RECORDS, later=["pose_resnet_152_coco_384x288"]))
def filled(request: pytest.FixtureRequest, golden: Any, fill: Any) -> tuple[dict[str, Any], nn.Module]:
    record = golden(f"pose/models/{request.param}.json")
    return record, fill.fill(empty(NETWORKS[request.param]))


@pytest.mark.parametrize("which", [("input_shape", "output"), ("config_input_shape", "output_at_config_input")])
def test_outputs_are_the_official_ones(
    filled: tuple[dict[str, Any], nn.Module], which: tuple[str, str], fill: Any
) -> None:
    record, net = filled
    expected = record[which[1]]
    image = torch.from_numpy(fill.image(tuple(record[which[0]]), seed=0))
    with torch.inference_mode():
        output = net(image).numpy()
    ours = fill.sample(output)
    assert ours["shape"] == expected["shape"]
    assert ours["index"] == expected["index"]
    np.testing.assert_allclose(ours["value"], expected["value"], rtol=1e-9, atol=0)
    np.testing.assert_allclose(ours["std"], expected["std"], rtol=1e-9, atol=0)
    # The mean is what is left of large terms of both signs: relative to them, not to itself.
    assert abs(ours["mean"] - expected["mean"]) <= 1e-9 * expected["std"]
