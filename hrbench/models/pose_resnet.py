"""SimpleBaseline: a ResNet and three transposed convolutions.

Xiao, Wu, Wei: Simple Baselines for Human Pose Estimation and Tracking, ECCV 2018. State-dict keys are those of
microsoft/human-pose-estimation.pytorch, so its checkpoints load unchanged. It was trained on BGR images.

    depth    block         blocks in layers 1 to 4    parameters (COCO, 17 joints)
    18       BasicBlock    2, 2,  2, 2                15,376,721
    34       BasicBlock    3, 4,  6, 3                25,484,881
    50       Bottleneck    3, 4,  6, 3                33,999,697
    101      Bottleneck    3, 4, 23, 3                52,991,825
    152      Bottleneck    3, 8, 36, 3                68,635,473

`style="caffe"` (the repository's `_caffe` rows) moves the stride of a bottleneck from its 3x3 to its first 1x1
convolution: same keys, same count, fewer operations.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.layers.blocks import BasicBlock, Bottleneck, Style, conv_norm, initialise

BLOCKS: dict[int, tuple[int, int, int, int]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def pose_resnet(
    depth: int = 50,
    joints: int = 17,
    style: Style = "pytorch",
    planes: Sequence[int] = (64, 128, 256, 512),
    deconvolutions: Sequence[int] = (256, 256, 256),
) -> PoseResNet:
    """SimpleBaseline for top-down pose: images (N, 3, H, W), normalised, -> heatmaps (N, joints, H / 4, W / 4).

    H and W must be multiples of 32: others are rounded up on the way down and give larger heatmaps than a quarter.
    Weights are randomly initialised as in the official code without ImageNet weights (`blocks.initialise`).

    depth: 18, 34, 50, 101 or 152.
    joints: number of heatmaps.
    style: "pytorch" or "caffe", see the top of this file.
    planes: width of the four layers (a bottleneck's output has 4 times as many channels); the stem has planes[0].
    deconvolutions: channels of each transposed convolution; each doubles the resolution, starting at 1/32.

    Raises UsageError on values that make no network.
    """
    if depth not in BLOCKS:
        raise UsageError(f"pose_resnet: depth {depth!r} was given; there are {', '.join(map(str, BLOCKS))}.")
    if style not in ("pytorch", "caffe"):
        raise UsageError(f"pose_resnet: style {style!r} was given; there are pytorch and caffe.")
    if style == "caffe" and depth < 50:
        raise UsageError(f"pose_resnet: style caffe moves a bottleneck's stride, and depth {depth} has no bottlenecks.")
    if len(planes) != 4 or not deconvolutions or min(*planes, *deconvolutions, joints) < 1:
        raise UsageError(
            f"pose_resnet: planes {tuple(planes)} and deconvolutions {tuple(deconvolutions)} were given: there are "
            "four layers, at least one transposed convolution, and every count is at least 1."
        )
    return PoseResNet(depth, joints, style, planes, deconvolutions)


class PoseResNet(nn.Module):
    """`pose_resnet` says what it is."""

    def __init__(
        self, depth: int, joints: int, style: Style, planes: Sequence[int], deconvolutions: Sequence[int]
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_norm(3, planes[0], 7, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        expansion = Bottleneck.expansion if depth >= 50 else BasicBlock.expansion
        one, two, three, four = BLOCKS[depth]
        bottleneck = style if depth >= 50 else None
        self.layer1 = layer(planes[0], planes[0], one, 1, bottleneck)
        self.layer2 = layer(expansion * planes[0], planes[1], two, 2, bottleneck)
        self.layer3 = layer(expansion * planes[1], planes[2], three, 2, bottleneck)
        self.layer4 = layer(expansion * planes[2], planes[3], four, 2, bottleneck)
        self.deconv_layers = upsampling(expansion * planes[3], deconvolutions)
        self.final_layer = nn.Conv2d(deconvolutions[-1], joints, 1)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, planes[0], H / 2, W / 2)
        x = self.maxpool(x)  # (N, planes[0], H / 4, W / 4)
        x = self.layer1(x)  # (N, expansion planes[0], H / 4, W / 4)
        x = self.layer2(x)  # (N, expansion planes[1], H / 8, W / 8)
        x = self.layer3(x)  # (N, expansion planes[2], H / 16, W / 16)
        x = self.layer4(x)  # (N, expansion planes[3], H / 32, W / 32)
        x = self.deconv_layers(x)  # (N, deconvolutions[-1], H / 4, W / 4)
        return self.final_layer(x)  # (N, joints, H / 4, W / 4)


def layer(inputs: int, planes: int, blocks: int, stride: int, bottleneck: Style | None) -> nn.Sequential:
    """`blocks` residual blocks, the first with `stride`; bottlenecks of that style, or basic blocks if None."""
    if bottleneck is None:
        rest = [BasicBlock(planes, planes) for _ in range(blocks - 1)]
        return nn.Sequential(BasicBlock(inputs, planes, stride), *rest)
    rest = [Bottleneck(4 * planes, planes, 1, bottleneck) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(inputs, planes, stride, bottleneck), *rest)


def upsampling(inputs: int, widths: Sequence[int]) -> nn.Sequential:
    """Transposed 4x4 convolutions, norm and ReLU: each doubles height and width."""
    layers: list[nn.Module] = []
    for before, after in zip((inputs, *widths), widths, strict=False):
        layers += [
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
