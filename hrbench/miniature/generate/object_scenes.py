"""Random landscapes with objects in them, generated from a seed: the images of the detection miniature.

Every image has its own generator, seeded by (seed, index), so any part of a set can be generated alone and the
order does not matter. Testing uses the seed `TEST_SEED`, training any other seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from hrbench.miniature.generate.canvas import Canvas, shade
from hrbench.miniature.generate.object_outlines import NAMES, ObjectLook, ellipse, look, parts
from hrbench.miniature.generate.people_scenes import TEST_SEED

__all__ = ["CROWD", "SIDE", "TEST_SEED", "ObjectScene", "Thing", "scenes"]

SIDE = 160
FINE = 3  # drawn this many times larger, then averaged
CROWD = 200  # the id of a crowd's members in the id map
MIN_VISIBLE_PIXELS, MIN_VISIBLE_SHARE = 24, 0.25
"""A thing of which fewer pixels, or a smaller share, are visible is not drawn: so all that is drawn is annotated."""

_SKIES = ((236, 208, 170), (240, 222, 196), (214, 190, 176), (196, 208, 232), (232, 226, 214))
_GROUNDS = ((110, 176, 140), (134, 170, 180), (150, 168, 160), (96, 150, 124), (176, 178, 182), (142, 190, 206))
_HILLS = ((150, 160, 120), (168, 150, 132), (130, 150, 116), (176, 170, 150))


@dataclass(frozen=True, slots=True)
class Thing:
    """One visible object, or a crowd of them.

    label: index of its class in `object_outlines.NAMES`.
    pixels: (H, W) bool, its visible pixels.
    crowd: whether it is a group of its class that is annotated as one region.
    """

    label: int
    pixels: np.ndarray
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class ObjectScene:
    """image: (160, 160, 3) uint8, BGR. things: farthest first, the crowd last."""

    index: int
    image: np.ndarray
    things: tuple[Thing, ...]


@dataclass(frozen=True, slots=True)
class _Placed:
    label: int
    look: ObjectLook
    centre: tuple[float, float]
    matrix: np.ndarray  # (2, 2), from the frame of the outlines to pixels
    reach: float  # half the thing's size in pixels
    crowd: bool = False


def scenes(seed: int, count: int, first: int = 0) -> Iterator[ObjectScene]:
    """Generates `count` scenes of the set with this seed, from number `first` on."""
    for index in range(first, first + count):
        yield _scene(index, np.random.default_rng([101, seed, index]))


def _scene(index: int, rng: np.random.Generator) -> ObjectScene:
    ground = Canvas(SIDE, SIDE, FINE)
    _draw_landscape(ground, rng)
    placed = _place(index, rng)
    while True:
        canvas = Canvas(SIDE, SIDE, FINE)
        canvas.pixels[:] = ground.pixels
        for number, each in enumerate(placed, start=1):
            _draw_thing(canvas, each, CROWD if each.crowd else number)
        image, fine = canvas.finished()
        ids = fine[FINE // 2 :: FINE, FINE // 2 :: FINE]  # the middle of each pixel
        hidden = [number for number, each in enumerate(placed, start=1) if _hidden(each, ids == number)]
        if not hidden:
            break
        placed = [each for number, each in enumerate(placed, start=1) if number not in hidden]
    things = [Thing(each.label, ids == n) for n, each in enumerate(placed, start=1) if not each.crowd]
    if (ids == CROWD).any():
        label = next(each.label for each in placed if each.crowd)
        things.append(Thing(label, ids == CROWD, crowd=True))
    return ObjectScene(index, _grain(image, rng), tuple(things))


def _hidden(each: _Placed, pixels: np.ndarray) -> bool:
    """Whether too little of a thing is visible to annotate it; members of a crowd are never removed."""
    if each.crowd:
        return False
    alone = Canvas(SIDE, SIDE, FINE)
    _draw_thing(alone, each, 1)
    whole = int((alone.pixels[FINE // 2 :: FINE, FINE // 2 :: FINE, 3] > 0).sum())
    return int(pixels.sum()) < max(MIN_VISIBLE_PIXELS, MIN_VISIBLE_SHARE * whole)


# --- things --------------------------------------------------------------------------------------------------------


def _place(index: int, rng: np.random.Generator) -> list[_Placed]:
    """Things of all sizes, large ones behind; every 16th image also has a crowd, every 23rd image is empty."""
    if index % 23 == 11:
        return []
    placed: list[_Placed] = []
    if rng.random() < 0.24:
        placed.append(_one(rng, float(rng.uniform(128, 182))))
    sizes = sorted(
        (float(np.exp(rng.uniform(np.log(14), np.log(84)))) for _ in range(rng.integers(2, 7))), reverse=True
    )
    for size in sizes:
        for _ in range(12):
            each = _one(rng, size)
            if all(_apart(each, other) for other in placed):
                placed.append(each)
                break
    if index % 16 == 7:
        placed += _crowd(rng, [each.label for each in placed])
    return placed


def _one(rng: np.random.Generator, size: float, label: int | None = None, crowd: bool = False) -> _Placed:
    """A thing of `size` pixels, turned and stretched a little, half of them mirrored; a part may lie outside."""
    label = int(rng.integers(len(NAMES))) if label is None else label
    angle = np.deg2rad(float(np.clip(rng.normal(0, 9), -25, 25)))
    stretch = float(np.exp(rng.normal(0, 0.09)))
    mirror = 1.0 if rng.random() < 0.5 else -1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([mirror * stretch, 1 / stretch]) * size
    margin = min(0.32 * size, SIDE / 2 - 20)
    x, y = rng.uniform(margin, SIDE - 1 - margin, 2).tolist()
    return _Placed(label, look(rng), (x, y), matrix, size / 2, crowd)


def _apart(one: _Placed, other: _Placed) -> bool:
    """Whether two things lie far enough from one another for both to be seen; they may overlap."""
    distance = float(np.hypot(one.centre[0] - other.centre[0], one.centre[1] - other.centre[1]))
    return distance > 0.62 * max(one.reach, other.reach) + 0.3 * min(one.reach, other.reach)


def _crowd(rng: np.random.Generator, taken: list[int]) -> list[_Placed]:
    """Many small things of one class close together, in front; of a class not yet in the image, if any is left."""
    free = [label for label in range(len(NAMES)) if label not in taken] or list(range(len(NAMES)))
    label = int(rng.choice(free))
    size = float(rng.uniform(13, 19))
    left, top = rng.uniform(6, SIDE - 80, 2).tolist()
    group = []
    for row in range(3):
        for column in range(int(rng.integers(4, 6))):
            each = _one(rng, size, label, crowd=True)
            x = left + (column + 0.5 * (row % 2)) * size * 0.72 + rng.uniform(-2, 2)
            y = top + row * size * 0.6 + rng.uniform(-2, 2)
            group.append(_Placed(label, each.look, (x, y), each.matrix, each.reach, True))
    return group


def _draw_thing(canvas: Canvas, each: _Placed, id: int) -> None:
    for outline, colour in parts(NAMES[each.label], each.look):
        points = outline @ each.matrix.T + np.array(each.centre)
        cv2.fillPoly(canvas.pixels, [canvas.fixed(points)], (*colour, id), cv2.LINE_8, 4)


# --- landscape -----------------------------------------------------------------------------------------------------


def _draw_landscape(canvas: Canvas, rng: np.random.Generator) -> None:
    """Sky, clouds, hills, ground, conifers and a fence: nothing that is annotated or looks like one of the classes."""
    sky, ground = _SKIES[rng.integers(len(_SKIES))], _GROUNDS[rng.integers(len(_GROUNDS))]
    horizon = float(rng.uniform(0.3, 0.62)) * SIDE
    rows = (np.arange(SIDE * FINE) + 0.5) / FINE
    fade = np.where(rows < horizon, 0.9 + 0.14 * rows / SIDE, 0.82 + 0.26 * (rows - horizon) / SIDE)
    base = np.where((rows < horizon)[:, None], np.array(sky, dtype=float), np.array(ground, dtype=float))
    canvas.pixels[..., :3] = np.clip(base * fade[:, None], 0, 255).astype(np.uint8)[:, None, :]
    for _ in range(int(rng.integers(0, 4))):
        x, y, wide = rng.uniform(0, SIDE), rng.uniform(4, 0.6 * horizon), rng.uniform(16, 40)
        for k in range(3):
            _fill(canvas, ellipse(x + (k - 1) * wide * 0.5, y, wide * 0.5, wide * 0.14), shade(sky, 1.1))
    hill = _HILLS[rng.integers(len(_HILLS))]
    for k in range(2):
        xs = np.linspace(-10, SIDE + 10, 9)
        ys = horizon - rng.uniform(0.02, 0.16 - 0.06 * k, 9) * SIDE
        ends = [(SIDE + 10.0, horizon + 1), (-10.0, horizon + 1)]
        _fill(canvas, np.concatenate([np.stack([xs, ys], axis=1), ends]), shade(hill, 1.0 - 0.12 * k))
    for _ in range(int(rng.integers(0, 5))):
        _draw_conifer(canvas, rng, horizon)
    if rng.random() < 0.4:
        _draw_fence(canvas, rng, horizon, shade(ground, 0.72))
    for _ in range(int(rng.integers(6, 16))):  # tufts of grass
        x, y = rng.uniform(0, SIDE), rng.uniform(horizon + 4, SIDE)
        high = 2 + 5 * (y - horizon) / SIDE
        _fill(
            canvas, np.array([(x - 2, y), (x - 1, y - high), (x, y), (x + 1, y - high), (x + 2, y)]), shade(ground, 0.8)
        )


def _draw_conifer(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    x, y = rng.uniform(0, SIDE), horizon + rng.uniform(0, 14)
    wide, high = rng.uniform(12, 24), rng.uniform(26, 54)
    _fill(canvas, np.array([(x - 2, y), (x + 2, y), (x + 2, y - high / 3), (x - 2, y - high / 3)]), (60, 84, 110))
    for k in range(3):
        foot, half = y - high * (0.14 + 0.26 * k), wide * (0.5 - 0.12 * k)
        tip = np.array([(x - half, foot), (x + half, foot), (x, foot - high * 0.38)])
        _fill(canvas, tip, shade((84, 122, 78), 0.85 + 0.1 * k))


def _draw_fence(canvas: Canvas, rng: np.random.Generator, horizon: float, colour: tuple[int, ...]) -> None:
    y, gap = horizon + rng.uniform(8, 30), rng.uniform(12, 20)
    for x in np.arange(-5, SIDE + 5, gap):
        _fill(canvas, np.array([(x, y), (x + 3, y), (x + 3, y - 16), (x + 1.5, y - 18), (x, y - 16)]), colour)
    for rail in (5, 12):
        _fill(
            canvas,
            np.array([(-5, y - rail), (SIDE + 5, y - rail), (SIDE + 5, y - rail + 2), (-5, y - rail + 2)]),
            colour,
        )


def _fill(canvas: Canvas, points: np.ndarray, colour: tuple[int, ...]) -> None:
    cv2.fillPoly(canvas.pixels, [canvas.fixed(points)], (*colour, 0), cv2.LINE_8, 4)


def _grain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image under another light, with the noise of a camera (integers only)."""
    light = int(rng.integers(215, 285))
    noise = rng.integers(-5, 6, size=image.shape[:2], dtype=np.int64)[..., None]
    return np.clip(image.astype(np.int64) * light // 256 + noise, 0, 255).astype(np.uint8)
