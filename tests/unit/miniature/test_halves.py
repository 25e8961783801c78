"""Two halves of a batch give the gradient of the whole."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from hrbench.miniature.halves import Batch, Halves
from hrbench.miniature.pose_training import heatmap_loss


def batch(n: int) -> Batch:
    draw = torch.Generator().manual_seed(n)
    return (
        torch.randn(n, 3, 8, 6, generator=draw),
        torch.randn(n, 2, 8, 6, generator=draw),
        (torch.rand(n, 2, generator=draw) < 0.7).float(),
    )


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))


@pytest.fixture
def halves(net: nn.Module) -> Iterator[Halves]:
    made = Halves(net)
    yield made
    made.pool.shutdown()


@pytest.mark.parametrize("n", [1, 2, 8])
def test_the_gradient_is_that_of_the_whole_batch(net: nn.Module, halves: Halves, n: int) -> None:
    alone = copy.deepcopy(net)
    loss = heatmap_loss(alone(batch(n)[0]), *batch(n)[1:])
    loss.backward()
    for _ in range(2):  # the second time shows that gradients do not pile up
        assert halves.gather(halves.start(batch(n))) == pytest.approx(loss.item(), rel=1e-5)
        for mine, expected in zip(net.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, expected.grad)


def test_the_twin_follows(net: nn.Module, halves: Halves) -> None:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1)
    halves.spread()
    for mine, other in zip(*halves.parameters, strict=True):
        assert torch.equal(mine, other) and mine is not other


def test_running_statistics_become_the_mean_of_both() -> None:
    norm = nn.BatchNorm2d(3, momentum=1.0)
    halves = Halves(nn.Sequential(norm, nn.Conv2d(3, 2, 1)))
    inputs, targets, shown = batch(8)
    halves.gather(halves.start((inputs, targets, shown)))
    halves.finish()
    torch.testing.assert_close(norm.running_mean, inputs.mean(dim=(0, 2, 3)))
    assert norm.num_batches_tracked == 1


def test_an_error_in_a_half_is_told(halves: Halves) -> None:
    inputs, targets, shown = batch(4)
    with pytest.raises(RuntimeError, match="size"):
        halves.gather(halves.start((inputs, targets[:, :, :4], shown)))
