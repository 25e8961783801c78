"""Draws the objects on the streets of the segmentation miniature: vehicles, bicycles, people, trees, poles.

Every function draws one object, standing at (x, z) of the world in metres (`street_camera`), with its Cityscapes
label. Colours are blue, green, red.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hrbench.miniature.generate import body_model
from hrbench.miniature.generate.street_camera import BODY_IDS, Paper, patch, tint

# Label ids of the official Cityscapes scripts.
EGO_VEHICLE, OUT_OF_ROI, STATIC, DYNAMIC = 1, 3, 4, 5
ROAD, SIDEWALK, BUILDING, POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN = 7, 8, 11, 17, 19, 20
VEGETATION, SKY, PERSON, CAR, BUS, BICYCLE = 21, 23, 24, 26, 28, 33

GLASS = (92, 78, 66)
TYRE = (38, 36, 36)
CARS = (
    (60, 52, 176), (150, 92, 48), (70, 66, 64), (206, 206, 204), (168, 164, 160), (40, 38, 42), (96, 132, 70),
    (70, 170, 214), (110, 70, 60), (58, 96, 190), (190, 176, 140),
)  # fmt: skip
BUSES = ((56, 186, 226), (52, 60, 190), (196, 150, 90), (110, 160, 80))
FRAMES = ((60, 60, 190), (40, 40, 40), (170, 110, 60), (120, 160, 60), (60, 170, 220), (200, 200, 200))
LEAVES = ((48, 104, 62), (44, 120, 84), (60, 96, 52), (52, 134, 108), (40, 84, 58))
STEEL = ((104, 102, 98), (84, 84, 82), (128, 126, 120), (72, 84, 70))


@dataclass(frozen=True, slots=True)
class StreetPosition:
    """Where an object stands and which way it faces. heading: radians, 0 away from the camera, clockwise from above."""

    x: float
    z: float
    heading: float = 0.0

    def world(self, along: np.ndarray, across: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Points ahead of, to the right of and above the object's centre, in metres -> world points (N, 3)."""
        c, s = float(np.cos(self.heading)), float(np.sin(self.heading))
        return np.stack([self.x + along * s + across * c, up, self.z + along * c - across * s], axis=1)


