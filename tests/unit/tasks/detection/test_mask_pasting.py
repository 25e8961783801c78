"""Masks on images: closed forms, plain loops, run lengths."""

from __future__ import annotations

from typing import Any, get_args

import cv2
import numpy as np
import pytest
from both_ways import take
from pycocotools import mask as coco_mask

from hrbench.tasks.detection.mask_pasting import Paste, pasted, scaled

pytestmark = pytest.mark.numeric

WAYS = get_args(Paste)


@pytest.fixture(params=["compiled", "numpy"], autouse=True)
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return take(request.param, monkeypatch)


def drawn(runs: dict[str, Any]) -> np.ndarray:
    """Compressed run lengths -> boolean (H, W): the numbers in base 32, each the difference to the last but one."""
    numbers: list[int] = []
    text, at = runs["counts"].encode(), 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            digit = text[at] - 48
            value |= (digit & 31) << shift
            more, at, shift = bool(digit & 32), at + 1, shift + 5
        if digit & 16:
            value |= -1 << shift
        numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
    height, width = runs["size"]
    return np.repeat(np.arange(len(numbers)) % 2 == 1, numbers).reshape(width, height).T


def one(crop: np.ndarray, box: list[float], size: tuple[int, int], paste: Any) -> np.ndarray:
    (runs,) = pasted(crop[None], np.array([box], np.float32), size, paste)
    assert runs["size"] == [size[1], size[0]] and isinstance(runs["counts"], str)
    assert drawn(runs).sum() == coco_mask.area(runs)
    return drawn(runs)


def test_a_full_mask_fills_its_box() -> None:
    full = np.ones((28, 28))
    sampled = one(full, [10, 20, 38, 48], (70, 60), "mmdet")
    assert sampled.sum() == 28 * 28 and sampled[20:48, 10:38].all()
    # from pixel 10 to pixel 38, both in the box
    whole = one(full, [10.9, 20, 38.9, 48], (70, 60), "mmdet1")
    assert whole.sum() == 29 * 29 and whole[20:49, 10:39].all()
    # grown by a pixel and cut: from 9 to 39; what is resized from the border of zeros is below one half
    for way in ("tf", "torchvision"):
        bordered = one(full, [10, 20, 38, 48], (70, 60), way)
        ys, xs = np.nonzero(bordered)
        assert (xs.min(), xs.max(), ys.min(), ys.max()) == (10, 38, 20, 48) and bordered[20:49, 10:39].all()


@pytest.mark.parametrize("way", WAYS)
def test_half_a_mask_fills_half_a_box(way: Any) -> None:
    half = np.zeros((28, 28))
    half[:, :14] = 1
    found = one(half, [0, 0, 56 - (way == "mmdet1"), 56 - (way == "mmdet1")], (60, 56), way)
    assert found[2:-2, 2:27].all() and not found[:, 29:].any()


def test_half_is_in_the_mask_of_mmdetection_3_alone() -> None:
    even = np.full((28, 28), 0.5)
    counts = {way: int(one(even, [2, 2, 30, 30], (40, 40), way).sum()) for way in WAYS}
    assert counts["mmdet"] > 26 * 26 and counts["mmdet1"] == counts["tf"] == counts["torchvision"] == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("box", [[10, 10, 10, 30], [0, 0, 70, 60], [69, 59, 70, 60], [-9, -9, 80, 70], [3, 3, 3, 3]])
def test_boxes_at_the_edge_and_without_a_width_are_pasted(way: Any, box: list[float]) -> None:
    assert one(np.ones((28, 28)), box, (70, 60), way).shape == (60, 70)


