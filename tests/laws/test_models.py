"""What every row of the catalog promises: it builds on meta, counts and returns what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest
import torch
from torch import nn

from hrbench import catalog
from hrbench.resolve import resolve
from hrbench.types import Variant

ROWS = catalog.variants()
MINIATURES = [name for name, row in ROWS.items() if row.miniature]


def build(row: Variant) -> nn.Module:
    return resolve("hrbench.models", row.use)(**row.args).eval()


def heatmaps(row: Variant, output: Any) -> None:
    """Pose: (N, joints, h, w) at a quarter of the input, or where the row's head reads a lower branch."""
    stride = 2 ** (row.args.get("head", 1) + 1)
    assert output.shape == (2, row.args["joints"], row.input[0] // stride, row.input[1] // stride)


CHECKS: dict[str, Callable[[Variant, Any], None]] = {"pose": heatmaps}


@pytest.mark.parametrize("name", ROWS)
def test_row_builds_on_meta_and_returns_what_its_task_says(name: str) -> None:
    row = ROWS[name]
    with torch.device("meta"):
        net = build(row)
        image = torch.empty(2, 3, *row.input)
    assert not net.training
    with torch.inference_mode():
        output = net(image)
    CHECKS[row.task](row, output)
    assert all(value.is_meta for value in net.state_dict().values())
    if row.parameters is not None or not row.miniature:
        assert sum(p.numel() for p in net.parameters()) == row.parameters


@pytest.mark.parametrize("name", ROWS)
def test_weights_of_a_row_are_files_that_can_be_read(name: str) -> None:
    for source, file in ROWS[name].weights.items():
        assert PurePosixPath(file).suffix in (".safetensors", ".pth", ".pt", ".tar"), source


@pytest.mark.parametrize("name", MINIATURES)
def test_same_seed_same_network_and_no_image_touches_another(name: str) -> None:
    row = ROWS[name]
    nets = []
    for _ in range(2):
        torch.manual_seed(3)
        nets.append(build(row).double())
    one, two = (net.state_dict() for net in nets)
    assert all(torch.equal(one[key], two[key]) for key in one)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(3, 3, *row.input, generator=generator, dtype=torch.float64)
    with torch.inference_mode():
        together = nets[0](images)
        alone = torch.cat([nets[0](image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)
    assert not torch.equal(together[0], together[1])
