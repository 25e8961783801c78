"""What annotated faces are, whatever file lists them, and the square of a face by its landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrbench.errors import InputError

MOST_POINTS = 1000
"""Landmarks of a face."""


@dataclass(frozen=True)
class FaceList:
    """N annotated faces with L landmarks, in the order of their file.

    image: (N,) names below the folder of images; of .pts files without the ending.
    points: (N, L, 2) float64, px.
    scale: (N,) float64, the side of the face's square over 200 px.
    centre: (N, 2) float64, px.
    box_size: (N,) float64, px, as annotated (AFLW); None if the file has none.
    subsets: name -> (N,) bool.
    hidden: (N, L) bool, which landmarks are occluded (COFW); None if the file does not say.
    origin: what the files count the top left pixel as, if `points` are shifted to count it as 0 (.pts); else None.
    notes: what a person should know who reads the numbers.
    """

    path: Path
    image: np.ndarray
    points: np.ndarray
    scale: np.ndarray
    centre: np.ndarray
    box_size: np.ndarray | None
    subsets: dict[str, np.ndarray]
    hidden: np.ndarray | None = None
    origin: int | None = None
    notes: tuple[str, ...] = ()


def squares(points: np.ndarray, faces: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Scale (N,) over 200 px and centre (N, 2) of the squares around landmarks (N, L, 2), on whole pixels.

    The rule of HRNet's code for COFW (lib/datasets/cofw.py), which knows no boxes; centres and scales of its list of
    300W's test set are these, too, as far as they are public (the two faces of tests/data/300w in mmpose 1.x).

    faces: the file and the place in it of each, for messages.

    Raises InputError for a face whose landmarks all lie on one whole pixel.

    >>> scale, centre = squares(np.array([[[268.0, 265.0], [710.702, 741.209]]]), ["faces.mat: face 0"])
    >>> scale.tolist(), centre.tolist()
    ([2.385], [[489.5, 503.5]])
    """
    low, high = np.floor(points.min(axis=1)), np.ceil(points.max(axis=1))
    scale = (high - low).max(axis=1) / 200.0
    for face in np.flatnonzero(scale <= 0)[:1]:
        raise InputError(f"{faces[face]}: all landmarks lie on one whole pixel, which is no face")
    return scale, (low + high) / 2.0
