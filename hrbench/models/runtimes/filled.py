"""A compiled network whose batches are filled up to a size that it was compiled for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from hrbench.models.runtimes.agreement import TOLERANCE, largest_share


class Filled(nn.Module):
    """Calls a network with batches (N, ...) filled up with their last image, where a larger N came before.

    What belongs to the images that were added is cut off: the rest of every tensor of the output that has the larger N
    as its first axis. The first such batch also goes through the network's own code, and if that gives other outputs,
    no batch is filled up. Lists of images are passed on as they are.

    check: called after each call of the network.
    """

    def __init__(self, net: Any, check: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.net, self.check = net, check
        self.largest: dict[tuple[int, ...], int] = {}
        """Shape of an image -> the largest batch of such images so far."""
        self.fills: bool | None = None
        """Whether a batch that was filled up gave the outputs of the batch alone; None before that was tried."""

    def __getattr__(self, name: str) -> Any:
        """What the network has beside its call, such as `takes_scales` of a detector."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("net"), name)

    def _agrees(self, images: Tensor, options: Any, found: Any) -> bool:
        """Whether the network's own code gives the same for the batch alone; outputs may depend on its size."""
        own = getattr(self.net, "_orig_mod", self.net)
        apart = largest_share(own(images, **options), found)
        return apart is not None and apart <= TOLERANCE.get(images.dtype, 1e-3)

    def forward(self, images: Any, **options: Any) -> Any:
        """The network's output for these images."""
        if isinstance(images, list):
            return self._called(images, options)
        shape, size = tuple(images.shape[1:]), len(images)
        whole = self.largest.get(shape, 0)
        if size < whole and self.fills is not False:
            found = _first(self._called(_repeated(images, whole), options), size, whole)
            if self.fills is None:
                self.fills = self._agrees(images, options, found)
            if self.fills:
                return found
        self.largest[shape] = max(size, whole)
        return self._called(images, options)

    def _called(self, images: Any, options: dict[str, Any]) -> Any:
        output = self.net(images, **options)
        self.check()
        return output


def _repeated(images: Tensor, size: int) -> Tensor:
    return torch.cat([images, images[-1:].expand(size - len(images), *images.shape[1:])])


def _first(output: Any, size: int, whole: int) -> Any:
    def cut(value: Any) -> Any:
        of_batch = isinstance(value, Tensor) and value.ndim and len(value) == whole
        return value[:size] if of_batch else value

    return tree_map(cut, output)
