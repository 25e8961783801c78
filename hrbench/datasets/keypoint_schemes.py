"""Joints of a keypoint file: names, mirror pairs, limbs and OKS constants, of the file, the user or a public set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hrbench.errors import UsageError
from hrbench.formats.coco.annotations import ListedCategory
from hrbench.formats.coco.skeletons import COCO, COCO_SIGMAS, Pairs, Skeleton
from hrbench.types import KeypointScheme


def listed_scheme(
    path: Path,
    category: ListedCategory,
    sigmas: Sequence[float] | None,
    flip_pairs: Sequence[Sequence[int | str]] | None,
) -> KeypointScheme:
    """The joints that a file names, or COCO's if it names none.

    path: of the file, for messages.
    category: as the file lists it.
    sigmas, flip_pairs: user-defined; None: COCO's, for COCO's joints alone.

    Raises UsageError if one of them is needed or does not fit.
    """
    names = tuple(category.keypoints) or COCO.names
    user_defined = tuple(name.lower().replace("_", " ").replace("-", " ") for name in names) != COCO.names
    what = f"{path} has {len(names)} joints that are not COCO's 17 in COCO's order"
    if user_defined and sigmas is None:
        raise UsageError(f"{what}; OKS needs a sigma for each: set dataset.sigmas or dataset.skeleton in the suite")
    if user_defined and flip_pairs is None:
        raise UsageError(f"{what}: set dataset.flip_pairs in the suite ([] for none)")
    spreads = tuple(float(s) for s in sigmas) if sigmas is not None else COCO_SIGMAS
    if len(spreads) != len(names):
        raise UsageError(f"{len(spreads)} sigmas were given for the {len(names)} joints of {path}")
    limbs = tuple((a - 1, b - 1) for a, b in category.skeleton) or (() if user_defined else COCO.limbs)
    pairs = COCO.flip_pairs if flip_pairs is None else _pairs(names, flip_pairs)
    return KeypointScheme(names, pairs, spreads, limbs, category.id)


def public_scheme(
    skeleton: Skeleton,
    sigmas: Sequence[float] | None,
    flip_pairs: Sequence[Sequence[int | str]] | None,
    category: int,
) -> KeypointScheme:
    """The joints of a public set. sigmas, flip_pairs: user-defined; None: its own. Raises UsageError."""
    spreads = skeleton.sigmas if sigmas is None else tuple(float(s) for s in sigmas)
    if len(spreads) != len(skeleton.names):
        raise UsageError(f"{len(spreads)} sigmas were given for the {len(skeleton.names)} joints of the skeleton")
    pairs = skeleton.flip_pairs if flip_pairs is None else _pairs(skeleton.names, flip_pairs)
    return KeypointScheme(skeleton.names, pairs, spreads, skeleton.limbs, category)


def _pairs(names: tuple[str, ...], given: Sequence[Sequence[int | str]]) -> Pairs:
    index = {name: i for i, name in enumerate(names)}
    pairs = []
    for pair in given:
        try:
            left, right = (index[joint] if isinstance(joint, str) else int(joint) for joint in pair)
        except (KeyError, TypeError, ValueError):
            raise UsageError(f"flip pair {pair!r} does not name two of the joints {', '.join(names)}") from None
        if not (0 <= left < len(names) and 0 <= right < len(names) and left != right):
            raise UsageError(f"flip pair {pair!r} must be two different joints from 0 to {len(names) - 1}")
        pairs.append((left, right))
    return tuple(pairs)
