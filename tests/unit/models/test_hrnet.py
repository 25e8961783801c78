from __future__ import annotations

from typing import Any

import pytest
import torch
from empty import on_meta
from torch import nn

from hrbench.errors import UsageError
from hrbench.models.hrnet import (
    MultiResolutionModule,
    cls_hrnet,
    det_hrnetv2p,
    face_hrnet,
    pose_hrnet,
    seg_hrnet,
    seg_hrnet_ocr,
)

pytestmark = pytest.mark.numeric

NARROW: dict[str, Any] = {"stem": 16, "widths": (20, 24, 40, 64), "modules": (1, 1, 1), "blocks": 2}


def meta(**arguments: Any) -> nn.Module:
    with on_meta():
        return pose_hrnet(**arguments).eval()


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def exchanges(net: nn.Module) -> list[str]:
    """Names of the modules with an exchange unit: "stage3.2" is the third of stage 3."""
    return [name for name, each in net.named_modules() if isinstance(each, MultiResolutionModule) and each.outputs]


def norm(channels: int) -> int:
    return 2 * channels


def unit(widths: tuple[int, ...], outputs: tuple[int, ...]) -> int:
    """Parameters of an exchange unit, counted by hand from the paper's figure 3 and the official kernel sizes."""
    total = 0
    for i in outputs:
        for j in range(len(widths)):
            if j > i:  # 1x1 and upsampling
                total += widths[j] * widths[i] + norm(widths[i])
            elif j < i:  # i - j strided 3x3, the last one to the width of i
                total += (i - j - 1) * (9 * widths[j] ** 2 + norm(widths[j])) + 9 * widths[j] * widths[i]
                total += norm(widths[i])
    return total


@pytest.mark.parametrize(
    ("width", "joints", "expected"),
    [(32, 17, 28_536_113), (32, 16, 28_536_080), (48, 17, 63_595_745), (48, 16, 63_595_696)],
)
def test_published_parameter_counts(width: int, joints: int, expected: int) -> None:
    assert parameters(meta(width=width, joints=joints)) == expected


def test_full_network_exchanges_eight_times() -> None:
    names = ["stage2.0", "stage3.0", "stage3.1", "stage3.2", "stage3.3", "stage4.0", "stage4.1", "stage4.2"]
    assert exchanges(meta()) == names


def test_ablation_a_exchanges_once_at_the_end() -> None:
    assert exchanges(meta(exchange="final")) == ["stage4.2"]


def test_ablation_b_exchanges_at_the_end_of_each_stage() -> None:
    assert exchanges(meta(exchange="across-stage")) == ["stage2.0", "stage3.3", "stage4.2"]


def test_an_ablation_lacks_exactly_the_units_it_removes() -> None:
    two, three, four = unit((32, 64), (0, 1)), unit((32, 64, 128), (0, 1, 2)), unit((32, 64, 128, 256), (0, 1, 2, 3))
    full = parameters(meta())
    assert full - parameters(meta(exchange="across-stage")) == 3 * three + 2 * four
    assert full - parameters(meta(exchange="final")) == two + 4 * three + 2 * four


@pytest.mark.parametrize(("exchange", "expected"), [("final", 26_332_273), ("across-stage", 26_506_481)])
def test_ablations_keep_the_rest_of_the_network_key_for_key(exchange: str, expected: int) -> None:
    full, net = meta().state_dict(), meta(exchange=exchange)
    assert parameters(net) == expected
    assert all(full[key].shape == value.shape for key, value in net.state_dict().items())
    assert all("fuse_layers" in key for key in full.keys() - net.state_dict().keys())


