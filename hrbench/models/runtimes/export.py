"""torch.export: the network traced to one graph of ATen operators, and run as torch runs an exported file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrbench.models.runtimes.availability import check_available, no_detector

if TYPE_CHECKING:
    from torch import nn


class Export:
    """Runs the exported program of a network (contracts.Runtime)."""

    name = "export"
    version = 1
    takes = ("channels_last", "fused_bn", "tf32", "threads")

    def unavailable(self, device: str, dtype: str, is_detector: bool) -> str:
        """Why a detector is not exported; "" for others."""
        return no_detector("exported:FILE") if is_detector else ""

    def prepare(self, net: nn.Module, input: Any) -> nn.Module:
        """The program of the network, for batches of any size. Raises UnavailableError if it cannot be exported."""
        check_available(self, input)
        from hrbench.models.runtimes.programs import Program, exported

        return Program(exported(net.eval(), input), input)
