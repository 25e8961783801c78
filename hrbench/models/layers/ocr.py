"""Object-contextual representations: every pixel looks at a summary of each class before it is classified.

Yuan, Chen, Wang: Object-Contextual Representations for Semantic Segmentation, ECCV 2020. State-dict keys are those of
HRNet/HRNet-Semantic-Segmentation, branch HRNet-OCR, lib/models/seg_hrnet_ocr.py.

    logits (N, K, h, w), features (N, C, h, w)
        -> objects (N, C, K, 1)           mean of the features, weighted by the softmax over pixels of class k's logits
        -> context (N, C, h, w)           attention of each pixel over the K objects
        -> (N, C', h, w)                  1x1 convolution of context and features together
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from hrbench.models.layers.blocks import conv_norm


class SpatialGather(nn.Module):
    """One feature vector per class: features (N, C, h, w) and logits (N, K, h, w) -> objects (N, C, K, 1).

    Section 3.2 of the paper, equation 3: the weights of a class are normalised over the pixels, not over the classes.
    """

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        weights = logits.flatten(2).softmax(dim=2)  # (N, K, h w)
        objects = weights @ features.flatten(2).transpose(1, 2)  # (N, K, C)
        return objects.transpose(1, 2).unsqueeze(3)


class ObjectAttention(nn.Module):
    """Pixels attend to objects: features (N, C, h, w), objects (N, C, K, 1) -> context (N, C, h, w).

    Section 3.2, equations 4 to 6; `key` channels in queries, keys and values, products divided by the root of `key`.
    """

    def __init__(self, channels: int, key: int) -> None:
        super().__init__()
        self.scale = key**-0.5
        self.f_pixel = pointwise(channels, key, key)
        self.f_object = pointwise(channels, key, key)
        self.f_down = pointwise(channels, key)
        self.f_up = pointwise(key, channels)

    def forward(self, features: Tensor, objects: Tensor) -> Tensor:
        query = self.f_pixel(features).flatten(2).transpose(1, 2)  # (N, h w, key)
        key = self.f_object(objects).flatten(2)  # (N, key, K)
        value = self.f_down(objects).flatten(2).transpose(1, 2)  # (N, K, key)
        relation = (self.scale * (query @ key)).softmax(dim=2)  # (N, h w, K)
        context = (relation @ value).transpose(1, 2)  # (N, key, h w)
        return self.f_up(context.unflatten(2, features.shape[2:]))


class SpatialOCR(nn.Module):
    """Features with their context: features (N, C, h, w), objects (N, C, K, 1) -> (N, outputs, h, w)."""

    def __init__(self, channels: int, key: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.object_context_block = ObjectAttention(channels, key)
        self.conv_bn_dropout = nn.Sequential(*pointwise(2 * channels, outputs), nn.Dropout2d(dropout))

    def forward(self, features: Tensor, objects: Tensor) -> Tensor:
        context = self.object_context_block(features, objects)
        return self.conv_bn_dropout(torch.cat([context, features], 1))


def pointwise(*widths: int) -> nn.Sequential:
    """1x1 convolutions from each width to the next, each with norm and ReLU: (N, first, ...) -> (N, last, ...).

    Norm and ReLU are one entry of the sequence, as officially: keys 0, 1.0, 2, 3.0.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        convolution, norm = conv_norm(inputs, outputs, 1)
        layers += [convolution, nn.Sequential(norm, nn.ReLU(inplace=True))]
    return nn.Sequential(*layers)
