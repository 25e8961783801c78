"""Skeletons of public pose sets: joints in the order of their annotations, mirror pairs, OKS constants, limbs.

Names and orders are those of the sets' own annotation files; where a file names fewer joints than it holds, or limbs of
another skeleton (CrowdPose's name COCO's, past its own joints), they are those of mmpose 1.x
(configs/_base_/datasets). Constants of OKS (`sigmas`), as the evaluation code of each set has them:

coco: pycocotools 2.0.11, `Params.setKpParams`.
crowdpose: crowdposetools and xtcocotools 1.14.3: COCO's for the joints of both, 0.079 for head and neck.
coco-wholebody: COCO-WholeBody, evaluation/myeval_wholebody.py, and the demo of xtcocotools.
ap-10k: mmpose's, which takes COCO's 17 in their order: the paper states none. The joints are others, so that left hip
    and right elbow, for example, differ from their mirrored joints.
ai-challenger: AI_Challenger_2017, Evaluation/keypoint_eval/keypoint_eval.py, whose delta is twice sigma; rounded as
    mmpose has them.
posetrack18: mmpose's, COCO's by place: head bottom and head top have those of COCO's eyes.
halpe-26, halpe-136: mmpose's halpe26.py and halpe.py, which differ for head, neck, hip and feet; those of 136 are of
    halpecocotools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hrbench.core.text import suggestion
from hrbench.errors import UsageError

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Skeleton:
    """K joints.

    names: in the order of the annotations, lower case with spaces.
    sigmas: (K,) OKS constants.
    flip_pairs: joints that a mirror exchanges.
    limbs: pairs that are connected in pictures.
    """

    names: tuple[str, ...]
    sigmas: tuple[float, ...]
    flip_pairs: Pairs
    limbs: Pairs = ()


COCO_NAMES = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle",
    "right ankle",
)  # fmt: skip
COCO_LIMBS = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
    (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip

# The published constants, divided as pycocotools divides them: 0.35 / 10 is not the double nearest to 0.035.
COCO_SIGMAS: tuple[float, ...] = tuple(
    tenths / 10.0
    for tenths in (
        0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89
    )
)  # fmt: skip
"""OKS constants of COCO's 17 joints, in the order of its annotations."""


def mirrored(names: Sequence[str]) -> Pairs:
    """(left, right) of joints whose names differ in that word, left ones in their order.

    >>> mirrored(["nose", "left eye", "right eye"])
    ((1, 2),)
    """
    place = {name: at for at, name in enumerate(names)}
    partners = ((at, place.get(name.replace("left", "right", 1))) for at, name in enumerate(names) if "left" in name)
    return tuple((at, other) for at, other in partners if other is not None)


COCO = Skeleton(COCO_NAMES, COCO_SIGMAS, mirrored(COCO_NAMES), COCO_LIMBS)

_CROWDPOSE_NAMES = (*COCO_NAMES[5:], "head", "neck")
CROWDPOSE = Skeleton(
    _CROWDPOSE_NAMES,
    (0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079, 0.079),
    mirrored(_CROWDPOSE_NAMES),
    (
        (10, 8), (8, 6), (11, 9), (9, 7), (6, 7), (0, 6), (1, 7), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (12, 13),
        (1, 13), (0, 13),
    ),
)  # fmt: skip

# --- the whole body ---------------------------------------------------------------------------------------------------

