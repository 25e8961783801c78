"""CUDA graphs: a network's kernels are recorded once for each shape of its input, and then replayed without Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrbench.errors import UnavailableError

if TYPE_CHECKING:
    from torch import nn


class CudaGraph:
    """Records and replays a network on a GPU (contracts.Runtime)."""

    name = "cuda-graph"
    version = 1
    takes = ("channels_last", "fused_bn", "tf32", "threads")

    def prepare(self, net: nn.Module, input: Any) -> nn.Module:
        """The network, recorded when a shape first comes. Raises UnavailableError on a CPU, and for a detector."""
        if isinstance(input, list):
            raise UnavailableError("a detector's work depends on what it finds, so no CUDA graph of it can be recorded")
        if input.device.type != "cuda":
            raise UnavailableError("a CUDA graph needs an NVIDIA GPU, and this is a CPU")
        from hrbench.models.runtimes.recorded import Recorded

        return Recorded(net.eval())
