"""Branches of several resolutions brought to one, and a pyramid made of that (HRFPN).

Wang et al.: Deep High-Resolution Representation Learning for Visual Recognition, TPAMI 2021, section 3.4 and figure 4:
HRNetV2 concatenates its branches at the highest resolution, HRNetV2p averages that down again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.errors import UsageError

Keys = Literal["official", "mmdet3"]
KEYS: tuple[Keys, ...] = ("official", "mmdet3")


def enlarge(x: Tensor, like: Tensor, align_corners: bool | None) -> Tensor:
    """x at the height and width of `like`: bilinear, with or without aligned corners; None takes the nearest pixel."""
    mode = "nearest" if align_corners is None else "bilinear"
    return F.interpolate(x, size=like.shape[-2:], mode=mode, align_corners=align_corners)


def concatenate_branches(branches: list[Tensor], align_corners: bool) -> Tensor:
    """All branches at the resolution of the first, concatenated: (N, sum of widths, H / 4, W / 4)."""
    first, *others = branches
    return torch.cat([first, *(enlarge(each, first, align_corners) for each in others)], 1)


class HRFPN(nn.Module):
    """A pyramid by averaging: four branches -> `levels` maps of `channels` channels, finest first.

    The branches are concatenated at 1/4 of the input and brought to `channels`; level i is that, averaged over 2^i x
    2^i pixels, after a 3x3 convolution of its own with this stride. keys: see `det_hrnetv2p`. Raises UsageError for
    branches that are smaller than what the last level averages over.
    """

    def __init__(self, widths: Sequence[int], channels: int, levels: int, stride: int, keys: Keys) -> None:
        super().__init__()
        self.channels, self.strides = (channels,) * levels, tuple(4 * stride * 2**i for i in range(levels))
        reduce = nn.Conv2d(sum(widths), channels, 1)
        smooth = [nn.Conv2d(channels, channels, 3, stride, padding=1) for _ in range(levels)]
        if keys == "official":
            self.reduction_conv = nn.Sequential(reduce)
            self.fpn_conv = nn.ModuleList(smooth)
        else:
            self.reduction_conv = nn.Sequential()
            self.reduction_conv.add_module("conv", reduce)
            self.fpn_convs = nn.ModuleList(nn.Sequential() for _ in smooth)
            for each, convolution in zip(self.fpn_convs, smooth, strict=True):
                each.add_module("conv", convolution)
        for convolution in (reduce, *smooth):
            nn.init.kaiming_uniform_(convolution.weight, a=1)
            if convolution.bias is not None:
                nn.init.zeros_(convolution.bias)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        height, width = branches[0].shape[-2:]
        min_side = 2 ** (len(self.strides) - 1)
        if min(height, width) < min_side:
            raise UsageError(
                f"HRFPN: an image of about {4 * height}x{4 * width} was given; {len(self.strides)} levels need "
                f"{4 * min_side}x{4 * min_side} or more."
            )
        x = self.reduction_conv(concatenate_branches(branches, align_corners=False))  # (N, channels, H / 4, W / 4)
        smooth = self.fpn_conv if hasattr(self, "fpn_conv") else self.fpn_convs
        return [each(F.avg_pool2d(x, 2**i) if i else x) for i, each in enumerate(smooth)]
