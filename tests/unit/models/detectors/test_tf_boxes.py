"""Boxes of the official TensorFlow detectors against plain NumPy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tf_reference
import torch

from hrbench.errors import UsageError
from hrbench.models.detectors.tf_boxes import Anchors, crop, decode, select, square_batches

pytestmark = pytest.mark.numeric

STRIDES = (8, 16, 32, 64, 128)
ALL = (1.0, 1.0, 1.0, 1.0)


def swap(boxes: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(boxes[..., [1, 0, 3, 2]]))


def random_boxes(random: np.random.Generator, shape: tuple[int, ...], side: float) -> np.ndarray:
    ends = random.uniform(0, side, (*shape, 2, 2))
    return np.concatenate([ends.min(axis=-2), ends.max(axis=-2)], axis=-1)


@pytest.mark.parametrize("columns", [1, 6])
@pytest.mark.parametrize("seed", range(4))
def test_select_is_the_official_one(seed: int, columns: int) -> None:
    random = np.random.default_rng(seed)
    boxes = random_boxes(random, (150, columns), 30.0)
    boxes[::17] = 0
    scores = random.uniform(0, 1, (150, 6)) ** 3
    for threshold, max_candidates, max_kept in ((0.05, 5000, 100), (0.2, 40, 7), (0.05, 10, 100)):
        expected = tf_reference.select(boxes, scores, threshold, max_candidates, max_kept)
        found = select(swap(boxes), torch.from_numpy(scores), threshold, max_candidates, max_kept)
        torch.testing.assert_close(found[0], swap(expected[0]), rtol=0, atol=0)
        assert found[1].tolist() == expected[1].tolist()
        assert found[2].tolist() == expected[2].tolist()


@pytest.mark.parametrize("seed", range(4))
def test_select_breaks_ties_as_the_official_one(seed: int) -> None:
    """Whole coordinates and few scores: many equal scores, many overlaps of exactly a half."""
    random = np.random.default_rng(seed)
    corner, side = random.integers(0, 5, (120, 1, 2)), random.integers(1, 4, (120, 1, 2))
    boxes = np.concatenate([corner, corner + side], axis=-1).astype(float)
    scores = random.integers(0, 6, (120, 4)) / 6
    halves = [tf_reference.overlap(a[0], b[0]) == 0.5 for a in boxes for b in boxes]
    assert sum(halves) > 100
    expected = tf_reference.select(boxes, scores, 0.05, 5000, 20)
    found = select(swap(boxes), torch.from_numpy(scores), max_kept=20)
    assert [each.tolist() for each in found] == [swap(expected[0]).tolist(), expected[1].tolist(), expected[2].tolist()]


def test_select_without_anything_above_the_threshold() -> None:
    boxes, scores, labels = select(torch.ones(3, 1, 4), torch.full((3, 2), 0.05))
    assert (boxes.shape, scores.shape, labels.shape, labels.dtype) == ((0, 4), (0,), (0,), torch.int64)


@pytest.mark.parametrize("size", [1, 7])
def test_crop_is_the_official_one(size: int) -> None:
    """Boxes of every level, of less than a cell, without area, and at every border."""
    random = np.random.default_rng(size)
    features = [random.standard_normal((2, 3, 1280 // stride, 1280 // stride)) for stride in STRIDES]
    boxes = random_boxes(random, (2, 12), 1280.0)
    boxes[:, 0] = [3.0, 5.0, 4.0, 5.5]
    boxes[:, 1] = [100.0, 40.0, 100.0, 40.0]
    boxes[:, 2] = [0.0, 0.0, 1280.0, 1280.0]
    boxes[:, 3] = [1276.0, 1277.0, 1280.0, 1280.0]
    boxes[:, 4] = [1280.0, 10.0, 1280.0, 500.0]
    boxes[:, 5] = [16.0, 16.0, 240.0, 240.0]  # of exactly 224 pixels a side
    expected = [tf_reference.crop([level[i] for level in features], 3, box, size) for i in range(2) for box in boxes[i]]
    found = crop([torch.from_numpy(each) for each in features], STRIDES, list(swap(boxes)), size)
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-9, atol=1e-9)


def test_crop_of_no_boxes() -> None:
    features = [torch.zeros(1, 3, 128 // stride, 128 // stride) for stride in STRIDES]
    assert crop(features, STRIDES, [torch.zeros(0, 4)], 7).shape == (0, 3, 7, 7)


@pytest.mark.parametrize(("size", "scales"), [(3.0, 1), (4.0, 3)])
def test_anchors_are_the_official_ones(size: float, scales: int) -> None:
    anchors = Anchors((8, 16), size, scales)
    assert (anchors.per_cell, anchors.levels) == (3 * scales, (3, 4))
    maps = [torch.zeros(1, 1, 4, 6, dtype=torch.float64), torch.zeros(1, 1, 2, 3, dtype=torch.float64)]
    for found, each, stride in zip(anchors.of(maps), maps, (8, 16), strict=True):
        expected = tf_reference.anchors(*each.shape[-2:], stride, size, scales)
        torch.testing.assert_close(found, swap(expected), rtol=1e-12, atol=1e-12)


def test_decoding_of_nothing_is_the_anchor_and_growth_is_limited() -> None:
    anchor = torch.tensor([[10.0, 20.0, 14.0, 28.0]], dtype=torch.float64)
    assert decode(torch.zeros(1, 1, 4, dtype=torch.float64), anchor)[0, 0].tolist() == anchor[0].tolist()
    x1, y1, x2, y2 = decode(torch.full((1, 1, 4), 50.0, dtype=torch.float64), anchor)[0, 0].tolist()
    assert (x2 - x1, y2 - y1) == (pytest.approx(4 * 62.5), pytest.approx(8 * 62.5))
    moved = decode(torch.tensor([[[1.0, 2.0, 0.0, 0.0]]], dtype=torch.float64), anchor, (10, 10, 5, 5))[0, 0]
    assert moved.tolist() == pytest.approx([10.8, 20.8, 14.8, 28.8])  # dy is 1/10 of 8, dx 2/10 of 4


def test_squares_fill_up_below_and_to_the_right() -> None:
    sizes = [(100, 60), (300, 10), (128, 128), (1, 257)]
    images = [torch.full((3, *size), i + 1.0) for i, size in enumerate(sizes)]
    batches = {batch.shape[-1]: (places, batch) for places, batch in square_batches(images)}
    assert {side: places for side, (places, _) in batches.items()} == {128: [0, 2], 384: [1, 3]}
    for places, batch in batches.values():
        for place, square in zip(places, batch, strict=True):
            height, width = sizes[place]
            assert torch.equal(square[:, :height, :width], images[place])
            assert square.count_nonzero() == math.prod((3, height, width))


@pytest.mark.parametrize("shape", [(3, 4), (1, 3, 4, 4), (1, 4, 4), (3, 0, 4)])
def test_squares_take_images_only(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="takes images"):
        next(square_batches([torch.zeros(shape)]))
