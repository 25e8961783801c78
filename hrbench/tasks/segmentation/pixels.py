"""Pixels of images as inputs of a network: normalised, padded, cut into windows; here, or on the network's device.

Protocols that resize normalised images do it by OpenCV, as the official code does, so floats go to the device. If none
of their scales resizes an image, its bytes go there, and the same table of values (`geometry.value_table`) is looked up
there. The values are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from hrbench.core.stages import stage
from hrbench.tasks.inputs import uploaded
from hrbench.tasks.segmentation import geometry
from hrbench.tasks.segmentation.geometry import Size, WindowPlan
from hrbench.tasks.segmentation.protocols import Inference

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    Pixels = npt.NDArray[np.floating] | Tensor
    """Normalised pixels: an array (H, W, 3), or a tensor (3, H, W) on the device. float32, or float64 for a network in
    float64."""


class UploadTarget(Protocol):
    """What a network's inputs depend on (`inference.Segmenter`)."""

    @property
    def protocol(self) -> Inference: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def dtype(self) -> torch.dtype: ...


def input_pixels(
    images: Sequence[np.ndarray], table: np.ndarray, target: UploadTarget, on_device: bool | None = None
) -> list[Pixels]:
    """Images (H, W, 3) uint8 of one size, normalised.

    table: of `geometry.value_table`.
    target: protocol, device and dtype.
    on_device: whether bytes go to the device; None for where that is another processor, and no scale resizes.
    """
    import torch

    size = (images[0].shape[0], images[0].shape[1])
    if on_device is None:
        on_device = target.device.type != "cpu" and keeps_size(size, target.protocol)
    double = target.dtype == torch.float64
    if not on_device:
        arrays = [geometry.normalised(image, table) for image in images]
        return [array.astype(np.float64) for array in arrays] if double else list(arrays)
    with stage("transfer"):
        values = torch.from_numpy(table[0]).to(target.device)
        raw = uploaded(images, target.device)
    found: list[Pixels] = []
    for image in raw:
        places = image.to(torch.int32)
        channels = [values[:, channel].take(places[..., channel].long()) for channel in range(3)]
        made = torch.stack(channels)
        found.append(made.double() if double else made)
    return found


def keeps_size(size: Size, protocol: Inference) -> bool:
    """Whether no scale of the protocol resizes an image of this size."""
    return all(geometry.window_plan(size, scale, protocol).scaled == size for scale in protocol.scales)


def size_of(image: Pixels) -> Size:
    """(height, width)."""
    height, width = image.shape[:2] if isinstance(image, np.ndarray) else image.shape[1:]
    return int(height), int(width)


def inputs_of(plan: WindowPlan, image: Pixels, black: Sequence[float]) -> Iterator[tuple[Size, Pixels]]:
    """As `WindowPlan.inputs`, of an array or of a tensor whose size the plan keeps."""
    if isinstance(image, np.ndarray):
        yield from plan.inputs(image, black)
        return
    fill = black if plan.black else (0.0, 0.0, 0.0)
    image = _padded(image, plan.whole, fill)
    for top, left in plan.corners:
        piece = image[:, top : top + plan.window[0], left : left + plan.window[1]]
        yield (top, left), _padded(piece, plan.window, fill)


def _padded(image: Tensor, size: Size, fill: Sequence[float]) -> Tensor:
    """The image (3, h, w) with a colour below and on its right, so that it has at least `size`."""
    height, width = image.shape[1:]
    if height >= size[0] and width >= size[1]:
        return image
    whole = image.new_tensor(fill).view(3, 1, 1).repeat(1, max(size[0], height), max(size[1], width))
    whole[:, :height, :width] = image
    return whole


def batch_of(inputs: Sequence[Pixels], device: torch.device, dtype: torch.dtype) -> Tensor:
    """(N, 3, H, W) on a device, of inputs of one kind and size."""
    import torch

    tensors = [each for each in inputs if not isinstance(each, np.ndarray)]
    if tensors:
        return torch.stack(tensors).to(dtype)
    stacked = torch.from_numpy(np.stack([each for each in inputs if isinstance(each, np.ndarray)]))
    with stage("transfer"):
        batch = stacked.to(device)
    return batch.permute(0, 3, 1, 2).to(dtype, memory_format=torch.contiguous_format)
