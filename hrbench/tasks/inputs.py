"""From images to the input of a network: on its device, in its dtype, normalised channel by channel.

torch is imported only inside functions: preparing and finishing do without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hrbench.contracts import HasParameters, Network
from hrbench.core.stages import stage
from hrbench.types import Item, Note

if TYPE_CHECKING:
    import torch


def tensor_like(net: Network) -> torch.Tensor:
    """A tensor with the dtype and on the device of a network's first parameter; float32 on the CPU if it has none."""
    import torch

    parameters = net.parameters() if isinstance(net, HasParameters) else iter(())
    return next(iter(parameters), torch.empty(0))


def normalised_batch(net: Network, items: Sequence[Item], mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """(N, 3, h, w) on the network's device and in its dtype; see `normalised`.

    net: gives device and dtype.
    items: their images are uint8 (h, w, 3), all of one size.
    mean, std: of values in [0, 1].
    """
    with stage("preprocess"):
        like = tensor_like(net)
        return normalised([item.image for item in items], mean, std, like.device).to(like.dtype)


def aspect_size(size: tuple[int, int], short: int, long: int | None = None) -> tuple[int, int]:
    """(height, width) of an image whose short side becomes `short`, or less if the long side would exceed `long`.

    Rounded as DETR and transformers do it (`get_size_with_aspect_ratio`): the bounded short side to the nearest, the
    other side down.
    """
    height, width = size
    exact = float(short)
    if long is not None and max(size) / min(size) * short > long:
        exact = long * min(size) / max(size)
        short = round(exact)
    if min(size) == short:
        return height, width
    other = max(1, int(exact * max(size) / min(size)))
    return (other, max(1, short)) if width < height else (max(1, short), other)


def fed_as(protocol: Any, mean: Sequence[float], std: Sequence[float]) -> list[Note]:
    """A note on where an entry's preprocessing comes from, if a library's configuration stated it.

    protocol: of the task, with the field `stated_by`.
    """
    if not protocol.stated_by:
        return []
    colours = f"mean {', '.join(f'{v:g}' for v in mean)}, std {', '.join(f'{v:g}' for v in std)}"
    return [Note("prepared_by", f"images are prepared by {protocol.stated_by} (protocol {protocol.name}; {colours})")]


def uploaded(images: Sequence[np.ndarray], device: torch.device) -> Sequence[torch.Tensor]:
    """Images (h, w, 3) uint8 of one size on a device; on the CPU the memory is theirs.

    Copies to a GPU go through a stream of their own, beside what it computes for an earlier batch, if the images lie in
    page-locked memory (`runner/page_locks.py`). They do not wait, so the images must stay as they are until the GPU has
    computed.
    """
    import torch

    tensors = [torch.from_numpy(image) for image in images]
    if device.type == "cpu":
        return tensors
    if device.type != "cuda":
        return _copied(tensors, device)
    computing, copying = torch.cuda.current_stream(device), _copy_stream(device)
    with torch.cuda.stream(copying):
        batch = _copied(tensors, device)
    computing.wait_stream(copying)
    for each in batch:
        each.record_stream(computing)
    return batch


def _copied(tensors: Sequence[torch.Tensor], device: torch.device) -> Sequence[torch.Tensor]:
    import torch

    batch = torch.empty((len(tensors), *tensors[0].shape), dtype=torch.uint8, device=device)
    for place, tensor in zip(batch, tensors, strict=True):
        place.copy_(tensor, non_blocking=True)
    return batch.unbind()


@cache
def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    import torch

    return torch.cuda.Stream(device)


def normalised(
    images: Sequence[np.ndarray], mean: Sequence[float], std: Sequence[float], device: torch.device
) -> torch.Tensor:
    """Images (h, w, 3) uint8 of one size as (N, 3, h, w) float32: / 255, minus mean, over std, by channel position."""
    import torch

    with stage("transfer"):
        pixels = uploaded(images, device)
    batch = torch.empty((len(images), 3, *images[0].shape[:2]), dtype=torch.float32, device=device)
    for one, image in zip(batch, pixels, strict=True):
        one.copy_(image.permute(2, 0, 1))
    batch.div_(255)
    means = torch.tensor(mean, device=device).view(1, 3, 1, 1)
    deviations = torch.tensor(std, device=device).view(1, 3, 1, 1)
    return batch.sub_(means).div_(deviations)
