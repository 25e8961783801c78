"""Feature pyramid network: coarse maps enlarged and added to finer ones, a 3x3 convolution on each sum.

Lin, Dollar, Girshick, He, Hariharan, Belongie: Feature Pyramid Networks for Object Detection, CVPR 2017. State-dict
keys are mmdetection's: lateral_convs.N.conv, fpn_convs.N.conv.

    C5 --1x1--> + ----------3x3--> P5 --> P6 ...     extra levels by `extra`:
                | x2 nearest                         pool    every second pixel of P5 (Faster, Mask, Cascade R-CNN)
    C4 --1x1--> + ----------3x3--> P4                input   strided 3x3 convolution of C5, then of P6 (RetinaNet)
                | x2                                 output  strided 3x3 convolution of P5, then of ReLU(P6) (FCOS)
    C3 --1x1--> + ----------3x3--> P3
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.errors import UsageError

Extra = Literal["pool", "input", "output"]


def named_conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution with bias under the key `conv`: (N, inputs, h, w) -> (N, outputs, ceil(h / stride), ...)."""
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)))


class FPN(nn.Module):
    """Maps (N, inputs[i], h, w), finest first, each half as large as the one before -> `levels` maps of `channels`.

    strides: of the inputs.
    start: the first input that is used (1 leaves out C2).
    extra: source of the levels beyond the inputs, see the top of this file.

    The attributes `channels` and `strides` are those of the outputs, finest first. Raises UsageError on values that
    make no pyramid.
    """

    def __init__(
        self,
        inputs: Sequence[int],
        strides: Sequence[int],
        channels: int = 256,
        levels: int = 5,
        start: int = 0,
        extra: Extra = "pool",
    ) -> None:
        super().__init__()
        used = len(inputs) - start
        if extra not in get_args(Extra) or not 0 <= start < len(inputs) or levels < used:
            raise UsageError(
                f"fpn: extra {extra!r}, start {start} and levels {levels} were given for {len(inputs)} inputs: extra "
                f"is one of {', '.join(get_args(Extra))}, and no input from `start` on is left out."
            )
        self.start, self.extra, self.more = start, extra, levels - used
        self.channels = (channels,) * levels
        self.strides = (*strides[start:], *(strides[-1] * 2 ** (i + 1) for i in range(self.more)))
        self.lateral_convs = nn.ModuleList(named_conv(each, channels, 1) for each in inputs[start:])
        self.fpn_convs = nn.ModuleList(named_conv(channels, channels, 3) for _ in range(used))
        if extra != "pool":
            first = inputs[-1] if extra == "input" else channels
            self.fpn_convs.extend(named_conv(each, channels, 3, 2) for each in [first, *[channels] * 9][: self.more])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        sums = [lateral(x) for lateral, x in zip(self.lateral_convs, inputs[self.start :], strict=True)]
        for i in range(len(sums) - 1, 0, -1):
            sums[i - 1] = sums[i - 1] + F.interpolate(sums[i], size=sums[i - 1].shape[-2:], mode="nearest")
        outputs = [conv(x) for conv, x in zip(self.fpn_convs, sums, strict=False)]  # (N, channels, h / 2^i, w / 2^i)
        if self.extra == "pool":
            for _ in range(self.more):
                outputs.append(F.max_pool2d(outputs[-1], 1, stride=2))
            return outputs
        source = inputs[-1] if self.extra == "input" else outputs[-1]
        for number, conv in enumerate(list(self.fpn_convs)[len(sums) :]):
            if number and self.extra == "output":
                source = F.relu(source)
            source = conv(source)
            outputs.append(source)
        return outputs
