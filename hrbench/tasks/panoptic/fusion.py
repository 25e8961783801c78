"""Panoptic segments of one image from a network's queries: each a class and a mask.

Queries whose best class is "no object", or not sure enough, are dropped. Each pixel goes to the query with the largest
product of mask and class probability. A query keeps its pixels if they are enough of its mask, and queries of one class
of stuff make one segment. The two rules differ in

                            mask2former                                     transformers
    masks are enlarged      as logits to the input, without padding to      (as logits to 384x384,) as probabilities to
                            the image, then the sigmoid                     the image
    a query's mask          where the probability reaches the threshold     where its product with the class's does
    is kept                 if its pixels are at least the share            if they are more than the share
    a segment's pixels      those that are in the mask, too                 all that went to the query

and in one more thing: the library gives a segment that follows a part of earlier stuff a number that may be in use
already (findings/transformers_panoptic_segments_share_an_id.sh). Here each segment has a number of its own by either
rule. Sources: see `protocols.py`. This module is imported where a network is called.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hrbench.tasks.panoptic.protocols import Fusion

if TYPE_CHECKING:
    from torch import Tensor

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FusedSegments:
    """The segments of an image.

    ids: (H, W) int32, 0 for none; segments are numbered from 1 in the order of their first queries.
    labels: of each segment, the number of its class.
    """

    ids: np.ndarray
    labels: tuple[int, ...]


def fused(
    classes: Tensor, masks: Tensor, sizes: tuple[Size, Size, Size], protocol: Fusion, stuff: Collection[int]
) -> FusedSegments:
    """The segments of one image.

    classes: (Q, C + 1) logits; the last is of "no object".
    masks: (Q, h, w) logits.
    sizes: (height, width) of the network's input, of the part of it that is no padding, and of the image.
    protocol: its rule and thresholds.
    stuff: labels whose segments are one in each image.
    """
    import torch

    scores, labels = classes.softmax(-1).max(-1)
    kept = (labels != classes.shape[-1] - 1) & (scores > protocol.threshold)
    scores, labels, masks = scores[kept], labels[kept], masks[kept]
    if not len(labels):
        return FusedSegments(np.zeros(sizes[2], np.int32), ())
    probabilities = _enlarged(masks, sizes, protocol)
    weighted = probabilities * scores[:, None, None]
    best = weighted.argmax(0)  # (H, W)
    official = protocol.rule == "mask2former"
    inside = (probabilities if official else weighted) >= protocol.mask_threshold
    whole = inside.sum((1, 2))
    own = torch.bincount(best.flatten(), minlength=len(labels))
    at = inside.gather(0, best[None])[0] if official else None
    seen = own if at is None else torch.bincount(best[at], minlength=len(labels))
    if official:
        enough = [
            bool(of) and one / of >= protocol.overlap for one, of in zip(own.tolist(), whole.tolist(), strict=True)
        ]
    else:  # the share is one of float32, as the library has it
        enough = [share > protocol.overlap for share in (own / whole).tolist()]
    exists = [bool(n and of and kept) for n, of, kept in zip(seen.tolist(), whole.tolist(), enough, strict=True)]
    number_of, found = _numbered(labels.tolist(), exists, stuff)
    ids = torch.tensor(number_of, dtype=torch.int32, device=best.device)[best]
    if at is not None:
        ids = torch.where(at, ids, 0)
    return FusedSegments(ids.cpu().numpy().astype(np.int32), found)


def _enlarged(masks: Tensor, sizes: tuple[Size, Size, Size], protocol: Fusion) -> Tensor:
    """Probabilities (Q, H, W) at the size of the image."""
    whole, inner, image = sizes
    if protocol.rule == "transformers":
        if protocol.masks_to is not None:
            masks = _resized(masks, protocol.masks_to)
        return _resized(masks.sigmoid(), image)
    return _resized(_resized(masks, whole)[:, : inner[0], : inner[1]], image).sigmoid()


def _resized(masks: Tensor, size: Size) -> Tensor:
    import torch.nn.functional as F

    return F.interpolate(masks[None], size=tuple(size), mode="bilinear", align_corners=False)[0]


def _numbered(labels: list[int], exists: list[bool], stuff: Collection[int]) -> tuple[list[int], tuple[int, ...]]:
    """The number of each query's segment, 0 for none, and the label of each segment.

    >>> _numbered([7, 3, 7, 3, 5], [True, True, True, True, False], {3})
    ([1, 2, 3, 2, 0], (7, 3, 7))
    """
    numbers, found, of_stuff = [], [], {}
    for label, is_there in zip(labels, exists, strict=True):
        if not is_there:
            numbers.append(0)
        elif label in of_stuff:
            numbers.append(of_stuff[label])
        else:
            found.append(label)
            numbers.append(len(found))
            if label in stuff:
                of_stuff[label] = len(found)
    return numbers, tuple(found)
