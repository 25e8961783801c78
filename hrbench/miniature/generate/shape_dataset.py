"""The miniature of ImageNet: pictures of 64 x 64 pixels with one shape of ten in each, in folders named by class.

    <folder>/val/arrow/00000000.png

A shape has a random rotation, size, stretch, slant and fill, and is often partly covered; the background has stripes,
bands and specks, none of which is of a class. Every picture has its own generator, seeded by (seed, index), so any part
can be generated alone. Testing uses the seed `TEST_SEED`, training any other seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from hrbench.miniature.generate.canvas import summed
from hrbench.miniature.generate.write import save_png, write_dataset

SIZE = 64
FINE = 3  # drawn this many times larger, then averaged
TEST_SEED = 2012
TEST_IMAGES = 600


def _regular(corners: int, inner: float = 1.0) -> np.ndarray:
    """A polygon around the origin; with `inner` below 1 every second corner lies at that radius."""
    angles = np.arange(corners) * (2 * np.pi / corners)
    radii = np.where(np.arange(corners) % 2 == 0, 1.0, inner)
    return np.stack([np.cos(angles) * radii, np.sin(angles) * radii], axis=1)


def _heart() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x, -y - 2], axis=1) / 16


_ROUND = _regular(72)
_CROSS = np.array(
    [
        (-0.33, -1), (0.33, -1), (0.33, -0.33), (1, -0.33), (1, 0.33), (0.33, 0.33),
        (0.33, 1), (-0.33, 1), (-0.33, 0.33), (-1, 0.33), (-1, -0.33), (-0.33, -0.33),
    ]
)  # fmt: skip
_ARROW = np.array([(1.05, 0), (0.15, 0.8), (0.15, 0.3), (-0.95, 0.3), (-0.95, -0.3), (0.15, -0.3), (0.15, -0.8)])

# The outline in a square from -1 to 1, and the hole in it.
SHAPES: dict[str, tuple[np.ndarray, np.ndarray | None]] = {
    "arrow": (_ARROW, None),
    "circle": (_ROUND, None),
    "crescent": (_ROUND, _ROUND * 0.9 + np.array([0.5, 0.0])),
    "cross": (_CROSS, None),
    "heart": (_heart(), None),
    "hexagon": (_regular(6), None),
    "ring": (_ROUND, _ROUND * 0.55),
    "square": (_regular(4) * 1.1, None),
    "star": (_regular(10, inner=0.45) * 1.1, None),
    "triangle": (_regular(3) * 1.1, None),
}
CLASSES = tuple(SHAPES)


def generate_imagenet(folder: Path) -> None:
    """Generates the test set in `folder`, whole or not at all. Raises UsageError if it cannot be written."""
    write_dataset(folder, _write)


def _write(folder: Path) -> None:
    for name in CLASSES:
        (folder / "val" / name).mkdir(parents=True)
    for index, (image, label) in enumerate(pictures(TEST_SEED, TEST_IMAGES)):
        save_png(folder / "val" / CLASSES[label] / f"{index:08d}.png", image, options=())


def pictures(seed: int, count: int, first: int = 0) -> Iterator[tuple[np.ndarray, int]]:
    """Pictures (64, 64, 3) uint8 in BGR and their classes, 0 to 9 in turn."""
    for index in range(first, first + count):
        label = index % len(CLASSES)
        yield picture(np.random.default_rng([seed, index]), label), label


def picture(rng: np.random.Generator, label: int) -> np.ndarray:
    """One picture (64, 64, 3) uint8 in BGR of a class."""
    canvas = _background(rng)
    outline, hole = SHAPES[CLASSES[label]]
    place = _placed(rng)
    mask = np.zeros(canvas.shape[:2], dtype=np.uint8)
    cv2.fillPoly(mask, [_corners(place(outline))], 1)
    if hole is not None:
        cv2.fillPoly(mask, [_corners(place(hole))], 0)
    behind = canvas[mask > 0].mean(axis=0)
    canvas[mask > 0] = _fill(rng, canvas.shape[:2], behind)[mask > 0]
    _cover(canvas, rng)
    fine = summed(canvas, FINE).astype(np.int64)
    light = int(rng.integers(180, 300))
    noise = rng.integers(-8, 9, size=(SIZE, SIZE, 3), dtype=np.int64)
    return np.clip(fine // FINE**2 * light // 256 + noise, 0, 255).astype(np.uint8)


def _placed(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """A random affine map from the unit square to the canvas."""
    angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(11, 25)
    stretch, slant = rng.uniform(0.62, 1.0), rng.uniform(-0.3, 0.3)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    other = rng.uniform(0, 2 * np.pi)
    before = np.array([[np.cos(other), -np.sin(other)], [np.sin(other), np.cos(other)]])
    matrix = radius * turn @ np.array([[1.0, slant], [0.0, stretch]]) @ before
    room = SIZE / 2 - radius - 2
    centre = SIZE / 2 + rng.uniform(-room, room, 2)
    return lambda points: points @ matrix.T + centre


def _corners(points: np.ndarray) -> np.ndarray:
    return np.rint(points * FINE).astype(np.int32)


def _colour(rng: np.random.Generator, low: int = 30, high: int = 140) -> np.ndarray:
    return rng.integers(low, high, 3).astype(np.float64)


def _background(rng: np.random.Generator) -> np.ndarray:
    """A wash between two colours with bands, specks and lines: (192, 192, 3) uint8."""
    side = SIZE * FINE
    first = _colour(rng)
    second = np.clip(first + rng.uniform(-70, 70, 3), 0, 255)
    share = np.linspace(0, 1, side)
    angle = rng.uniform(0, 2 * np.pi)
    wash = np.clip((np.cos(angle) * share[None, :] + np.sin(angle) * share[:, None] + 1) / 2, 0, 1)[..., None]
    canvas = np.ascontiguousarray((first * wash + second * (1 - wash)).astype(np.uint8))
    if rng.random() < 0.5:  # bands across the whole picture
        period, turn = rng.uniform(6, 16) * FINE, rng.uniform(0, np.pi)
        rows, columns = np.mgrid[:side, :side]
        lit = (rows * np.sin(turn) + columns * np.cos(turn)) % period < period / 2
        canvas[lit] = np.clip(canvas[lit].astype(np.int64) + int(rng.integers(-20, 21)), 0, 255)
    for _ in range(int(rng.integers(0, 12))):  # specks, too small to have a shape
        x, y = (rng.uniform(0, side, 2)).astype(int).tolist()
        cv2.circle(canvas, (x, y), int(rng.integers(2, 7)), _colour(rng).tolist(), -1)
    for _ in range(int(rng.integers(0, 4))):
        _line(canvas, rng)
    return canvas


def _line(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """A thin line from edge to edge."""
    ends = rng.uniform(-0.2, 1.2, (2, 2)) * canvas.shape[0]
    ends[rng.integers(2), rng.integers(2)] = -4
    one, two = (tuple(map(int, end)) for end in ends)
    cv2.line(canvas, one, two, _colour(rng).tolist(), int(rng.integers(2, 9)))


def _fill(rng: np.random.Generator, size: tuple[int, int], behind: np.ndarray) -> np.ndarray:
    """A fill that differs in colour from the background behind the shape: (H, W, 3) uint8."""
    colour = np.clip(behind + rng.uniform(30, 110) + rng.uniform(-25, 25, 3), 0, 255)
    area = np.empty((*size, 3), dtype=np.uint8)
    area[:] = colour
    if rng.random() < 0.4:  # stripes
        other = np.clip(colour + rng.uniform(-30, 30, 3), 0, 255)
        period, turn = rng.uniform(4, 10) * FINE, rng.uniform(0, np.pi)
        rows, columns = np.mgrid[: size[0], : size[1]]
        area[(rows * np.sin(turn) + columns * np.cos(turn)) % period < period / 2] = other
    return area


def _cover(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """A few lines in front of the shape, and sometimes a wide bar."""
    for _ in range(int(rng.integers(0, 2))):
        _line(canvas, rng)
    if rng.random() < 0.15:
        ends = rng.uniform(0.15, 0.85, (2, 2)) * canvas.shape[0]
        one, two = (tuple(map(int, end)) for end in ends)
        cv2.line(canvas, one, two, _colour(rng).tolist(), int(rng.integers(16, 34)))
