"""Pictures of the people estimated in one image: limbs coloured by side, joints as dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hrbench.formats.coco.rows import people_of
from hrbench.formats.mpii import indexed_rows
from hrbench.tasks.sample_names import names_of
from hrbench.types import KeypointScheme, Sample

LEFT, RIGHT, MIDDLE = (60, 130, 245), (235, 150, 40), (90, 200, 90)
"""BGR: orange for the person's left, blue for the right, green for what joins both."""

SHORT_SIDE, LONG_SIDE = 240, 480
"""Drawings are enlarged until the short side has the first, and never grow past the second."""


def read_rows(path: Path, samples: Sequence[Sample]) -> dict[int | str, list[dict[str, Any]]]:
    """Sample id -> its people's keypoints, from a prediction file: COCO results JSON, MPII's rows or (N, K, 3) array.

    Raises InputError if the JSON is no list of rows with image_id and keypoints.
    """
    if path.suffix == ".json" and (own := indexed_rows(path)) is not None:
        return {
            sample.id: [{"keypoints": np.array(own[one.index])} for one in sample.content if one.index in own]
            for sample in samples
        }
    if path.suffix == ".json":
        return people_of(path, [sample.id for sample in samples], names_of(samples))
    array = np.load(path, allow_pickle=False)
    return {
        sample.id: [{"keypoints": array[person.index].reshape(-1)} for person in sample.content] for sample in samples
    }


def render_people(
    image: np.ndarray, rows: Sequence[Mapping[str, Any]], scheme: KeypointScheme, min_confidence: float = 0.2
) -> np.ndarray:
    """The image, uint8 (H, W, 3) BGR, scaled for a report, with the joints of `rows`.


    rows: results of `Pose.finish`, keypoints in the pixels of `image`.
    min_confidence: joints at or below it are not drawn.
    """
    height, width = image.shape[:2]
    factor = min(max(1.0, SHORT_SIDE / min(height, width)), LONG_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    canvas = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    thickness = max(1, round(min(size) / 160))
    sides = [_side(name) for name in scheme.names]
    for row in rows:
        joints = np.asarray(row["keypoints"], dtype=np.float64).reshape(-1, 3)
        points = [tuple(int(v) for v in np.rint((joint[:2] + 0.5) * factor - 0.5)) for joint in joints]
        seen = joints[:, 2] > min_confidence
        for a, b in scheme.limbs:
            if seen[a] and seen[b]:
                colour = sides[a] if sides[a] == sides[b] else MIDDLE
                cv2.line(canvas, points[a], points[b], colour, thickness, cv2.LINE_AA)
        for joint, point in enumerate(points):
            if seen[joint]:
                cv2.circle(canvas, point, thickness + 1, (255, 255, 255), -1, cv2.LINE_AA)
                cv2.circle(canvas, point, thickness, sides[joint], -1, cv2.LINE_AA)
    return canvas


def _side(name: str) -> tuple[int, int, int]:
    return LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE
