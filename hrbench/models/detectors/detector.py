"""What every detector does with its images and its backbone, whatever its heads are.

A detector returns for each image a dictionary: boxes (M, 4), x1 y1 x2 y2 in pixels of that image, scores (M,), labels
(M,) from 0, and where it finds masks one of

    mask_crops    (M, s, s)    probabilities within each box; the task's protocol pastes them on the original image
    masks         (M, h, w)    boolean, in pixels of that image, of a network that has no crops

Official code pastes on the original image, and each code base in its own way, so a network does not paste at all.

Where detections depend on the size of the original image a detector has an attribute `takes_scales` that is true, and
is called as net(images, scales=[...]): of each image one float above 0, the sides of the input over those of the
original image. Without `scales` images count as not resized. Boxes stay in pixels of the input. Detectors of
mmdetection 1 take them (`boxes.py`); one without the attribute is given images alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.contracts import HasLevels
from hrbench.errors import UsageError

DIVISOR = 32


def pad_to_batch(images: Sequence[Tensor], divisor: int = DIVISOR) -> tuple[Tensor, list[tuple[int, int]]]:
    """Images (3, h, w) of any sizes -> one batch (N, 3, H, W) and their own (h, w).

    H and W are the largest of each, rounded up to multiples of `divisor`. Zeros are added below and on the right, after
    normalisation: the mean colour.
    """
    if not len(images):
        raise UsageError("a detector was given no images: it takes a list of tensors (3, h, w), one at least.")
    sizes = [(image.shape[-2], image.shape[-1]) for image in images]
    height, width = (-(-max(side) // divisor) * divisor for side in zip(*sizes, strict=True))
    padded = [F.pad(image, (0, width - w, 0, height - h)) for image, (h, w) in zip(images, sizes, strict=True)]
    return torch.stack(padded), sizes


def image_scales(scales: Sequence[float] | None, images: int) -> list[float]:
    """The `scales` that a detector was called with, one for each of so many images, 1 where none were given.

    Raises UsageError for another number of them and for any that is not above 0 and finite.
    """
    if scales is None:
        return [1.0] * images
    if len(scales) != images or not all(0 < scale < math.inf for scale in scales):
        raise UsageError(
            f"a detector: scales {list(scales)} were given for {images} images; it takes one for each, above 0: the "
            "sides of the input over those of the original image."
        )
    return [float(scale) for scale in scales]


def backbone_and_neck(network: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The two children that a detector takes over, so that its keys begin with `backbone.` and `neck.`.

    A network without these children is taken as a backbone that needs no neck.
    """
    backbone, neck = getattr(network, "backbone", None), getattr(network, "neck", None)
    if isinstance(backbone, nn.Module) and isinstance(neck, nn.Module):
        return backbone, neck
    return network, nn.Identity()


def levels_of(network: nn.Module, who: str, min_levels: int) -> tuple[int, tuple[int, ...]]:
    """Channels, the same at all levels, and strides of a backbone; UsageError if it does not fit the heads."""
    channels = list(network.channels) if isinstance(network, HasLevels) else []
    strides = list(network.strides) if isinstance(network, HasLevels) else []
    if len(channels) != len(strides) or len(strides) < min_levels or len(set(channels)) != 1:
        raise UsageError(
            f"{who}: the backbone {type(network).__name__} has channels {tuple(channels)} and strides "
            f"{tuple(strides)}; it needs at least {min_levels} levels of one width, as resnet_fpn and det_hrnetv2p "
            "have."
        )
    return channels[0], tuple(strides)


def flat(maps: Tensor, values: int) -> Tensor:
    """Head outputs of one level (N, A x values, h, w) -> (N, h x w x A, values): row by row, anchors innermost."""
    return maps.permute(0, 2, 3, 1).reshape(len(maps), -1, values)
