"""Random street scenes generated from a seed: the images of the segmentation miniature, for testing and for training.

Every scene has its own generator, seeded by (`_SEED_PREFIX`, seed, index), so any part of a set can be generated alone
and the order does not matter. Testing uses the seed `TEST_SEED`, training any other seed. A scene belongs to one of
three invented towns, which differ in their houses, trees and traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hrbench.miniature.generate import street_elements as things
from hrbench.miniature.generate.street_camera import Camera, Colour, Paper, patch, patches, tint
from hrbench.miniature.generate.street_elements import StreetPosition, rectangle, wall

TEST_SEED = 2016
WIDTH, HEIGHT = 256, 128
FINE = 3  # drawn this many times larger, then averaged
MIN_INSTANCE_PIXELS = 12  # pixels; an instance of which fewer are visible becomes label 5, dynamic

_SEED_PREFIX = 4  # so that no seed sequence is one of the pose miniatures'
_SKIES = (((228, 200, 168), (238, 228, 216)), ((214, 206, 198), (232, 230, 228)), ((210, 176, 140), (222, 224, 236)))
_ROADS = ((104, 100, 96), (92, 90, 92), (116, 112, 108))
_PAVEMENTS = ((158, 162, 164), (146, 156, 168), (166, 162, 154))


@dataclass(frozen=True, slots=True)
class Town:
    """What the scenes of one town have in common.

    walls: colours of houses.
    green: share of plots with trees instead of a house.
    storeys: smallest and largest number.
    crowd: number of people, relative to the average town.
    parked: number of parked cars, relative to the average town.
    """

    name: str
    walls: tuple[Colour, ...]
    green: float
    storeys: tuple[int, int]
    crowd: float
    parked: float


_GREY = ((176, 182, 188), (150, 158, 170), (196, 200, 200), (134, 146, 166))
_WARM = ((130, 162, 206), (150, 186, 216), (110, 128, 186), (176, 200, 214), (120, 150, 190))
_BRICK = ((84, 96, 156), (98, 116, 172), (120, 130, 160), (168, 178, 190))
TOWNS = (
    Town("birkenhold", _WARM, 0.35, (2, 3), 0.9, 1.0),
    Town("grauwerth", _GREY, 0.12, (3, 6), 1.3, 0.9),
    Town("ostermark", _BRICK, 0.25, (2, 4), 1.0, 1.3),
)


@dataclass(frozen=True, slots=True)
class StreetScene:
    """A generated street with its ground truth.

    index: its number in the set.
    town: its name.
    image: (H, W, 3) uint8, BGR.
    labels: (H, W) uint8, Cityscapes label ids.
    instances: (H, W) uint16, label x 1000 + number for an instance, the label alone for everything else.
    """

    index: int
    town: str
    image: np.ndarray
    labels: np.ndarray
    instances: np.ndarray


def scenes(seed: int, count: int, first: int = 0) -> Iterator[StreetScene]:
    """Generates `count` scenes of the set with this seed, from number `first` on."""
    for index in range(first, first + count):
        yield _scene(index, np.random.default_rng([_SEED_PREFIX, seed, index]))


@dataclass(frozen=True, slots=True)
class Street:
    """x of the kerbs, the houses and the lanes in metres, left and right."""

    kerbs: tuple[float, float]
    houses: tuple[float, float]
    lanes: tuple[float, ...]


Stroke = tuple[float, Callable[[], None]]
"""Distance of an object in metres, and the function that draws it."""


def _scene(index: int, rng: np.random.Generator) -> StreetScene:
    town = TOWNS[index % len(TOWNS)]
    sky = _SKIES[rng.integers(len(_SKIES))]
    camera = Camera(
        focal=rng.uniform(150, 200),
        centre=WIDTH * rng.uniform(0.4, 0.6),
        horizon=HEIGHT * rng.uniform(0.37, 0.46),
        eye=rng.uniform(1.4, 1.8),
        air=sky[1],
        thickness=rng.uniform(0.004, 0.012),
    )
    paper = Paper(camera, WIDTH, HEIGHT, FINE)
    left, right = -rng.uniform(3.6, 7.0), rng.uniform(3.0, 5.6)
    street = Street(
        kerbs=(left, right),
        houses=(left - rng.uniform(2.0, 4.2), right + rng.uniform(2.0, 4.2)),
        lanes=(0.5 * left, 0.45 * right),
    )
    _draw_sky(paper, sky, rng)
    _draw_skyline(paper, street, town, rng)
    _draw_ground(paper, street, rng)
    for side in (0, 1):
        _draw_row(paper, street, side, town, rng)
    strokes = _vehicles(paper, street, town, rng) + _furniture(paper, street, town, rng)
    strokes += _people(paper, street, town, rng)
    for _, stroke in sorted(strokes, key=lambda each: -each[0]):
        stroke()
    _draw_bonnet(paper, rng)
    return _finished(index, town, paper, rng)


# --- surroundings --------------------------------------------------------------------------------------------------


def _draw_sky(paper: Paper, colours: tuple[Colour, Colour], rng: np.random.Generator) -> None:
    """A gradient down to the horizon, and clouds."""
    pixels, camera = paper.canvas.pixels, paper.camera
    rows = np.clip((np.arange(pixels.shape[0]) + 0.5) / FINE / camera.horizon, 0, 1)[:, None]
    shades = (1 - rows) * np.array(colours[0], dtype=float) + rows * np.array(colours[1], dtype=float)
    pixels[..., :3] = np.rint(shades).astype(np.uint8)[:, None, :]
    pixels[..., 3] = paper.stuff(things.SKY)
    for _ in range(int(rng.integers(0, 5))):
        at = np.array([rng.uniform(0, WIDTH), rng.uniform(0, 0.7) * camera.horizon])
        for _ in range(5):
            spread = np.array([rng.uniform(-14, 14), rng.uniform(-2.5, 2.5)])
            ends = [(at + spread, rng.uniform(2, 4)), (at + spread + [rng.uniform(4, 12), 0], rng.uniform(1, 3))]
            paper.canvas.hull(ends, 1.0, tint(colours[1], rng.uniform(1.0, 1.05)), paper.stuff(things.SKY))


def _draw_skyline(paper: Paper, street: Street, town: Town, rng: np.random.Generator) -> None:
    """Houses and trees across the far end of the street."""
    for z, count in ((120.0, 7), (95.0, 4)):
        for _ in range(count):
            x, wide = rng.uniform(-60, 60), rng.uniform(8, 22)
            height = rng.uniform(3, 4.2) * rng.uniform(*town.storeys)
            if rng.random() < town.green:
                for k in range(6):
                    at = np.array([x + 2.2 * k, rng.uniform(2, 5), z])
                    paper.disc(at, rng.uniform(2.4, 4.2), tint((58, 104, 70), rng.uniform(0.8, 1.1)), paper.stuff(21))
            else:
                front = wall(np.array([x, z]), np.array([x + wide, z]), height)
                _draw_facade(paper, front, town.walls[rng.integers(len(town.walls))], rng)


def _draw_ground(paper: Paper, street: Street, rng: np.random.Generator) -> None:
    """Pavements from the houses to the kerbs, the road between them with its markings."""
    pavement, asphalt = paper.stuff(things.SIDEWALK), paper.stuff(things.ROAD)
    stone, tar = _PAVEMENTS[rng.integers(3)], _ROADS[rng.integers(3)]
    edges = [2.0, 4.0, 7.0, 12.0, 20.0, 35.0, 60.0, 94.0]
    for start, end in zip(edges[-2::-1], edges[:0:-1], strict=True):
        paper.face(rectangle(-70, 70, start, end), stone, pavement)
        paper.face(rectangle(*street.kerbs, start, end), tar, asphalt)
    for kerb, inward in zip(street.kerbs, (1, -1), strict=True):
        for start, end in zip(edges[-2::-1], edges[:0:-1], strict=True):
            paper.face(rectangle(kerb, kerb - inward * 0.22, start, end), tint(stone, 1.18), pavement)
            paper.face(rectangle(kerb, kerb + inward * 0.3, start, end), tint(tar, 0.82), asphalt)
    for x in (street.houses[0] + 1.2, street.houses[1] - 1.2):
        paper.line(np.array([[x, 0, 90.0], [x, 0, 3.0]]), 0.34, tint(stone, 0.86))
    for z in np.arange(4.0, 26.0, 1.6):
        for kerb, house in zip(street.kerbs, street.houses, strict=True):
            paper.line(np.array([[kerb, 0, z], [house, 0, z]]), 0.34, tint(stone, 0.88))
    white, middle = (214, 216, 216), (street.kerbs[0] + street.kerbs[1]) / 2 - 0.4
    for z in np.arange(3.0 + rng.uniform(0, 4), 60.0, 6.0)[::-1]:
        paper.face(rectangle(middle - 0.07, middle + 0.07, z, z + 2.6), white, asphalt)
    if rng.random() < 0.3:  # a crossing
        z = rng.uniform(9, 18)
        for x in np.arange(street.kerbs[0] + 0.5, street.kerbs[1] - 0.5, 1.0):
            paper.face(rectangle(x, x + 0.5, z, z + 2.6), white, asphalt)
    for _ in range(int(rng.integers(0, 4))):  # repaired places
        x, z = rng.uniform(*street.kerbs), rng.uniform(4, 20)
        x1 = min(x + rng.uniform(0.6, 2.0), street.kerbs[1])
        paper.face(rectangle(x, x1, z, z + rng.uniform(0.8, 3.0)), tint(tar, rng.uniform(0.82, 1.1)), asphalt)


def _draw_row(paper: Paper, street: Street, side: int, town: Town, rng: np.random.Generator) -> None:
    """Houses along one side of the street, or hedges and trees where a plot has no house, farthest first."""
    x, outward = street.houses[side], (-1.0, 1.0)[side]
    plots, z = [], rng.uniform(-4, 2)
    while z < 90:
        length = rng.uniform(6, 14)
        plots.append((z, z + length))
        z += length + (rng.uniform(1.5, 5) if rng.random() < 0.25 else 0.0)
    for start, end in reversed(plots):
        near = max(start, 1.0)
        if end < 1.5:
            continue
        if rng.random() < town.green:
            for _ in range(int(rng.integers(1, 4))):
                position = StreetPosition(
                    x + outward * rng.uniform(1.0, 4.5), rng.uniform(near + 0.5, max(near + 1, end))
                )
                if position.z > 4.0:
                    things.draw_tree(paper, position, rng)
            things.draw_hedge(paper, x, near, end, rng.uniform(0.8, 1.7), rng)
            continue
        height = 3.1 * rng.integers(town.storeys[0], town.storeys[1] + 1) + rng.uniform(0, 1)
        colour = tint(town.walls[rng.integers(len(town.walls))], rng.uniform(0.85, 1.1))
        corners = np.array([[x, near], [x, end], [x + outward * 12, near]])
        if start > 1.0:
            front = wall(corners[0], corners[2], height) if side else wall(corners[2], corners[0], height)
            paper.face(front, tint(colour, 0.96), paper.stuff(things.BUILDING))
        facade = wall(corners[0], corners[1], height)
        _draw_facade(paper, facade, tint(colour, (0.82, 1.02)[side]), rng)


def _draw_facade(paper: Paper, quad: np.ndarray, colour: Colour, rng: np.random.Generator) -> None:
    """The front of a house: rows of windows, a door, a cornice. Details finer than half a pixel are left out."""
    id, glass = paper.stuff(things.BUILDING), tint((108, 96, 84), rng.uniform(0.7, 1.2))
    height = float(quad[2, 1])
    length = float(np.abs(quad[1] - quad[0]).sum())
    across, floors = max(1, round(length / 2.6)), max(1, round(height / 3.1))
    paper.face(quad, colour, id)
    far = float(quad[:, 2].mean())
    if paper.camera.size(1.2, far) < 1.0:
        return
    shop = rng.random() < 0.35
    column, floor = (grid.ravel() for grid in np.meshgrid(np.arange(across)[::-1], np.arange(floors), indexing="ij"))
    door = (floor == 0) & (column == across // 2)
    open_wide = door | ((floor == 0) & shop)
    margin = np.where(open_wide, 0.12, 0.24)
    sill = np.where(door, 0.0, np.where(open_wide, 0.1, 0.3))
    panes = np.stack([(column + margin) / across, (column + 1 - margin) / across, (floor + sill) / floors], axis=1)
    panes = np.concatenate([panes, ((floor + 0.78) / floors)[:, None]], axis=1)
    frames = panes + np.array([-0.04 / across, 0.04 / across, 0.0, 0.02])
    paints = np.outer(rng.uniform(0.75, 1.35, len(panes)), glass)
    paper.faces(patches(quad, frames), np.tile(np.array(colour) * 0.72, (len(panes), 1)), id)
    paper.faces(patches(quad, panes), paints, id)
    paper.face(patch(quad, 0, 1, 0.955, 1.0), tint(colour, 0.7), id)


def _draw_bonnet(paper: Paper, rng: np.random.Generator) -> None:
    """The bonnet of the car that carries the camera."""
    id = paper.stuff(things.EGO_VEHICLE)
    top, middle = HEIGHT - rng.uniform(6, 11), WIDTH * rng.uniform(0.46, 0.54)
    turn = np.linspace(0, np.pi, 25)
    for lift, colour in ((0.0, (52, 50, 50)), (2.0, (78, 74, 72)), (3.6, (62, 60, 60))):
        rim = np.stack([middle + 150 * np.cos(turn), HEIGHT + 14 - (HEIGHT + 14 - top - lift) * np.sin(turn)], axis=1)
        paper.flat(rim, colour, id)


# --- things --------------------------------------------------------------------------------------------------------


def _vehicles(paper: Paper, street: Street, town: Town, rng: np.random.Generator) -> list[Stroke]:
    """Cars parked at the kerbs and driving, buses; behind 45 m parked cars are one group region."""
    strokes: list[Stroke] = []

    def add(position: StreetPosition, label: int, group: bool = False) -> None:
        id = paper.stuff(label) if group else paper.instance(label)
        draw = things.draw_bus if label == things.BUS else things.draw_car
        strokes.append((position.z, lambda: draw(paper, position, id, rng)))

    for side, (kerb, inward) in enumerate(zip(street.kerbs, (1, -1), strict=True)):
        z = rng.uniform(5, 14)
        while z < 60:
            if rng.random() < 0.36 * town.parked and abs(kerb) > 3.2:
                heading = (np.pi if side == 0 else 0.0) + rng.normal(0, 0.03)
                add(StreetPosition(kerb + inward * 1.15, z, heading), things.CAR, group=z > 45)
            z += rng.uniform(5.2, 7.0)
    occupied: list[tuple[float, float]] = []
    for _ in range(int(rng.integers(0, 4))):
        lane = int(rng.integers(2))
        z = rng.uniform(9, 40)
        bus = rng.random() < 0.34
        if any(lane == other and abs(z - at) < 12 for other, at in occupied) or (bus and z < 14):
            continue
        occupied.append((lane, z))
        x = street.lanes[lane] + (0.6 if lane == 0 else -0.5) + rng.uniform(-0.2, 0.2)
        add(
            StreetPosition(x, z, (np.pi if lane == 0 else 0.0) + rng.normal(0, 0.04)), things.BUS if bus else things.CAR
        )
    if rng.random() < 0.22:  # one that turns or crosses
        heading = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.9, 2.2))
        bus = rng.random() < 0.4
        z = rng.uniform(16, 26) if bus else rng.uniform(10, 22)
        if all(abs(z - at) > 9 for _, at in occupied):
            add(StreetPosition(rng.uniform(-2.5, 2.0), z, heading), things.BUS if bus else things.CAR)
    return strokes


def _pavement(street: Street, rng: np.random.Generator, low: float = 0.1, high: float = 0.9) -> tuple[float, int]:
    """An x on one of the pavements, between the kerb (0) and the houses (1), and which side that is."""
    side = int(rng.integers(2))
    share = rng.uniform(low, high)
    return street.kerbs[side] + share * (street.houses[side] - street.kerbs[side]), side


def _furniture(paper: Paper, street: Street, town: Town, rng: np.random.Generator) -> list[Stroke]:
    """Lamps, signs, lights, trees, bins and parked bicycles on the pavements."""
    strokes: list[Stroke] = []
    for kerb, inward in zip(street.kerbs, (1.0, -1.0), strict=True):
        x = kerb - inward * 0.45
        for z in np.arange(rng.uniform(5, 16), 60, rng.uniform(12, 20)):
            position = StreetPosition(x, float(z))
            strokes.append((z, lambda position=position, inward=inward: things.draw_lamp(paper, position, inward, rng)))
        for z in np.arange(rng.uniform(6, 30), 60, rng.uniform(9, 20)):
            if rng.random() < 0.4 + town.green / 2:
                position = StreetPosition(kerb - inward * rng.uniform(0.8, 1.4), float(z))
                strokes.append((z, lambda position=position: things.draw_tree(paper, position, rng)))
        for _ in range(int(rng.integers(0, 4))):
            position = StreetPosition(kerb - inward * rng.uniform(0.3, 0.9), rng.uniform(5, 24))
            draw = things.draw_traffic_light if rng.random() < 0.3 else things.draw_sign
            strokes.append((position.z, lambda draw=draw, position=position: draw(paper, position, rng)))
    for _ in range(int(rng.integers(0, 3))):
        x, _ = _pavement(street, rng, 0.6, 0.95)
        position = StreetPosition(x, rng.uniform(5, 20), rng.normal(0, 0.1))
        strokes.append((position.z, lambda position=position: things.draw_bin(paper, position, rng)))
    for _ in range(int(rng.integers(0, 4))):
        x, _ = _pavement(street, rng, 0.2, 0.8)
        z = rng.uniform(5, 14)
        for k in range(int(rng.integers(1, 4))):  # often a few side by side
            position = StreetPosition(x, z + 0.75 * k, np.pi / 2 + rng.normal(0, 0.25))
            id = paper.instance(things.BICYCLE)
            strokes.append((position.z, lambda position=position, id=id: things.draw_bicycle(paper, position, id, rng)))
    return strokes


def _people(paper: Paper, street: Street, town: Town, rng: np.random.Generator) -> list[Stroke]:
    """People on the pavements, some on the road, sometimes a distant group that is annotated as one region."""
    strokes: list[Stroke] = []

    def add(x: float, z: float, id: int) -> None:
        strokes.append((z, lambda: things.draw_person(paper, StreetPosition(x, z), id, rng)))

    for _ in range(int(rng.poisson(4.6 * town.crowd))):
        x, _ = _pavement(street, rng)
        z = rng.uniform(5, 24)
        add(x, z, paper.instance(things.PERSON))
        if rng.random() < 0.3:  # in company
            add(x + rng.uniform(0.5, 0.7), z + rng.uniform(-0.2, 0.2), paper.instance(things.PERSON))
    for _ in range(int(rng.integers(0, 3))):
        add(rng.uniform(*street.kerbs), rng.uniform(9, 24), paper.instance(things.PERSON))
    if rng.random() < 0.25:
        x, _ = _pavement(street, rng, 0.2, 0.5)
        z = rng.uniform(24, 34)
        for _ in range(int(rng.integers(4, 8))):
            add(x + rng.uniform(-1.6, 1.6), z + rng.uniform(-1.5, 1.5), paper.stuff(things.PERSON))
    return strokes


# --- the finished scene --------------------------------------------------------------------------------------------


def _finished(index: int, town: Town, paper: Paper, rng: np.random.Generator) -> StreetScene:
    """The image as a camera takes it, and the labels at the middle of each pixel."""
    image, ids = paper.canvas.finished()
    middle = ids[FINE // 2 :: FINE, FINE // 2 :: FINE]
    instances = paper.values[middle]
    used, counts = np.unique(instances, return_counts=True)
    for value in used[(used >= 1000) & (counts < MIN_INSTANCE_PIXELS)]:
        instances[instances == value] = things.DYNAMIC
    border = np.ones(instances.shape, dtype=bool)
    border[1:-1, 2:-2] = False
    instances[border & (instances != things.EGO_VEHICLE)] = things.OUT_OF_ROI
    labels = np.where(instances >= 1000, instances // 1000, instances).astype(np.uint8)
    return StreetScene(index, town.name, _exposed(image, rng), labels, instances)


def _exposed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image under another light and a slight cast, with the noise of a camera (integers only)."""
    light = int(rng.integers(180, 290))
    cast = rng.integers(-10, 11, size=3)
    noise = rng.integers(-5, 6, size=image.shape, dtype=np.int64)
    noise += rng.integers(-4, 5, size=image.shape[:2], dtype=np.int64)[..., None]
    seen = image.astype(np.int64)
    if rng.random() < 0.3:  # out of focus: each pixel with its neighbours above and to the left, rounded up
        wide = np.pad(seen, ((1, 0), (1, 0), (0, 0)), mode="reflect")
        seen = (wide[:-1, :-1] + wide[:-1, 1:] + wide[1:, :-1] + wide[1:, 1:] + 3) // 4
    return np.clip(seen * (light + cast) // 256 + noise, 0, 255).astype(np.uint8)
