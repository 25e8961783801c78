"""Crops and decoding of faces, held to plain loops over what HRNet's landmark code says and to closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from hrbench.tasks.landmarks import geometry


def test_a_square_maps_to_the_crop_and_back() -> None:
    """Whole pixels where a heatmap pixel is as large as one of the image."""
    centre, scale = np.array([132.0, 96.0], np.float32), 64 / 200
    matrix = geometry.to_crop(centre, scale, 64)
    assert matrix[:2] == pytest.approx(np.array([[1, 0, 32 - 132], [0, 1, 32 - 96]]))
    found = geometry.to_image(np.array([[1.0, 1.0], [33.0, 33.5]]), centre, scale, 64)
    assert found.tolist() == [[101, 65], [133, 97]]  # counted from 1: pixels are truncated, then one is added


def test_places_left_of_the_image_are_truncated_towards_zero() -> None:
    found = geometry.to_image(np.array([[1.0, 1.0]]), np.array([31.5, 31.5], np.float32), 64 / 200, 64)
    assert found.tolist() == [[1, 1]]  # -0.5 becomes 0, not -1


def plain(image: np.ndarray, size: int) -> np.ndarray:
    """What SciPy 1.1's imresize does to a float32 image, number by number in its precision."""
    low, high = float(image.min()), float(image.max())
    scale = 255.0 / ((high - low) or 1.0)
    rows = [[[int(min(max(np.float32(v) - np.float32(low), 0) * np.float32(scale), 255) + 0.5) for v in pixel]
             for pixel in row] for row in image.tolist()]  # fmt: skip
    return np.asarray(Image.fromarray(np.array(rows, np.uint8)).resize((size, size), Image.Resampling.BILINEAR))


@pytest.mark.parametrize(("x", "y", "side"), [(40.0, 30.0, 32), (3.0, 5.0, 32), (60.0, 41.5, 50)])
def test_a_small_face_is_cut_out_stretched_and_enlarged(x: float, y: float, side: int) -> None:
    image = np.random.default_rng(0).integers(20, 200, (48, 64, 3), dtype=np.uint8)
    centre, scale = np.array([x, y], np.float32), side / 200
    found = geometry.crop(image, centre, scale, 64)
    ends = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    left, top, right, bottom = (math.trunc(v - side / 64) + 1 for v in ends)  # of -1 and of 63 in a crop of 64
    region = np.zeros((bottom - top, right - left, 3), np.float32)
    for row in range(top, bottom):
        for column in range(left, right):
            if 0 <= row < 48 and 0 <= column < 64:
                region[row - top, column - left] = image[row, column]
    assert np.array_equal(found, plain(region, 64))


def test_a_large_face_is_made_smaller_first() -> None:
    image = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    found = geometry.crop(image, np.array([200.0, 150.0], np.float32), 256 / 200, 64)
    assert found.shape == (64, 64, 3) and found.flags.writeable
    small = geometry.resized(image, (75, 100))  # a quarter
    again = geometry.crop(small, np.array([50.0, 37.5], np.float32), 64 / 200, 64)
    assert np.array_equal(found, again)


def test_a_face_beside_the_image_or_of_no_size_is_black() -> None:
    image = np.full((20, 20, 3), 200, np.uint8)
    assert not geometry.crop(image, np.array([500.0, 500.0], np.float32), 0.1, 32).any()
    assert geometry.crop(image, np.array([10.0, 10.0], np.float32), 1e-4, 32).shape == (32, 32, 3)
    assert not geometry.crop(image, np.array([10.0, 10.0], np.float32), 1e6, 32).any()


def decoded(heatmap: np.ndarray) -> list[float]:
    """A maximum counted from 1, with its quarter and its half, by the official code's own indices."""
    side = len(heatmap)
    best = int(heatmap.argmax())
    if heatmap.max() <= 0:
        return [0.5, 0.5]
    x, y = best % side + 1, best // side + 1
    point = [float(x), float(y)]
    if 1 < x < side and 1 < y < side:
        point[0] += 0.25 * np.sign(heatmap[y - 1, x] - heatmap[y - 1, x - 2])
        point[1] += 0.25 * np.sign(heatmap[y, x - 1] - heatmap[y - 2, x - 1])
    return [point[0] + 0.5, point[1] + 0.5]


def test_landmarks_are_decoded_as_officially() -> None:
    """Inside, on each border, in corners, with ties, and without a positive number."""
    rng = np.random.default_rng(3)
    heatmaps = rng.integers(0, 5, (200, 16, 16)).astype(np.float32)
    for number, place in enumerate([(0, 0), (0, 15), (15, 0), (15, 15), (7, 0), (0, 7), (15, 7), (7, 15), (14, 14)]):
        heatmaps[number][place] = 9
    heatmaps[20] = -1
    centre, scale = np.array([321.5, 210.0], np.float32), 0.77
    points, value = geometry.decode(heatmaps, centre, scale)
    expected = geometry.to_image(np.array([decoded(one) for one in heatmaps]), centre, scale, 16)
    assert points.tolist() == expected.tolist() and value.tolist() == heatmaps.max(axis=(1, 2)).tolist()
    assert points.dtype == np.float32


def test_a_landmark_comes_back_to_where_it_is_drawn() -> None:
    """A peak at each landmark, at the whole pixel of the heatmap where the official training draws it, which is 4 px of
    the image: what is found lies less than 2 px left of the landmark, and at most 3 px right of it.
    """
    centre, scale, side = np.array([300.0, 200.0], np.float32), 256 / 200, 64
    wanted = np.random.default_rng(4).uniform(190, 290, (30, 2))
    matrix = geometry.to_crop(centre, scale, side)
    heatmaps = np.zeros((30, side, side), np.float32)
    grid_y, grid_x = np.mgrid[:side, :side]
    for heatmap, (x, y) in zip(heatmaps, wanted, strict=True):
        u, v = np.trunc(matrix[:2] @ [x, y, 1])
        heatmap += np.exp(-((grid_x - u) ** 2 + (grid_y - v) ** 2) / (2 * 1.5**2)).astype(np.float32)
    found, _ = geometry.decode(heatmaps, centre, scale)
    assert (found - wanted).max() <= 3 and (found - wanted).min() > -2
