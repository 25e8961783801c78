"""A face's crop, and landmarks of its heatmaps, as HRNet's landmark code computes them.

Source: lib/utils/transforms.py and lib/core/evaluation.py of https://github.com/HRNet/HRNet-Facial-Landmark-Detection.
Its coordinates begin at 1 in crops and heatmaps, are truncated to whole pixels on the way back, and its crops pass
through `scipy.misc.imresize` of SciPy 1.1 twice or once: Pillow's bilinear resize of an image whose darkest number was
stretched to 0 and whose brightest to 255. All of this is kept, since predictions follow from it.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

PADDING = 1.25
"""How much larger than the face's square the cropped region is."""

PIXEL_STD = 200.0
"""Scales are sides over this."""


def to_crop(centre: np.ndarray, scale: float, side: int) -> np.ndarray:
    """The 3 x 3 float64 matrix from image pixels to a crop of `side` x `side`, both counted from 0.

    centre: (2,) float32, px.
    scale: padded, over 200 px.
    """
    height = PIXEL_STD * scale
    matrix = np.eye(3)
    matrix[0, 0] = matrix[1, 1] = side / height
    matrix[0, 2] = side * (-float(centre[0]) / height + 0.5)
    matrix[1, 2] = side * (-float(centre[1]) / height + 0.5)
    return matrix


def to_image(points: np.ndarray, centre: np.ndarray, scale: float, side: int) -> np.ndarray:
    """(n, 2) int64 whole image pixels of points (n, 2) of a crop, both counted from 1; truncated towards 0 before 1."""
    inverse = np.linalg.inv(to_crop(centre, scale, side))
    # point by point: a product of many rounds otherwise, and a whole number would become the one below
    found = [np.dot(inverse, np.array([x - 1, y - 1, 1.0]))[:2].astype(np.int64) for x, y in points.tolist()]
    return np.array(found, np.int64).reshape(-1, 2) + 1


def crop(image: np.ndarray, centre: np.ndarray, scale: float, side: int) -> np.ndarray:
    """uint8 (side, side, 3) of an image uint8 (H, W, 3), black beyond the border. centre, scale: as in `to_crop`."""
    shrink = scale * PIXEL_STD / side
    where = np.array(centre, np.float32)
    if shrink >= 2:
        height, width = (math.floor(length / shrink) for length in image.shape[:2])
        if math.floor(max(image.shape[:2]) / shrink) < 2 or not height or not width:
            return np.zeros((side, side, 3), np.uint8)
        image = resized(image, (height, width))
        where = (where / np.float32(shrink)).astype(np.float32)
        scale = scale / shrink
    (left, top), (right, bottom) = to_image(np.array([[0.0, 0.0], [side, side]]), where, scale, side).tolist()
    if bottom <= top or right <= left:
        return np.zeros((side, side, 3), np.uint8)
    region = np.zeros((bottom - top, right - left, 3), np.uint8)
    rows, columns = image.shape[:2]
    x1, x2, y1, y2 = max(0, left), min(columns, right), max(0, top), min(rows, bottom)
    if x1 < x2 and y1 < y2:
        region[y1 - top : y2 - top, x1 - left : x2 - left] = image[y1:y2, x1:x2]
    return resized(region, (side, side))


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (h, w, 3): contrast stretched to 0..255, then Pillow's bilinear resize to `size` (height, width)."""
    low, high = int(image.min()), int(image.max())
    stretched = (image.astype(np.float32) - np.float32(low)) * np.float32(255.0 / ((high - low) or 1))
    whole = (np.clip(stretched, 0, 255) + np.float32(0.5)).astype(np.uint8)
    return np.array(Image.fromarray(whole).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def decode(heatmaps: np.ndarray, centre: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (L, 2) float32 in image pixels, whole numbers, and their heatmaps' maxima (L,) float32.

    heatmaps: (L, h, h) float32. The first maximum in row-major order moves a quarter towards its higher neighbours, but
    on the border, and by a half pixel; a heatmap without a positive number has it at 0.
    """
    many, side = heatmaps.shape[0], heatmaps.shape[2]
    flat = heatmaps.reshape(many, -1)
    best = flat.argmax(axis=1)
    value = flat[np.arange(many), best]
    x, y = best % side, best // side  # from 0
    points = np.stack([x + 1, y + 1], axis=1).astype(np.float32)
    points[~(value > 0)] = 0
    px, py = points[:, 0].astype(np.int64), points[:, 1].astype(np.int64)
    inner = (px > 1) & (px < side) & (py > 1) & (py < heatmaps.shape[1])
    at = np.flatnonzero(inner)
    across = heatmaps[at, py[at] - 1, px[at]] - heatmaps[at, py[at] - 1, px[at] - 2]
    down = heatmaps[at, py[at], px[at] - 1] - heatmaps[at, py[at] - 2, px[at] - 1]
    points[at] += np.sign(np.stack([across, down], axis=1)).astype(np.float32) * np.float32(0.25)
    points += np.float32(0.5)
    return to_image(points, centre, scale, side).astype(np.float32), value
