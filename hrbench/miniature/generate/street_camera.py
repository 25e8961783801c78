"""A pinhole camera on a street, and a labelled canvas on which 3-D shapes are drawn as the camera sees them.

Frames. World: x right, y up from the ground, z ahead, in metres; the camera stands at x = 0, z = 0. Image: pixels of
the final picture, x right, y down.

Only integer drawing of OpenCV on fixed-point coordinates is used, so the pixels are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from hrbench.miniature.generate.canvas import Canvas, shade

Colour = tuple[int, ...]
"""Blue, green, red, 0 to 255."""

BODY_IDS = 16  # 1 to 15 are the parts of the person being drawn, for a moment
FIRST_INSTANCE = 64  # ids below, from BODY_IDS on, are labels without an instance
NEAR_PLANE = 0.5  # metres; points nearer than that, or behind the camera, are drawn at this distance


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera that looks straight ahead.

    focal: focal length in pixels.
    centre, horizon: x and y of the vanishing point, in pixels.
    eye: height of the camera in metres.
    air: colour of infinitely distant objects.
    thickness: how fast colours approach `air`, per metre.
    """

    focal: float
    centre: float
    horizon: float
    eye: float
    air: Colour
    thickness: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (N, 3) -> image points (N, 2)."""
        z = np.maximum(points[:, 2], NEAR_PLANE)
        scale = self.focal / z
        return np.stack([self.centre + scale * points[:, 0], self.horizon + scale * (self.eye - points[:, 1])], axis=1)

    def size(self, metres: float, z: float) -> float:
        """How many pixels a length has at a distance."""
        return self.focal * metres / max(z, NEAR_PLANE)

    def faded(self, colour: Colour, z: float) -> Colour:
        """The colour as it is seen through z metres of air."""
        clear = float(np.exp(-self.thickness * max(z, 0.0)))
        return tuple(round(clear * c + (1 - clear) * a) for c, a in zip(colour, self.air, strict=True))


class Paper:
    """A canvas on which every shape that is drawn has a class: a Cityscapes label id, with or without an instance.

    values: for each id of the canvas, what Cityscapes writes into instanceIds: label x 1000 + number for an instance,
    the label alone for everything else.
    """

    def __init__(self, camera: Camera, width: int, height: int, fine: int) -> None:
        self.camera = camera
        self.canvas = Canvas(width, height, fine)
        self.values = np.zeros(256, dtype=np.uint16)
        self.values[BODY_IDS:FIRST_INSTANCE] = np.arange(FIRST_INSTANCE - BODY_IDS)
        self.used = FIRST_INSTANCE
        self.counts: dict[int, int] = {}

    def stuff(self, label: int) -> int:
        """The canvas id of a label without an instance (of a group region, for a countable class)."""
        return BODY_IDS + label

    def instance(self, label: int) -> int:
        """A new canvas id for one more instance of a label; a group region if the canvas has no id left."""
        if self.used == len(self.values):
            return self.stuff(label)
        number = self.counts.get(label, 0)
        self.counts[label] = number + 1
        self.values[self.used] = label * 1000 + number
        self.used += 1
        return self.used - 1

    def flat(self, points: np.ndarray, colour: Colour, id: int) -> None:
        """Fill the hull of image points (N, 2)."""
        self.canvas.polygon(points, colour, id)

    def face(self, corners: np.ndarray, colour: Colour, id: int) -> None:
        """Fill the hull of world points (N, 3), seen through the air between."""
        self.flat(self.camera.project(corners), self.camera.faded(colour, float(corners[:, 2].mean())), id)

    def faces(self, quads: np.ndarray, colours: np.ndarray, id: int) -> None:
        """Fill flat quads of world points (N, 4, 3) in colours (N, 3), in that order: `face` for many at once."""
        clear = np.exp(-self.camera.thickness * np.maximum(quads[..., 2].mean(axis=1), 0.0))[:, None]
        seen = np.rint(clear * np.clip(colours, 0, 255) + (1 - clear) * np.array(self.camera.air)).astype(int).tolist()
        routes = self.canvas.fixed(self.camera.project(quads.reshape(-1, 3))).reshape(-1, 4, 2)
        for route, colour in zip(routes, seen, strict=True):
            cv2.fillConvexPoly(self.canvas.pixels, route, (*colour, id), cv2.LINE_8, 4)

    def disc(self, at: np.ndarray, radius: float, colour: Colour, id: int) -> None:
        """Fill a disc that faces the camera; at: a world point (3,), radius in metres."""
        (point,) = self.camera.project(at[None])
        size = self.camera.size(radius, float(at[2]))
        self.canvas.hull([(point, size)], 1.0, self.camera.faded(colour, float(at[2])), id)

    def bar(self, start: np.ndarray, end: np.ndarray, width: float, colour: Colour, id: int) -> None:
        """A round bar between two world points (3,), `width` metres thick and never thinner than 0.7 pixels."""
        circles = []
        for point in (start, end):
            (seen,) = self.camera.project(point[None])
            circles.append((seen, max(0.35, self.camera.size(width / 2, float(point[2])))))
        self.canvas.hull(circles, 1.0, self.camera.faded(colour, float(start[2] + end[2]) / 2), id)

    def line(self, points: np.ndarray, width: float, colour: Colour) -> None:
        """A line through world points (N, 3), on top of what is there and of the same label; width in pixels."""
        route = self.canvas.fixed(self.camera.project(points))
        thickness = max(1, round(width * self.canvas.fine))

        def stroke(mask: np.ndarray, corner: np.ndarray) -> None:
            cv2.polylines(mask, [route - corner], False, 1, thickness, cv2.LINE_8, 4)

        pixels, mask = self._window(route, thickness, stroke)
        pixels[mask, :3] = self.camera.faded(colour, float(points[:, 2].mean()))

    def claim(self, points: np.ndarray, id: int) -> None:
        """Gives the hull of image points (N, 2) an id without drawing: what is seen through a wheel is bicycle."""
        pixels, mask = self._hull(points)
        pixels[mask, 3] = id

    def shadow(self, corners: np.ndarray, grounds: tuple[int, ...]) -> None:
        """Darken the hull of world points (N, 3) where the canvas shows one of the labels `grounds`."""
        pixels, mask = self._hull(self.camera.project(corners))
        dark = mask & np.isin(pixels[..., 3], [self.stuff(label) for label in grounds])
        pixels[dark, :3] = (pixels[dark, :3].astype(np.uint16) * 5 // 8).astype(np.uint8)

    def _hull(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hull = cv2.convexHull(self.canvas.fixed(points))
        return self._window(hull[:, 0], 1, lambda mask, corner: cv2.fillConvexPoly(mask, hull - corner, 1, 8, 4))

    def _window(
        self, route: np.ndarray, margin: int, stroke: Callable[[np.ndarray, np.ndarray], object]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The part of the canvas around fixed-point coordinates (N, 2), and the mask there that `stroke` fills."""
        height, width = self.canvas.pixels.shape[:2]
        x0, y0 = np.clip(route.min(axis=0) // 16 - margin, 0, (width, height))
        x1, y1 = np.clip(route.max(axis=0) // 16 + margin + 1, 0, (width, height))
        pixels = self.canvas.pixels[y0:y1, x0:x1]
        mask = np.zeros(pixels.shape[:2], dtype=np.uint8)
        if mask.size:
            stroke(mask, np.array([x0, y0], dtype=np.int32) * 16)
        return pixels, mask > 0


def patch(quad: np.ndarray, u0: float, u1: float, v0: float, v1: float) -> np.ndarray:
    """Part of a quad (4, 3) of world points: bottom left, bottom right, top right, top left; u across, v up."""
    return patches(quad, np.array([[u0, u1, v0, v1]]))[0]


def patches(quad: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """`patch` for many: parts (N, 4), each u0, u1, v0, v1 -> (N, 4, 3)."""
    u, v = parts[:, (0, 1, 1, 0), None], parts[:, (2, 2, 3, 3), None]
    low, low_right, high_right, high = quad
    return (1 - v) * ((1 - u) * low + u * low_right) + v * ((1 - u) * high + u * high_right)


def tint(colour: Colour, factor: float) -> Colour:
    """The colour, lighter or darker by a factor."""
    return shade((colour[0], colour[1], colour[2]), factor)
