from __future__ import annotations

import pytest
import torch
import torchvision
from empty import on_meta

from hrbench.errors import UsageError
from hrbench.models.cls_resnet import cls_resnet

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize(("depth", "millions"), [(50, 25.6), (101, 44.6), (152, 60.2)])
def test_the_papers_parameter_counts(depth: int, millions: float) -> None:
    """arXiv 1908.07919, Table XV."""
    with on_meta():
        net = cls_resnet(depth)
        peer = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == millions
    after = {key: value.shape for key, value in peer.state_dict().items() if key.startswith(("layer", "fc."))}
    assert {key: value.shape for key, value in net.state_dict().items() if key.startswith(("layer", "fc."))} == after


def test_behind_the_stem_it_computes_what_torchvisions_does() -> None:
    torch.manual_seed(0)
    peer = torchvision.models.resnet50(weights=None).eval()
    net = cls_resnet(50).eval()
    rest = {key: value for key, value in peer.state_dict().items() if key.startswith(("layer", "fc."))}
    net.load_state_dict(rest, strict=False)
    stem = torch.nn.Sequential(net.conv1, net.bn1, net.relu, net.conv2, net.bn2, net.relu)
    peer.conv1, peer.bn1, peer.relu, peer.maxpool = stem, *(torch.nn.Identity() for _ in range(3))
    image = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        torch.testing.assert_close(net(image), peer(image))


def test_arguments_that_make_no_network() -> None:
    with pytest.raises(UsageError, match="depth 38 was given; there are 50, 101, 152"):
        cls_resnet(38)
    with pytest.raises(UsageError, match="classes 0 was given"):
        cls_resnet(classes=0)


def test_narrower_and_shorter_ones() -> None:
    net = cls_resnet(classes=10, planes=(8, 16, 24, 40), stem=16, blocks=(1, 2, 1, 2)).eval()
    with torch.inference_mode():
        assert net(torch.randn(2, 3, 64, 64)).shape == (2, 10)
    assert [len(layer) for layer in (net.layer1, net.layer2, net.layer3, net.layer4)] == [1, 2, 1, 2]
    for wrong in ({"planes": (8, 16, 24)}, {"blocks": (1, 0, 1, 1)}, {"stem": 0}):
        with pytest.raises(UsageError, match=f"{next(iter(wrong))} .* each of four layers has at least 1"):
            cls_resnet(**wrong)
