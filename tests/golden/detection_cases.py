"""Images, boxes and masks that the records of detection protocols are made with; only NumPy is needed."""

from __future__ import annotations

import fill
import numpy as np

SIZES = [(640, 427), (427, 640), (333, 500), (61, 160), (1500, 41)]
"""(width, height) of the images."""

COUNT, SIDE = 12, 28


def image(size: tuple[int, int]) -> np.ndarray:
    """A photograph of noise in blocks, uint8 (H, W, 3)."""
    width, height = size
    rng = np.random.default_rng([width, height])
    coarse = rng.integers(0, 256, (-(-height // 3), -(-width // 3), 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(3, axis=0).repeat(3, axis=1)[:height, :width])


def boxes(size: tuple[int, int], within: tuple[int, int]) -> np.ndarray:
    """COUNT boxes x1, y1, x2, y2, float32, within a (width, height), some of them at its edges."""
    rng = np.random.default_rng([3, *size])
    corners = np.sort(rng.uniform(0, 1, (COUNT, 2, 2)), axis=1).reshape(COUNT, 4)
    corners[0] = 0, 0, 1, 1
    corners[1, 2:] = 1
    corners[2, :2] = 0
    return (corners * np.array([*within, *within])).astype(np.float32)


def logits(size: tuple[int, int]) -> np.ndarray:
    """COUNT mask logits (SIDE, SIDE), float32: blobs with noise."""
    rough = fill.image((COUNT, SIDE, SIDE), name=f"masks {size}")
    y, x = np.mgrid[:SIDE, :SIDE] / (SIDE - 1) * 2 - 1
    return (3 - 5 * np.hypot(x, y) + rough).astype(np.float32)
