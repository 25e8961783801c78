"""Regions of interest in mmdetection's conventions: which level a box reads, its features, its pasted mask.

convention    samples per bin               RoIAlign                                        mask in the image
mmdet3        as many as a bin has cells    half a cell back ("aligned"), end at x2         sampled at pixel centres
mmdet1        2 x 2                         no shift, end at x2 + 1, width 0 at least       resized to whole pixels
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align

from hrbench.models.boxes import Convention, extent, full

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
        aligned = roi_align(full(feature), regions, output, 1 / stride, samples, aligned=True)
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


def paste(masks: Tensor, boxes: Tensor, size: tuple[int, int], convention: Convention) -> Tensor:
    """Mask probabilities (M, h, w) in their boxes (M, 4) -> boolean (M, H, W) of the image's size (H, W).

    mmdet3: bilinear at the centre of each pixel, zero beyond the mask, true from 0.5 on. mmdet1: the box truncated to
    whole pixels, the mask resized to it (its border repeated), true above 0.5.
    """
    result = torch.zeros(len(masks), *size, dtype=torch.bool, device=masks.device)
    for into, mask, box in zip(result, masks, boxes, strict=True):
        if convention == "mmdet1":
            _paste_resized(into, mask, box)
        else:
            _paste_sampled(into, mask, box)
    return result


def _paste_sampled(into: Tensor, mask: Tensor, box: Tensor) -> None:
    left, top = (max(int(v) - 1, 0) for v in box[:2].floor().tolist())
    right, bottom = (int(v) + 1 for v in box[2:].ceil().tolist())
    region = into[top:bottom, left:right]  # beyond it no value reaches 0.5
    if not region.numel():
        return
    xs = torch.arange(left, left + region.shape[1], device=mask.device).to(box.dtype) + 0.5
    ys = torch.arange(top, top + region.shape[0], device=mask.device).to(box.dtype) + 0.5
    # A box without width has no inside: its coordinates become infinite, and the middle of the mask is read.
    xs = _finite((xs - box[0]) / (box[2] - box[0]) * 2 - 1)
    ys = _finite((ys - box[1]) / (box[3] - box[1]) * 2 - 1)
    grid = torch.stack([xs[None].expand(len(ys), -1), ys[:, None].expand(-1, len(xs))], dim=-1)
    values = F.grid_sample(mask[None, None], grid[None].to(mask.dtype), align_corners=False)
    region.copy_(values[0, 0] >= 0.5)


def _finite(values: Tensor) -> Tensor:
    return torch.where(values.isinf(), torch.zeros_like(values), values)


def _paste_resized(into: Tensor, mask: Tensor, box: Tensor) -> None:
    left, top, right, bottom = (int(v) for v in box.tolist())
    height, width = max(bottom - top + 1, 1), max(right - left + 1, 1)
    values = F.interpolate(mask[None, None], size=(height, width), mode="bilinear", align_corners=False)[0, 0]
    region = into[top : top + height, left : left + width]
    region.copy_(values[: region.shape[0], : region.shape[1]] > 0.5)
