"""Sizes, windows and pixels of a segmentation network's inputs, on any image."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrbench.tasks.segmentation import geometry
from hrbench.tasks.segmentation.protocols import HRNET, PLAIN, Inference

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDES = st.integers(1, 200)
SIZES = st.tuples(SIDES, SIDES)
PROTOCOLS = st.builds(
    Inference,
    size=st.sampled_from(["own", "squash", "short"]),
    base=st.integers(2, 160),
    windows=st.sampled_from(["none", "shifted", "cut"]),
    crop=st.tuples(st.integers(6, 90), st.integers(6, 90)),
    stride=st.sampled_from([1.0, 0.6667, 0.5]),
    multiple=st.sampled_from([1, 8, 32]),
)


@given(SIZES, st.floats(0.25, 2.5), PROTOCOLS)
def test_windows_cover_every_pixel_and_each_has_the_same_size(size, scale, protocol):
    plan = geometry.window_plan(size, scale, protocol)
    assert plan.counts().min() >= 1
    assert len(set(plan.corners)) == len(plan.corners)
    assert plan.whole[0] >= plan.scaled[0] and plan.whole[1] >= plan.scaled[1]
    for top, left in plan.corners:
        assert 0 <= top < plan.whole[0] and 0 <= left < plan.whole[1]
        if protocol.windows != "cut":
            assert top + plan.window[0] <= plan.whole[0] and left + plan.window[1] <= plan.whole[1]
    if protocol.windows != "cut":
        assert plan.window[0] % protocol.multiple == 0 or plan.window[0] == protocol.crop[0]


@given(st.tuples(st.integers(1, 60), st.integers(1, 60)), st.floats(0.5, 2), PROTOCOLS)
def test_inputs_put_together_are_the_scaled_image(size, scale, protocol):
    image = np.random.default_rng(0).standard_normal((*size, 3), dtype=np.float32)
    plan = geometry.window_plan(size, scale, protocol)
    canvas = np.full((plan.whole[0] + plan.window[0], plan.whole[1] + plan.window[1], 3), np.nan, np.float32)
    for (top, left), pixels in plan.inputs(image, (-2.0, -2.0, -2.0)):
        assert pixels.shape == (*plan.window, 3) and pixels.dtype == np.float32
        inside = canvas[top : top + plan.window[0], left : left + plan.window[1]]
        fresh = np.isnan(inside)
        inside[fresh] = pixels[fresh]
    width, height = plan.scaled[1], plan.scaled[0]
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(canvas[:height, :width], expected)
    fill = -2.0 if plan.black else 0.0
    assert np.all(canvas[height : plan.whole[0], : plan.whole[1]] == fill)
    assert np.all(canvas[: plan.whole[0], width : plan.whole[1]] == fill)


@given(SIZES, st.integers(1, 3000))
def test_the_side_that_is_meant_gets_its_length(size, length):
    long, short = geometry.long_side_to(size, length), geometry.short_side_to(size, length)
    assert max(long) == length or min(size) == max(size)
    assert min(short) == length
    for made in (long, short):
        assert (made[0] >= made[1]) == (size[0] >= size[1]) or made[0] == made[1] or abs(made[0] - made[1]) <= 1


def test_the_other_side_is_rounded():
    assert geometry.short_side_to((333, 500), 520) == (520, 781)  # 780.8
    assert geometry.short_side_to((500, 333), 520) == (781, 520)
    assert geometry.long_side_to((333, 500), 520) == (346, 520)  # 346.3
    assert geometry.long_side_to((500, 334), 520) == (520, 347)  # 347.4
    assert geometry.long_side_to((100, 9), 45) == (45, 4) and geometry.long_side_to((100, 10), 45) == (45, 5)


def test_windows_of_cityscapes_at_its_largest_scale():
    plan = geometry.window_plan((1024, 2048), 1.75, HRNET)
    assert plan.scaled == plan.whole == (1792, 3584) and plan.window == (1024, 2048)
    assert plan.corners == ((0, 0), (0, 1536), (768, 0), (768, 1536))


def test_windows_of_pascal_context():
    protocol = Inference(base=520, crop=(480, 480), windows="cut", stride=0.6667)
    assert geometry.window_plan((375, 500), 0.5, protocol).corners == ((0, 0),)
    plan = geometry.window_plan((375, 500), 2.0, protocol)
    assert plan.scaled == plan.whole == (780, 1040)
    assert plan.corners == tuple((top, left) for top in (0, 320) for left in (0, 320, 640))
    assert geometry.window_plan((333, 500), 1.0, protocol).whole == (480, 520)


@given(st.integers(3, 2000))
def test_two_thirds_are_rounded_down_as_officially(crop):
    official = int(crop * 2.0 / 3.0)
    for stride in (2 / 3, 0.666667):
        assert geometry.window_plan(
            (4 * crop, crop), 1.0, Inference(windows="cut", crop=(crop, crop), stride=stride)
        ).corners[1] == (official, 0)


def test_bytes_are_normalised_as_the_official_code_rounds_them():
    image = np.arange(256 * 3, dtype=np.uint8).reshape(16, 16, 3)
    pixels = image.astype(np.float32) / 255.0
    pixels -= MEAN
    pixels /= STD
    made = geometry.normalised(image, geometry.value_table(MEAN, STD))
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, pixels)


def test_squash_and_short_side():
    image = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)
    squashed = geometry.sized(image, Inference(size="squash", crop=(30, 20)), MEAN)
    np.testing.assert_array_equal(squashed, cv2.resize(image, (20, 30), interpolation=cv2.INTER_LINEAR))
    short = geometry.sized(image, Inference(size="short", base=50), MEAN)
    assert short.shape == (56, 88, 3)  # 50 x 88, padded to multiples of 8
    assert np.all(short[50:] == [124, 116, 104])
    assert geometry.sized(image, PLAIN, MEAN) is image


@pytest.mark.parametrize("multiple", [1, 7, 32])
def test_multiples(multiple):
    height, width = geometry.up_to_multiple((33, 64), multiple)
    assert height == math.ceil(33 / multiple) * multiple and width == math.ceil(64 / multiple) * multiple
