"""One step of training on two cores: each half of a batch goes through its own copy of the network in its own thread.

PyTorch's own threads meet after every operation, which on layers this small, and on a machine that does other work too,
costs more than it gains. The two replicas synchronise once a step. The sums do not depend on timing, so results repeat.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn

Batch = tuple[Tensor, ...] | list[Any]
"""A tuple of tensors, each with one row for an example, or a list of examples of any type."""

Loss = Callable[[nn.Module, Any], Tensor]
"""Called with a network in training mode and a batch or half of one; returns a scalar tensor."""


def split(batch: Batch) -> list[Batch]:
    """Both halves of a batch, the first is the larger one if they differ; a batch of one example is one half.

    >>> split([1, 2, 3]), split([1])
    ([[1, 2], [3]], [[1]])
    """
    if isinstance(batch, list):
        middle = (len(batch) + 1) // 2
        return [half for half in (batch[:middle], batch[middle:]) if half]
    return list(zip(*(tensor.chunk(2) for tensor in batch), strict=True))


class TwoReplicas:
    """The network and a copy of it. Norms see half a batch each; the running statistics become the mean of both."""

    def __init__(self, net: nn.Module, loss: Loss) -> None:
        self.nets = (net, copy.deepcopy(net))
        self.loss = loss
        self.parameters = [list(each.parameters()) for each in self.nets]
        # One PyTorch thread for each of ours: the setting is local to the thread that sets it.
        self.pool = ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,))

    def start(self, batch: Batch) -> list[Future[float]]:
        """Begin the forward and backward passes of a batch; gradients start from zero."""
        return [self.pool.submit(self._pass, net, half) for net, half in zip(self.nets, split(batch), strict=False)]

    def _pass(self, net: nn.Module, half: Batch) -> float:
        net.zero_grad(set_to_none=True)
        loss = self.loss(net, half)
        loss.backward()
        return loss.item()

    @torch.no_grad()
    def gather(self, passes: list[Future[float]]) -> float:
        """Wait for both halves and leave the mean of their gradients in the network; returns the mean loss."""
        losses = [each.result() for each in passes]
        if len(losses) == 2:
            for mine, other in zip(*self.parameters, strict=True):
                if other.grad is None:  # a part that this half did not use: a mask head without an object
                    mine.grad = None if mine.grad is None else mine.grad.mul_(0.5)
                elif mine.grad is None:
                    mine.grad = other.grad.mul(0.5)
                else:
                    mine.grad.add_(other.grad).mul_(0.5)
        return sum(losses) / len(losses)

    @torch.no_grad()
    def spread(self) -> None:
        """Copies the network's parameters to the replica, after the optimiser has changed them."""
        for mine, other in zip(*self.parameters, strict=True):
            other.copy_(mine)

    @torch.no_grad()
    def finish(self) -> None:
        """Average the running statistics and end the threads."""
        self.pool.shutdown()
        for mine, other in zip(self.nets[0].buffers(), self.nets[1].buffers(), strict=True):
            if mine.is_floating_point():
                mine.add_(other).div_(2)
