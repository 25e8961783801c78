"""A network whose kernels are recorded as CUDA graphs, one for each shape of its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

WARM_UP = 3
"""Passes before a graph is recorded, on a stream of their own, as torch's documentation of CUDA graphs asks."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A graph with the tensors that it reads and writes."""

    graph: Any
    input: Tensor
    output: Any


class Recorded(nn.Module):
    """Replays the graph of the input's shape and dtype.

    A call copies the input to where the graph reads it, and the output from where the graph writes it, so that the next
    call does not change it: both copies are part of its time.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.recordings: dict[tuple[Any, ...], Recording] = {}

    def forward(self, images: Tensor) -> Any:
        """The network's output for a batch (N, 3, H, W) on the GPU."""
        key = (tuple(images.shape), images.dtype, images.is_contiguous(memory_format=torch.channels_last))
        if key not in self.recordings:
            self.recordings[key] = self._recorded(images)
        recording = self.recordings[key]
        recording.input.copy_(images)
        recording.graph.replay()
        return tree_map(lambda value: value.clone() if isinstance(value, Tensor) else value, recording.output)

    def _recorded(self, images: Tensor) -> Recording:
        input = images.clone()
        side = torch.cuda.Stream(images.device)
        side.wait_stream(torch.cuda.current_stream(images.device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self.net(input)
        torch.cuda.current_stream(images.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = self.net(input)
        return Recording(graph, input, output)
