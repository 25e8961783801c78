from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from empty import on_meta
from torch import nn

from hrbench.errors import UsageError
from hrbench.models.pose_resnet import pose_resnet

pytestmark = pytest.mark.numeric


def meta(**arguments: Any) -> nn.Module:
    with on_meta():
        return pose_resnet(**arguments).eval()


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("depth", "joints", "expected"),
    [
        (50, 17, 33_999_697),
        (50, 16, 33_999_440),
        (101, 17, 52_991_825),
        (101, 16, 52_991_568),
        (152, 17, 68_635_473),
        (152, 16, 68_635_216),
    ],
)
def test_published_parameter_counts(depth: int, joints: int, expected: int) -> None:
    assert parameters(meta(depth=depth, joints=joints)) == expected


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_the_backbone_has_torchvisions_keys(depth: int) -> None:
    with on_meta():
        peer = getattr(torchvision.models, f"resnet{depth}")(weights=None).state_dict()
    state = meta(depth=depth).state_dict()
    backbone = {key: value.shape for key, value in state.items() if not key.startswith(("deconv_layers.", "final_"))}
    assert backbone == {key: value.shape for key, value in peer.items() if not key.startswith("fc.")}


@pytest.mark.parametrize("depth", [18, 50])
def test_the_backbone_computes_what_torchvisions_does(depth: int) -> None:
    torch.manual_seed(0)
    peer = getattr(torchvision.models, f"resnet{depth}")(weights=None).eval()
    net = pose_resnet(depth=depth).eval()
    net.load_state_dict(peer.state_dict(), strict=False)
    seen: list[torch.Tensor] = []
    for each in (peer, net):
        each.get_submodule("layer4").register_forward_hook(lambda module, inputs, output: seen.append(output))
    image = torch.randn(1, 3, 64, 32)
    with torch.inference_mode():
        peer(image)
        heatmaps = net(image)
    torch.testing.assert_close(seen[0], seen[1])
    assert heatmaps.shape == (1, 17, 16, 8)


def test_caffe_style_moves_the_stride_and_nothing_else() -> None:
    ordinary, caffe = meta(depth=50), meta(depth=50, style="caffe")
    assert ordinary.state_dict().keys() == caffe.state_dict().keys()
    assert parameters(ordinary) == parameters(caffe)

    def strided(net: nn.Module) -> set[str]:
        return {n for n, m in net.named_modules() if isinstance(m, nn.Conv2d) and m.stride == (2, 2) and "layer" in n}

    projections = {f"layer{i}.0.downsample.0" for i in (2, 3, 4)}
    assert strided(ordinary) == projections | {f"layer{i}.0.conv2" for i in (2, 3, 4)}
    assert strided(caffe) == projections | {f"layer{i}.0.conv1" for i in (2, 3, 4)}
    assert caffe(torch.empty(1, 3, 256, 192, device="meta")).shape == (1, 17, 64, 48)


def test_upsampling_doubles_three_times() -> None:
    net = meta()
    layers = [each for each in net.modules() if isinstance(each, nn.ConvTranspose2d)]
    assert [(each.in_channels, each.out_channels) for each in layers] == [(2048, 256), (256, 256), (256, 256)]
    assert all(each.kernel_size == (4, 4) and each.stride == (2, 2) and each.bias is None for each in layers)


def test_miniature_is_narrow_and_runs_at_its_input() -> None:
    net = pose_resnet(depth=18, planes=[16, 32, 64, 128], deconvolutions=[64, 64, 64]).eval()
    assert parameters(net) == 965_729
    with torch.inference_mode():
        assert net(torch.zeros(2, 3, 128, 96)).shape == (2, 17, 32, 24)
        # 72 is no multiple of 32: layer4 rounds it up to 3 columns, and 3 x 8 = 24 are not 72 / 4.
        assert net(torch.zeros(2, 3, 96, 72)).shape == (2, 17, 24, 24)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"depth": 60}, "depth 60 was given; there are 18, 34, 50, 101, 152"),
        ({"style": "tf"}, "style 'tf' was given"),
        ({"depth": 34, "style": "caffe"}, "depth 34 has no bottlenecks"),
        ({"planes": (64, 128)}, "four layers"),
        ({"deconvolutions": ()}, "at least one transposed convolution"),
    ],
)
def test_arguments_that_make_no_network(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        pose_resnet(**arguments)
