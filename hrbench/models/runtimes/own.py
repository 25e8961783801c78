"""A network in a file (`onnx:`, `exported:`): its file says how it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrbench.contracts import HasNotes

if TYPE_CHECKING:
    from torch import nn


class Own:
    """Calls what the file's adapter made (contracts.Runtime, HasNotes)."""

    name = "own"
    version = 1
    takes = ("threads",)
    _net: Any = None

    def prepare(self, net: nn.Module, input: Any) -> nn.Module:
        """The network in eval mode."""
        self._net = net
        return net.eval()

    def notes(self) -> list[str]:
        """What the network says of itself."""
        return list(map(str, self._net.notes())) if isinstance(self._net, HasNotes) else []
