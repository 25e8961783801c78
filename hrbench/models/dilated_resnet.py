"""Dilated ResNets for segmentation, as the HRNet paper compares itself with them on Cityscapes.

Wang et al.: Deep High-Resolution Representation Learning for Visual Recognition (arXiv 1908.07919), Table III. Strides
of the last two stages become dilations (Yu, Koltun, Funkhouser: Dilated Residual Networks, CVPR 2017; Chen et al.:
Rethinking Atrous Convolution for Semantic Image Segmentation, 2017, DeepLabV3).

    network          stem     head    parameters (19 classes)       conv MACs / 2^30 at 1024x2048
                                      exact         Table III       exact       Table III
    Dilated-ResNet   deep     fcn     52,071,891    52.1M           1661.6      1661.6
    DeepLabV3        plain    aspp    58,040,147    58.0M           1778.7      1778.7

The table names only the backbone, D-ResNet-101. Stems and heads are our reading, fixed by both figures of each row:
the deep stem is three 3x3 convolutions (64, 64, 128), the plain one ResNet's 7x7; the fcn head is one 3x3 convolution,
the aspp head DeepLabV3's pyramid without the 3x3 convolution that torchvision puts behind it. No such reading gives the
PSPNet row (65.9M, 2017.6). Keys are torchvision's `deeplabv3_resnet101`, its stem and head apart.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.layers.blocks import Bottleneck, conv_norm

Head = Literal["fcn", "aspp"]
Stem = Literal["plain", "deep"]

BLOCKS: dict[int, tuple[int, int, int, int]] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def dilated_resnet(depth: int = 101, classes: int = 19, head: Head = "fcn", stem: Stem = "deep") -> DilatedResNet:
    """A ResNet that stays at 1/8 and a head: images (N, 3, H, W), RGB, normalised -> logits (N, classes, H, W).

    Logits at 1/8, sizes that are no multiples of 8 rounded up, are enlarged bilinearly to the image. Raises UsageError
    on values that make no network. Convolutions are initialised by torch's defaults; the papers start from ImageNet
    weights.
    """
    if depth not in BLOCKS:
        raise UsageError(f"dilated_resnet: depth {depth!r} was given; there are {', '.join(map(str, BLOCKS))}.")
    if head not in ("fcn", "aspp") or stem not in ("plain", "deep"):
        raise UsageError(f"dilated_resnet: head {head!r}, stem {stem!r}; there are heads fcn, aspp; stems plain, deep.")
    if classes < 1:
        raise UsageError(f"dilated_resnet: classes {classes} was given; there is at least 1.")
    return DilatedResNet(depth, classes, head, stem)


class DilatedResNet(nn.Module):
    """`dilated_resnet` says what it is."""

    def __init__(self, depth: int, classes: int, head: Head, stem: Stem) -> None:
        super().__init__()
        one, two, three, four = BLOCKS[depth]
        entry, width = deep_stem() if stem == "deep" else plain_stem()
        self.backbone = nn.Sequential()
        self.backbone.add_module("stem", entry)  # (N, width, H / 4, W / 4)
        self.backbone.add_module("layer1", layer(width, 64, one, 1, 1, 1))  # (N, 256, H / 4, W / 4)
        self.backbone.add_module("layer2", layer(256, 128, two, 2, 1, 1))  # (N, 512, H / 8, W / 8)
        self.backbone.add_module("layer3", layer(512, 256, three, 1, 1, 2))  # (N, 1024, H / 8, W / 8)
        self.backbone.add_module("layer4", layer(1024, 512, four, 1, 2, 4))  # (N, 2048, H / 8, W / 8)
        self.classifier = fcn_head(classes) if head == "fcn" else aspp_head(classes)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.classifier(self.backbone(x))  # (N, classes, H / 8, W / 8)
        return F.interpolate(logits, size=x.shape[-2:], mode="bilinear", align_corners=False)


def plain_stem() -> tuple[nn.Sequential, int]:
    """ResNet's 7x7 convolution and pooling, and how many channels they write."""
    return nn.Sequential(*conv_norm(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)), 64


def deep_stem() -> tuple[nn.Sequential, int]:
    """Three 3x3 convolutions and pooling, and how many channels they write."""
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((3, 64, 2), (64, 64, 1), (64, 128, 1)):
        layers += [*conv_norm(inputs, outputs, 3, stride), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.MaxPool2d(3, 2, padding=1)), 128


def layer(inputs: int, planes: int, blocks: int, stride: int, first: int, rest: int) -> nn.Sequential:
    """`blocks` bottlenecks, the first with `stride`; first, rest: dilation of the first and of the other blocks.

    A stage that keeps its resolution dilates from its second block on: its first still reads undilated features.
    """
    others = (Bottleneck(4 * planes, planes, dilation=rest) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(inputs, planes, stride, dilation=first), *others)


def fcn_head(classes: int) -> nn.Sequential:
    """A 3x3 convolution to 512 channels and the classifier."""
    return nn.Sequential(*conv_norm(2048, 512, 3), nn.ReLU(inplace=True), nn.Dropout(0.1), nn.Conv2d(512, classes, 1))


def aspp_head(classes: int) -> nn.Sequential:
    """Atrous spatial pyramid pooling at 1/8 and the classifier."""
    return nn.Sequential(Pyramid(2048, (12, 24, 36)), nn.Conv2d(256, classes, 1))


class Pyramid(nn.Module):
    """1x1, dilated 3x3 convolutions and the mean of the whole map, joined: (N, inputs, h, w) -> (N, 256, h, w)."""

    def __init__(self, inputs: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Sequential(*conv_norm(inputs, 256, 1), nn.ReLU(inplace=True))])
        for rate in rates:
            conv = nn.Conv2d(inputs, 256, 3, padding=rate, dilation=rate, bias=False)
            self.convs.append(nn.Sequential(conv, nn.BatchNorm2d(256), nn.ReLU(inplace=True)))
        mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), *conv_norm(inputs, 256, 1), nn.ReLU(inplace=True))
        self.convs.append(mean)
        joined = len(self.convs) * 256
        self.project = nn.Sequential(*conv_norm(joined, 256, 1), nn.ReLU(inplace=True), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        branches = [conv(x) for conv in self.convs]
        branches[-1] = F.interpolate(branches[-1], size=size, mode="bilinear", align_corners=False)
        return self.project(torch.cat(branches, dim=1))
