"""Boxes in both conventions, against closed forms."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from hrbench.errors import UsageError
from hrbench.models.detectors.boxes import RATIO, clip, decode, decode_distances, detections, extent, positive, suppress

pytestmark = pytest.mark.numeric

BOTH: Any = ("mmdet3", "mmdet1")
LARGE = (10_000, 10_000)
UNIT = (1.0, 1.0, 1.0, 1.0)


def tensor(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("convention", BOTH)
def test_no_delta_leaves_a_box_where_it_is(convention: Any) -> None:
    boxes = tensor([10, 20, 40, 90], [0, 0, 7, 3])
    torch.testing.assert_close(decode(boxes, torch.zeros(2, 4), UNIT, LARGE, convention)[:, 0], boxes)


def test_a_width_of_mmdet_1_counts_both_end_pixels() -> None:
    box, delta = tensor([100, 100, 109, 109]), tensor([0.5, 0, math.log(2), 0])
    # 9 wide, centre 104.5: moved by 4.5 to 109, 18 wide
    torch.testing.assert_close(decode(box, delta, UNIT, LARGE, "mmdet3")[0], tensor([100, 100, 118, 109]))
    # 10 wide, centre 104.5: moved by 5 to 109.5, 20 pixels from 100 to 119
    torch.testing.assert_close(decode(box, delta, UNIT, LARGE, "mmdet1")[0], tensor([100, 100, 119, 109]))


@pytest.mark.parametrize("convention", BOTH)
@pytest.mark.parametrize("sign", [1, -1])
def test_deltas_of_size_are_held_on_both_sides(convention: Any, sign: int) -> None:
    box = tensor([5000, 5000, 5063, 5063])
    beyond = decode(box, tensor([0, 0, sign * 50, sign * 50]), UNIT, LARGE, convention)
    at = decode(box, tensor([0, 0, sign * RATIO, sign * RATIO]), UNIT, LARGE, convention)
    torch.testing.assert_close(beyond, at)
    width = float(beyond[0, 0, 2] - beyond[0, 0, 0]) + extent(convention)
    assert width == pytest.approx((63 + extent(convention)) * 62.5**sign)


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.sampled_from(BOTH))
def test_stds_multiply_deltas(delta: list[float], convention: Any) -> None:
    box, stds = tensor([300, 400, 500, 450]), (0.1, 0.1, 0.2, 0.2)
    scaled = tensor([value * std for value, std in zip(delta, stds, strict=True)])
    ours = decode(box, tensor(delta), stds, LARGE, convention)
    torch.testing.assert_close(ours, decode(box, scaled, UNIT, LARGE, convention))


def test_one_box_for_each_class() -> None:
    deltas = torch.arange(24, dtype=torch.float64).reshape(2, 12) / 10
    boxes = tensor([10, 20, 40, 90], [0, 0, 7, 3])
    every = decode(boxes, deltas, UNIT, LARGE, "mmdet3")
    assert every.shape == (2, 3, 4)
    torch.testing.assert_close(every[:, 1], decode(boxes, deltas[:, 4:8], UNIT, LARGE, "mmdet3")[:, 0])


@pytest.mark.parametrize(("convention", "last"), [("mmdet3", [60, 40]), ("mmdet1", [59, 39])])
def test_boxes_end_in_the_image(convention: Any, last: list[float]) -> None:
    assert clip(tensor([-5, -5, 100, 100]), (40, 60), convention).tolist() == [[0, 0, *last]]
    points, distances = tensor([50, 20]), tensor([60, 5, 70, 6])
    assert decode_distances(points, distances, (40, 60), convention).tolist() == [[0, 15, last[0], 26]]


def test_the_extra_pixel_decides_what_is_suppressed() -> None:
    boxes = tensor([0, 0, 9, 9], [0, 5, 9, 14])
    # intersection over union: 9 x 4 of 126 without the pixel, 10 x 5 of 150 with it
    scores, one = torch.tensor([0.9, 0.8], dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
    threshold = (36 / 126 + 50 / 150) / 2
    assert suppress(boxes, scores, one, threshold, "mmdet3").tolist() == [0, 1]
    assert suppress(boxes, scores, one, threshold, "mmdet1").tolist() == [0]


@pytest.mark.parametrize(
    ("convention", "scale", "kept"),
    [("mmdet1", 1.0, 2), ("mmdet1", 2.0, 1), ("mmdet1", 0.5, 2), ("mmdet3", 1.0, 2), ("mmdet3", 2.0, 2)],
)
def test_the_extra_pixel_is_one_of_the_original_image(convention: Any, scale: float, kept: int) -> None:
    boxes = tensor([0, 0, 18, 18], [0, 10, 18, 28])
    # 19 x 9 of 551 in these pixels (0.310); at half the size 10 x 5 of 150 (0.333); 18 x 8 of 504 without the pixel
    scores, labels = torch.tensor([0.9, 0.8], dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
    found = detections(boxes, scores, labels, 0.32, 100, convention, scale)
    assert torch.equal(found["boxes"], boxes[:kept])


@given(st.floats(0.05, 30), st.integers(0, 2**32))
def test_boxes_come_back_to_the_bit_whatever_the_scale(scale: float, seed: int) -> None:
    corners = torch.rand(20, 2, generator=torch.Generator().manual_seed(seed)) * 1000
    boxes = torch.cat([corners, corners + 5], dim=1)
    found = detections(boxes, torch.linspace(1, 0.1, 20), torch.arange(20), 0.5, 100, "mmdet1", scale)
    assert torch.equal(found["boxes"], boxes)


@pytest.mark.parametrize("convention", BOTH)
def test_only_boxes_of_one_class_suppress_one_another(convention: Any) -> None:
    boxes = tensor([0, 0, 50, 50], [0, 0, 50, 51], [1, 0, 50, 50])
    scores, labels = torch.tensor([0.5, 0.6, 0.9], dtype=torch.float64), torch.tensor([3, 3, 7])
    found = detections(boxes, scores, labels, 0.5, 100, convention)
    assert found["labels"].tolist() == [7, 3] and found["scores"].tolist() == [0.9, 0.6]
    assert len(detections(boxes, scores, labels, 0.5, 1, convention)["boxes"]) == 1


def test_an_empty_box_has_a_pixel_under_mmdet_1_alone() -> None:
    boxes = tensor([5, 5, 5, 9], [5, 5, 6, 9])
    assert positive(boxes, "mmdet3").tolist() == [False, True]
    assert positive(boxes, "mmdet1").tolist() == [True, True]


def test_an_unknown_convention_names_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"'mmdet2'.*mmdet3, mmdet1"):
        extent("mmdet2")


@pytest.mark.parametrize("convention", BOTH)
def test_no_boxes_decode_to_no_boxes(convention: Any) -> None:
    none = decode(torch.empty(0, 4), torch.empty(0, 320), (0.1, 0.1, 0.2, 0.2), (64, 64), convention)
    assert none.shape == (0, 80, 4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_boxes_of_half_precision_keep_fractions_of_a_pixel(dtype: torch.dtype) -> None:
    anchors = torch.tensor([[1200.5, 700.25, 1300.75, 790.5]])
    moved = decode(anchors, torch.zeros(1, 4, dtype=dtype), (1, 1, 1, 1), (800, 1344), "mmdet3")
    assert moved.dtype == torch.float32
    torch.testing.assert_close(moved[:, 0], anchors)
