"""Eager PyTorch: the network's own Python code, operator by operator."""

from __future__ import annotations

from torch import Tensor, nn


class Eager:
    """Calls the module itself (contracts.Runtime)."""

    name = "eager"
    version = 1

    def prepare(self, net: nn.Module, input: Tensor) -> nn.Module:
        """The network in eval mode on the device and in the dtype of an input; it is moved, not copied."""
        return net.to(input.device, input.dtype).eval()
