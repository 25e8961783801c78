"""Parts of the body by the names of joints, and the joint on the other side of each, whatever set they are of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hrbench.formats.coco.skeletons import SKELETONS
from hrbench.metrics.coco.misread_joints import exchanged_joints

REGIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("hands", ("hand", "thumb", "finger", "forefinger", "index", "pinky")),
    ("face", ("face", "mouth", "lip", "jaw", "brow", "chin")),
    ("head", ("head", "nose", "eye", "ear")),
    ("feet", ("foot", "toe", "heel", "paw", "hoof")),
    ("arms", ("shoulder", "elbow", "wrist", "lsho", "rsho", "lelb", "relb", "lwri", "rwri", "arm")),
    ("legs", ("hip", "knee", "ankle", "lhip", "rhip", "lkne", "rkne", "lank", "rank", "leg")),
    ("trunk", ("neck", "thorax", "pelvis", "thor", "pelv", "spine", "chest", "back", "tail", "root")),
)
"""Name of a part -> words in the names of its joints; the first that fits."""

OTHER = "other"


def region_of(joint: str) -> str:
    """The part of the body of a joint; "other" if its name does not tell.

    >>> region_of("left_wrist"), region_of("right hand root"), region_of("rank"), region_of("root of tail")
    ('arms', 'hands', 'legs', 'trunk')
    >>> region_of("left big toe"), region_of("top_head"), region_of("joint_3"), region_of("left_front_paw")
    ('feet', 'head', 'other', 'feet')
    """
    words = _plain(joint).split()
    for region, known in REGIONS:
        if any(word in known or word.removesuffix("s") in known for word in words):
            return region
    return OTHER


def mirror_of(joints: Sequence[str]) -> np.ndarray | None:
    """(K,) int64: the joint on the other side of each, or the joint itself; None if names do not tell.

    >>> mirror_of(["head", "left_eye", "right_eye"]).tolist()
    [0, 2, 1]
    """
    plain = tuple(map(_plain, joints))
    for known in SKELETONS.values():
        if known.names == plain:
            mirror = np.arange(len(plain))
            for one, other in known.flip_pairs:
                mirror[[one, other]] = other, one
            return mirror
    return exchanged_joints(joints, len(joints)) if joints else None


def pair_name(one: str, other: str) -> str:
    """What two joints of either side are called together.

    >>> pair_name("left_big toe", "right_big toe"), pair_name("lank", "rank"), pair_name("face 0", "face 16")
    ('big toe', 'lank, rank', 'face 0, face 16')
    """
    left, right = (
        " ".join(word for word in _plain(name).split() if word not in ("left", "right")) for name in (one, other)
    )
    return left if left == right and left else f"{_plain(one)}, {_plain(other)}"


def _plain(joint: str) -> str:
    return " ".join(joint.lower().replace("_", " ").replace("-", " ").split())
