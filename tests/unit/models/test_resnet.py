"""ResNet as a backbone, against torchvision's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from empty import on_meta

from hrbench.errors import UsageError
from hrbench.models.resnet import resnet, resnet_fpn

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_keys_and_shapes_are_torchvisions_without_the_classifier(depth: int) -> None:
    with on_meta():
        theirs = getattr(torchvision.models, f"resnet{depth}")().state_dict()
        ours = resnet(depth).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items() if not k.startswith("fc.")}


@pytest.mark.parametrize(
    ("dilations", "replaced"),
    [
        ((1, 1, 1, 1), (False, False, False)),
        ((1, 1, 2, 4), (False, True, True)),
        ((1, 1, 1, 2), (False, False, True)),
        ((1, 2, 2, 4), (True, False, True)),
    ],
)
def test_maps_are_torchvisions(dilations: tuple[int, ...], replaced: tuple[bool, ...]) -> None:
    theirs = torchvision.models.resnet50(replace_stride_with_dilation=list(replaced)).eval()
    ours = resnet(50, dilations=dilations).eval()
    ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")})
    x = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps = ours(x)
        y = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))
        for i, ours_i in enumerate(maps, start=1):
            y = getattr(theirs, f"layer{i}")(y)
            torch.testing.assert_close(ours_i, y)
    assert tuple(64 // each.shape[2] for each in maps) == ours.strides
    assert tuple(each.shape[1] for each in maps) == ours.channels


def test_caffe_moves_the_stride_to_the_first_convolution() -> None:
    with on_meta():
        block = resnet(50, "caffe").layer2[0]
    assert (block.conv1.stride, block.conv2.stride) == ((2, 2), (1, 1))


def test_backbone_and_neck_make_up_the_whole() -> None:
    torch.manual_seed(0)
    net = resnet_fpn(50).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for one, other in zip(net(x), net.neck(net.backbone(x)), strict=True):
            assert torch.equal(one, other)
    assert net.strides == (4, 8, 16, 32, 64) and net.channels == (256,) * 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"depth": 34}, "depth 34 was given; there are 50, 101, 152"),
        ({"style": "torch"}, "style 'torch' was given; there are pytorch and caffe"),
        ({"dilations": (1, 1, 4, 4)}, r"dilations \(1, 1, 4, 4\)"),
        ({"dilations": (2, 2, 2, 2)}, "the first is 1"),
        ({"dilations": (1, 1, 1)}, "there are four"),
    ],
)
def test_what_is_no_resnet_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resnet(**wrong)
