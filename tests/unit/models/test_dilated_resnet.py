from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from empty import on_meta
from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.dilated_resnet import dilated_resnet

pytestmark = pytest.mark.numeric


def macs(net: nn.Module, shape: tuple[int, ...]) -> int:
    counted = 0

    def count(module: nn.Conv2d, inputs: Any, output: Tensor) -> None:
        nonlocal counted
        counted += output.numel() * module.weight[0].numel()

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    net(torch.empty(shape, device="meta"))
    return counted


@pytest.mark.parametrize(
    ("head", "stem", "parameters", "gflops"),
    [("fcn", "deep", 52.1, 1661.6), ("aspp", "plain", 58.0, 1778.7)],
)
def test_both_figures_of_the_papers_rows(head: Any, stem: Any, parameters: float, gflops: float) -> None:
    """arXiv 1908.07919, Table III: Dilated-ResNet and DeepLabV3."""
    with on_meta():
        net = dilated_resnet(101, 19, head, stem).eval()
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == parameters
    assert round(macs(net, (1, 3, 1024, 2048)) / 2**30, 1) == gflops


def test_it_computes_what_torchvisions_dilated_resnet_does() -> None:
    torch.manual_seed(0)
    peer = torchvision.models.resnet50(weights=None, replace_stride_with_dilation=[False, True, True]).eval()
    net = dilated_resnet(50, 3, "fcn", "plain").eval()
    stem = {"conv1": "stem.0", "bn1": "stem.1"}
    state = {}
    for key, value in peer.state_dict().items():
        name, _, rest = key.partition(".")
        if name != "fc":
            state[f"{stem.get(name, name)}.{rest}"] = value
    net.backbone.load_state_dict(state)
    seen: list[Tensor] = []
    peer.layer4.register_forward_hook(lambda module, inputs, output: seen.append(output))
    image = torch.randn(1, 3, 64, 48)
    with torch.inference_mode():
        peer(image)
        found = net.backbone(image)
        logits = net(image)
    torch.testing.assert_close(found, seen[0])
    assert found.shape == (1, 2048, 8, 6)
    assert logits.shape == (1, 3, 64, 48)


def test_the_pyramid_computes_what_torchvisions_does() -> None:
    torch.manual_seed(0)
    peer = torchvision.models.segmentation.deeplabv3.ASPP(2048, [12, 24, 36]).eval()
    net = dilated_resnet(50, 3, "aspp", "plain").eval()
    pyramid = net.classifier[0]
    pyramid.load_state_dict(peer.state_dict())
    x = torch.randn(1, 2048, 5, 7)
    with torch.inference_mode():
        torch.testing.assert_close(pyramid(x), peer(x))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"depth": 18}, "depth 18 was given; there are 50, 101, 152"),
        ({"head": "psp"}, "heads fcn, aspp"),
        ({"stem": "wide"}, "stems plain, deep"),
        ({"classes": 0}, "classes 0 was given"),
    ],
)
def test_arguments_that_make_no_network(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        dilated_resnet(**arguments)
