"""torch.export: the network traced to one graph of ATen operators, and run as torch runs an exported file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrbench.errors import UnavailableError

if TYPE_CHECKING:
    from torch import nn


class Export:
    """Runs the exported program of a network (contracts.Runtime)."""

    name = "export"
    version = 1
    takes = ("channels_last", "fused_bn", "tf32", "threads")

    def prepare(self, net: nn.Module, input: Any) -> nn.Module:
        """The program of the network, for batches of any size. Raises UnavailableError if it cannot be exported."""
        if isinstance(input, list):
            raise UnavailableError(
                "hrbench exports no detector: it finds another number of boxes in each image; "
                'give a file of your own, use: "exported:FILE"'
            )
        from hrbench.models.runtimes.programs import Program, exported

        return Program(exported(net.eval(), input), input)
