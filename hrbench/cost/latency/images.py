"""Inputs of a latency that are real images: preprocessed by the entry's task, fitted to the network's input.

How long a detector takes depends on what it finds: the boxes that it suppresses, and the regions that its further heads
look at. So its passes go over a small pool of images, spread over the data set (`core.limit`).

What the task hands a network is caught with a stand-in for the network, so that any task will do. An image that the
task leaves at another size than the network's input is resized, its proportions kept, and padded with zeros, as
detectors pad a batch: so the operations that are counted and the size that is timed are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hrbench.contracts import Evaluated, Task
from hrbench.core.limit import limited
from hrbench.core.remote import mirror
from hrbench.errors import EntryError
from hrbench.types import Item, Sample, Variant

POOL = 8
"""Images that the passes of a latency go over."""


class _Caught(Exception):
    """Ends a task's forward pass when the network is called."""


class _StandIn:
    """In place of a network: keeps what it is called with."""

    def __init__(self, like: Tensor) -> None:
        self.like = like
        self.inputs: Any = None

    def parameters(self) -> Iterator[Tensor]:
        yield self.like

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        self.inputs = inputs[0]
        raise _Caught


def image_pool(evaluated: Evaluated, variant: Variant, like: Tensor, most: int = POOL) -> list[Tensor]:
    """Images of an entry's data set as its network takes them: tensors (3, H, W) of the network's input, normalised.

    variant: with the input size.
    like: gives device and dtype.
    most: so many images, spread over the data set; fewer if it has fewer. Images in which there is nothing to do (no
        people, for a pose network) are passed over.

    Raises EntryError if no image gives the network an input.
    """
    found: list[Tensor] = []
    for sample in with_work(evaluated.task, evaluated.samples, most):
        items = evaluated.task.prepare(sample)
        if items:
            found.append(fitted(_input(evaluated.task, items[0], like), variant.input))
    if not found:
        raise EntryError(f"no image of {evaluated.dataset} gives the network an input")
    return found


def with_work(task: Task, samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many samples in which the task has something to do, spread over all of these, in their order."""
    chosen = limited(samples, most)
    if not all(task.work(sample) > 0 for sample in chosen):  # in most data sets not all need be looked at
        chosen = limited([sample for sample in samples if task.work(sample) > 0], most)
    mirror.present(sample.path for sample in chosen)  # nothing is fetched while times are taken
    return chosen


def _input(task: Task, item: Item, like: Tensor) -> Tensor:
    """The first image (3, h, w) that a task calls its network with for an item."""
    net = _StandIn(like)
    try:
        task.forward(net, [item])
    except _Caught:
        batch = net.inputs
        image = batch[0] if isinstance(batch, list | tuple | Tensor) and len(batch) else None
        if isinstance(image, Tensor) and image.ndim == 3:
            return image
    raise EntryError("the task calls its network with no images (3, h, w), so its latency has no real inputs")


def fitted(image: Tensor, size: tuple[int, int]) -> Tensor:
    """An image (3, h, w) at another size (height, width): resized bilinearly to fit in, then padded with zeros."""
    height, width = image.shape[1:]
    if (height, width) == tuple(size):
        return image
    scale = min(size[0] / height, size[1] / width)
    inner = (min(size[0], max(1, round(height * scale))), min(size[1], max(1, round(width * scale))))
    resized = F.interpolate(image[None].float(), size=inner, mode="bilinear", align_corners=False)[0].to(image.dtype)
    return F.pad(resized, (0, size[1] - inner[1], 0, size[0] - inner[0]))


def batches_of(pool: Sequence[Tensor], batch: int, as_list: bool) -> list[Any]:
    """Batches that together go over a pool of images (3, H, W), one image after the other, until they begin again.

    as_list: whether a batch is a list of images, as a detector takes it, or one tensor (batch, 3, H, W).

    >>> pool = [torch.full((3, 1, 1), float(i)) for i in range(4)]
    >>> [[int(image[0]) for image in each] for each in batches_of(pool, 6, as_list=True)]
    [[0, 1, 2, 3, 0, 1], [2, 3, 0, 1, 2, 3]]
    """
    many = len(pool) // math.gcd(len(pool), batch)
    chosen = [[pool[(number * batch + i) % len(pool)] for i in range(batch)] for number in range(many)]
    return chosen if as_list else [torch.stack(images) for images in chosen]
