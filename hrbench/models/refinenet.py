"""RefineNet: the four levels of a ResNet fused from coarse to fine by a cascade of refinement blocks.

Lin, Milan, Shen, Reid: RefineNet: Multi-Path Refinement Networks for High-Resolution Semantic Segmentation, CVPR 2017
(arXiv 1611.06612). State-dict keys are those of DrSleep/refinenet-pytorch, so its checkpoint loads unchanged; they are
in turn the variable names of the authors' own guosheng/refinenet (MatConvNet).

    variant                    ResNets    blocks read the levels                parameters (ResNet-101, 21 classes)
    single                     1          1/32 + 1/16 + 1/8 + 1/4               81,480,277
    2-cascaded                 1          1/32 + 1/16, then 1/8 + 1/4           87,969,109
    4-cascaded (standard)      1          1/32, then 1/16, then 1/8, then 1/4   118,052,437
    4-cascaded, 2-scale        2          as above, each level of both          197,124,245
    the standard network on ResNet-50: 99,060,309, on ResNet-152: 133,696,085

    one block    inputs, each: 3x3 convolution to 512 (level 1/32) or 256 channels, two residual convolution units
                 multi-resolution fusion: 3x3 convolutions to the smallest width, sum at the largest size; ReLU
                 chained residual pooling: 5x5 max pooling and 3x3 convolution, in a chain, all of it added up
                 three residual convolution units

The variants of the cascade are those of the paper's section 4.3 and figure 7. The paper says of them that the block
takes any number of inputs "of arbitrary resolutions and dimensions", that the single RefineNet has one block with all
four levels for inputs, that the 2-cascaded one has two blocks, and that the 2-scale one scales the image "to a factor
of 1.2 and 0.6", which are "fed into 2 independent ResNets". Which path enters which block is a list of group numbers in
the authors' code (`path_group_ids`, gen_net_opts_model_type1.m), and our readings are such lists:

- 4-cascaded is [1 2 3 4], as published; 4-cascaded 2-scale is [1 2 3 4 1 2 3 4], which the code states for two
  ResNet-50, so a block reads the same level of both ResNets. (A third party reads figure 7(c) otherwise: the level of
  the small image that has the resolution of the large image's.) How the code resizes the image is not stated there;
  here it is bilinear, half-pixel centres.
- single is [1 1 1 1]. 2-cascaded is [1 1 2 2]: the code's own earlier grouping puts equally many levels into each
  block, and the figure itself could not be consulted.
- Widths follow the code for every list: 512 for level 1/32 and 256 for the others; a fusion takes the smallest.
  Keys of the variants continue the official names; weights of none of the three were published.
- The code says 2 or 4 poolings in a chain; the PyTorch network, standard here, has 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.layers.blocks import Bottleneck, conv_norm

BLOCKS: dict[int, tuple[int, int, int, int]] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}

# Number of the block that reads each path. Paths: levels 1/32, 1/16, 1/8, 1/4 of the first ResNet, then of the second.
CASCADES: dict[str, tuple[int, ...]] = {
    "single": (1, 1, 1, 1),
    "2-cascaded": (1, 1, 2, 2),
    "4-cascaded": (1, 2, 3, 4),
    "4-cascaded-2-scale": (1, 2, 3, 4, 1, 2, 3, 4),
}
PLANES = 64  # channels of the ResNet's stem; its levels from 1/32 to 1/4 have 32, 16, 8 and 4 times as many
WIDTHS = (512, 256, 256, 256)  # channels that a path is adapted to


def refinenet(
    depth: int = 101,
    classes: int = 21,
    cascade: str = "4-cascaded",
    pools: int = 4,
    planes: int = PLANES,
    widths: Sequence[int] = WIDTHS,
    blocks: Sequence[int] | None = None,
) -> RefineNet:
    """RefineNet: images (N, 3, H, W), RGB, normalised by ImageNet's statistics, -> logits (N, classes, h, w).

    h, w are a quarter of H, W, rounded up at each halving; with cascade="4-cascaded-2-scale" a quarter of the image
    enlarged 1.2 times. Convolutions are initialised by torch's defaults; the papers start from ImageNet weights.

    depth: of the ResNet, 50, 101 or 152.
    cascade: see the top of this file.
    pools: poolings in each chain.
    planes: channels of the ResNet's stem; its levels have 4 to 32 times as many.
    widths: channels of the paths, from level 1/32 to 1/4.
    blocks: bottlenecks of the ResNet's four layers, instead of those of `depth`.

    Raises UsageError on values that make no network.
    """
    if depth not in BLOCKS:
        raise UsageError(f"refinenet: depth {depth!r} was given; there are {', '.join(map(str, BLOCKS))}.")
    if cascade not in CASCADES:
        raise UsageError(f"refinenet: cascade {cascade!r} was given; there are {', '.join(CASCADES)}.")
    if min(classes, pools) < 1:
        raise UsageError(f"refinenet: classes {classes} and pools {pools} were given; both are at least 1.")
    blocks = BLOCKS[depth] if blocks is None else blocks
    for name, values, count in (("widths", widths, 4), ("blocks", blocks, 4), ("planes", (planes,), 1)):
        if len(values) != count or not all(type(value) is int and value >= 1 for value in values):
            raise UsageError(
                f"refinenet: {name} {tuple(values)} was given; it takes {count} whole number{'s' * (count > 1)} of "
                "at least 1."
            )
    return RefineNet(RefineNetConfig(tuple(blocks), planes, tuple(widths)), classes, CASCADES[cascade], pools)


@dataclass(frozen=True, slots=True)
class RefineNetConfig:
    """The sizes of a RefineNet.

    blocks: bottlenecks of the ResNet's four layers.
    planes: channels of the ResNet's stem.
    widths: channels of the paths, from level 1/32 to 1/4.
    """

    blocks: tuple[int, ...]
    planes: int
    widths: tuple[int, ...]

    @property
    def levels(self) -> tuple[int, ...]:
        """Channels of the ResNet's levels, from 1/32 to 1/4."""
        return tuple(factor * self.planes for factor in (32, 16, 8, 4))


