"""DeconvNet: VGG16 with its fully connected layers as convolutions, and a mirror image of transposed convolutions.

Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation, ICCV 2015. Layers as in HyeonwooNoh/DeconvNet,
model/DeconvNet/DeconvNet_inference_deploy.prototxt; keys are its layer names with `bn` for the norms ("fc6-deconv",
"seg-score-voc"; a BN of Caffe has scale and shift alone; the running statistics are added).

    encoder    VGG16's convolutions and 2x2 max poolings: 224 -> 7        each convolution with bias, norm and ReLU
    middle     fc6 7x7 to 4096 (1x1 map), fc7 1x1, fc6-deconv 7x7 back to 512 channels and a 7x7 map
    decoder    unpooling by the kept indices and transposed 3x3 convolutions:
               deconv5_1 to 5_3 512;  4_1 to 4_3 512, 512, 256;  3_1 to 3_3 256, 256, 128;  2_1, 2_2 128, 64;
               1_1, 1_2 64
    parameters (21 classes)    251,805,653, with bias, scale and shift of every layer
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.errors import UsageError

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions


def deconvnet(classes: int = 21) -> DeconvNet:
    """DeconvNet: images (N, 3, 224, 224) -> logits (N, classes, 224, 224); H, W of 224 or more, multiples of 32.

    The published network read BGR values from which the ImageNet means were taken, one object proposal at a time.
    Raises UsageError for classes below 1, and for other sizes.
    """
    if classes < 1:
        raise UsageError(f"deconvnet: classes {classes} was given; there is at least 1.")
    return DeconvNet(classes)


class DeconvNet(nn.Module):
    """`deconvnet` says what it is."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        before = 3
        for i, (channels, count) in enumerate(STAGES, start=1):
            for j in range(1, count + 1):
                self.add_layer(f"conv{i}_{j}", f"bn{i}_{j}", nn.Conv2d(before, channels, 3, padding=1))
                before = channels
        self.add_layer("fc6", "bnfc6", nn.Conv2d(512, 4096, 7))
        self.add_layer("fc7", "bnfc7", nn.Conv2d(4096, 4096, 1))
        self.add_layer("fc6-deconv", "fc6-deconv-bn", nn.ConvTranspose2d(4096, 512, 7))
        for i, (channels, count) in reversed(list(enumerate(STAGES, start=1))):
            lower = STAGES[max(i - 2, 0)][0]
            for j in range(1, count + 1):
                deconv = nn.ConvTranspose2d(channels, channels if j < count else lower, 3, padding=1)
                self.add_layer(f"deconv{i}_{j}", f"debn{i}_{j}", deconv)
        self.add_module("seg-score-voc", nn.Conv2d(64, classes, 1))

    def add_layer(self, name: str, norm: str, convolution: nn.Conv2d | nn.ConvTranspose2d) -> None:
        """Registers a convolution and its norm."""
        self.add_module(name, convolution)
        self.add_module(norm, nn.BatchNorm2d(convolution.out_channels))

    def layer(self, name: str, norm: str, x: Tensor) -> Tensor:
        """Convolution, norm and ReLU."""
        return F.relu(self.get_submodule(norm)(self.get_submodule(name)(x)))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if min(height, width) < 224 or height % 32 or width % 32:
            raise UsageError(f"deconvnet: {height}x{width} was given; it reads multiples of 32 from 224 on.")
        kept: list[Tensor] = []  # where the values of each pooling stood
        for i, (_, count) in enumerate(STAGES, start=1):
            for j in range(1, count + 1):
                x = self.layer(f"conv{i}_{j}", f"bn{i}_{j}", x)
            x, indices = F.max_pool2d(x, 2, return_indices=True)  # (N, channels, H / 2^i, W / 2^i)
            kept.append(indices)
        x = self.layer("fc6", "bnfc6", x)  # (N, 4096, H / 32 - 6, W / 32 - 6)
        x = self.layer("fc7", "bnfc7", x)
        x = self.layer("fc6-deconv", "fc6-deconv-bn", x)  # (N, 512, H / 32, W / 32)
        for i, (_, count) in reversed(list(enumerate(STAGES, start=1))):
            x = F.max_unpool2d(x, kept[i - 1], [2, 2])
            for j in range(1, count + 1):
                x = self.layer(f"deconv{i}_{j}", f"debn{i}_{j}", x)
        return self.get_submodule("seg-score-voc")(x)
