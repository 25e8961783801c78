"""A compiled network whose batches are filled up to a size that it was compiled for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map


class Filled(nn.Module):
    """Calls a network with batches (N, ...) filled up with their last image, where a larger N came before.

    What belongs to the images that were added is cut off: the rest of every tensor of the output that has the larger N
    as its first axis. Lists of images are passed on as they are.
    """

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net
        self.largest: dict[tuple[int, ...], int] = {}
        """Shape of an image -> the largest batch of such images so far."""

    def __getattr__(self, name: str) -> Any:
        """What the network has beside its call, such as `takes_scales` of a detector."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("net"), name)

    def forward(self, images: Any, **options: Any) -> Any:
        """The network's output for these images."""
        if isinstance(images, list):
            return self.net(images, **options)
        shape, size = tuple(images.shape[1:]), len(images)
        whole = self.largest.get(shape, 0)
        if size < whole:
            return _first(self.net(_repeated(images, whole), **options), size, whole)
        self.largest[shape] = size
        return self.net(images, **options)


def _repeated(images: Tensor, size: int) -> Tensor:
    return torch.cat([images, images[-1:].expand(size - len(images), *images.shape[1:])])


def _first(output: Any, size: int, whole: int) -> Any:
    def cut(value: Any) -> Any:
        of_batch = isinstance(value, Tensor) and value.ndim and len(value) == whole
        return value[:size] if of_batch else value

    return tree_map(cut, output)