class RefineNetBackbone(nn.Module):
    """ResNet without classifier: images (N, 3, H, W) -> its levels from 1/32 to 1/4, with `config.levels` channels."""

    def __init__(self, config: RefineNetConfig) -> None:
        super().__init__()
        planes = config.planes
        self.conv1, self.bn1 = conv_norm(3, planes, 7, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        one, two, three, four = config.blocks
        self.layer1 = layer(planes, planes, one, 1)
        self.layer2 = layer(4 * planes, 2 * planes, two, 2)
        self.layer3 = layer(8 * planes, 4 * planes, three, 2)
        self.layer4 = layer(16 * planes, 8 * planes, four, 2)

    def levels(self, x: Tensor) -> list[Tensor]:
        """Shapes are those of 64 planes."""
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 64, H / 2, W / 2)
        one = self.layer1(self.maxpool(x))  # (N, 256, H / 4, W / 4)
        two = self.layer2(one)  # (N, 512, H / 8, W / 8)
        three = self.layer3(two)  # (N, 1024, H / 16, W / 16)
        four = self.layer4(three)  # (N, 2048, H / 32, W / 32)
        return [four, three, two, one]


def layer(inputs: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    """`blocks` bottlenecks that write 4 x planes channels, the first with `stride`."""
    rest = [Bottleneck(4 * planes, planes) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(inputs, planes, stride), *rest)


class RefineNet(RefineNetBackbone):
    """`refinenet` says what it is. Derives from the ResNet because the official keys of both lie on one level.

    groups: the number of the block that reads each path, as in `CASCADES`.
    """

    def __init__(self, config: RefineNetConfig, classes: int, groups: Sequence[int], pools: int) -> None:
        super().__init__(config)
        self.config = config
        self.groups = tuple(groups)
        self.scales = (1.0,) if len(groups) == 4 else (1.2, 0.6)
        if len(self.scales) == 2:
            self.resnet_ims0d6 = RefineNetBackbone(config)
        self.do = nn.Dropout(p=0.5)
        before = 0  # channels of the previous block's output, 0 for the first block
        for block in sorted(set(groups)):
            before = self.add_block(block, before, pools)
        self.clf_conv = nn.Conv2d(before, classes, 3, padding=1)

    def paths(self, block: int) -> list[int]:
        """Which paths a block reads beside the block before it."""
        return [path for path, group in enumerate(self.groups) if group == block]

    def add_block(self, block: int, before: int, pools: int) -> int:
        """Registers the layers of one block under their official names; returns the channels that it writes."""
        paths = self.paths(block)
        inputs = [self.config.widths[path % 4] for path in paths]
        width = min([*inputs, before]) if before else min(inputs)
        if before:
            self.add_module(leaving(block - 1), conv3x3(before, width))
        for path, channels in zip(paths, inputs, strict=True):
            self.add_module(entering(path), conv3x3(self.config.levels[path % 4], channels))
            self.add_module(f"adapt_stage{path + 1}_b", nn.Sequential(ResidualConvUnits(channels, 2)))
            if before or len(paths) > 1:
                self.add_module(joining(path), conv3x3(channels, width))
        self.add_module(f"mflow_conv_g{block}_pool", nn.Sequential(ChainedResidualPooling(width, pools)))
        self.add_module(f"mflow_conv_g{block}_b", nn.Sequential(ResidualConvUnits(width, 3)))
        return width

    def forward(self, x: Tensor) -> Tensor:
        levels = self.inputs(x)  # paths from 1/32 to 1/4 of the image, (N, plan.levels[i], ...)
        refined: Tensor | None = None
        for block in sorted(set(self.groups)):
            fused = self.fuse(block, levels, refined)
            pooled = self.get_submodule(f"mflow_conv_g{block}_pool")(F.relu(fused))
            refined = self.get_submodule(f"mflow_conv_g{block}_b")(pooled)  # (N, width, as the finest level it read)
        return self.clf_conv(self.do(refined))  # (N, classes, H / 4, W / 4)

    def inputs(self, x: Tensor) -> list[Tensor]:
        """The levels of one ResNet, or of both, the second at half the first one's size. Dropout on the coarse two."""
        levels: list[Tensor] = []
        for scale in self.scales:
            resnet = self if scale == self.scales[0] else self.resnet_ims0d6
            image = x if scale == 1 else resize(x, (round(scale * x.shape[-2]), round(scale * x.shape[-1])), False)
            four, three, two, one = resnet.levels(image)
            levels += [self.do(four), self.do(three), two, one]
        return levels

    def fuse(self, block: int, levels: list[Tensor], refined: Tensor | None) -> Tensor:
        """Multi-resolution fusion of what a block reads: adapted paths and the block before, at the largest size."""
        terms: list[Tensor] = []
        for path in self.paths(block):
            adapted = self.get_submodule(entering(path))(levels[path])
            terms.append(self.get_submodule(f"adapt_stage{path + 1}_b")(adapted))
        if refined is None and len(terms) == 1:
            return terms[0]  # one input goes through unchanged
        terms = [self.get_submodule(joining(p))(t) for p, t in zip(self.paths(block), terms, strict=True)]
        if refined is not None:
            terms.append(self.get_submodule(leaving(block - 1))(refined))
        size = (max(term.shape[-2] for term in terms), max(term.shape[-1] for term in terms))
        resized = [resize(term, size, True) for term in terms]
        total = resized[0]
        for term in resized[1:]:
            total = total + term
        return total


def entering(path: int) -> str:
    """Name of the convolution that adapts the width of a path: 1d2 is the image enlarged 1.2 times, 0d6 the other."""
    return f"p_ims{'0d6' if path >= 4 else '1d2'}_outl{path % 4 + 1}_dimred"


def joining(path: int) -> str:
    """Name of the convolution between the adapted path and the sum."""
    return f"adapt_stage{path + 1}_b2_joint_varout_dimred"


def leaving(block: int) -> str:
    """Name of the convolution between a block and the sum of the next one."""
    return f"mflow_conv_g{block}_b3_joint_varout_dimred"


def resize(x: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    """Bilinear; a map that has the size already stays as it is."""
    if tuple(x.shape[-2:]) == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)


def conv3x3(inputs: int, outputs: int, bias: bool = False) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


class ResidualConvUnits(nn.Module):
    """`units` times x + conv(relu(conv(relu(x)))), without batch norm: (N, channels, h, w) -> the same shape."""

    def __init__(self, channels: int, units: int) -> None:
        super().__init__()
        self.units = units
        for i in range(1, units + 1):
            self.add_module(f"{i}_conv", conv3x3(channels, channels, bias=True))
            self.add_module(f"{i}_conv_relu_varout_dimred", conv3x3(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        for i in range(1, self.units + 1):
            y = self.get_submodule(f"{i}_conv")(F.relu(x))
            x = x + self.get_submodule(f"{i}_conv_relu_varout_dimred")(F.relu(y))
        return x


class ChainedResidualPooling(nn.Module):
    """x plus every link of a chain of 5x5 max poolings, each with a 3x3 convolution: keeps (N, channels, h, w)."""

    def __init__(self, channels: int, pools: int) -> None:
        super().__init__()
        self.pools = pools
        self.maxpool = nn.MaxPool2d(5, stride=1, padding=2)
        for i in range(1, pools + 1):
            self.add_module(f"{i}_outvar_dimred", conv3x3(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        link = x
        for i in range(1, self.pools + 1):
            link = self.get_submodule(f"{i}_outvar_dimred")(self.maxpool(link))
            x = x + link
        return x
