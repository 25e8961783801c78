"""Two halves of a batch give the gradient of the whole."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from hrbench.miniature.train.pose import heatmap_loss
from hrbench.miniature.train.two_replicas import TwoReplicas, split

pytestmark = pytest.mark.numeric


def loss_of(net: nn.Module, half: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    inputs, targets, shown = half
    return heatmap_loss(net(inputs), targets, shown)


def batch(n: int) -> tuple[Tensor, Tensor, Tensor]:
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
def halves(net: nn.Module) -> Iterator[TwoReplicas]:
    made = TwoReplicas(net, loss_of)
    yield made
    made.pool.shutdown()


@pytest.mark.parametrize("n", [1, 2, 8])
def test_the_gradient_is_that_of_the_whole_batch(net: nn.Module, halves: TwoReplicas, n: int) -> None:
    alone = copy.deepcopy(net)
    loss = heatmap_loss(alone(batch(n)[0]), *batch(n)[1:])
    loss.backward()
    for _ in range(2):  # the second time shows that gradients do not pile up
        assert halves.gather(halves.start(batch(n))) == pytest.approx(loss.item(), rel=1e-5)
        for mine, expected in zip(net.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, expected.grad)


def test_the_twin_follows(net: nn.Module, halves: TwoReplicas) -> None:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1)
    halves.spread()
    for mine, other in zip(*halves.parameters, strict=True):
        assert torch.equal(mine, other) and mine is not other


def test_running_statistics_become_the_mean_of_both() -> None:
    norm = nn.BatchNorm2d(3, momentum=1.0)
    halves = TwoReplicas(nn.Sequential(norm, nn.Conv2d(3, 2, 1)), loss_of)
    inputs, targets, shown = batch(8)
    halves.gather(halves.start((inputs, targets, shown)))
    halves.finish()
    torch.testing.assert_close(norm.running_mean, inputs.mean(dim=(0, 2, 3)))
    assert norm.num_batches_tracked == 1


def test_an_error_in_a_half_is_told(halves: TwoReplicas) -> None:
    inputs, targets, shown = batch(4)
    with pytest.raises(RuntimeError, match="size"):
        halves.gather(halves.start((inputs, targets[:, :, :4], shown)))


def test_lists_are_split_too() -> None:
    """Examples of detection differ in size: a batch of them is a list."""
    assert split(list("abcde")) == [list("abc"), list("de")]
    assert split(["a"]) == [["a"]]
    first, second = split(batch(4))
    assert torch.equal(torch.cat([first[0], second[0]]), batch(4)[0]) and len(first) == 3


@pytest.mark.parametrize("used", [0, 1])
def test_a_part_that_one_half_does_not_use_counts_as_zero_there(used: int) -> None:
    net = nn.ModuleDict({"body": nn.Linear(2, 1), "head": nn.Linear(1, 1)})

    def loss(net: nn.Module, half: list[int]) -> Tensor:
        features = net["body"](torch.ones(1, 2))
        return net["head"](features).sum() if half == [used] else features.sum()

    alone = copy.deepcopy(net)
    (0.5 * (loss(alone, [0]) + loss(alone, [1]))).backward()
    halves = TwoReplicas(net, loss)
    halves.gather(halves.start([0, 1]))
    halves.pool.shutdown()
    for mine, expected in zip(net.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, expected.grad)
