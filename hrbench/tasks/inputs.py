"""What tasks share in calling a network: on which device, in which dtype, and pixels as it wants them.

torch is imported only inside functions: preparing and finishing do without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hrbench.contracts import HasParameters, Network
from hrbench.types import Item

if TYPE_CHECKING:
    import torch


def like_network(net: Network) -> torch.Tensor:
    """A tensor on the device and in the dtype of a network's inputs: its first parameter.

    A network without parameters, such as a plain function, is given float32 on the CPU.
    """
    import torch

    parameters = net.parameters() if isinstance(net, HasParameters) else iter(())
    return next(iter(parameters), torch.empty(0))


def normalised_batch(net: Network, items: Sequence[Item], mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """(N, 3, h, w) on the network's device and in its dtype: / 255, minus mean, over std, by channel position.

    net: gives device and dtype.
    items: their images are uint8 (h, w, 3), all of one size.
    mean, std: of values in [0, 1].
    """
    import torch

    like = like_network(net)
    pixels = torch.from_numpy(np.stack([item.image for item in items])).to(like.device)
    batch = pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format).div_(255)
    means = torch.tensor(mean, device=like.device).view(1, 3, 1, 1)
    deviations = torch.tensor(std, device=like.device).view(1, 3, 1, 1)
    return batch.sub_(means).div_(deviations).to(like.dtype)
