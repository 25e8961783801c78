"""Eager PyTorch: the network's own Python code, operator by operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


class Eager:
    """Calls the module itself (contracts.Runtime)."""

    name = "eager"
    version = 1
    takes = ("channels_last", "fused_bn", "tf32", "threads")

    def prepare(self, net: nn.Module, input: Any) -> nn.Module:
        """The network in eval mode on the device and in the dtype of an input; it is moved, not copied."""
        image = input[0] if isinstance(input, list) else input
        return net.to(image.device, image.dtype).eval()
