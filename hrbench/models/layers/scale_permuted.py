"""The layers of scale-permuted networks: convolutions in both padding conventions, blocks, and resampling.

Du, Lin, Jin, Ghiasi, Tan, Cui, Le, Song: SpineNet, CVPR 2020, section 3.2 (resampling). Two released codes differ in
where a strided window lies, and both are here, by name:

    "tf2"   tensorflow/models, official/vision/modeling/backbones/spinenet.py. Keras "same": what has to be padded is
            split with the smaller half before, so a strided 3x3 window over an even size starts at the first pixel.
    "tf1"   tensorflow/tpu, models/official/detection/modeling/architecture/{spinenet,nn_ops}.py, the paper's own code.
            Strided convolutions are padded by kernel // 2 on both sides; max-pools are "same" here too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.errors import UsageError

Activation = Literal["relu", "swish"]
Padding = Literal["tf2", "tf1"]
Size = tuple[int, int]  # (height, width)

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "swish": lambda: nn.SiLU(inplace=True),
}
PADDINGS = ("tf2", "tf1")


def check_choices(where: str, activation: str, padding: str) -> None:
    """Raises UsageError for an activation or a padding convention that there is not."""
    if activation not in ACTIVATIONS:
        raise UsageError(f"{where}: activation {activation!r} was given; there are {', '.join(ACTIVATIONS)}.")
    if padding not in PADDINGS:
        raise UsageError(f"{where}: padding {padding!r} was given; there are {', '.join(PADDINGS)}.")


def convolution(inputs: int, outputs: int, kernel: int, stride: int, padding: Padding) -> nn.Conv2d:
    """A convolution without bias, to be called by `convolve`, which pads what cannot be padded evenly."""
    uneven = stride > 1 and padding == "tf2"
    return nn.Conv2d(inputs, outputs, kernel, stride, 0 if uneven else kernel // 2, bias=False)


def convolve(conv: nn.Conv2d, x: Tensor, padding: Padding) -> Tensor:
    """(N, inputs, h, w) -> (N, outputs, ceil(h / stride), ceil(w / stride))."""
    if conv.stride[0] > 1 and padding == "tf2":
        x = pad_same(x, conv.kernel_size[0], conv.stride[0], 0.0)
    return conv(x)


def max_pool(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Keras "same" max-pool, whose padding never wins: (N, C, h, w) -> (N, C, ceil(h / stride), ceil(w / stride)).

    Padding with zeros would be the same only where nothing is negative, which swish does not promise.
    """
    return F.max_pool2d(pad_same(x, kernel, stride, float("-inf")), kernel, stride)


def pad_same(x: Tensor, kernel: int, stride: int, value: float) -> Tensor:
    """Pad (N, C, h, w) with `value` as Keras' padding="same" does: as much as ceil(size / stride) windows need."""
    (top, bottom), (left, right) = (same_padding(size, kernel, stride) for size in x.shape[-2:])
    return F.pad(x, (left, right, top, bottom), value=value) if top + bottom + left + right else x


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """How much Keras' padding="same" puts before and after `size` pixels."""
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2


