"""Layers in the convention of the official TensorFlow detectors: what heads on all levels of a pyramid are made of.

Facts from official/vision/modeling/heads/dense_prediction_heads.py of tensorflow/models 2.17. There a convolution of a
head has a bias although a batch norm follows it; one convolution serves all levels of a pyramid, while each level has a
batch norm of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from hrbench.models.layers.scale_permuted import ACTIVATIONS, Activation


class Tower(nn.Module):
    """Convolutions on every level of a pyramid, then one convolution for each thing that is predicted.

    A list of (N, inputs, h_l, w_l), one for each level -> for each predictor a list of (N, outputs, h_l, w_l).
    convs: how many 3x3 convolutions of `width` channels, their weights shared by all levels.
    levels: log2 of the strides, finest first; each has its own batch norms, with keys `bns.{level}.{convolution}`.
    predictors: name -> outputs; each is a convolution of size `kernel`, shared by all levels as well.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        convs: int,
        levels: Sequence[int],
        predictors: Mapping[str, int],
        kernel: int,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.levels, self.names = tuple(levels), tuple(predictors)
        widths = [inputs] + [width] * convs
        self.convs = nn.ModuleList(nn.Conv2d(widths[i], width, 3, padding=1) for i in range(convs))
        norms = {str(level): nn.ModuleList(nn.BatchNorm2d(width) for _ in range(convs)) for level in levels}
        self.bns = nn.ModuleDict(norms)
        self.activation = ACTIVATIONS[activation]()
        init_normal(self, 0.01)
        for name, outputs in predictors.items():
            self.add_module(name, nn.Conv2d(widths[-1], outputs, kernel, padding=kernel // 2))
            init_normal(self.get_submodule(name), 1e-5)
        official_norms(self)

    def forward(self, features: Sequence[Tensor]) -> list[list[Tensor]]:
        towers = [self.tower(x, level) for x, level in zip(features, self.levels, strict=True)]
        return [[self.get_submodule(name)(x) for x in towers] for name in self.names]

    def tower(self, x: Tensor, level: int) -> Tensor:
        """One level before the predictors: (N, inputs, h, w) -> (N, width, h, w)."""
        for conv, bn in zip(self.convs, self.bns[str(level)], strict=True):  # type: ignore[arg-type]
            x = self.activation(bn(conv(x)))
        return x


def official_norms(net: nn.Module) -> None:
    """Sets every batch norm as the official configurations do: epsilon 0.001, momentum 0.99.

    Keras counts as momentum the share of the old value that stays, torch that of the new one: 0.01.
    """
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.eps, module.momentum = 1e-3, 0.01


def init_normal(net: nn.Module, std: float) -> None:
    """Initialises convolutions and linear layers: normal with this standard deviation, biases 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
