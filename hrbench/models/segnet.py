"""SegNet: VGG16's convolutions and their mirror image, which puts values back where the poolings took them from.

Badrinarayanan, Kendall, Cipolla: SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation,
TPAMI 2017. Layers as in alexgkendall/SegNet-Tutorial, Models/segnet_inference.prototxt; keys are its layer names, as
`conv1_1` and `conv1_1_bn` (a BN of Caffe has scale and shift alone; the running statistics are added).

    encoder    conv1_1, 1_2    conv2_1, 2_2    conv3_1 to 3_3    conv4_1 to 4_3    conv5_1 to 5_3    and 2x2 max pooling
    channels   64              128             256               512               512               after each
    decoder    unpooling by the kept indices, then the same convolutions backwards (conv5_3_D ... conv1_1_D); the last
               of a stage writes the width of the next lower one, conv1_1_D the classes
    parameters (11 classes, CamVid)    29,449,355, with bias, scale and shift of every layer
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.errors import UsageError

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions


def segnet(classes: int = 11) -> SegNet:
    """SegNet: images (N, 3, H, W) -> logits (N, classes, H, W), for any H, W; halvings round up.

    The published network read BGR values from 0 to 255 as they are. Raises UsageError for classes below 1.
    """
    if classes < 1:
        raise UsageError(f"segnet: classes {classes} was given; there is at least 1.")
    return SegNet(classes)


class SegNet(nn.Module):
    """`segnet` says what it is."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        before = 3
        for i, (channels, count) in enumerate(STAGES, start=1):
            for j in range(1, count + 1):
                self.add_layer(f"conv{i}_{j}", before, channels)
                before = channels
        for i, (channels, count) in reversed(list(enumerate(STAGES, start=1))):
            lower = STAGES[i - 2][0] if i > 1 else classes
            for j in range(count, 0, -1):
                self.add_layer(f"conv{i}_{j}_D", channels, channels if j > 1 else lower, norm=(i, j) != (1, 1))

    def add_layer(self, name: str, inputs: int, outputs: int, norm: bool = True) -> None:
        """Registers a 3x3 convolution under `name` and its norm under `name`_bn."""
        self.add_module(name, nn.Conv2d(inputs, outputs, 3, padding=1))
        if norm:
            self.add_module(f"{name}_bn", nn.BatchNorm2d(outputs))

    def layer(self, name: str, x: Tensor) -> Tensor:
        """Convolution, norm and ReLU; the classifier (conv1_1_D) is a convolution alone."""
        x = self.get_submodule(name)(x)
        return x if name == "conv1_1_D" else F.relu(self.get_submodule(f"{name}_bn")(x))

    def forward(self, x: Tensor) -> Tensor:
        kept: list[tuple[Tensor, tuple[int, int]]] = []  # where each pooling's values stood, and in which size
        for i, (_, count) in enumerate(STAGES, start=1):
            for j in range(1, count + 1):
                x = self.layer(f"conv{i}_{j}", x)
            size = (x.shape[-2], x.shape[-1])
            x, indices = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)  # (N, channels, H / 2^i, W / 2^i)
            kept.append((indices, size))
        for i, (_, count) in reversed(list(enumerate(STAGES, start=1))):
            indices, size = kept[i - 1]
            x = F.max_unpool2d(x, indices, [2, 2], output_size=size)
            for j in range(count, 0, -1):
                x = self.layer(f"conv{i}_{j}_D", x)
        return x