class ConvNorm(nn.Module):
    """Convolution, batch norm, activation unless that is None: (N, inputs, h, w) -> (N, outputs, h / stride, ...)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, padding: Padding, activation: Activation | None
    ) -> None:
        super().__init__()
        self.padding: Padding = padding
        self.conv = convolution(inputs, outputs, kernel, stride, padding)
        self.bn = nn.BatchNorm2d(outputs)
        self.activation = nn.Identity() if activation is None else ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.bn(convolve(self.conv, x, self.padding)))


class TFBottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut: (N, inputs, h, w) -> (N, 4 width, h / stride, w / stride)."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, padding: Padding, activation: Activation) -> None:
        super().__init__()
        self.padding: Padding = padding
        self.conv1, self.bn1 = convolution(inputs, width, 1, 1, padding), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 3, stride, padding), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = convolution(width, 4 * width, 1, 1, padding), nn.BatchNorm2d(4 * width)
        self.activation = ACTIVATIONS[activation]()
        fits = stride == 1 and inputs == 4 * width
        self.downsample = None if fits else ConvNorm(inputs, 4 * width, 1, stride, padding, None)

    def forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.bn1(self.conv1(x)))
        y = self.activation(self.bn2(convolve(self.conv2, y, self.padding)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.activation(y)


class TFResidual(nn.Module):
    """Two 3x3 convolutions and a shortcut: (N, width, h, w) -> the same shape."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, padding: Padding, activation: Activation) -> None:
        super().__init__()
        assert (inputs, stride) == (width, 1)  # no network has any other; only bottlenecks open a level
        self.conv1, self.bn1 = convolution(width, width, 3, 1, padding), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 3, 1, padding), nn.BatchNorm2d(width)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x
        return self.activation(y)


BLOCKS: dict[str, type[TFBottleneck] | type[TFResidual]] = {"bottleneck": TFBottleneck, "residual": TFResidual}


def block_group(
    kind: str, inputs: int, width: int, stride: int, repeats: int, activation: Activation, padding: Padding
) -> nn.Sequential:
    """`repeats` blocks in a row, of which the first may change channels and resolution."""
    make: type[TFBottleneck] | type[TFResidual] = BLOCKS[kind]
    first = make(inputs, width, stride, padding, activation)
    rest = (make(width * make.expansion, width, 1, padding, activation) for _ in range(repeats - 1))
    return nn.Sequential(first, *rest)


class Resample(nn.Module):
    """One cross-scale connection: (N, inputs, h, w) -> (N, outputs, *size), without activation.

    1x1 to `middle` channels; one strided 3x3 and max-pools where `halvings` > 0, nearest neighbours where it is
    negative; 1x1 to `outputs`. Both 1x1 are there also where the levels are equal.
    """

    def __init__(
        self, inputs: int, middle: int, outputs: int, halvings: int, padding: Padding, activation: Activation
    ) -> None:
        super().__init__()
        self.halvings, self.padding = halvings, padding
        self.squeeze = ConvNorm(inputs, middle, 1, 1, padding, activation)
        self.down = ConvNorm(middle, middle, 3, 2, padding, activation) if halvings > 0 else None
        self.expand = ConvNorm(middle, outputs, 1, 1, padding, None)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        width = x.shape[-1]
        x = self.squeeze(x)  # (N, middle, h, w)
        if self.down is not None:
            x = self.down(x)  # (N, middle, h / 2, w / 2)
            x = self.pool(x, width // size[1], width / size[1])
        if x.shape[-2:] != size:
            x = F.interpolate(x, size=size, mode="nearest")
        return self.expand(x)

    def pool(self, x: Tensor, whole: int, ratio: float) -> Tensor:
        """What is left of a reduction after its strided convolution; `ratio` is all of it, `whole` its whole part.

        tf2: a 3x3 max-pool per halving. tf1: one for all, 5x5 where the ratio is above 4; where the target does not
        divide the source, its stride is 2 and `forward` corrects the size.
        """
        if self.padding == "tf2":
            for _ in range(self.halvings - 1):
                x = max_pool(x, 3, 2)
            return x
        if whole <= 2:
            return x
        return max_pool(x, 3 if ratio <= 4 else 5, whole // 2 if whole == ratio else 2)


def initialise(net: nn.Module, eps: float, momentum: float) -> None:
    """Initialises weights as both official codes do (variance scaling, by fan-in) and set their batch-norm constants.

    momentum: of the new value, as torch counts it (Keras' 0.99 is 0.01 here).
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            # 0.8796 is the deviation of a standard normal cut at 2, so the initial weights have 1 / sqrt(fan in).
            std = 1 / math.sqrt(module.weight[0].numel()) / 0.87962566103423978
            nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std)
        elif isinstance(module, nn.BatchNorm2d):
            module.eps, module.momentum = eps, momentum
