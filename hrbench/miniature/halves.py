"""One step of training on two cores: each half of a batch goes through its own copy of the network in its own thread.

PyTorch's own threads meet after every operation, which on layers this small, and on a machine that does other work
too, costs more than it gains. Halves meet once a step. The sums do not depend on timing: the result repeats.
"""

from __future__ import annotations

import copy
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor, nn

from hrbench.miniature.pose_training import heatmap_loss

Batch = tuple[Tensor, Tensor, Tensor]


class Halves:
    """The network and a twin. Norms see half a batch each; the network's running statistics become their mean."""

    def __init__(self, net: nn.Module) -> None:
        self.nets = (net, copy.deepcopy(net))
        self.parameters = [list(each.parameters()) for each in self.nets]
        # One thread inside PyTorch for each of ours: the setting belongs to the thread that makes it.
        self.pool = ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,))

    def start(self, batch: Batch) -> list[Future[float]]:
        """Begin the forward and backward passes of a batch (inputs, targets, weights); gradients start from zero."""
        halves = zip(*(tensor.chunk(2) for tensor in batch), strict=True)
        return [self.pool.submit(self._pass, net, *half) for net, half in zip(self.nets, halves, strict=False)]

    @staticmethod
    def _pass(net: nn.Module, inputs: Tensor, targets: Tensor, shown: Tensor) -> float:
        net.zero_grad(set_to_none=True)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        loss = heatmap_loss(net(inputs), targets, shown)
        loss.backward()
        return loss.item()

    @torch.no_grad()
    def gather(self, passes: list[Future[float]]) -> float:
        """Wait for both halves and leave the mean of their gradients in the network; returns the mean loss."""
        losses = [each.result() for each in passes]
        if len(losses) == 2:
            for mine, other in zip(*self.parameters, strict=True):
                if mine.grad is not None and other.grad is not None:
                    mine.grad.add_(other.grad).mul_(0.5)
        return sum(losses) / len(losses)

    @torch.no_grad()
    def spread(self) -> None:
        """Give the twin the network's parameters, after the optimiser has changed them."""
        for mine, other in zip(*self.parameters, strict=True):
            other.copy_(mine)

    @torch.no_grad()
    def finish(self) -> None:
        """Average the running statistics and end the threads."""
        self.pool.shutdown()
        for mine, other in zip(self.nets[0].buffers(), self.nets[1].buffers(), strict=True):
            if mine.is_floating_point():
                mine.add_(other).div_(2)
