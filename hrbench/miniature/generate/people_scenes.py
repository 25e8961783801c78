"""Random scenes with people, generated from a seed: the images of the pose miniatures, for testing and for training.

Every image has its own generator, seeded by (layout, seed, index), so any part of a set can be generated alone and the
order does not matter. Testing uses the seed `TEST_SEED`, training any other seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from hrbench.miniature.generate import body_model
from hrbench.miniature.generate.body_model import Body
from hrbench.miniature.generate.canvas import Canvas, shade

KeypointLayout = Literal["coco", "mpii"]
TEST_SEED = 2019
FINE = 3  # drawn this many times larger, then averaged
HIDDEN_UNLABELLED = 0.35  # share of hidden joints without a label
MAX_PEOPLE = 15  # the id map holds one byte

_SEED_PREFIXES = {"coco": 0, "mpii": 1}
_SIZES = {
    "coco": ((160, 120), (160, 120), (200, 150), (240, 180), (180, 240), (180, 240)),
    "mpii": ((200, 150), (240, 180), (180, 200)),
}
_WALLS = ((214, 206, 190), (196, 214, 220), (188, 200, 176), (206, 190, 204), (170, 186, 200), (150, 150, 158))
_FLOORS = ((120, 150, 170), (104, 140, 118), (150, 150, 150), (110, 122, 146), (140, 120, 104))
_THINGS = (
    (96, 130, 160),
    (130, 104, 84),
    (80, 120, 96),
    (150, 150, 190),
    (70, 84, 104),
    (170, 160, 120),
    (90, 90, 140),
)


@dataclass(frozen=True, slots=True)
class AnnotatedPerson:
    """One drawn person as it is annotated.

    joints: (21, 2) float64 in `body_model.JOINTS` order, pixels of the image.
    flags: (21,) int, COCO's visibility.
    box: (x, y, w, h) around the whole person, hidden parts included, clipped to the image.
    whole: the same, not clipped.
    head: (x1, y1, x2, y2) around the head with its hair.
    role: "person"; "bare", a person without keypoints; "crowd", a member of the crowd region.
    pixels: (H, W) bool, the visible pixels.
    """

    joints: np.ndarray
    flags: np.ndarray
    box: tuple[float, float, float, float]
    whole: tuple[float, float, float, float]
    head: tuple[float, float, float, float]
    role: Literal["person", "bare", "crowd"]
    pixels: np.ndarray


@dataclass(frozen=True, slots=True)
class PeopleScene:
    """image: (H, W, 3) uint8, BGR. people: farthest first, crowd members included."""

    index: int
    image: np.ndarray
    people: tuple[AnnotatedPerson, ...]


def scenes(layout: KeypointLayout, seed: int, count: int, first: int = 0) -> Iterator[PeopleScene]:
    """Generates `count` scenes of the set with this seed, from number `first` on."""
    for index in range(first, first + count):
        rng = np.random.default_rng([_SEED_PREFIXES[layout], seed, index])
        yield _scene(layout, index, rng)


def _scene(layout: KeypointLayout, index: int, rng: np.random.Generator) -> PeopleScene:
    width, height = _SIZES[layout][rng.integers(len(_SIZES[layout]))]
    canvas = Canvas(width, height, FINE)
    horizon = _draw_room(canvas, width, height, rng)
    people = _place_people(layout, index, width, height, horizon, rng)
    front = _fronts(people, width, height, rng)
    for order, (body, _) in enumerate(people):
        _draw_shadow(canvas, body)
        body_model.draw_body(canvas, body)
        for corners, colour in front.get(order, ()):
            _draw_thing(canvas, corners, colour, body_model.CLUTTER)
    image, ids = canvas.finished()
    return PeopleScene(index, _grain(image, rng), tuple(_annotate(body, role, ids, rng) for body, role in people))


# --- people ------------------------------------------------------------------------------------------------------


def _place_people(
    layout: KeypointLayout, index: int, width: int, height: int, horizon: float, rng: np.random.Generator
) -> list[tuple[Body, str]]:
    """Bodies with their roles, farthest (highest feet) first."""
    people: list[tuple[Body, str]] = []
    if layout == "coco" and index % 24 == 5:
        people += _place_crowd(width, horizon, rng)
    elif layout == "coco" and rng.random() < 0.12:
        body = body_model.pose_body(rng, rng.uniform(26, 38))
        _stand(body, rng.uniform(0, width), horizon + rng.uniform(2, 8))
        people.append((body, "bare"))
    large = rng.random() < 0.4
    count = 1 + int(rng.integers(2)) if large else 1 + int(rng.integers(4))
    placed: list[tuple[float, float, float, float]] = []
    for _ in range(count):
        reach = (0.78, 1.0) if large else (0.36, 0.72)
        for _attempt in range(12):
            body = body_model.pose_body(rng, height * rng.uniform(*reach))
            w, h = body.box[2:]
            x = rng.uniform(-0.12, 1.0) * width if rng.random() < 0.15 else rng.uniform(0.0, max(1.0, width - w))
            nearness = min(1.0, body.height / height)
            bottom = horizon + (height - horizon) * (0.25 + 0.75 * nearness) * rng.uniform(0.85, 1.02)
            _stand(body, x + w / 2, max(bottom, h + 1))
            if all(_overlap(body.box, other) < 0.3 for other in placed):
                placed.append(body.box)
                people.append((body, "person"))
                break
    people.sort(key=lambda pair: pair[0].box[1] + pair[0].box[3])
    for id, (body, _) in enumerate(people[:MAX_PEOPLE]):
        body.id = id
    return people[:MAX_PEOPLE]


def _place_crowd(width: int, horizon: float, rng: np.random.Generator) -> list[tuple[Body, str]]:
    """A row of small people at the back, too many and too small to be annotated one by one."""
    start, members = rng.uniform(0.05, 0.35) * width, []
    for k in range(9):
        body = body_model.pose_body(rng, rng.uniform(24, 30))
        _stand(body, start + 8 * k + rng.uniform(-1.5, 1.5), horizon + rng.uniform(0, 6))
        members.append((body, "crowd"))
    return members


def _stand(body: Body, x: float, bottom: float) -> None:
    """Move a body so that its box is centred on x and ends at `bottom`."""
    left, top, w, h = body.box
    body.shift(x - left - w / 2, bottom - top - h)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over the smaller of two boxes."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0.0, w) * max(0.0, h) / max(min(a[2] * a[3], b[2] * b[3]), 1e-6)


def _annotate(body: Body, role: str, ids: np.ndarray, rng: np.random.Generator) -> AnnotatedPerson:
    x, y, w, h = body.box
    height, width = ids.shape[0] // FINE, ids.shape[1] // FINE
    flags = body_model.visibility(body, ids, FINE)
    # As with real annotators, not every hidden joint gets a label.
    flags[(flags == 1) & (rng.random(len(flags)) < HIDDEN_UNLABELLED)] = 0
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(float(width), x + w), min(float(height), y + h)
    first = 1 + body_model.IDS_PER_PERSON * body.id
    middle = ids[FINE // 2 :: FINE, FINE // 2 :: FINE]
    (hx, hy, _), radius = body.head
    radius *= 1.06
    return AnnotatedPerson(
        joints=body.joints[:, :2].copy(),
        flags=flags,
        box=(left, top, max(0.0, right - left), max(0.0, bottom - top)),
        whole=(x, y, w, h),
        head=(hx - radius, hy - radius, hx + radius, hy + radius),
        role=role,  # type: ignore[arg-type]
        pixels=(middle >= first) & (middle < first + len(body_model.PARTS)),
    )


# --- surroundings ------------------------------------------------------------------------------------------------


def _box_corners(x: float, y: float, w: float, h: float) -> np.ndarray:
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], dtype=float)


def _draw_room(canvas: Canvas, width: int, height: int, rng: np.random.Generator) -> float:
    """Wall, floor and objects that do not look like a person; returns the height of the horizon."""
    horizon = height * rng.uniform(0.42, 0.6)
    wall, floor = _WALLS[rng.integers(len(_WALLS))], _FLOORS[rng.integers(len(_FLOORS))]
    rows = (np.arange(canvas.pixels.shape[0]) + 0.5) / canvas.fine
    fade = np.where(rows < horizon, 1.06 - 0.16 * rows / height, 0.84 + 0.3 * (rows - horizon) / height)
    base = np.where((rows < horizon)[:, None], np.array(wall, dtype=float), np.array(floor, dtype=float))
    canvas.pixels[..., :3] = np.clip(base * fade[:, None], 0, 255).astype(np.uint8)[:, None, :]
    skirting = shade(floor, 0.7)
    canvas.polygon(_box_corners(-5, horizon - 1, width + 10, 2), skirting, 0)
    for _ in range(int(rng.integers(3, 9))):
        x, colour = rng.uniform(-0.1, 1.0) * width, _THINGS[rng.integers(len(_THINGS))]
        shape = rng.integers(5)
        if shape == 0:  # a window
            w, h = rng.uniform(0.12, 0.25) * width, rng.uniform(0.14, 0.3) * height
            y = rng.uniform(0.03, 0.2) * height
            canvas.polygon(_box_corners(x, y, w, h), shade(wall, 0.62), 0)
            for k in range(2):
                pane = _box_corners(x + 2 + k * (w - 2) / 2, y + 2, (w - 6) / 2, h - 4)
                canvas.polygon(pane, (236, 224, 200), 0)
        elif shape == 1:  # a conifer
            w, h = rng.uniform(0.1, 0.2) * width, rng.uniform(0.25, 0.5) * height
            canvas.polygon(_box_corners(x - w * 0.07, horizon - h * 0.15, w * 0.14, h * 0.2), (60, 84, 110), 0)
            for k in range(3):
                y, half = horizon - h * (0.1 + 0.28 * k), w * (0.5 - 0.12 * k)
                tip = np.array([[x - half, y], [x + half, y], [x, y - h * 0.42]])
                canvas.polygon(tip, shade((84, 130, 84), 0.85 + 0.12 * k), 0)
        elif shape == 2:  # a board on the wall
            slant = rng.uniform(-6, 6)
            w, h, y = rng.uniform(10, 40), rng.uniform(6, 24), rng.uniform(0.02, 0.3) * height
            canvas.polygon(_box_corners(x, y, w, h) + np.array([[0, 0], [0, slant], [0, slant], [0, 0]]), colour, 0)
        else:  # a crate or a plank on the floor
            w, h = rng.uniform(8, 34), rng.uniform(6, 26)
            y = horizon + rng.uniform(-0.02, 0.4) * height
            _draw_thing(canvas, _box_corners(x, y - h, w, h), colour, 0)
    return float(horizon)


def _draw_thing(canvas: Canvas, corners: np.ndarray, colour: tuple[int, int, int], id: int) -> None:
    """A crate: front, lit top and a dark edge."""
    depth = np.array([3.0, -3.0])
    top = np.stack([corners[0], corners[1], corners[1] + depth, corners[0] + depth])
    side = np.stack([corners[1], corners[2], corners[2] + depth, corners[1] + depth])
    canvas.polygon(side, shade(colour, 0.6), id)
    canvas.polygon(top, shade(colour, 1.25), id)
    canvas.polygon(corners, shade(colour, 0.68), id)
    inside = corners + np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    canvas.polygon(inside, colour, id)


def _fronts(
    people: list[tuple[Body, str]], width: int, height: int, rng: np.random.Generator
) -> dict[int, list[tuple[np.ndarray, tuple[int, int, int]]]]:
    """Objects in front of some people: position in the drawing order -> crates or planks."""
    found: dict[int, list[tuple[np.ndarray, tuple[int, int, int]]]] = {}
    for order, (body, role) in enumerate(people):
        if role != "person" or rng.random() > 0.22:
            continue
        x, y, w, h = body.box
        colour = _THINGS[rng.integers(len(_THINGS))]
        if rng.random() < 0.5:  # a crate before the legs
            wide, tall = w * rng.uniform(0.4, 1.1), h * rng.uniform(0.12, 0.36)
            corners = _box_corners(x + rng.uniform(-0.3, 0.6) * w, y + h + 2 - tall, wide, tall)
        else:  # a plank before an arm or a leg
            wide, tall = max(3.0, w * rng.uniform(0.07, 0.16)), h * rng.uniform(0.4, 0.9)
            corners = _box_corners(x + rng.uniform(0.05, 0.9) * w, y + h + 2 - tall, wide, tall)
        found.setdefault(order, []).append((corners, colour))
    return found


def _draw_shadow(canvas: Canvas, body: Body) -> None:
    """A flat dark ellipse under the feet, 70 % transparent."""
    x, y, w, h = body.box
    f = canvas.fine
    centre = (round((x + w / 2) * f), round((y + h - 0.02 * body.height) * f))
    axes = (max(1, round(0.2 * body.height * f)), max(1, round(0.035 * body.height * f)))
    mask = np.zeros(canvas.pixels.shape[:2], dtype=np.uint8)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1, cv2.LINE_8)
    below = (mask > 0) & (canvas.pixels[..., 3] == 0)
    canvas.pixels[below, :3] = (canvas.pixels[below, :3].astype(np.uint16) * 7 // 10).astype(np.uint8)


def _grain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image under another light, with the noise of a camera (integers only)."""
    light = int(rng.integers(205, 290))
    noise = rng.integers(-4, 5, size=image.shape[:2], dtype=np.int64)[..., None]
    return np.clip(image.astype(np.int64) * light // 256 + noise, 0, 255).astype(np.uint8)
