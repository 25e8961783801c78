"""ResNet with the feature pyramid of the official TensorFlow detectors: the baseline of the SpineNet paper.

He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016; Lin, Dollar, Girshick, He, Hariharan,
Belongie: Feature Pyramid Networks for Object Detection, CVPR 2017. Official code: tensorflow/models 2.17,
official/vision/modeling (backbones/resnet.py, decoders/fpn.py). What sets it apart from torchvision's ResNet-FPN: batch
norms of epsilon 0.001, windows placed as Keras' "same" places them, no level at stride 4, levels 6 and 7 made by
strided convolutions from level 5 on, and a batch norm on every level that is written.

    depth    blocks          parameters
    50       3, 4,  6, 3     27,379,264
    101      3, 4, 23, 3     46,371,392
    152      3, 8, 36, 3     62,015,040
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.layers.scale_permuted import (
    ConvNorm,
    Padding,
    block_group,
    check_choices,
    initialise,
    max_pool,
    pad_same,
)

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def tf_resnet_fpn(depth: int = 50, channels: int = 256, padding: Padding = "tf2") -> TFResNetFPN:
    """Images (N, 3, H, W), H and W multiples of 128, -> P3 to P7, (N, channels, H / 2^l, W / 2^l), finest first.

    depth: 50, 101 or 152. padding: "tf2", as tensorflow/models; "tf1", as tensorflow/tpu, whose ResNet pads strided
    convolutions on both sides (its max-pool and its pyramid are "same" too). Raises UsageError for other values and
    other sizes.
    """
    check_choices("tf_resnet_fpn", "relu", padding)
    if depth not in BLOCKS or channels < 1:
        raise UsageError(
            f"tf_resnet_fpn: depth {depth} and {channels} channels were given; depths: {', '.join(map(str, BLOCKS))}."
        )
    return TFResNetFPN(TFResNet(BLOCKS[depth], padding), channels)


class TFResNetFPN(nn.Module):
    """`tf_resnet_fpn` says what it is. channels, strides: of each level, as a detector asks for them."""

    def __init__(self, backbone: TFResNet, channels: int) -> None:
        super().__init__()
        self.backbone, self.decoder = backbone, TFFPN(backbone.channels[1:], channels)
        self.channels, self.strides = (channels,) * 5, (8, 16, 32, 64, 128)
        initialise(self, 1e-3, 0.01)
        for module in self.decoder.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> list[Tensor]:
        height, width = images.shape[-2:]
        if height % 128 or width % 128 or not height * width:
            raise UsageError(f"tf_resnet_fpn: an image of {height}x{width} was given; it reads multiples of 128.")
        return self.decoder(self.backbone(images)[1:])


class TFResNet(nn.Module):
    """Images (N, 3, H, W) -> C2 to C5, (N, 256 x 2^i, H / 2^(i + 2), W / 2^(i + 2)) for i = 0 to 3."""

    def __init__(self, blocks: Sequence[int], padding: Padding) -> None:
        super().__init__()
        self.channels = (256, 512, 1024, 2048)
        self.stem = ConvNorm(3, 64, 7, 2, padding, "relu")
        self.groups = nn.ModuleList()
        inputs = 64
        for i, count in enumerate(blocks):
            width = 64 * 2**i
            self.groups.append(block_group("bottleneck", inputs, width, 1 if i == 0 else 2, count, "relu", padding))
            inputs = 4 * width

    def forward(self, images: Tensor) -> list[Tensor]:
        x = max_pool(self.stem(images), 3, 2)  # (N, 64, H / 4, W / 4)
        features = []
        for group in self.groups:
            x = group(x)
            features.append(x)
        return features


class TFFPN(nn.Module):
    """C3 to C5 -> P3 to P7, all of `channels` channels, each after a batch norm of its own and without activation.

    Keys name the level: `lateral.{3,4,5}`, `post.{3,4,5}`, `coarser.{6,7}`, `bns.{3..7}`. All convolutions have biases.
    """

    def __init__(self, inputs: Sequence[int], channels: int) -> None:
        super().__init__()
        levels = range(3, 3 + len(inputs))
        lateral = {str(level): nn.Conv2d(width, channels, 1) for level, width in zip(levels, inputs, strict=True)}
        self.lateral = nn.ModuleDict(lateral)
        self.post = nn.ModuleDict({str(level): nn.Conv2d(channels, channels, 3, padding=1) for level in levels})
        self.coarser = nn.ModuleDict({str(level): nn.Conv2d(channels, channels, 3, 2) for level in (6, 7)})
        self.bns = nn.ModuleDict({str(level): nn.BatchNorm2d(channels) for level in range(3, 8)})

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        sums = [conv(x) for conv, x in zip(self.lateral.values(), features, strict=True)]
        for i in reversed(range(len(sums) - 1)):
            sums[i] = F.interpolate(sums[i + 1], scale_factor=2, mode="nearest") + sums[i]
        levels = [conv(x) for conv, x in zip(self.post.values(), sums, strict=True)]
        for level, conv in self.coarser.items():
            x = levels[-1] if level == "6" else levels[-1].relu()
            levels.append(conv(pad_same(x, 3, 2, 0.0)))
        return [bn(x) for bn, x in zip(self.bns.values(), levels, strict=True)]
