"""ResNet classifiers as the HRNet paper trains them beside its own: a stem of two strided 3x3 convolutions.

Wang et al.: Deep High-Resolution Representation Learning for Visual Recognition (arXiv 1908.07919), Appendix B and
Table XV: "we follow the PyTorch implementation of ResNets and replace the 7x7 convolution in the input stem with two
2-strided 3x3 convolutions decreasing the resolution to 1/4". No pooling is left in the stem.

    depth    blocks in layers 1 to 4    parameters              conv and linear MACs / 2^30 at 224x224
                                        exact         paper     exact    paper
    50       3, 4,  6, 3                25,586,344    25.6M     3.83     3.82
    101      3, 4, 23, 3                44,578,472    44.6M     7.28     7.30
    152      3, 8, 36, 3                60,222,120    60.2M     10.74    10.7

Of ResNet-38, 72 and 106 the paper says that two 3x3 convolutions form the units and "an extra bottleneck is used to
increase the dimension of output feature maps from 512 to 2048". Their depths are those of 3-4-6-3, 3-4-23-3 and
3-8-36-3 basic blocks with this stem, one bottleneck and the classifier; such networks have 28.1, 48.2 and 64.7 million
parameters where the table has 28.3, 48.4 and 64.9. What the difference is, it does not say, so they are not here.
Nobody has published weights. Keys are torchvision's, except for the stem (conv1, bn1, conv2, bn2, as in HRNet).
The miniature networks are narrower and shorter ones of these.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.layers.blocks import Bottleneck, conv_norm

BLOCKS: dict[int, tuple[int, int, int, int]] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def cls_resnet(
    depth: int = 50,
    classes: int = 1000,
    planes: Sequence[int] = (64, 128, 256, 512),
    stem: int = 64,
    blocks: Sequence[int] | None = None,
) -> ClsResNet:
    """ResNet with HRNet's stem: images (N, 3, H, W), RGB, normalised -> logits (N, classes), for any H, W.

    Weights are randomly initialised by torch's defaults.

    depth: 50, 101 or 152.
    classes: outputs of the classifier.
    planes: of the bottlenecks of layers 1 to 4, whose outputs have four times as many channels.
    stem: channels of the first two convolutions.
    blocks: number of bottlenecks of each layer, instead of those of `depth`.

    Raises UsageError for an unknown depth and for values that make no network.
    """
    if depth not in BLOCKS:
        raise UsageError(f"cls_resnet: depth {depth!r} was given; there are {', '.join(map(str, BLOCKS))}.")
    if classes < 1:
        raise UsageError(f"cls_resnet: classes {classes} was given; there is at least 1.")
    many = BLOCKS[depth] if blocks is None else tuple(blocks)
    for name, values in (("planes", tuple(planes)), ("blocks", many), ("stem", (stem,) * 4)):
        if len(values) != 4 or min(values) < 1:
            raise UsageError(f"cls_resnet: {name} {values} was given; each of four layers has at least 1.")
    return ClsResNet(many, classes, tuple(planes), stem)


class ClsResNet(nn.Module):
    """`cls_resnet` says what it is."""

    def __init__(self, blocks: Sequence[int], classes: int, planes: Sequence[int], stem: int) -> None:
        super().__init__()
        a, b, c, d = planes
        self.conv1, self.bn1 = conv_norm(3, stem, 3, stride=2)
        self.conv2, self.bn2 = conv_norm(stem, stem, 3, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = layer(stem, a, blocks[0], 1)
        self.layer2 = layer(4 * a, b, blocks[1], 2)
        self.layer3 = layer(4 * b, c, blocks[2], 2)
        self.layer4 = layer(4 * c, d, blocks[3], 2)
        self.fc = nn.Linear(4 * d, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, stem, H / 2, W / 2)
        x = self.relu(self.bn2(self.conv2(x)))  # (N, stem, H / 4, W / 4)
        x = self.layer2(self.layer1(x))  # (N, 4 planes[1], H / 8, W / 8)
        x = self.layer4(self.layer3(x))  # (N, 4 planes[3], H / 32, W / 32)
        return self.fc(x.mean(dim=(2, 3)))  # (N, classes)


def layer(inputs: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    """`blocks` bottlenecks that write 4 x planes channels, the first with `stride`."""
    rest = [Bottleneck(4 * planes, planes) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(inputs, planes, stride), *rest)
