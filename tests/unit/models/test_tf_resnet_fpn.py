"""The ResNet-FPN of the official TensorFlow detectors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from empty import on_meta
from torch import nn

from hrbench.errors import UsageError
from hrbench.models.tf_resnet_fpn import tf_resnet_fpn

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize(("depth", "parameters"), [(50, 27_379_264), (101, 46_371_392), (152, 62_015_040)])
def test_levels_and_parameters(depth: int, parameters: int) -> None:
    with on_meta():
        net = tf_resnet_fpn(depth).eval()
        levels = net(torch.empty(2, 3, 256, 384))
    assert [tuple(x.shape) for x in levels] == [(2, 256, 256 // s, 384 // s) for s in (8, 16, 32, 64, 128)]
    assert net.channels == (256,) * 5 and net.strides == (8, 16, 32, 64, 128)
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_conventions() -> None:
    with on_meta():
        net = tf_resnet_fpn()
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}
    assert all(conv.bias is not None for conv in net.decoder.modules() if isinstance(conv, nn.Conv2d))
    assert all(conv.bias is None for conv in net.backbone.modules() if isinstance(conv, nn.Conv2d))


def test_the_two_paddings_are_two_networks_of_the_same_weights(fill: Any) -> None:
    image = torch.from_numpy(fill.image((1, 3, 128, 128)))
    with on_meta():
        two, one = tf_resnet_fpn(channels=8), tf_resnet_fpn(channels=8, padding="tf1").double().eval()
    fill.fill(two.to_empty(device="cpu"))
    one.load_state_dict(two.state_dict(), assign=True)
    with torch.inference_mode():
        pairs = list(zip(one(image), two(image), strict=True))
    assert len(pairs) == 5 and all(a.shape == b.shape and not torch.allclose(a, b) for a, b in pairs)


@pytest.mark.parametrize("given", [{"depth": 34}, {"channels": 0}, {"padding": "same"}])
def test_values_that_make_no_network(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="tf_resnet_fpn"):
        tf_resnet_fpn(**given)


def test_sizes_whose_levels_do_not_double() -> None:
    with on_meta():
        net, image = tf_resnet_fpn(channels=8), torch.empty(1, 3, 128, 200)
    with pytest.raises(UsageError, match="an image of 128x200 was given; it reads multiples of 128"):
        net(image)
