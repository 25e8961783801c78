"""CUDA graphs: a network's kernels are recorded once for each shape of its input, and then replayed without Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrbench.models.runtimes.availability import check_available

if TYPE_CHECKING:
    from torch import nn


class CudaGraph:
    """Records and replays a network on a GPU (contracts.Runtime)."""

    name = "cuda-graph"
    version = 1
    takes = ("channels_last", "fused_bn", "tf32", "threads")

    def unavailable(self, device: str, dtype: str, is_detector: bool) -> str:
        """Why there is no graph on a CPU, or of a detector; "" if there may be one."""
        if is_detector:
            return "a detector's work depends on what it finds, so no CUDA graph of it can be recorded"
        return "" if device == "cuda" else "a CUDA graph needs an NVIDIA GPU, and this is a CPU"

    def prepare(self, net: nn.Module, input: Any) -> nn.Module:
        """The network, recorded when a shape first comes. Raises UnavailableError on a CPU, and for a detector."""
        check_available(self, input)
        from hrbench.models.runtimes.recorded import Recorded

        return Recorded(net.eval())
