"""Where dense heads look: anchors around, or points in, the cells of a feature map, in mmdetection's conventions.

    convention    centre of an anchor in cell (i, j)    corners
    mmdet3        (j, i) x stride                       as they are
    mmdet1        (j, i) x stride + (stride - 1) / 2    rounded to whole pixels, x2 and y2 belong to the box

Everything is laid out row by row, the anchors of a cell innermost.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hrbench.models.detectors.boxes import Convention, extent


def cell_anchors(
    stride: int, convention: Convention, scales: Sequence[float] = (8.0,), ratios: Sequence[float] = (0.5, 1.0, 2.0)
) -> Tensor:
    """Anchors of the cell (0, 0): (len(ratios) x len(scales), 4), x1 y1 x2 y2 in pixels, scales innermost.

    An anchor has the area (scale x stride)^2 and height / width = ratio. Computed in float32 as mmdetection does it,
    so that its roundings are the same.
    """
    one = extent(convention)
    tall = torch.tensor(ratios, dtype=torch.float32).sqrt()[:, None]
    scale = torch.tensor(scales, dtype=torch.float32)[None]
    widths = (stride * (1 / tall) * scale).reshape(-1)
    heights = (stride * tall * scale).reshape(-1)
    centre = 0.5 * (stride - 1) * one
    half = 0.5 * (torch.stack([widths, heights], dim=1) - one)
    corners = torch.cat([centre - half, centre + half], dim=1)
    return corners.round() if one else corners


def grid_anchors(cell: Tensor, size: Sequence[int], stride: int) -> Tensor:
    """Anchors of a cell (A, 4) repeated over a map of `size` (h, w) -> (h x w x A, 4), in the dtype of `cell`."""
    corner = grid_points(size, stride, 0.0, cell)
    return (torch.cat([corner, corner], dim=1)[:, None] + cell).reshape(-1, 4)


def grid_points(size: Sequence[int], stride: int, offset: float, like: Tensor) -> Tensor:
    """Points (x, y) = ((j + offset), (i + offset)) x stride of a map of `size` (h, w): (h x w, 2), as `like` is."""
    ys, xs = ((torch.arange(n, dtype=like.dtype, device=like.device) + offset) * stride for n in size)
    grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=-1).reshape(-1, 2)