FACE_JOINTS, HAND_JOINTS = 68, 21
# The 68 points of the face, counted as 300-W counts them: the outline from one ear to the other, brows, nose, eyes,
# mouth. A mirror exchanges these; the others lie in the middle.
FACE_PAIRS: Pairs = (
    *((at, 16 - at) for at in range(8)),
    *((at, 43 - at) for at in range(17, 22)),
    (31, 35), (32, 34),
    (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),
    (48, 54), (49, 53), (50, 52), (55, 59), (56, 58),
    (60, 64), (61, 63), (65, 67),
)  # fmt: skip
FACE_SIGMAS = (
    0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041,
    0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012,
    0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034,
    0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008,
    0.008, 0.008, 0.01, 0.008,
)  # fmt: skip
HAND_SIGMAS = (
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021,
    0.032, 0.02, 0.019, 0.022, 0.031,
)  # fmt: skip
_FOOT = ("big toe", "small toe", "heel")
_FINGERS = ("thumb", "forefinger", "middle finger", "ring finger", "pinky finger")
_HAND_LIMBS = tuple(
    (0 if part == 0 else 4 * finger + part, 4 * finger + part + 1) for finger in range(5) for part in range(4)
)


def _hand(side: str) -> tuple[str, ...]:
    return (f"{side} hand root", *(f"{side} {finger} {part}" for finger in _FINGERS for part in range(1, 5)))


def _face(first: int) -> tuple[tuple[str, ...], Pairs]:
    """Names of the points of the face, and the pairs that a mirror exchanges, counted from `first` on."""
    names = tuple(f"face {at}" for at in range(FACE_JOINTS))
    return names, tuple((first + one, first + other) for one, other in FACE_PAIRS)


def _shifted(pairs: Pairs, by: int) -> Pairs:
    return tuple((one + by, other + by) for one, other in pairs)


_FEET = (*(f"left {part}" for part in _FOOT), *(f"right {part}" for part in _FOOT))
_WHOLE_FACE, _WHOLE_FACE_PAIRS = _face(23)
_WHOLE_NAMES = (*COCO_NAMES, *_FEET, *_WHOLE_FACE, *_hand("left"), *_hand("right"))
COCO_WHOLEBODY = Skeleton(
    _WHOLE_NAMES,
    (
        # 0.035 as it is written there, not 0.35 / 10
        0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
        0.089, 0.068, 0.066, 0.066, 0.092, 0.094, 0.094, *FACE_SIGMAS, *HAND_SIGMAS, *HAND_SIGMAS,
    ),
    (*mirrored(_WHOLE_NAMES), *_WHOLE_FACE_PAIRS),
    (
        *COCO_LIMBS, (15, 17), (15, 18), (15, 19), (16, 20), (16, 21), (16, 22), *_shifted(_HAND_LIMBS, 91),
        *_shifted(_HAND_LIMBS, 112),
    ),
)  # fmt: skip

WHOLEBODY_PARTS: tuple[tuple[str, str, slice], ...] = (
    ("body", "keypoints", slice(0, 17)),
    ("foot", "foot_kpts", slice(17, 23)),
    ("face", "face_kpts", slice(23, 91)),
    ("lefthand", "lefthand_kpts", slice(91, 112)),
    ("righthand", "righthand_kpts", slice(112, 133)),
)
"""Parts of COCO-WholeBody: name, key in its files, places among the 133 joints."""

# --- animals, and people of other sets --------------------------------------------------------------------------------

