"""Training targets of detectors: assignment of boxes to objects by overlap, sampling, encoding.

Girshick et al., CVPR 2014, appendix C (encoding); Ren et al., Faster R-CNN, NeurIPS 2015, section 3.1.2 (assignment,
sampling); Lin et al., RetinaNet, ICCV 2017, section 4. Boxes are (M, 4), x1 y1 x2 y2 in pixels, without the extra
pixel of mmdetection 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_area, box_iou

BACKGROUND, IGNORED = -1, -2


@dataclass(frozen=True, slots=True)
class Truth:
    """Ground truth of one image (h, w).

    boxes: (n, 4).
    labels: (n,) int64 from 0.
    masks: (n, h, w) float32, 0 or 1.
    crowds: (c, 4), regions in which nothing counts as background.
    seed: of all random choices for this image.
    """

    boxes: Tensor
    labels: Tensor
    masks: Tensor
    crowds: Tensor
    seed: int


def encode(boxes: Tensor, targets: Tensor, stds: Sequence[float] = (1, 1, 1, 1)) -> Tensor:
    """Deltas (M, 4), dx dy dw dh, that move boxes (M, 4) onto targets (M, 4): the inverse of `boxes.decode`."""
    sizes, wanted = boxes[:, 2:] - boxes[:, :2], targets[:, 2:] - targets[:, :2]
    shift = (targets[:, :2] + targets[:, 2:] - boxes[:, :2] - boxes[:, 2:]) / 2 / sizes
    return torch.cat([shift, torch.log(wanted / sizes)], dim=1) / boxes.new_tensor(stds)


def assign(boxes: Tensor, truth: Truth, low: float, high: float, min_overlap: float | None = None) -> Tensor:
    """The object that each box (M, 4) is assigned to: int64 (M,), else BACKGROUND or IGNORED.

    A box is assigned to the object that it overlaps most, if the IoU is at least `high`; below `low` it is background,
    in between ignored. Background of which half or more lies in a crowd is ignored too.

    min_overlap: each object also gets the boxes with its highest IoU, if that is at least this; None for no such boxes.
    """
    if len(truth.boxes):
        overlaps = box_iou(truth.boxes, boxes)  # (n, M)
        best, owner = overlaps.max(dim=0)
        result = torch.where(best >= high, owner, torch.where(best < low, BACKGROUND, IGNORED))
        if min_overlap is not None:
            most = overlaps.amax(dim=1, keepdim=True)
            objects, taken = torch.nonzero((overlaps == most) & (most >= min_overlap), as_tuple=True)
            result[taken] = objects
    else:
        result = torch.full((len(boxes),), BACKGROUND)
    if len(truth.crowds):
        result[(result == BACKGROUND) & (_inside(boxes, truth.crowds) >= 0.5)] = IGNORED
    return result


def _inside(boxes: Tensor, regions: Tensor) -> Tensor:
    """The largest share of each box (M, 4) that lies in one of the regions (c, 4): (M,)."""
    corner = torch.maximum(boxes[:, None, :2], regions[None, :, :2])
    other = torch.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    return ((other - corner).clamp(min=0).prod(dim=2) / box_area(boxes)[:, None].clamp(min=1e-6)).amax(dim=1)


def sample(assigned: Tensor, count: int, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Positions of boxes assigned to objects, at most share x count, and of background, up to count in all.

    Sampled without replacement, by a generator of the CPU.
    """
    (objects,) = torch.nonzero(assigned >= 0, as_tuple=True)
    (background,) = torch.nonzero(assigned == BACKGROUND, as_tuple=True)
    objects = objects[torch.randperm(len(objects), generator=generator)[: int(count * share)]]
    background = background[torch.randperm(len(background), generator=generator)[: count - len(objects)]]
    return objects, background
