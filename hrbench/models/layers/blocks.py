"""Residual blocks and initialisation shared by the network files.

He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016. State-dict keys are torchvision's:
conv1, bn1, conv2, bn2 (conv3, bn3), downsample.0, downsample.1.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Style = Literal["pytorch", "caffe"]


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> list[nn.Module]:
    """A convolution without bias and its batch norm: (N, inputs, h, w) -> (N, outputs, ceil(h / stride), ...)."""
    padding = kernel // 2 * dilation
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (N, inputs, h, w) -> (N, planes, h / stride, w / stride)."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_norm(inputs, planes, 3, stride)
        self.conv2, self.bn2 = conv_norm(planes, planes, 3)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut: (N, inputs, h, w) -> (N, 4 planes, h / stride, w / stride).

    style: where the stride is. "pytorch" (torchvision, fb.resnet.torch): in the 3x3 convolution; "caffe" (the paper's
    released networks): in the first 1x1 convolution. dilation: of the 3x3 convolution.
    """

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int = 1, style: Style = "pytorch", dilation: int = 1) -> None:
        super().__init__()
        first, second = (stride, 1) if style == "caffe" else (1, stride)
        self.conv1, self.bn1 = conv_norm(inputs, planes, 1, first)
        self.conv2, self.bn2 = conv_norm(planes, planes, 3, second, dilation)
        self.conv3, self.bn3 = conv_norm(planes, 4 * planes, 1)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inputs, 4 * planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """The projection beside a block, or None if the identity fits."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(*conv_norm(inputs, outputs, 1, stride))


def initialise(net: nn.Module, std: float = 0.001) -> None:
    """Initialises weights as both official pose repositories do before training from scratch.

    Convolutions and transposed convolutions: normal with standard deviation 0.001, biases 0; norms: scale 1, shift 0.
    (If a paper starts from ImageNet weights, load those instead.)
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
