"""What the landmarks of public sets of faces are: which a mirror exchanges, and the parts of the face that they mark.

Landmarks are counted from 0. Sources: 300W's 68 (Sagonas et al., ICCV Workshops 2013), WFLW's 98 (Wu et al., CVPR
2018), COFW's 29 (Burgos-Artizzu et al., ICCV 2013) and AFLW's 19 of 21, without the ears (Zhu et al., CVPR 2016). Pairs
are those of https://github.com/HRNet/HRNet-Facial-Landmark-Detection (lib/utils/transforms.py), in part counted from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hrbench.formats.coco.skeletons import FACE_PAIRS, Pairs


@dataclass(frozen=True)
class FaceScheme:
    """Of faces with L landmarks.

    pairs: landmarks that a mirror exchanges; the others lie in the middle.
    regions: name -> landmarks of it; each is in one.
    """

    pairs: Pairs
    regions: Mapping[str, tuple[int, ...]]

    def mirror(self) -> np.ndarray:
        """(L,) int64: the landmark on the other side of each, or itself."""
        found = np.arange(sum(map(len, self.regions.values())))
        for one, other in self.pairs:
            found[[one, other]] = other, one
        return found

    def region_of(self) -> list[str]:
        """The region of each landmark."""
        found = {place: name for name, places in self.regions.items() for place in places}
        return [found[place] for place in range(len(found))]


def _between(start: int, end: int) -> tuple[int, ...]:
    return tuple(range(start, end))


SCHEMES: Mapping[int, FaceScheme] = {
    68: FaceScheme(
        FACE_PAIRS,
        {
            "outline": _between(0, 17),
            "brows": _between(17, 27),
            "nose": _between(27, 36),
            "eyes": _between(36, 48),
            "mouth": _between(48, 68),
        },
    ),
    98: FaceScheme(
        (
            *((at, 32 - at) for at in range(16)),
            *((at, 79 - at) for at in range(33, 38)), *((at, 88 - at) for at in range(38, 42)),
            (55, 59), (56, 58),
            *((at, 132 - at) for at in range(60, 65)), *((at, 140 - at) for at in range(65, 68)),
            (76, 82), (77, 81), (78, 80), (83, 87), (84, 86), (88, 92), (89, 91), (93, 95),
            (96, 97),
        ),
        {
            "outline": _between(0, 33),
            "brows": _between(33, 51),
            "nose": _between(51, 60),
            "eyes": _between(60, 76),
            "mouth": _between(76, 96),
            "pupils": (96, 97),
        },
    ),
    29: FaceScheme(
        ((0, 1), (2, 3), (4, 6), (5, 7), (8, 9), (10, 11), (12, 14), (13, 15), (16, 17), (18, 19), (22, 23)),
        {
            "brows": _between(0, 8),
            "eyes": _between(8, 16),
            "pupils": (16, 17),
            "nose": _between(18, 22),
            "mouth": _between(22, 28),
            "chin": (28,),
        },
    ),
    19: FaceScheme(
        ((0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (8, 9), (12, 14), (15, 17)),
        {
            "brows": _between(0, 6),
            "eyes": _between(6, 12),
            "nose": _between(12, 15),
            "mouth": _between(15, 18),
            "chin": (18,),
        },
    ),
}  # fmt: skip
"""By how many landmarks a face has."""
