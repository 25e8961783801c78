"""Sizes of inputs by the rules of each code base, and boxes on their way back."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrbench.tasks.detection.geometry import Resize, Resizing, pasted_at, resized, resizing_of, to_original

SIDES = st.integers(1, 3000)


def of(size: tuple[int, int], resize: Any, target: tuple[int, int] = (640, 640)) -> tuple[int, int]:
    return resizing_of(size, resize, 800, 1333, target).input


@pytest.mark.parametrize(
    ("size", "mmdet", "torchvision", "tf"),
    [
        ((640, 480), (1067, 800), (1066, 800), (640, 480)),
        ((640, 427), (1199, 800), (1199, 800), (640, 427)),
        ((500, 375), (1067, 800), (1066, 800), (640, 480)),
        ((480, 640), (800, 1067), (800, 1066), (480, 640)),
        ((640, 200), (1333, 417), (1333, 416), (640, 200)),  # the long side decides
        ((1280, 1), (1333, 1), (1333, 1), (640, 1)),  # no side is lost, though tf rounds 0.5 to 0
        ((1000, 333), (1333, 444), (1333, 443), (640, 213)),
        ((256, 1), (1333, 5), (1333, 5), (640, 2)),  # 2.5 rounds to the even number
    ],
)
def test_sizes_of_inputs(size: Any, mmdet: Any, torchvision: Any, tf: Any) -> None:
    assert of(size, "mmdet") == of(size, "mmdet1") == mmdet
    assert of(size, "torchvision") == torchvision
    assert of(size, "tf") == tf
    assert of(size, "none") == size and of(size, "fixed", (300, 200)) == (300, 200)


def test_one_factor_or_one_for_each_side() -> None:
    at = resizing_of((640, 427), "mmdet1", 800, 1333, (0, 0))
    assert at.factor == 800 / 427 and at.input == (1199, 800)
    boxes = np.array([[0, 0, 1199, 800]], np.float32)
    np.testing.assert_allclose(to_original(boxes, at, "mmdet"), [[0, 0, 640, 427]], rtol=1e-6)
    np.testing.assert_allclose(to_original(boxes, at, "mmdet1"), [[0, 0, 1199 * 427 / 800, 427]], rtol=1e-6)


def test_masks_of_mmdetection_1_go_to_the_input_and_back() -> None:
    at = Resizing((640, 427), (1199, 800), 800 / 427)
    boxes = np.random.default_rng(0).uniform(0, 427, (10000, 4)).astype(np.float32)
    moved = pasted_at(boxes, at, "mmdet1")
    assert 0 < np.count_nonzero(moved != boxes) < boxes.size
    np.testing.assert_allclose(moved, boxes, rtol=3e-7)
    assert pasted_at(boxes, at, "mmdet") is boxes


@given(size=st.tuples(SIDES, SIDES), resize=st.sampled_from(get_args(Resize)))
def test_the_whole_input_is_the_whole_image(size: tuple[int, int], resize: Any) -> None:
    at = resizing_of(size, resize, 800, 1333, (512, 384))
    assert at.input[0] >= 1 and at.input[1] >= 1
    whole = np.array([[0, 0, *at.input]], np.float32)
    back = to_original(whole, at, resize)
    assert back.dtype == np.float32
    tolerance = {"rtol": 1e-6} if resize != "mmdet1" else {"atol": 0.5 / at.factor + 1e-3}
    np.testing.assert_allclose(back, [[0, 0, *size]], **({"rtol": 0, "atol": 0} | tolerance))


def test_an_image_of_the_right_size_is_not_copied() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    assert resized(image, (6, 4)) is image and resized(image, (3, 2)).shape == (2, 3, 3)
