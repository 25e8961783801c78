"""Regions in both conventions, against plain loops and closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hrbench.models.detectors.roi import level_of, region_features

pytestmark = pytest.mark.numeric

BOTH: Any = ("mmdet3", "mmdet1")


def tensor(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_levels_change_at_112_224_448() -> None:
    sides = torch.tensor([1.0, 111, 112, 223, 224, 447, 448, 5000], dtype=torch.float64)
    boxes = torch.stack([0 * sides, 0 * sides, sides, sides], dim=1)
    assert level_of(boxes, 4, "mmdet3").tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert level_of(boxes, 4, "mmdet1").tolist() == [0, 1, 1, 2, 2, 3, 3, 3]
    assert level_of(boxes, 2, "mmdet3").tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert level_of(boxes / 4, 4, "mmdet3", 14).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def bilinear(plane: np.ndarray, y: float, x: float) -> float:
    """What all RoIAligns read at a point: 0 beyond one cell outside, the border repeated within."""
    height, width = plane.shape
    if y < -1 or x < -1 or y > height or x > width:
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    upper = plane[top, left] * (1 - dx) + plane[top, right] * dx
    return upper * (1 - dy) + (plane[bottom, left] * (1 - dx) + plane[bottom, right] * dx) * dy


def align(plane: np.ndarray, box: list[float], stride: int, output: int, convention: str) -> np.ndarray:
    """RoIAlign of one box by its definition, one sample after the other."""
    x1, y1, x2, y2 = (value / stride for value in box)
    if convention == "mmdet1":
        x2, y2 = max(x2 + 1 / stride, x1), max(y2 + 1 / stride, y1)
    else:
        x1, y1, x2, y2 = x1 - 0.5, y1 - 0.5, x2 - 0.5, y2 - 0.5
    bin_w, bin_h = (x2 - x1) / output, (y2 - y1) / output
    across, down = (2, 2) if convention == "mmdet1" else (math.ceil(bin_w), math.ceil(bin_h))
    result = np.zeros((output, output))
    for i, j in np.ndindex(output, output):
        samples = [
            bilinear(plane, y1 + (i + (a + 0.5) / down) * bin_h, x1 + (j + (b + 0.5) / across) * bin_w)
            for a, b in np.ndindex(down, across)
        ]
        result[i, j] = np.mean(samples)
    return result


@pytest.mark.parametrize("convention", BOTH)
@pytest.mark.parametrize(
    "box", [[8, 12, 50, 70], [0, 0, 3, 2], [30.3, 11.7, 31.1, 60], [-20, -9, 200, 40], [63, 47, 63.5, 47.5]]
)
def test_regions_follow_the_definition(convention: Any, box: list[float]) -> None:
    generator = torch.Generator().manual_seed(1)
    feature = torch.randn(2, 1, 12, 16, generator=generator, dtype=torch.float64)
    ours = region_features([feature], [4], [tensor(box), torch.zeros(0, 4, dtype=torch.float64)], 3, convention)
    expected = align(feature[0, 0].numpy(), box, 4, 3, convention)
    np.testing.assert_allclose(ours[0, 0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("convention", BOTH)
def test_each_box_reads_its_image_and_its_level(convention: Any) -> None:
    features = [torch.full((2, 1, 200 // s, 200 // s), 1.0) * 10**i for i, s in enumerate((4, 8))]
    for feature in features:
        feature[1] *= -1
    boxes = [torch.tensor([[0.0, 0, 150, 150], [20.0, 20, 60, 60]]), torch.tensor([[10.0, 10, 50, 50]])]
    regions = region_features(features, (4, 8), boxes, 7, convention)
    assert regions.shape == (3, 1, 7, 7)
    assert [float(value) for value in regions[:, 0, 3, 3]] == [10, 1, -1]


@pytest.mark.parametrize("convention", BOTH)
def test_no_boxes_have_no_regions(convention: Any) -> None:
    assert region_features([torch.ones(1, 5, 4, 4)], [4], [torch.zeros(0, 4)], 7, convention).shape == (0, 5, 7, 7)