def bordered_by_hand(mask: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`paste_instance_masks` of tensorflow/models pixel by pixel; corners in the order y1, x1, y2, x2."""
    padded = np.pad(mask.astype(np.float32), 1)
    grow = len(padded) / len(mask)
    y, x = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    h, w = (box[2] - box[0]) / 2 * grow, (box[3] - box[1]) / 2 * grow
    top, left, bottom, right = (int(value) for value in (y - h, x - w, y + h, x + w))
    resized = cv2.resize(padded, (max(right - left + 1, 1), max(bottom - top + 1, 1))) > 0.5
    result = np.zeros(size[::-1], bool)
    for i in range(max(top, 0), min(bottom + 1, size[1])):
        for j in range(max(left, 0), min(right + 1, size[0])):
            result[i, j] = resized[i - top, j - left]
    return result


def test_bordered_masks_pixel_by_pixel() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask, corners = rng.uniform(0, 1, (28, 28)).astype(np.float32), rng.uniform(-3, 60, 4)
        x1, x2, y1, y2 = *sorted(corners[:2]), *sorted(corners[2:])
        ours = one(mask, [x1, y1, x2, y2], (57, 55), "tf")
        np.testing.assert_array_equal(ours, bordered_by_hand(mask, np.array([y1, x1, y2, x2]), (57, 55)))


def whole_by_hand(mask: np.ndarray, box: list[int], size: tuple[int, int]) -> np.ndarray:
    """Bilinear, half pixels aligned, the border repeated; at corners of whole pixels, both ends in the box."""
    left, top, right, bottom = box
    result = np.zeros(size[::-1], bool)
    height, width = bottom - top + 1, right - left + 1
    for i in range(height):
        for j in range(width):
            y = np.clip((i + 0.5) * len(mask) / height - 0.5, 0, len(mask) - 1)
            x = np.clip((j + 0.5) * len(mask) / width - 0.5, 0, len(mask) - 1)
            y0, x0 = min(int(y), len(mask) - 2), min(int(x), len(mask) - 2)
            part = mask[y0 : y0 + 2, x0 : x0 + 2]
            value = np.array([1 - (y - y0), y - y0]) @ part @ np.array([1 - (x - x0), x - x0])
            if 0 <= top + i < size[1] and 0 <= left + j < size[0]:
                result[top + i, left + j] = value > 0.5
    return result


def test_masks_of_mmdetection_1_pixel_by_pixel() -> None:
    mask = np.random.default_rng(1).uniform(0, 1, (28, 28))
    for box in ([3.9, 5.2, 40.99, 44.0], [0, 0, 10.5, 54.9], [50, 40, 69, 59]):
        ours = one(mask, box, (70, 60), "mmdet1")
        expected = whole_by_hand(mask, [int(v) for v in box], (70, 60))
        assert np.count_nonzero(ours != expected) <= 1  # float32 there, where a value comes to one half


@pytest.mark.parametrize("way", WAYS)
def test_codes_are_those_of_the_codec_for_the_whole_image(way: Any) -> None:
    """Boxes of all sizes, many of which reach over the border or lie beside the image."""
    rng = np.random.default_rng(2)
    crops = rng.uniform(0, 1, (300, 28, 28))
    corners = np.sort(rng.uniform(-30, 90, (300, 2, 2)), axis=1).reshape(300, 4)
    corners[:20, 2:] = corners[:20, :2]  # without a width
    codes = pasted(crops, corners.astype(np.float32), (60, 50), way)
    for each in codes:
        whole = np.asfortranarray(drawn(each).astype(np.uint8))
        assert each == {"size": [50, 60], "counts": coco_mask.encode(whole)["counts"].decode()}
    assert len({each["counts"] for each in codes}) > 150 and pasted(crops[:0], corners[:0], (60, 50), way) == []


def test_whole_masks_are_taken_as_they_are_or_scaled() -> None:
    mask = np.zeros((1, 20, 30), bool)
    mask[0, 5:15, 10:20] = True
    packed = np.packbits(mask.reshape(1, -1), 1)
    np.testing.assert_array_equal(drawn(scaled(packed, (20, 30), (30, 20))[0]), mask[0])
    larger = drawn(scaled(packed, (20, 30), (60, 40))[0])
    assert larger.shape == (40, 60) and larger[11:29, 21:39].all() and larger.sum() == pytest.approx(400, abs=40)
    (empty,) = scaled(np.zeros_like(packed), (20, 30), (60, 40))
    assert not drawn(empty).any()