# --- vehicles ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Frustum:
    """A frustum between two heights: (rear end, front end, half width) at its bottom and its top, in metres."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    bottom: float
    top: float

    def corners(self, position: StreetPosition) -> np.ndarray:
        """(8, 3): rear left, rear right, front right, front left at the bottom, then at the top."""
        ends = [(end[k], side * end[2]) for end in (self.low, self.high) for k, side in _TURNS]
        points = np.array(ends)
        return position.world(points[:, 0], points[:, 1], np.repeat([self.bottom, self.top], 4))


_TURNS = ((0, -1), (0, 1), (1, 1), (1, -1))
# Corners of each side as seen from outside: bottom left, bottom right, top right, top left.
_SIDES = {"rear": (0, 1, 5, 4), "right": (1, 2, 6, 5), "front": (2, 3, 7, 6), "left": (3, 0, 4, 7), "top": (4, 5, 6, 7)}
_LIGHT = {"rear": 0.86, "right": 0.74, "front": 0.92, "left": 0.98, "top": 1.16}


def _sides(paper: Paper, block: Frustum, position: StreetPosition) -> list[tuple[str, np.ndarray]]:
    """The sides of a block that the camera sees."""
    corners = block.corners(position)
    middle, eye = corners.mean(axis=0), np.array([0.0, paper.camera.eye, 0.0])
    seen = []
    for name, order in _SIDES.items():
        quad = corners[list(order)]
        normal = np.cross(quad[1] - quad[0], quad[3] - quad[0])
        outward = normal * np.sign(normal @ (quad.mean(axis=0) - middle))
        if outward @ (eye - quad.mean(axis=0)) > 0:
            seen.append((name, quad))
    return seen


def draw_car(paper: Paper, position: StreetPosition, id: int, rng: np.random.Generator) -> None:
    """A car about 4.2 m long: saloon, hatchback or van."""
    colour = tint(CARS[rng.integers(len(CARS))], rng.uniform(0.85, 1.12))
    length, half = rng.uniform(1.9, 2.25), rng.uniform(0.84, 0.94)
    waist, roof = rng.uniform(0.84, 0.95), rng.uniform(1.4, 1.55)
    rear, front = ((-0.8, 0.45), (-0.98, 0.45), (-0.98, 0.62))[rng.integers(3)]
    body = Frustum((-length, length, half), (-length, length, 0.96 * half), 0.24, waist)
    cabin = Frustum(
        (rear * length, front * length, 0.94 * half),
        ((rear + 0.18) * length, (front - 0.3) * length, 0.78 * half),
        waist,
        roof,
    )
    _ground_shadow(paper, position, length + 0.15, half + 0.15)
    _wheels(paper, position, (-0.62 * length, 0.62 * length), half, 0.32, id)
    for name, quad in _sides(paper, body, position):
        paper.face(quad, tint(colour, _LIGHT[name]), id)
        if name in ("rear", "front"):
            lamp = (48, 40, 200) if name == "rear" else (226, 240, 246)
            paper.face(patch(quad, 0, 1, 0, 0.2), tint(colour, 0.5), id)
            for u in (0.04, 0.78):
                paper.face(patch(quad, u, u + 0.18, 0.52, 0.78), lamp, id)
            paper.face(patch(quad, 0.36, 0.64, 0.3, 0.46), (214, 216, 216), id)
    for name, quad in _sides(paper, cabin, position):
        paper.face(quad, tint(colour, _LIGHT[name]), id)
        if name in ("left", "right"):
            for u in (0.06, 0.54):
                paper.face(patch(quad, u, u + 0.4, 0.14, 0.86), GLASS, id)
        elif name != "top":
            paper.face(patch(quad, 0.07, 0.93, 0.1, 0.88), tint(GLASS, 1.25), id)
    _side_wheels(paper, position, (-0.62 * length, 0.62 * length), half, 0.32, id)


def draw_bus(paper: Paper, position: StreetPosition, id: int, rng: np.random.Generator) -> None:
    """A bus about 10 m long."""
    colour = tint(BUSES[rng.integers(len(BUSES))], rng.uniform(0.88, 1.1))
    length, half, roof = rng.uniform(4.2, 5.6), 1.25, rng.uniform(2.8, 3.2)
    body = Frustum((-length, length, half), (-length, length, 0.97 * half), 0.3, roof)
    _ground_shadow(paper, position, length + 0.2, half + 0.2)
    _wheels(paper, position, (-0.6 * length, 0.62 * length), half, 0.48, id)
    for name, quad in _sides(paper, body, position):
        paper.face(quad, tint(colour, _LIGHT[name]), id)
        if name in ("left", "right"):
            paper.face(patch(quad, 0, 1, 0.24, 0.3), tint(colour, 0.6), id)
            for k in range(6):
                paper.face(patch(quad, 0.03 + 0.16 * k, 0.16 + 0.16 * k, 0.42, 0.84), GLASS, id)
        elif name != "top":
            paper.face(patch(quad, 0.08, 0.92, 0.4, 0.8), tint(GLASS, 1.2), id)
            paper.face(patch(quad, 0.2, 0.8, 0.85, 0.95), (70, 200, 236), id)
            lamp = (48, 40, 200) if name == "rear" else (226, 240, 246)
            for u in (0.06, 0.8):
                paper.face(patch(quad, u, u + 0.14, 0.1, 0.18), lamp, id)
    _side_wheels(paper, position, (-0.6 * length, 0.62 * length), half, 0.48, id)


def _ground_shadow(paper: Paper, position: StreetPosition, length: float, half: float) -> None:
    along, across = np.array([-length, length, length, -length]), np.array([-half, -half, half, half])
    paper.shadow(position.world(along, across, np.zeros(4)), (ROAD, SIDEWALK))


def _ring(position: StreetPosition, along: float, across: float, radius: float) -> np.ndarray:
    """(16, 3) world points of an upright wheel that rolls in the direction of the heading."""
    turn = np.arange(16) * np.pi / 8
    return position.world(along + radius * np.cos(turn), np.full(16, across), radius * (1 + np.sin(turn)))


def _wheels(
    paper: Paper, position: StreetPosition, at: tuple[float, float], half: float, radius: float, id: int
) -> None:
    """All tyres, 0.2 m wide, drawn before the body, which hides parts of them."""
    for along in at:
        for side in (-1, 1):
            rims = [_ring(position, along, side * across, radius) for across in (half - 0.22, half - 0.02)]
            paper.face(np.concatenate(rims), TYRE, id)


def _side_wheels(
    paper: Paper, position: StreetPosition, at: tuple[float, float], half: float, radius: float, id: int
) -> None:
    """Tyres and rims on the side that faces the camera."""
    facing = position.world(np.zeros(2), np.array([-half, half]), np.zeros(2))
    outward = facing - np.array([position.x, 0.0, position.z])
    for side, normal, middle in zip((-1, 1), outward, facing, strict=True):
        if normal @ -middle <= 0:
            continue
        for along in at:
            paper.face(_ring(position, along, side * half, radius), TYRE, id)
            inner = _ring(position, along, side * half, 0.55 * radius)
            paper.face(inner + np.array([0.0, 0.45 * radius, 0.0]), (150, 148, 146), id)


# --- bicycles and people -------------------------------------------------------------------------------------------


def draw_bicycle(paper: Paper, position: StreetPosition, id: int, rng: np.random.Generator) -> None:
    """A bicycle; the background seen between its spokes counts as bicycle too, as in Cityscapes."""
    colour = FRAMES[rng.integers(len(FRAMES))]
    base, radius = 0.53, 0.35

    def at(*points: tuple[float, float]) -> np.ndarray:
        flat = np.array(points)
        return position.world(flat[:, 0], np.zeros(len(flat)), flat[:, 1])

    rear, front = _ring(position, -base, 0.0, radius), _ring(position, base, 0.0, radius)
    saddle, bar = at((-0.32, 0.98), (-0.12, 0.98)), at((0.3, 1.06), (0.46, 1.0))
    outline = np.concatenate([rear, front, saddle, bar])
    _ground_shadow(paper, position, 0.9, 0.2)
    paper.claim(paper.camera.project(outline), id)
    thin = max(0.4, paper.camera.size(0.055, position.z))
    for wheel in (rear, front):
        paper.line(np.concatenate([wheel, wheel[:1]]), thin, TYRE)
    hub, crank, head, seat = (-base, radius), (-0.06, 0.3), (0.36, 0.86), (-0.22, 0.9)
    for route in ((hub, crank, head, seat, hub), (seat, crank), (head, (base, radius)), (head, (0.33, 1.04))):
        paper.line(at(*route), 1.15 * thin, colour)
    paper.line(saddle, 1.7 * thin, TYRE)
    paper.line(bar, 1.2 * thin, TYRE)


def draw_person(paper: Paper, position: StreetPosition, id: int, rng: np.random.Generator) -> None:
    """A person, on their feet: the more upright of two random poses."""
    height = paper.camera.size(rng.uniform(1.55, 1.9), position.z)
    bodies = [body_model.pose_body(rng, height) for _ in range(2)]
    body = max(bodies, key=lambda each: each.box[3] - 0.6 * each.box[2])
    ((x, y),) = paper.camera.project(np.array([[position.x, 0.0, position.z]]))
    left, top, w, h = body.box
    body.shift(float(x) - left - w / 2, float(y) - top - h)
    _ground_shadow(paper, position, 0.14, 0.28)
    body_model.draw_body(paper.canvas, body)
    rows = slice(max(0, int((float(y) - h - 2) * paper.canvas.fine)), None)
    ids = paper.canvas.pixels[rows, :, 3]
    ids[ids < BODY_IDS] = id  # every other id is higher


# --- plants and street furniture --------------------------------------------------------------------------------------


def draw_tree(paper: Paper, position: StreetPosition, rng: np.random.Generator) -> None:
    """A tree of 4 to 8 metres: a trunk under a crown of leaves."""
    id = paper.stuff(VEGETATION)
    height, wide = rng.uniform(4.0, 8.0), rng.uniform(1.0, 2.0)
    colour = tint(LEAVES[rng.integers(len(LEAVES))], rng.uniform(0.85, 1.2))
    foot = np.array([position.x, 0.0, position.z])
    up = np.array([0.0, 1.0, 0.0])
    paper.bar(foot, foot + 0.6 * height * up, rng.uniform(0.22, 0.4), (58, 78, 96), id)
    for factor in (0.72, 0.9, 1.08, 1.26):
        for _ in range(5):
            offset = np.array([rng.uniform(-1, 1) * wide, rng.uniform(-0.9, 0.9) * wide, 0.0])
            offset[1] += 0.25 * wide * (factor - 0.9)
            blob = rng.uniform(0.3, 0.62) * wide * (1.25 - 0.4 * (factor - 0.72))
            crown = foot + (height - wide) * up + 0.75 * offset
            paper.disc(crown, blob, tint(colour, factor * rng.uniform(0.94, 1.06)), id)


def draw_hedge(paper: Paper, x: float, start: float, end: float, height: float, rng: np.random.Generator) -> None:
    """A hedge along the street, of round bushes, farthest first."""
    id = paper.stuff(VEGETATION)
    colour = tint(LEAVES[rng.integers(len(LEAVES))], rng.uniform(0.8, 1.1))
    side = np.array([[x, 0, end], [x, 0, start], [x, height, start], [x, height, end]])
    paper.face(side, tint(colour, 0.8), id)
    for z in np.linspace(end, start, max(3, round((end - start) / 0.9))):
        for factor in (0.85, 1.1):
            at = np.array([x, height * rng.uniform(0.55, 0.95), float(z)])
            paper.disc(at, height * rng.uniform(0.2, 0.42), tint(colour, factor * rng.uniform(0.9, 1.1)), id)


def draw_lamp(paper: Paper, position: StreetPosition, inward: float, rng: np.random.Generator) -> None:
    """A street lamp, its arm over the road; inward: -1 or 1, the side on which the road is."""
    id, colour = paper.stuff(POLE), STEEL[rng.integers(len(STEEL))]
    height, thick = rng.uniform(5.0, 7.5), rng.uniform(0.14, 0.24)
    foot = np.array([position.x, 0.0, position.z])
    top = foot + np.array([0.0, height, 0.0])
    paper.bar(foot, top, thick, colour, id)
    if rng.random() < 0.7:
        end = top + np.array([inward * rng.uniform(0.8, 1.6), 0.25, 0.0])
        paper.bar(top, end, 0.7 * thick, colour, id)
        paper.bar(end, end + np.array([inward * 0.45, 0.0, 0.0]), 1.5 * thick, (190, 214, 220), id)


def draw_sign(paper: Paper, position: StreetPosition, rng: np.random.Generator) -> None:
    """A traffic sign on its pole: a red-rimmed disc or triangle, a blue disc, or a square."""
    pole, id = paper.stuff(POLE), paper.stuff(TRAFFIC_SIGN)
    height, size = rng.uniform(2.3, 3.0), rng.uniform(0.36, 0.5)
    foot = np.array([position.x, 0.0, position.z])
    paper.bar(foot, foot + np.array([0.0, height, 0.0]), 0.11, STEEL[rng.integers(len(STEEL))], pole)
    centre = foot + np.array([0.0, height, -0.06])
    red, white, blue, yellow = (44, 40, 196), (236, 236, 238), (176, 92, 34), (50, 196, 238)
    kind = rng.integers(4)
    if kind == 0:
        paper.disc(centre, size, red, id)
        paper.disc(centre, 0.68 * size, white, id)
    elif kind == 1:
        corners = np.array([[-1.05, -0.7, 0.0], [1.05, -0.7, 0.0], [0.0, 1.1, 0.0]]) * size
        paper.face(centre + corners, red, id)
        paper.face(centre + 0.55 * corners, white, id)
    elif kind == 2:
        paper.disc(centre, size, blue, id)
        half = np.array([0.5 * size, 0.0, 0.0])
        paper.bar(centre - half, centre + half, 0.3 * size, white, id)
    else:
        corners = np.array([[-1, 0, 0], [0, -1, 0], [1, 0, 0], [0, 1, 0]]) * 1.1 * size
        paper.face(centre + corners, white, id)
        paper.face(centre + 0.74 * corners, yellow, id)


def draw_traffic_light(paper: Paper, position: StreetPosition, rng: np.random.Generator) -> None:
    """A traffic light on its pole, one lamp lit."""
    pole, id = paper.stuff(POLE), paper.stuff(TRAFFIC_LIGHT)
    height = rng.uniform(2.4, 3.1)
    foot = np.array([position.x, 0.0, position.z])
    paper.bar(foot, foot + np.array([0.0, height, 0.0]), 0.13, STEEL[rng.integers(len(STEEL))], pole)
    low = foot + np.array([0.0, height - 0.1, -0.08])
    case = np.array([[-0.22, 0, 0], [0.22, 0, 0], [0.22, 1.15, 0], [-0.22, 1.15, 0]]) * 1.15
    paper.face(low + case, (44, 46, 44), id)
    lamps = ((96, 200, 60), (60, 190, 240), (52, 48, 226))  # green, amber, red from below
    lit = int(rng.integers(3))
    for k, lamp in enumerate(lamps):
        at = low + np.array([0.0, 0.26 + 0.4 * k, -0.02])
        paper.disc(at, 0.16, lamp if k == lit else tint(lamp, 0.28), id)


def draw_bin(paper: Paper, position: StreetPosition, rng: np.random.Generator) -> None:
    """A litter bin or a box: Cityscapes' label static, which is not evaluated."""
    id, colour = paper.stuff(STATIC), ((60, 70, 64), (52, 84, 150), (120, 84, 60))[rng.integers(3)]
    half, height = rng.uniform(0.22, 0.34), rng.uniform(0.8, 1.15)
    for name, quad in _sides(paper, Frustum((-half, half, half), (-half, half, half), 0.0, height), position):
        paper.face(quad, tint(colour, _LIGHT[name]), id)
        if name == "rear":
            paper.face(patch(quad, 0.15, 0.85, 0.7, 0.82), (40, 40, 40), id)


def rectangle(x0: float, x1: float, z0: float, z1: float, y: float = 0.0) -> np.ndarray:
    """(4, 3): a level rectangle of the world."""
    return np.array([[x0, y, z0], [x1, y, z0], [x1, y, z1], [x0, y, z1]], dtype=float)


def wall(start: np.ndarray, end: np.ndarray, height: float) -> np.ndarray:
    """(4, 3): an upright quad on the ground between two points (x, z), for `patch`."""
    (x0, z0), (x1, z1) = start, end
    return np.array([[x0, 0, z0], [x1, 0, z1], [x1, height, z1], [x0, height, z0]], dtype=float)