@pytest.mark.parametrize("head", [1, 2, 3, 4])
def test_head_reads_one_branch_and_its_resolution(head: int) -> None:
    net = meta(head=head)
    stride = 2 ** (head + 1)
    assert net(torch.empty(1, 3, 256, 192, device="meta")).shape == (1, 17, 256 // stride, 192 // stride)
    widths = (32, 64, 128, 256)
    last = [key.split(".")[3] for key in net.state_dict() if key.startswith("stage4.2.fuse_layers.")]
    assert set(last) == {str(head - 1)}
    added = unit(widths, (head - 1,)) - unit(widths, (0,)) + 17 * (widths[head - 1] - widths[0])
    assert parameters(net) - parameters(meta()) == added


def test_head_one_is_the_standard_network() -> None:
    assert meta(head=1).state_dict().keys() == meta().state_dict().keys()


def test_module_without_exchange_passes_its_branches_on() -> None:
    torch.manual_seed(0)
    module = MultiResolutionModule((4, 8), 1, ()).eval()
    x = [torch.randn(1, 4, 8, 6), torch.randn(1, 8, 4, 3)]
    for got, branch, each in zip(module(x), module.branches, x, strict=True):
        assert torch.equal(got, branch(each))


def test_exchange_unit_adds_the_branches_by_hand() -> None:
    """With branches that give back what they get and convolutions of ones, every sum can be written down."""
    module = MultiResolutionModule((1, 1), 1, (0, 1)).eval()
    with torch.no_grad():
        for name, value in module.named_parameters():
            value.fill_(0.0 if name.startswith("branches") else 1.0)
            if name.endswith("bias"):
                value.zero_()
        for each in module.modules():
            if isinstance(each, nn.BatchNorm2d):
                each.eps = 0.0
    high, low = torch.full((1, 1, 4, 4), 2.0), torch.tensor([[[[10.0, 20.0], [30.0, 40.0]]]])
    first, second = module([high, low])
    nearest = torch.tensor([[10.0, 10, 20, 20]] * 2 + [[30.0, 30, 40, 40]] * 2)
    assert torch.equal(first[0, 0], nearest + 2)
    windows = torch.tensor([[4.0, 6], [6, 9]])  # how many pixels a strided 3x3 window with padding 1 covers
    assert torch.equal(second[0, 0], low[0, 0] + 2 * windows)


def test_miniature_is_narrow_and_runs_at_its_input() -> None:
    net = pose_hrnet(joints=17, **NARROW).eval()
    assert parameters(net) < 600_000
    with torch.inference_mode():
        assert net(torch.zeros(2, 3, 96, 72)).shape == (2, 17, 24, 18)


def test_lists_from_a_file_do_as_tuples() -> None:
    as_lists = {key: list(value) if isinstance(value, tuple) else value for key, value in NARROW.items()}
    assert meta(**as_lists).state_dict().keys() == meta(**NARROW).state_dict().keys()


def test_drawn_as_the_official_training_draws() -> None:
    torch.manual_seed(0)
    net = pose_hrnet(**NARROW)
    for name, value in net.named_parameters():
        if value.dim() == 4 and value.numel() > 5000:
            assert 0.0009 < float(value.detach().std()) < 0.0011, name
        elif name.endswith("bias"):
            assert not value.any(), name
        elif value.dim() == 1:
            assert bool((value == 1).all()), name


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"exchange": "within"}, "'within' was given; there are full, final, across-stage"),
        ({"head": 5}, "head 5 was given"),
        ({"widths": (8, 16)}, "four branches"),
        ({"modules": (1, 4)}, "three multi-resolution stages"),
        ({"joints": 0}, "at least 1"),
    ],
)
def test_arguments_that_make_no_network(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        pose_hrnet(**arguments)


# --- V2, V2p, C ----------------------------------------------------------------------------------------------------

SMALL_V1: dict[str, Any] = {"widths": (16, 32, 64, 128), "modules": (1, 1, 1), "blocks": 2, "layer1": 1, "planes": 32}
SMALL_V2: dict[str, Any] = {"width": 18, "modules": (1, 3, 2), "blocks": 2, "layer1": 2}


def shapes_of(make: Any, **arguments: Any) -> Any:
    with on_meta():
        return make(**arguments).eval()


@pytest.mark.parametrize(
    ("make", "arguments", "millions"),
    [
        (cls_hrnet, SMALL_V1, "13.2"),
        (cls_hrnet, SMALL_V2, "15.6"),
        (cls_hrnet, {"width": 18}, "21.3"),
        (cls_hrnet, {"width": 30}, "37.7"),
        (cls_hrnet, {"width": 32}, "41.2"),
        (cls_hrnet, {"width": 40}, "57.6"),
        (cls_hrnet, {"width": 44}, "67.1"),
        (cls_hrnet, {"width": 48}, "77.5"),
        (cls_hrnet, {"width": 64}, "128.1"),
        (seg_hrnet, SMALL_V1, "1.5"),
        (seg_hrnet, SMALL_V2, "3.9"),
        (seg_hrnet, {"width": 48}, "65.9"),
    ],
)
def test_published_parameter_counts_of_heads_on_all_branches(make: Any, arguments: Any, millions: str) -> None:
    assert f"{parameters(shapes_of(make, **arguments)) / 1e6:.1f}" == millions


def test_heads_differ_and_the_trunk_is_one() -> None:
    """But for the exchange unit that ends stage 4, the trunk of pose is that of all others, key for key."""
    shapes = {key: value.shape for key, value in meta(width=48).state_dict().items() if not key.startswith("final")}
    for make in (seg_hrnet, seg_hrnet_ocr, cls_hrnet):
        state = shapes_of(make, width=48).state_dict()
        assert all(state[key].shape == shape for key, shape in shapes.items())
    state = shapes_of(det_hrnetv2p, width=48).state_dict()
    assert all(state[f"backbone.{key}"].shape == shape for key, shape in shapes.items())


@pytest.mark.parametrize("size", [(64, 96), (57, 75), (473, 473)])
def test_segmentation_takes_every_size(size: tuple[int, int]) -> None:
    quarter = tuple(-(-side // 4) for side in size)
    image = torch.empty(2, 3, *size, device="meta")
    assert shapes_of(seg_hrnet, classes=5, **NARROW)(image).shape == (2, 5, *quarter)
    assert [each.shape for each in shapes_of(seg_hrnet_ocr, classes=5, **NARROW)(image)] == [(2, 5, *quarter)] * 2


def test_align_corners_changes_values_and_nothing_else() -> None:
    torch.manual_seed(0)
    plain, aligned = seg_hrnet(**NARROW), seg_hrnet(align_corners=True, **NARROW)
    aligned.load_state_dict(plain.state_dict())
    each = [net.align_corners for net in aligned.modules() if isinstance(net, MultiResolutionModule)]
    assert each == [True] * 3 and aligned.align_corners
    for norm_layer in (*plain.modules(), *aligned.modules()):
        if isinstance(norm_layer, nn.Conv2d):
            nn.init.constant_(norm_layer.weight, 0.01)
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert not torch.equal(plain.eval()(image), aligned.eval()(image))


def test_detection_backbone_says_its_levels() -> None:
    net = shapes_of(det_hrnetv2p, width=18, stride=2)
    maps = net(torch.empty(1, 3, 256, 384, device="meta"))
    assert (net.channels, net.strides) == ((256,) * 5, (8, 16, 32, 64, 128))
    assert [tuple(level.shape) for level in maps] == [(1, 256, 256 // s, 384 // s) for s in net.strides]
    assert (net.backbone.channels, net.backbone.strides) == ((18, 36, 72, 144), (4, 8, 16, 32))


def test_head_of_classification_by_its_branches() -> None:
    net = shapes_of(cls_hrnet, classes=7, head=(2, 3, 4, 5), features=11, **NARROW)
    assert net(torch.empty(2, 3, 64, 64, device="meta")).shape == (2, 7)
    assert [each[0].conv3.out_channels for each in net.incre_modules] == [8, 12, 16, 20]
    assert [each[0].weight.shape[:2] for each in net.downsamp_modules] == [(12, 8), (16, 12), (20, 16)]


@pytest.mark.parametrize(
    ("make", "arguments", "says"),
    [
        (seg_hrnet, {"classes": 0}, "seg_hrnet: classes 0 was given; .* at least 1"),
        (seg_hrnet, {"classes": "nineteen"}, "seg_hrnet: classes 'nineteen' was given; .* a whole number"),
        (seg_hrnet, {"width": [48]}, r"seg_hrnet: width \[48\] was given; .* a whole number"),
        (seg_hrnet, {"modules": 4}, "seg_hrnet: modules 4 was given; it is a list"),
        (seg_hrnet, {"widths": (8, 16, 32, 0)}, r"seg_hrnet: widths \(8, 16, 32, 0\) was given"),
        (seg_hrnet_ocr, {"key": 0}, "seg_hrnet_ocr: key 0 was given"),
        (cls_hrnet, {"widths": (8, 16)}, "cls_hrnet: .* four branches"),
        (cls_hrnet, {"head": (32, 64)}, "head .32, 64. was given"),
        (det_hrnetv2p, {"modules": (1, 4)}, "det_hrnetv2p: .* three multi-resolution stages"),
        (det_hrnetv2p, {"keys": "mmdet2"}, "'mmdet2' was given; there are official, mmdet3"),
    ],
)
def test_arguments_that_make_no_network_elsewhere(make: Any, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make(**arguments)


def test_landmarks_are_the_segmentation_network_with_its_head_renamed() -> None:
    """So its official files load: conv1 ... stage4, then head.{0,1,3}; and the heatmaps are the logits."""
    net, like = face_hrnet(landmarks=5, **NARROW).eval(), seg_hrnet(classes=5, **NARROW).eval()
    state = {key.replace("last_layer.", "head."): value for key, value in like.state_dict().items()}
    net.load_state_dict(state)
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(net(images), like(images)) and net(images).shape == (2, 5, 16, 16)
