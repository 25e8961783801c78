"""Batch norms folded into the layers before them: which ones, and that outputs stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from hrbench import catalog
from hrbench.models.build import build
from hrbench.models.runtimes.norms import fold_norms


def alive(net: nn.Module, seed: int = 0) -> nn.Module:
    """A network whose norms do something: random statistics, scales and shifts."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for value, low, high in (
                (module.running_mean, -1.0, 1.0),
                (module.running_var, 0.5, 2.0),
                (module.weight, 0.5, 2.0),
                (module.bias, -1.0, 1.0),
            ):
                assert value is not None
                value.data.copy_(torch.rand(value.shape, generator=generator) * (high - low) + low)
    return net.eval()


def folded(net: nn.Module, *shape: int) -> tuple[int, int]:
    """How many norms are folded, once the outputs were seen to stay; all sums in float64."""
    net = alive(net).double()
    image = torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.inference_mode():
        expected = net(image)
    counts = fold_norms(net, image)
    with torch.inference_mode():
        torch.testing.assert_close(net(image), expected)
    left = sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in net.modules())
    assert left == counts[1] - counts[0]
    return counts


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)], (2, 3, 8, 8)),
        ([nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()], (2, 3, 8, 8)),
        ([nn.Conv2d(4, 4, 3, groups=2), nn.BatchNorm2d(4)], (2, 4, 8, 8)),
        ([nn.ConvTranspose2d(3, 4, 4, 2, 1), nn.BatchNorm2d(4)], (2, 3, 8, 8)),
        ([nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4)], (2, 3, 8)),
        ([nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4)], (2, 3, 6, 6, 6)),
        ([nn.Linear(3, 4), nn.BatchNorm1d(4)], (2, 3)),
        ([nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False)], (2, 3, 8, 8)),
    ],
)
def test_a_norm_after_a_layer_is_folded(layers: list[nn.Module], shape: tuple[int, ...]):
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d) and not layer.affine:
            layer.running_mean, layer.running_var = torch.rand(4), torch.rand(4) + 0.5
            net = nn.Sequential(*layers).double().eval()
            image = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
            expected = net(image)
            assert fold_norms(net, image) == (1, 1)
            torch.testing.assert_close(net(image), expected)
            return
    assert folded(nn.Sequential(*layers), *shape) == (1, 1)


class Added(nn.Module):
    """The convolution's output is used beside the norm, too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, images):
        found = self.conv(images)
        return found + self.norm(found)


class Returned(Added):
    """The convolution's output is one of the network's."""

    def forward(self, images):
        found = self.conv(images)
        return found, self.norm(found)


class Levels(nn.Module):
    """One convolution for two levels with a norm each, as heads of detectors have them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(3), nn.BatchNorm2d(3)])

    def forward(self, images):
        return [norm(self.conv(images * scale)) for scale, norm in zip((1, 2), self.norms, strict=True)]


class Shared(Levels):
    """One convolution and one norm for both levels: they can be folded."""

    def forward(self, images):
        return [self.norms[0](self.conv(images * scale)) for scale in (1, 2)]


class Tied(nn.Module):
    """Two convolutions with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.norm = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.second.weight = self.first.weight

    def forward(self, images):
        return self.norm(self.first(images)) + self.second(images)


class Scaled(nn.Conv2d):
    """A convolution that does more than torch's own."""

    def forward(self, input):
        return super().forward(input) * 2


class Activated(nn.BatchNorm2d):
    """A norm with an activation, as timm has them."""

    def forward(self, input):
        return super().forward(input).relu()


def own_layer() -> nn.Module:
    return nn.Sequential(Scaled(3, 3, 1), nn.BatchNorm2d(3))


def own_norm() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 3, 1), Activated(3))


def hook_on_layer() -> nn.Module:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    net[0].register_forward_hook(lambda layer, given, output: output * 2)
    return net


def hook_on_norm() -> nn.Module:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    net[1].register_forward_hook(lambda norm, given, output: output * 2)
    return net


def other_axis() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 3), nn.BatchNorm2d(3))


def transposed_groups() -> nn.Module:
    return nn.Sequential(nn.ConvTranspose2d(3, 3, 2, groups=3), nn.BatchNorm2d(3))


class WeightUsed(nn.Module):
    """The layer's weight is used beside the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, images):
        return self.norm(self.conv(images)) + self.conv.weight.sum()


@pytest.mark.parametrize(
    "kind",
    [Added, Returned, Levels, Tied, own_layer, own_norm, hook_on_layer, hook_on_norm, other_axis, transposed_groups,
     WeightUsed],
)  # fmt: skip
def test_a_norm_is_kept_where_folding_it_would_change_outputs(kind: Callable[[], nn.Module]):
    assert folded(kind(), 2, 3, 6, 6)[0] == 0


def test_a_layer_and_a_norm_that_are_called_twice_are_folded_once():
    assert folded(Shared(), 2, 3, 6, 6) == (1, 2)  # the second norm is never called


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3)),  # before it
        nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(), nn.BatchNorm2d(3)),  # not directly after
        nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3, track_running_stats=False)),  # of the batch
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 3)), nn.BatchNorm2d(3)),
    ],
)
def test_what_cannot_be_folded_is_left(net: nn.Module):
    net = net.eval()
    image = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = net(image)
        found = fold_norms(net, image)
        assert found[0] == 0 and torch.equal(net(image), expected)


@pytest.mark.numeric
@pytest.mark.parametrize(
    ("name", "every"),
    [("pose_hrnet_miniature_coco", 61), ("seg_hrnet_miniature_cityscapes", 75), ("cls_hrnet_miniature_imagenet", 73)],
)
def test_every_norm_of_hrnet_is_folded(name: str, every: int):
    variant = catalog.variants()[name]
    torch.manual_seed(0)
    assert folded(build(variant), 1, 3, *variant.input) == (every, every)
