"""ResNet as a backbone: the four maps that its layers write, alone or under a feature pyramid.

He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016. State-dict keys are torchvision's and
mmdetection's (conv1, bn1, layer1.0.conv1 ...), without the classifier.

    depth    blocks in layers 1 to 4    parameters    with FPN (P2 to P6)
    50       3, 4,  6, 3                23,508,032    26,852,416
    101      3, 4, 23, 3                42,500,160    45,844,544
    152      3, 8, 36, 3                58,143,808    61,488,192

    map    channels    of the input
    C2      256        1/4
    C3      512        1/8
    C4     1024        1/16
    C5     2048        1/32
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.layers.blocks import Bottleneck, Style, conv_norm
from hrbench.models.layers.fpn import FPN, Extra

BLOCKS: dict[int, tuple[int, int, int, int]] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
PLANES = (64, 128, 256, 512)


def resnet(depth: int = 50, style: Style = "pytorch", dilations: Sequence[int] = (1, 1, 1, 1)) -> ResNet:
    """ResNet: images (N, 3, H, W), normalised, -> [C2, C3, C4, C5], see the top of this file; any H and W will do.

    style: where the stride of a bottleneck is, in its 3x3 convolution ("pytorch") or in its first 1x1 ("caffe").
    dilations: of the 3x3 convolutions of each layer. A layer that is dilated more than the one before it does not
    halve the resolution, and its first block keeps the dilation of the layer before (as torchvision's
    `replace_stride_with_dilation`): (1, 1, 2, 4) ends at 1/8. Convolutions are initialised normal, He et al.
    2015, fan-out. Raises UsageError on values that make no network.
    """
    if depth not in BLOCKS:
        raise UsageError(f"resnet: depth {depth!r} was given; there are {', '.join(map(str, BLOCKS))}.")
    if style not in ("pytorch", "caffe"):
        raise UsageError(f"resnet: style {style!r} was given; there are pytorch and caffe.")
    if len(dilations) != 4 or dilations[0] != 1 or any(b not in (a, 2 * a) for a, b in _steps(dilations)):
        raise UsageError(
            f"resnet: dilations {tuple(dilations)} were given: there are four, the first is 1, and each is as large "
            "as the one before it or twice that."
        )
    return ResNet(depth, style, dilations)


def resnet_fpn(
    depth: int = 50,
    style: Style = "pytorch",
    channels: int = 256,
    levels: int = 5,
    start: int = 0,
    extra: Extra = "pool",
) -> ResNetFPN:
    """ResNet under a feature pyramid: images (N, 3, H, W), normalised, -> `levels` maps (N, channels, h, w).

    Finest first: P2 to P6 at 1/4 to 1/64; start=1 leaves out P2 (RetinaNet, FCOS: P3 to P7). extra: what levels
    beyond P5 are made of, see `fpn.py`. Its children `backbone` and `neck` work apart from it. Raises UsageError on
    values that make no network.
    """
    return ResNetFPN(resnet(depth, style), channels, levels, start, extra)


def _steps(values: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(values))


class ResNet(nn.Module):
    """`resnet` says what it is. Attributes channels, strides: of the maps that it returns."""

    def __init__(self, depth: int, style: Style, dilations: Sequence[int]) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_norm(3, 64, 7, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        steps = [1, *(2 if b == a else 1 for a, b in _steps(dilations))]  # a layer halves or dilates
        inputs = (64, *(4 * planes for planes in PLANES[:-1]))
        before = (1, *dilations[:-1])
        one, two, three, four = (
            layer(inputs[i], PLANES[i], count, steps[i], style, before[i], dilations[i])
            for i, count in enumerate(BLOCKS[depth])
        )
        self.layer1, self.layer2, self.layer3, self.layer4 = one, two, three, four
        self.style: Style = style  # no key tells it, so what loads a file asks
        self.channels = tuple(4 * planes for planes in PLANES)
        strides = [4]
        for step in steps[1:]:
            strides.append(strides[-1] * step)
        self.strides = tuple(strides)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 64, H / 2, W / 2)
        x = self.maxpool(x)  # (N, 64, H / 4, W / 4)
        c2 = self.layer1(x)  # (N, 256, H / 4, W / 4)
        c3 = self.layer2(c2)  # (N, 512, H / 8, W / 8)
        c4 = self.layer3(c3)  # (N, 1024, H / 16, W / 16)
        c5 = self.layer4(c4)  # (N, 2048, H / 32, W / 32)
        return [c2, c3, c4, c5]


def layer(inputs: int, planes: int, blocks: int, stride: int, style: Style, first: int, dilation: int) -> nn.Sequential:
    """`blocks` bottlenecks, the first with `stride` and the dilation `first`, the others with `dilation`."""
    rest = [Bottleneck(4 * planes, planes, 1, style, dilation) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(inputs, planes, stride, style, first), *rest)


class ResNetFPN(nn.Module):
    """`resnet_fpn` says what it is. Attributes channels, strides: of the maps that it returns."""

    def __init__(self, backbone: ResNet, channels: int, levels: int, start: int, extra: Extra) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = FPN(backbone.channels, backbone.strides, channels, levels, start, extra)
        self.channels, self.strides = self.neck.channels, self.neck.strides

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.neck(self.backbone(x))
