"""A network in a file (`onnx:`, `exported:`): its file says how it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


class Own:
    """Calls what the file's adapter made (contracts.Runtime)."""

    name = "own"
    version = 1
    takes = ("threads",)

    def prepare(self, net: nn.Module, input: Any) -> nn.Module:
        """The network in eval mode."""
        return net.eval()
