"""SpineNet's forward pass once more, in NumPy, from the record of its graph: the judge where no record was made.

Written from `data/spinenet/spec.json` alone: it takes a state dict by key and shares nothing with the network. With
`padding="tf2"` it must reproduce the records of the official code, which is what lets it stand in for the paper's code
with `padding="tf1"`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def windows(x: Array, kernel: int, stride: int, before: int, after: int, value: float) -> Array:
    """(N, C, h, w), padded by `before` and `after` on both axes -> (N, C, rows, columns, kernel, kernel)."""
    x = np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)), constant_values=value)
    return np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]


def keras_same(x: Array, kernel: int, stride: int, value: float) -> Array:
    """Windows of Keras' "same" over a square map."""
    size = x.shape[-1]
    missing = max(0, (math.ceil(size / stride) - 1) * stride + kernel - size)
    return windows(x, kernel, stride, missing // 2, missing - missing // 2, value)


def pool(x: Array, kernel: int, stride: int) -> Array:
    return keras_same(x, kernel, stride, -np.inf).max((-1, -2))


def nearest(x: Array, size: int) -> Array:
    index = [i * x.shape[-1] // size for i in range(size)]
    return x[:, :, index][:, :, :, index]


class Reference:
    """Square images only. spec: the record; state: arrays by key; activation: "relu" or "swish"."""

    def __init__(self, spec: Any, state: Mapping[str, Array], activation: str, padding: str, eps: float = 1e-3) -> None:
        self.spec, self.state, self.padding, self.eps = spec, state, padding, eps
        self.act = {"relu": lambda x: np.maximum(x, 0), "swish": lambda x: x / (1 + np.exp(-x))}[activation]

    def conv(self, x: Array, key: str, norm: str, stride: int = 1) -> Array:
        weight = self.state[f"{key}.weight"]
        kernel = weight.shape[-1]
        if stride > 1 and self.padding == "tf2":
            seen = keras_same(x, kernel, stride, 0.0)
        else:
            seen = windows(x, kernel, stride, kernel // 2, kernel // 2, 0.0)
        x = np.moveaxis(np.tensordot(seen, weight, ((1, 4, 5), (1, 2, 3))), -1, 1)
        scale, shift, mean, variance = (
            self.state[f"{norm}.{name}"][:, None, None] for name in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + self.eps) * scale + shift

    def unit(self, x: Array, key: str, stride: int = 1) -> Array:
        return self.conv(x, f"{key}.conv", f"{key}.bn", stride)

    def group(self, x: Array, key: str) -> Array:
        repeat = 0
        while f"{key}.{repeat}.conv1.weight" in self.state:
            block = f"{key}.{repeat}"
            shortcut = self.unit(x, f"{block}.downsample") if f"{block}.downsample.conv.weight" in self.state else x
            count = 3 if f"{block}.conv3.weight" in self.state else 2
            for i in range(1, count + 1):
                x = self.conv(x, f"{block}.conv{i}", f"{block}.bn{i}")
                x = self.act(x if i < count else x + shortcut)
            repeat += 1
        return x

    def resample(self, x: Array, key: str, target: int) -> Array:
        source = x.shape[-1]
        x = self.act(self.unit(x, f"{key}.squeeze"))
        if source > target:
            x = self.act(self.unit(x, f"{key}.down", stride=2))
            if self.padding == "tf2":
                while x.shape[-1] > target:
                    x = pool(x, 3, 2)
            elif source // target > 2:
                stride = 2 if source % target else source // target // 2
                x = pool(x, 3 if source / target <= 4 else 5, stride)
        return self.unit(nearest(x, target), f"{key}.expand")

    def __call__(self, image: Array) -> list[Array]:
        """Images (N, 3, S, S) -> P3 to P7."""
        x = pool(self.act(self.unit(image, "stem", stride=2)), 3, 2)
        net = [self.group(x, "stem.blocks.0")]
        net.append(self.group(net[0], "stem.blocks.1"))
        outputs = {}
        for block in self.spec["block_specs"]:
            index, level = block["index"], block["level"]
            target = math.ceil(image.shape[-1] / 2**level)
            terms = [
                self.resample(net[source], f"blocks.{index}.resample.{j}", target)
                for j, source in enumerate(block["input_offsets"])
            ]
            if index == 12:  # "exactly one merge: net[11] is added to block 12"
                terms.append(net[11])
            net.append(self.group(self.act(np.sum(terms, axis=0)), f"blocks.{index}.layers"))
            if block["is_output"]:
                outputs[level] = self.act(self.unit(net[-1], f"endpoints.{level}"))
        return [outputs[level] for level in range(3, 8)]
