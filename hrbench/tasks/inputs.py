"""From images to the input of a network: on its device, normalised channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def tensor_like(net: Any) -> torch.Tensor:
    """A tensor with the dtype and on the device of a network's first parameter; float32 on the CPU if it has none."""
    import torch

    return next((p for p in net.parameters()), torch.empty(0)) if hasattr(net, "parameters") else torch.empty(0)


def normalised(
    images: Sequence[np.ndarray], mean: Sequence[float], std: Sequence[float], device: torch.device
) -> torch.Tensor:
    """Images (h, w, 3) uint8 of one size as (N, 3, h, w) float32: / 255, minus mean, over std, by channel position."""
    import torch

    stacked = images[0][None] if len(images) == 1 else np.stack(images)
    pixels = torch.from_numpy(stacked).to(device)
    batch = pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format).div_(255)
    means = torch.tensor(mean, device=device).view(1, 3, 1, 1)
    deviations = torch.tensor(std, device=device).view(1, 3, 1, 1)
    return batch.sub_(means).div_(deviations)
