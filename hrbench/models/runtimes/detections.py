"""Whether a changed detector finds what the network itself finds: its boxes, scores and masks in random images.

Detections differ in number from one runtime to another where rounding moves a score across a threshold, so they are
matched: nearly all must have a counterpart.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hrbench.errors import UnavailableError

IMAGES = 2
COARSE = 16
"""Images are normal values at a 16th of their size, resized: a detector finds more in them than in noise."""

MOST = 100
"""Detections of an image that are compared, those of the highest scores."""

PIXELS, SCORE, MASK = 1.0, 0.01, 0.02
"""How far the sides of a box, the score, and the values of a mask (their mean) of counterparts may lie apart."""

MATCHED = 0.9
"""Share of all detections that must have a counterpart."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a network finds. images: (3, H, W) each. detections: of each image, as the network returns them."""

    images: list[Tensor]
    detections: Any


def reference(net: nn.Module, input: Sequence[Tensor]) -> Found:
    """Random images and what a copy of a detector finds in them, in its own dtype.

    input: an example of what it takes.
    """
    dtype = next((value.dtype for value in net.parameters() if value.is_floating_point()), torch.float32)
    images = []
    for number in range(IMAGES):
        height, width = input[0].shape[1:]
        coarse = torch.randn(
            (1, 3, -(-height // COARSE), -(-width // COARSE)), generator=torch.Generator().manual_seed(number)
        )
        whole = interpolate(coarse, (height, width), mode="bilinear", align_corners=False)[0]
        images.append(whole.to(input[0].device, dtype))
    with torch.no_grad():
        return Found(images, copy.deepcopy(net)(list(images)))


def check(call: Callable[..., Any], expected: Found, runtime: str) -> str:
    """Raises UnavailableError if a changed detector finds something else. runtime: in words.

    Returns why it could not be told, as a note; "" if it finds the same.
    """
    what = f"{runtime} does not compute what the network does, seen on {len(expected.images)} random images"
    with torch.no_grad():
        found = call(list(expected.images))
    if not (_are_detections(expected.detections) and _are_detections(found)):
        return "not held to the network's own outputs: they are no boxes, scores and labels"
    pairs = list(zip(expected.detections, found, strict=True))
    total = sum(max(len(_best(one)["scores"]), len(_best(other)["scores"])) for one, other in pairs)
    if not total:
        return f"not held to the network's own outputs: it finds nothing in {len(pairs)} random images"
    same = sum(matched(_best(one), _best(other)) for one, other in pairs)
    if same < MATCHED * total:
        raise UnavailableError(f"{what}: {total - same} of {total} detections are other ones")
    return ""


def _are_detections(outputs: Any) -> bool:
    names = {"boxes", "scores", "labels"}
    return isinstance(outputs, Sequence) and all(isinstance(one, Mapping) and names <= set(one) for one in outputs)


def _best(detections: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The detections of the highest scores, on the CPU in float64."""
    order = detections["scores"].argsort(descending=True)[:MOST]
    return {
        name: value[order].double().cpu()
        for name, value in detections.items()
        if len(value) == len(detections["scores"])
    }


def matched(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> int:
    """How many detections have a counterpart: the nearest of its label that is not another's.

    one, other: boxes (M, 4), scores (M,), labels (M,); perhaps masks (M, ...).
    """
    if not len(one["scores"]) or not len(other["scores"]):
        return 0
    apart = torch.cdist(one["boxes"], other["boxes"], p=float("inf"))
    apart[one["labels"][:, None] != other["labels"][None]] = float("inf")
    apart[(one["scores"][:, None] - other["scores"][None]).abs() > SCORE] = float("inf")
    count = 0
    for number in range(len(apart)):
        nearest = int(apart[number].argmin())
        if apart[number, nearest] <= PIXELS and _same_mask(one, number, other, nearest):
            count += 1
            apart[:, nearest] = float("inf")
    return count


def _same_mask(one: Mapping[str, Tensor], number: int, other: Mapping[str, Tensor], nearest: int) -> bool:
    for name in ("masks", "mask_crops"):
        if (name in one) != (name in other):
            return False
        if name in one and (one[name][number] - other[name][nearest]).abs().mean() > MASK:
            return False
    return True
