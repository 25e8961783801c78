"""A picture that is drawn enlarged, with an id for every pixel, and then averaged: the base of all generated scenes.

Only integer drawing of OpenCV on fixed-point coordinates is used, so the pixels are the same on every machine.
"""

from __future__ import annotations

import cv2
import numpy as np

Circle = tuple[np.ndarray, float]
_RIM = np.stack([np.cos(np.arange(14) * np.pi / 7), np.sin(np.arange(14) * np.pi / 7)], axis=1)


class Canvas:
    """Four channels, blue green red and id, drawn `fine` times larger than the final image."""

    def __init__(self, width: int, height: int, fine: int) -> None:
        self.fine = fine
        self.pixels = np.zeros((height * fine, width * fine, 4), dtype=np.uint8)

    def fixed(self, points: np.ndarray) -> np.ndarray:
        """Final-image coordinates (N, 2) -> int32 coordinates of the canvas with four fractional bits."""
        return np.rint(((points + 0.5) * self.fine - 0.5) * 16).astype(np.int32)

    def polygon(self, points: np.ndarray, colour: tuple[int, ...], id: int) -> None:
        """Fill the convex hull of (N, 2) final-image points."""
        hull = cv2.convexHull(self.fixed(points))
        cv2.fillConvexPoly(self.pixels, hull, (*colour, id), cv2.LINE_8, 4)

    def hull(self, circles: list[Circle], grow: float, colour: tuple[int, ...], id: int, lift: float = 0.0) -> None:
        """Fill the hull of circles whose radii grow by `grow` (a factor), lifted by `lift` radii."""
        rims = [p[:2] + r * (grow * _RIM - np.array([0.0, lift])) for p, r in circles]
        self.polygon(np.concatenate(rims), colour, id)

    def finished(self) -> tuple[np.ndarray, np.ndarray]:
        """The image (H, W, 3) uint8, each pixel the rounded mean of its square, and the fine id map."""
        squares = self.fine * self.fine
        return ((summed(self.pixels, self.fine)[..., :3] + squares // 2) // squares).astype(np.uint8), self.pixels[
            ..., 3
        ]


def summed(pixels: np.ndarray, fine: int) -> np.ndarray:
    """(H, W, C) uint32: the sum of each square of (H x fine, W x fine, C) uint8."""
    height, width, channels = pixels.shape[0] // fine, pixels.shape[1] // fine, pixels.shape[2]
    # rows, then columns: NumPy's sum over both axes at once takes seven times as long
    rows = pixels.reshape(height, fine, -1).sum(axis=1, dtype=np.uint32).reshape(height, width, fine, channels)
    total = rows[:, :, 0].copy()
    for column in range(1, fine):
        total += rows[:, :, column]
    return total


def shade(colour: tuple[int, int, int], factor: float) -> tuple[int, ...]:
    """The colour, lighter or darker by a factor."""
    return tuple(int(min(255.0, max(0.0, c * factor))) for c in colour)
