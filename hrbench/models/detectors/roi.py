"""Regions of interest in mmdetection's conventions: which level a box reads, and its features.

convention    samples per bin               RoIAlign
mmdet3        as many as a bin has cells    half a cell back ("aligned"), end at x2
mmdet1        2 x 2                         no shift, end at x2 + 1, width 0 at least
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import roi_align

from hrbench.models.detectors.boxes import Convention, at_least_float32, extent

FINEST = 56
"""A box of this many pixels squared, or up to twice as long, is read from the finest level."""


def level_of(boxes: Tensor, levels: int, convention: Convention, finest: float = FINEST) -> Tensor:
    """Level that each box (M, 4) reads: int64 (M,), 0 for sides below 2 x finest pixels, one more with every doubling.

    Lin et al., Feature Pyramid Networks, CVPR 2017, equation 1, with k0 such that 224 pixels read level 2 of 4.
    """
    side = (boxes[:, 2:] - boxes[:, :2] + extent(convention)).prod(dim=1).sqrt()
    return torch.floor(torch.log2(side / finest + 1e-6)).clamp(0, levels - 1).long()


def region_features(
    features: Sequence[Tensor],
    strides: Sequence[int],
    boxes: Sequence[Tensor],
    output: int,
    convention: Convention,
    finest: float = FINEST,
) -> Tensor:
    """RoIAlign of each box on its level: maps (N, C, h, w), N boxes (M_i, 4) -> (sum of M_i, C, output, output).

    Rows come in the order of the images, within one in the order of its boxes. Boxes are float32 at least (`boxes`);
    maps in half precision are sampled as float32, as mmdetection does, and their samples are in half precision again.
    """
    images = torch.cat([box.new_full((len(box), 1), i) for i, box in enumerate(boxes)])
    every = torch.cat(list(boxes))
    level = level_of(every, len(features), convention, finest)
    result = features[0].new_zeros(len(every), features[0].shape[1], output, output)
    for i, (feature, stride) in enumerate(zip(features, strides, strict=True)):
        (chosen,) = torch.nonzero(level == i, as_tuple=True)
        regions = torch.cat([images[chosen], _ends(every[chosen], stride, convention)], dim=1)
        samples = 2 if convention == "mmdet1" else 0
        aligned = roi_align(at_least_float32(feature), regions, output, 1 / stride, samples, aligned=True)
        result[chosen] = aligned.to(result.dtype)
    return result


def _ends(boxes: Tensor, stride: int, convention: Convention) -> Tensor:
    """Boxes as torchvision's aligned RoIAlign has to be given them.

    mmdet1 knows no half-cell shift, which is undone here; torchvision's unaligned mode would also widen every box
    to one cell, where mmdet1 stops at zero.
    """
    if convention == "mmdet3":
        return boxes
    start = boxes[:, :2]
    end = torch.maximum(boxes[:, 2:] + 1, start)
    return torch.cat([start, end], dim=1) + 0.5 * stride
