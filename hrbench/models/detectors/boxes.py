"""Boxes in the two conventions of mmdetection: decoding, clipping, suppression, selection.

Boxes are (M, 4), x1 y1 x2 y2, in pixels of the network's input before padding. mmdetection 1 divides those that it
detects by the factor of the image (`BBoxHead.get_det_bboxes`, `FCOSHead.get_bboxes_single`) after clipping and before
suppression, where the pixel that it adds is thus one of the original image; proposals it suppresses as they are.

    convention    a box from x1 to x2 has width    corners are clipped to    found in
    mmdet3        x2 - x1                          [0, w]                    mmdetection 2 and 3
    mmdet1        x2 - x1 + 1                      [0, w - 1]                mmdetection 1, HRNet-Object-Detection

A network trained under one of them loses accuracy under the other. Everything else here is one formula, with `extent`
as the pixel that mmdet1 adds. Boxes, and scores that are compared, are float32 at least also of a network in half
precision (`at_least_float32`): float16 has no fractions of a pixel above 1024, and torchvision suppresses none of it on
a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from hrbench.core.stages import stage
from hrbench.errors import UsageError

Convention = Literal["mmdet3", "mmdet1"]
RATIO = math.log(1000 / 16)
"""Deltas of width and height are held within this, on both sides."""


def extent(convention: Convention) -> float:
    """What is added to x2 - x1 to get a width; UsageError for a convention that there is not."""
    if convention not in get_args(Convention):
        raise UsageError(f"convention {convention!r} was given; there are {', '.join(get_args(Convention))}.")
    return 1.0 if convention == "mmdet1" else 0.0


def at_least_float32(x: Tensor) -> Tensor:
    """float16 and bfloat16 as float32; float32 and float64 as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def decode(
    boxes: Tensor, deltas: Tensor, stds: Sequence[float], size: tuple[int, int], convention: Convention
) -> Tensor:
    """Boxes (M, 4) moved by deltas (M, 4 C) -> (M, C, 4), clipped to `size`, the (height, width) of the image.

    Deltas are dx, dy, dw, dh times `stds`: the centre moves by dx widths, the width grows by the factor exp(dw).
    Girshick et al., CVPR 2014, appendix C; clamping of dw and dh on both sides is mmdetection's.
    """
    one = extent(convention)
    boxes, deltas = at_least_float32(boxes), at_least_float32(deltas)
    scaled = deltas.unflatten(1, (-1, 4)) * deltas.new_tensor(stds)
    old_sizes = (boxes[:, 2:] - boxes[:, :2] + one)[:, None]  # (M, 1, 2)
    centres = ((boxes[:, :2] + boxes[:, 2:]) * 0.5)[:, None] + old_sizes * scaled[..., :2]
    sizes = old_sizes * scaled[..., 2:].clamp(-RATIO, RATIO).exp()
    half = (sizes - one) * 0.5
    return clip(torch.cat([centres - half, centres + half], dim=-1), size, convention)


def decode_distances(points: Tensor, distances: Tensor, size: tuple[int, int], convention: Convention) -> Tensor:
    """Points (M, 2) and distances to the left, top, right, bottom edge (M, 4), all in pixels -> clipped boxes (M, 4).

    Tian et al., FCOS, ICCV 2019, section 3.1.
    """
    points, distances = at_least_float32(points), at_least_float32(distances)
    corners = torch.cat([points - distances[:, :2], points + distances[:, 2:]], dim=-1)
    return clip(corners, size, convention)


def clip(boxes: Tensor, size: tuple[int, int], convention: Convention) -> Tensor:
    """Boxes (..., 4) with their corners moved into the image of this (height, width)."""
    height, width = size
    limits = boxes.new_tensor([width, height, width, height]) - extent(convention)
    return torch.minimum(boxes.clamp(min=0), limits)


def suppress(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float, convention: Convention) -> Tensor:
    """Indices that greedy suppression keeps, by falling score; only boxes of the same group suppress one another.

    A box goes where its IoU with a kept one is above the threshold. The extra pixel of mmdet1 on widths, heights and
    intersections is what moving x2 and y2 by one gives.
    """
    wider = boxes + boxes.new_tensor([0.0, 0.0, 1.0, 1.0]) * extent(convention)
    return batched_nms(wider, scores, groups, threshold)


def in_original(boxes: Tensor, scale: float) -> Tensor:
    """Boxes (M, 4) in pixels of an input that has `scale` times the side of its image -> in pixels of the image.

    One division in the dtype of the boxes, the same on every device: a number that is not a tensor would be inverted
    on some and multiplied by, which moves last digits.
    """
    return boxes if scale == 1 else boxes / boxes.new_full((), scale)


def positive(boxes: Tensor, convention: Convention) -> Tensor:
    """Which boxes (M, 4) have a width and a height above zero: boolean (M,)."""
    return (boxes[:, 2:] - boxes[:, :2] + extent(convention) > 0).all(dim=1)


def detections(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    threshold: float,
    max_detections: int,
    convention: Convention,
    scale: float = 1.0,
) -> dict[str, Tensor]:
    """Candidates (M, 4), (M,), (M,) -> what is left of them after suppression by class, the `max_detections` best at
    most.

    scale: sides of the input, in pixels of which the boxes are and stay to the bit, over those of its image, in pixels
    of which mmdet1 suppresses; without meaning for mmdet3.
    """
    compared = in_original(boxes, scale) if extent(convention) else boxes
    with stage("suppression"):
        kept = suppress(compared, scores, labels, threshold, convention)[:max_detections]
    return {"boxes": boxes[kept], "scores": scores[kept], "labels": labels[kept]}
