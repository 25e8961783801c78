from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.layers.pyramid import HRFPN, concatenate_branches, enlarge

pytestmark = pytest.mark.numeric

WIDTHS = (1, 2, 3, 4)


def branches(height: int = 32, width: int = 64) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, w, height // 2**i, width // 2**i, dtype=torch.float64) for i, w in enumerate(WIDTHS)]


def test_three_ways_to_enlarge_a_row_by_hand() -> None:
    x, like = torch.tensor([[[[0.0, 8.0]]]]), torch.zeros(1, 1, 1, 4)
    assert enlarge(x, like, None).flatten().tolist() == [0, 0, 8, 8]
    assert enlarge(x, like, False).flatten().tolist() == [0, 2, 6, 8]  # centres of pixels lie on each other
    torch.testing.assert_close(enlarge(x, like, True).flatten(), torch.tensor([0, 8 / 3, 16 / 3, 8]))  # corners do


def test_together_is_all_branches_at_the_first_ones_size() -> None:
    maps = branches(31, 57)
    x = concatenate_branches(maps, True)
    assert x.shape == (2, 10, 31, 57)
    assert torch.equal(x[:, :1], maps[0])
    torch.testing.assert_close(x[:, -4:, ::30, ::56], maps[3][:, :, [0, -1]][..., [0, -1]])


def plain(neck: HRFPN) -> HRFPN:
    """Convolutions that pass on: the reduction the first branch, the others what they get."""
    for convolution in (each for each in neck.modules() if isinstance(each, nn.Conv2d)):
        nn.init.zeros_(convolution.weight)
        centre = convolution.kernel_size[0] // 2
        for i in range(convolution.out_channels):
            convolution.weight.data[i, 0 if convolution.kernel_size[0] == 1 else i, centre, centre] = 1 + i
    return neck.double().eval()


def test_levels_are_averages_of_ever_larger_blocks() -> None:
    maps = branches()
    levels = plain(HRFPN(WIDTHS, 2, 5, 1, "official"))(maps)
    for i, level in enumerate(levels):
        blocks = maps[0].reshape(2, 1, 32 // 2**i, 2**i, 64 // 2**i, 2**i).mean((3, 5))
        torch.testing.assert_close(level, torch.cat([blocks, 4 * blocks], 1))


def test_lower_levels_round_down() -> None:
    assert [tuple(level.shape[2:]) for level in plain(HRFPN(WIDTHS, 2, 5, 1, "official"))(branches(40, 72))] == [
        (40, 72), (20, 36), (10, 18), (5, 9), (2, 4)
    ]  # fmt: skip


def test_stride_two_halves_every_level() -> None:
    neck = plain(HRFPN(WIDTHS, 2, 3, 2, "mmdet3"))
    assert (neck.channels, neck.strides) == ((2, 2, 2), (8, 16, 32))
    one, two = plain(HRFPN(WIDTHS, 2, 3, 1, "mmdet3"))(branches()), neck(branches())
    assert all(torch.equal(a[..., ::2, ::2], b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize(
    ("keys", "reduce", "smooth"),
    [("official", "reduction_conv.0", "fpn_conv.{}"), ("mmdet3", "reduction_conv.conv", "fpn_convs.{}.conv")],
)
def test_keys_by_convention(keys: Any, reduce: str, smooth: str) -> None:
    neck = HRFPN(WIDTHS, 2, 3, 1, keys)
    names = [reduce, *(smooth.format(i) for i in range(3))]
    assert list(neck.state_dict()) == [f"{name}.{kind}" for name in names for kind in ("weight", "bias")]
    assert all(not value.any() for key, value in neck.state_dict().items() if key.endswith("bias"))


def test_a_last_level_that_averages_over_more_than_there_is() -> None:
    neck = HRFPN(WIDTHS, 2, 5, 1, "mmdet3")
    maps = [torch.zeros(1, width, 16 >> i, 24 >> i) for i, width in enumerate(WIDTHS)]
    assert [tuple(level.shape[2:]) for level in neck(maps)][-1] == (1, 1)
    with pytest.raises(UsageError, match="an image of about 32x96 was given; 5 levels need 64x64 or more"):
        neck([torch.zeros(1, width, 8 >> i, 24 >> i) for i, width in enumerate(WIDTHS)])