_AS_COCO = COCO_WHOLEBODY.sigmas[:17]
_ANIMAL = (
    "left eye", "right eye", "nose", "neck", "root of tail", "left shoulder", "left elbow", "left front paw",
    "right shoulder", "right elbow", "right front paw", "left hip", "left knee", "left back paw", "right hip",
    "right knee", "right back paw",
)  # fmt: skip
AP_10K = Skeleton(
    _ANIMAL,
    (0.025, 0.025, 0.026, *_AS_COCO[3:]),
    mirrored(_ANIMAL),
    (
        (0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (5, 6), (6, 7), (3, 8), (8, 9), (9, 10), (4, 11), (11, 12),
        (12, 13), (4, 14), (14, 15), (15, 16),
    ),
)  # fmt: skip

_CHALLENGER = (
    "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist", "right hip",
    "right knee", "right ankle", "left hip", "left knee", "left ankle", "head top", "neck",
)  # fmt: skip
AI_CHALLENGER = Skeleton(
    _CHALLENGER,
    (
        0.01388152, 0.01515228, 0.01057665, 0.01417709, 0.01497891, 0.01402144, 0.03909642, 0.03686941, 0.01981803,
        0.03843971, 0.03412318, 0.02415081, 0.01291456, 0.01236173,
    ),
    mirrored(_CHALLENGER),
    (
        (2, 1), (1, 0), (0, 13), (13, 3), (3, 4), (4, 5), (8, 7), (7, 6), (6, 9), (9, 10), (10, 11), (12, 13), (0, 6),
        (3, 9),
    ),
)  # fmt: skip

_TRACKED = ("nose", "head bottom", "head top", *COCO_NAMES[3:])
POSETRACK18 = Skeleton(
    _TRACKED,
    _AS_COCO,
    mirrored(_TRACKED),
    (*COCO_LIMBS[:12], (0, 1), (0, 2), (1, 5), (1, 6)),
)

_HALPE_BODY = (*COCO_NAMES, "head", "neck", "hip", *(f"{side} {part}" for part in _FOOT for side in ("left", "right")))
_HALPE_LIMBS: Pairs = (
    (15, 13), (13, 11), (11, 19), (16, 14), (14, 12), (12, 19), (17, 18), (18, 19), (18, 5), (5, 7), (7, 9), (18, 6),
    (6, 8), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (15, 20), (15, 22), (15, 24), (16, 21),
    (16, 23), (16, 25),
)  # fmt: skip
HALPE_26 = Skeleton(_HALPE_BODY, (*_AS_COCO, 0.026, 0.026, 0.066, *(0.079,) * 6), mirrored(_HALPE_BODY), _HALPE_LIMBS)
_HALPE_FACE, _HALPE_FACE_PAIRS = _face(26)
_HALPE_NAMES = (*_HALPE_BODY, *_HALPE_FACE, *_hand("left"), *_hand("right"))
HALPE_136 = Skeleton(
    _HALPE_NAMES,
    (*_AS_COCO, *(0.08,) * 3, *(0.089,) * 6, *(0.015,) * 110),
    (*mirrored(_HALPE_NAMES), *_HALPE_FACE_PAIRS),
    (*_HALPE_LIMBS, *_shifted(_HAND_LIMBS, 94), *_shifted(_HAND_LIMBS, 115)),
)

SKELETONS = {
    "coco": COCO,
    "crowdpose": CROWDPOSE,
    "coco-wholebody": COCO_WHOLEBODY,
    "ap-10k": AP_10K,
    "ai-challenger": AI_CHALLENGER,
    "posetrack18": POSETRACK18,
    "halpe-26": HALPE_26,
    "halpe-136": HALPE_136,
}


def skeleton_named(name: str) -> Skeleton:
    """The skeleton of a public set. Raises UsageError naming those that there are."""
    if not isinstance(name, str) or name not in SKELETONS:
        raise UsageError(f"skeleton {name!r}: {suggestion(str(name), SKELETONS)}")
    return SKELETONS[name]


def spreads_of(skeleton: str | None, sigmas: Sequence[float] | float | None) -> Sequence[float] | float | None:
    """The OKS constants as given, else those of the named skeleton; None if neither is given.

    >>> len(spreads_of("crowdpose", None) or ()), spreads_of("crowdpose", 0.1), spreads_of(None, None)
    (14, 0.1, None)

    Raises UsageError for a skeleton that there is not, or a list of constants of another number.
    """
    named = None if skeleton is None else skeleton_named(skeleton).sigmas
    if sigmas is None or named is None:
        return named if sigmas is None else sigmas
    if isinstance(sigmas, (list, tuple)) and len(sigmas) != len(named):
        raise UsageError(
            f"skeleton: {skeleton} has {len(named)} joints, and sigmas are {len(sigmas)}; give one of both"
        )
    return sigmas
