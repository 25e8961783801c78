"""A small network and what adapters make of the same network in files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn


class Small(nn.Module):
    """Images (N, 3, 32, 24) -> heatmaps (N, 5, 16, 12), with a norm, a branch and an enlargement."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.lower = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=2)
        self.up = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1)
        self.last = nn.Conv2d(8, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.first(x)))
        lower = self.lower(x)
        return self.last(x + self.up(lower) + nn.functional.interpolate(lower, scale_factor=2.0, mode="nearest"))


@pytest.fixture(scope="session")
def small() -> nn.Module:
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture(scope="session")
def files(small: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small.onnx and small.pt2, of any batch, and one.onnx and one.pt2, of a batch of 1."""
    folder = tmp_path_factory.mktemp("files")
    two = torch.rand(2, 3, 32, 24)
    any_batch = ({0: torch.export.Dim("batch", min=1, max=64)},)
    for name, image, shapes in (("small", two, any_batch), ("one", two[:1], None)):
        torch.export.save(torch.export.export(small, (image,), dynamic_shapes=shapes), folder / f"{name}.pt2")
        torch.onnx.export(
            small, (image,), folder / f"{name}.onnx", dynamic_shapes=shapes, dynamo=True, verbose=False,
            optimize=False, external_data=name == "small",
        )  # fmt: skip
    return folder


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, 3, 32, 24, generator=torch.Generator().manual_seed(1))
