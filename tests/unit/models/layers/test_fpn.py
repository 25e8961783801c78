"""The pyramid: levels, strides, where extra levels come from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from hrbench.errors import UsageError
from hrbench.models.layers.fpn import FPN

pytestmark = pytest.mark.numeric


def inputs(size: int = 64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((1, channels, size // stride, size // stride) for channels, stride in ((4, 4), (6, 8), (8, 16)))
    return [torch.randn(shape, generator=generator) for shape in shapes]


def with_identity(fpn: FPN) -> FPN:
    """All convolutions pass on the mean of their inputs, at the middle of their kernel."""
    for module in fpn.modules():
        if isinstance(module, nn.Conv2d):
            weight = torch.zeros_like(module.weight)
            middle = weight.shape[-1] // 2
            weight[:, :, middle, middle] = 1 / weight.shape[1]
            module.weight.data = weight
    return fpn


def test_a_level_is_its_input_plus_all_coarser_ones_enlarged() -> None:
    maps = [torch.full_like(each, 10.0**i) for i, each in enumerate(inputs())]
    outputs = with_identity(FPN((4, 6, 8), (4, 8, 16), channels=3, levels=4))(maps)
    assert [tuple(each.shape[1:]) for each in outputs] == [(3, 16, 16), (3, 8, 8), (3, 4, 4), (3, 2, 2)]
    for each, expected in zip(outputs, (111.0, 110.0, 100.0, 100.0), strict=True):
        torch.testing.assert_close(each, torch.full_like(each, expected))


@pytest.mark.parametrize(("extra", "value"), [("input", 7.0), ("output", -7.0)])
def test_extra_levels_start_from_the_last_input_or_the_last_output(extra: Any, value: float) -> None:
    fpn = with_identity(FPN((4, 6, 8), (4, 8, 16), channels=3, levels=5, extra=extra))
    fpn.fpn_convs[2].conv.weight.data *= -1  # the last output is the negative of the last input
    maps = [torch.full_like(each, 7.0) for each in inputs()]
    *_, sixth, seventh = fpn(maps)
    torch.testing.assert_close(sixth, torch.full_like(sixth, value))
    # a ReLU before the second extra level, where it is made of the outputs
    expected = 0.0 if extra == "output" else value
    torch.testing.assert_close(seventh, torch.full_like(seventh, expected))


def test_start_leaves_out_fine_levels() -> None:
    fpn = FPN((4, 6, 8), (4, 8, 16), channels=5, levels=4, start=1, extra="output")
    assert fpn.strides == (8, 16, 32, 64) and fpn.channels == (5,) * 4
    assert [each.shape[-1] for each in fpn(inputs())] == [8, 4, 2, 1]
    assert {key.rsplit(".", 1)[0] for key in fpn.state_dict()} == {
        *(f"lateral_convs.{i}.conv" for i in range(2)),
        *(f"fpn_convs.{i}.conv" for i in range(4)),
    }


@pytest.mark.parametrize("wrong", [{"levels": 2}, {"start": 3}, {"start": -1}, {"extra": "lateral"}])
def test_what_is_no_pyramid_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="fpn: extra"):
        FPN((4, 6, 8), (4, 8, 16), **wrong)
