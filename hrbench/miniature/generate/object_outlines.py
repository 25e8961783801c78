"""The classes of the detection miniature as coloured outlines: a car, a bird, an umbrella, an apple, a clock.

Frame of an outline: x to the right, y down, the object within about [-0.5, 0.5] both ways. Colours are sampled from
one palette for all classes, so only the shape identifies a class. Ids and names are those of COCO.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hrbench.miniature.generate.canvas import shade

Colour = tuple[int, ...]
Part = tuple[np.ndarray, Colour]
"""An outline (N, 2), which may be concave, and its colour (blue, green, red)."""

CATEGORIES = ((3, "car", "vehicle"), (16, "bird", "animal"), (28, "umbrella", "accessory"), (53, "apple", "food"),
              (85, "clock", "indoor"))  # fmt: skip
NAMES = tuple(name for _, name, _ in CATEGORIES)

_PAINTS = ((60, 60, 205), (200, 120, 40), (70, 160, 60), (40, 180, 225), (170, 70, 150), (60, 130, 230), (185, 175, 60),
           (90, 90, 110), (215, 215, 220), (120, 60, 60))  # fmt: skip
_DARK, _GLASS, _PALE = (45, 42, 40), (215, 195, 165), (238, 242, 244)


@dataclass(frozen=True, slots=True)
class ObjectLook:
    """What varies within a class: two colours (blue, green, red) and four shape parameters in [0, 1]."""

    paint: tuple[int, int, int]
    other: tuple[int, int, int]
    knobs: tuple[float, float, float, float]


def look(rng: np.random.Generator) -> ObjectLook:
    """A random look."""
    first, second = rng.choice(len(_PAINTS), 2, replace=False)
    a, b, c, d = rng.random(4).tolist()
    return ObjectLook(_PAINTS[first], _PAINTS[second], (a, b, c, d))


def parts(name: str, look: ObjectLook) -> list[Part]:
    """The outlines of an object, to be drawn in this order. name: one of NAMES."""
    return _MAKERS[name](look)


def ellipse(x: float, y: float, a: float, b: float, start: float = 0.0, end: float = 360.0) -> np.ndarray:
    """Points of an elliptic arc about (x, y), half axes a and b, degrees clockwise from the right: (N, 2)."""
    angles = np.deg2rad(np.linspace(start, end, 33))
    return np.stack([x + a * np.cos(angles), y + b * np.sin(angles)], axis=1)


def line(x1: float, y1: float, x2: float, y2: float, width: float) -> np.ndarray:
    """A straight bar from one point to the other: (4, 2)."""
    along = np.array([x2 - x1, y2 - y1])
    across = np.array([-along[1], along[0]]) / max(1e-9, float(np.hypot(*along))) * width / 2
    one, two = np.array([x1, y1]), np.array([x2, y2])
    return np.stack([one + across, two + across, two - across, one - across])


def _car(look: ObjectLook) -> list[Part]:
    """From the side, driving to the right."""
    tall, back = 0.26 + 0.06 * look.knobs[0], -0.36 + 0.16 * look.knobs[1]
    body = [(-0.5, 0.16), (-0.49, -0.01), (-0.42, -0.05), (0.24, -0.06), (0.46, 0.0), (0.5, 0.07), (0.5, 0.16)]
    cabin = [(back - 0.06, -0.04), (back + 0.02, -tall), (0.1, -tall), (0.28, -0.04)]
    windows = [
        [(back + 0.01, -0.06), (back + 0.06, 0.04 - tall), (-0.07, 0.04 - tall), (-0.07, -0.06)],
        [(-0.03, -0.06), (-0.03, 0.04 - tall), (0.08, 0.04 - tall), (0.21, -0.06)],
    ]
    found: list[Part] = [
        (np.array(cabin), shade(look.paint, 0.86)),
        *((np.array(window), _GLASS) for window in windows),
        (np.array(body), look.paint),
        (np.array([(-0.5, 0.1), (0.5, 0.1), (0.5, 0.16), (-0.5, 0.16)]), shade(look.paint, 0.7)),
        (line(-0.05, 0.0, -0.05, 0.1, 0.015), shade(look.paint, 0.6)),
        (ellipse(0.46, 0.05, 0.03, 0.03), (170, 235, 250)),
        (ellipse(-0.48, 0.05, 0.02, 0.035), (50, 50, 190)),
    ]
    for x in (-0.29, 0.29):
        found += [(ellipse(x, 0.16, 0.105, 0.105), _DARK), (ellipse(x, 0.16, 0.05, 0.05), (190, 190, 190))]
    return found


def _bird(look: ObjectLook) -> list[Part]:
    """Standing, looking to the right; the wing lies on the body or is raised."""
    raised = look.knobs[0] < 0.4
    wing = [(-0.1, 0.02), (0.14, 0.0), (0.0, -0.24), (-0.3, -0.46)] if raised else [
        (0.12, -0.02), (0.0, -0.1), (-0.18, -0.02), (-0.34, 0.14), (-0.08, 0.13)]  # fmt: skip
    body = ellipse(-0.02, 0.06, 0.27, 0.17)
    return [
        (line(-0.03, 0.18, -0.06, 0.4, 0.028), (40, 120, 200)),
        (line(0.06, 0.18, 0.07, 0.4, 0.028), (40, 120, 200)),
        (line(-0.08, 0.4, 0.01, 0.4, 0.028), (40, 120, 200)),
        (line(0.05, 0.4, 0.14, 0.4, 0.028), (40, 120, 200)),
        (np.array([(-0.18, 0.0), (-0.5, 0.02), (-0.46, 0.15), (-0.15, 0.14)]), shade(look.paint, 0.72)),
        (np.array([(0.36, -0.2), (0.5, -0.14), (0.35, -0.1)]), (30, 150, 235)),
        (body, look.paint),
        (ellipse(0.06, 0.11, 0.17, 0.11), shade(look.paint, 1.3)),
        (np.array([(0.08, 0.04), (0.12, -0.16), (0.36, -0.12), (0.25, 0.1)]), look.paint),
        (ellipse(0.25, -0.16, 0.135, 0.125), look.paint),
        (np.array(wing), shade(look.paint, 0.66)),
        (ellipse(0.29, -0.19, 0.035, 0.035), _PALE),
        (ellipse(0.3, -0.19, 0.02, 0.02), _DARK),
    ]


def _umbrella(look: ObjectLook) -> list[Part]:
    """Open, with a hooked handle; its panels alternate in colour."""
    panels, deep = 4 + int(3 * look.knobs[0]), 0.44 + 0.1 * look.knobs[1]
    found: list[Part] = [
        (line(0.0, -0.45, 0.0, 0.36, 0.03), _DARK),
        (line(0.0, -0.5, 0.0, -0.4, 0.022), _DARK),
    ]
    hook = np.concatenate([ellipse(0.07, 0.37, 0.085, 0.1, 180, 0), ellipse(0.07, 0.37, 0.05, 0.065, 0, 180)])
    found.append((hook, shade(look.other, 0.6)))
    edges = np.cos(np.linspace(np.pi, 0, panels + 1)) * 0.5
    for i, (left, right) in enumerate(pairwise(edges)):
        xs = np.linspace(left, right, 9)
        meridian = [_meridian(edge, deep) for edge in (left, right)]
        scallop = np.stack([xs, 0.02 - 0.05 * np.sin(np.pi * (xs - left) / (right - left))], axis=1)
        outline = np.concatenate([meridian[0], meridian[1][::-1], scallop[::-1]])
        found.append((outline, look.paint if i % 2 == 0 else shade(look.other, 1.05)))
    return found


def _meridian(edge: float, deep: float) -> np.ndarray:
    """A rib of the dome from its foot at x = edge to the top."""
    t = np.linspace(0, np.pi / 2, 9)
    return np.stack([edge * np.cos(t), 0.02 - deep * np.sin(t)], axis=1)


def _apple(look: ObjectLook) -> list[Part]:
    """With a dent where the stalk is, a leaf and a light from the upper left."""
    angles = np.deg2rad(np.linspace(0, 360, 49))
    dent = 0.16 * np.exp(-(((angles - 1.5 * np.pi) / 0.42) ** 2)) + 0.05 * np.exp(-(((angles - np.pi / 2) / 0.3) ** 2))
    radius = 0.42 * (1 - dent) * (1 + 0.04 * np.cos(2 * angles))
    skin = np.stack([radius * np.cos(angles), 0.06 + radius * np.sin(angles) * (0.92 + 0.1 * look.knobs[0])], axis=1)
    shine = ellipse(-0.17, -0.06, 0.075, 0.12)
    tip = 0.2 + 0.1 * look.knobs[1]
    leaf = np.array([(0.02, -0.33), (0.1, -0.46), (tip, -0.45), (tip + 0.03, -0.38), (0.14, -0.31)])
    return [
        (skin, shade(look.paint, 0.8)),
        (skin * 0.88 + np.array([-0.02, -0.01]), look.paint),
        (shine, shade(look.paint, 1.45)),
        (line(0.0, -0.24, 0.04, -0.47, 0.045), (40, 62, 88)),
        (leaf, (60, 150, 80)),
    ]


def _clock(look: ObjectLook) -> list[Part]:
    """A face with twelve marks and two hands; some have two bells and feet."""
    found: list[Part] = []
    if look.knobs[0] < 0.5:
        for side in (-1, 1):
            found.append((ellipse(side * 0.27, -0.35, 0.14, 0.1), shade(look.other, 0.9)))
            found.append((line(side * 0.2, 0.3, side * 0.33, 0.49, 0.06), _DARK))
    found += [(ellipse(0, 0.02, 0.44, 0.44), look.paint), (ellipse(0, 0.02, 0.35, 0.35), _PALE)]
    for hour in range(12):
        x, y = np.cos(np.pi * hour / 6), np.sin(np.pi * hour / 6)
        inner = 0.24 if hour % 3 == 0 else 0.28
        found.append((line(inner * x, 0.02 + inner * y, 0.32 * x, 0.02 + 0.32 * y, 0.032), _DARK))
    for knob, reach, width in ((look.knobs[1], 0.2, 0.055), (look.knobs[2], 0.29, 0.035)):
        x, y = np.cos(2 * np.pi * knob), np.sin(2 * np.pi * knob)
        found.append((line(-0.04 * x, 0.02 - 0.04 * y, reach * x, 0.02 + reach * y, width), _DARK))
    found.append((ellipse(0, 0.02, 0.04, 0.04), shade(look.paint, 0.8)))
    return found


_MAKERS: dict[str, Callable[[ObjectLook], list[Part]]] = {
    "car": _car,
    "bird": _bird,
    "umbrella": _umbrella,
    "apple": _apple,
    "clock": _clock,
}
