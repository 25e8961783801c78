"""Anchors and points, against closed forms and the anchors that mmdetection 1 printed for stride 4."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hrbench.models.detectors.anchors import cell_anchors, grid_anchors, grid_points

pytestmark = pytest.mark.numeric

BOTH: Any = ("mmdet3", "mmdet1")


@pytest.mark.parametrize("stride", [4, 8, 16, 32, 64])
def test_anchors_have_their_area_and_ratio(stride: int) -> None:
    anchors = cell_anchors(stride, "mmdet3")
    width, height = (anchors[:, 2:] - anchors[:, :2]).T
    torch.testing.assert_close(width * height, torch.full((3,), float(8 * stride) ** 2))
    torch.testing.assert_close(height / width, torch.tensor([0.5, 1.0, 2.0]))
    torch.testing.assert_close(anchors[:, :2] + anchors[:, 2:], torch.zeros(3, 2))


def test_anchors_of_mmdet_1_are_whole_pixels_about_the_middle_of_a_cell() -> None:
    # stride 4, side 32: 45.25 x 22.63, 32 x 32, 22.63 x 45.25 about 1.5, both ends counted, then rounded
    expected = [[-21.0, -9.0, 24.0, 12.0], [-14.0, -14.0, 17.0, 17.0], [-9.0, -21.0, 12.0, 24.0]]
    assert cell_anchors(4, "mmdet1").tolist() == expected


@pytest.mark.parametrize("convention", BOTH)
def test_scales_lie_innermost(convention: Any) -> None:
    anchors = cell_anchors(16, convention, scales=(8, 16), ratios=(1, 4))
    sides = (anchors[:, 2:] - anchors[:, :2]) + (convention == "mmdet1")
    assert sides.tolist() == [[128, 128], [256, 256], [64, 256], [128, 512]]


def test_a_grid_goes_row_by_row_anchors_innermost() -> None:
    cell = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 2.0, 2.0]])
    grid = grid_anchors(cell, (2, 3), 10)
    assert grid.shape == (12, 4)
    assert grid[2 * (1 * 3 + 2) + 1].tolist() == [20, 10, 22, 12]
    assert grid[:2].tolist() == cell.tolist()


def test_points_are_x_then_y() -> None:
    points = grid_points((2, 3), 8, 0.5, torch.zeros(1, dtype=torch.float64))
    assert points.dtype == torch.float64
    assert points.tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]
