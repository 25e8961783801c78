from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from empty import on_meta
from torch import Tensor, nn

from hrbench.errors import UsageError
from hrbench.models.refinenet import CASCADES, ChainedResidualPooling, ResidualConvUnits, refinenet

pytestmark = pytest.mark.numeric


def meta(**arguments: Any) -> Any:
    with on_meta():
        return refinenet(**arguments).eval()


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def constant(net: nn.Module, value: float) -> nn.Module:
    """Every convolution passes its input on, times `value`, channel by channel; biases are 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
            for i in range(min(module.in_channels, module.out_channels)):
                module.weight.data[i, i, module.kernel_size[0] // 2, module.kernel_size[1] // 2] = value
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net.eval()


@pytest.mark.parametrize(
    ("depth", "cascade", "expected"),
    [
        (50, "4-cascaded", 99_060_309),
        (101, "4-cascaded", 118_052_437),
        (152, "4-cascaded", 133_696_085),
        (101, "single", 81_480_277),
        (101, "2-cascaded", 87_969_109),
        (101, "4-cascaded-2-scale", 197_124_245),
    ],
)
def test_parameter_counts(depth: int, cascade: str, expected: int) -> None:
    assert parameters(meta(depth=depth, cascade=cascade)) == expected


def test_a_narrow_network_is_as_wide_as_it_is_told() -> None:
    net = meta(classes=19, planes=6, widths=(20, 16, 12, 8), blocks=(1, 2, 3, 1), pools=1)
    assert [len(layer) for layer in (net.layer1, net.layer2, net.layer3, net.layer4)] == [1, 2, 3, 1]
    sizes = [(stage.in_channels, stage.out_channels) for stage in (
        net.p_ims1d2_outl1_dimred, net.p_ims1d2_outl2_dimred, net.p_ims1d2_outl3_dimred, net.p_ims1d2_outl4_dimred
    )]  # fmt: skip
    assert sizes == [(192, 20), (96, 16), (48, 12), (24, 8)]
    assert net(torch.empty(2, 3, 64, 96, device="meta")).shape == (2, 19, 16, 24)
    assert net.clf_conv.in_channels == 8


def test_the_heads_of_the_cascades_count_as_their_layers_do() -> None:
    """In 3x3 convolutions of 256 to 256 channels (589,824 weights), from the description alone."""
    with on_meta():
        peer = torchvision.models.resnet50(weights=None)
    trunk = parameters(peer) - parameters(peer.fc)
    unit = 256 * 256 * 9

    def rcu(width: int, count: int) -> int:
        return count * (2 * width * width * 9 + width)

    enter = (2048 * 512 + (1024 + 512 + 256) * 256) * 9
    adapt = rcu(512, 2) + 3 * rcu(256, 2)
    block = 4 * unit + rcu(256, 3)
    classify = 256 * 9 * 21 + 21
    joining = 512 * 256 * 9 + 3 * unit
    assert parameters(meta(depth=50, cascade="single")) == trunk + enter + adapt + joining + block + classify
    assert parameters(meta(depth=50, cascade="2-cascaded")) == (
        trunk + enter + adapt + joining + unit + 2 * block + classify
    )
    first = 4 * 512 * 512 * 9 + rcu(512, 3)
    assert parameters(meta(depth=50)) == trunk + enter + adapt + joining + 2 * unit + first + 3 * block + classify


@pytest.mark.parametrize("cascade", CASCADES)
def test_logits_are_a_quarter_of_what_the_first_resnet_sees(cascade: str) -> None:
    output = meta(depth=50, cascade=cascade)(torch.empty(2, 3, 75, 101, device="meta"))
    enlarged = (90, 121) if cascade == "4-cascaded-2-scale" else (75, 101)
    assert output.shape == (2, 21, -(-enlarged[0] // 4), -(-enlarged[1] // 4))


def test_two_scales_have_resnets_of_their_own_and_one_of_each_level_in_a_block() -> None:
    net = meta(depth=50, cascade="4-cascaded-2-scale")
    state = net.state_dict()
    first = {key for key in state if key.startswith(("conv1.", "bn1.", "layer"))}
    assert {f"resnet_ims0d6.{key}" for key in first} == {key for key in state if key.startswith("resnet_ims0d6.")}
    assert [net.paths(block) for block in (1, 2, 3, 4)] == [[0, 4], [1, 5], [2, 6], [3, 7]]
    seen: list[tuple[int, ...]] = []
    for name in ("conv1", "resnet_ims0d6.conv1"):
        net.get_submodule(name).register_forward_hook(
            lambda module, given, out: seen.append(tuple(given[0].shape[-2:]))
        )
    net(torch.empty(1, 3, 100, 200, device="meta"))
    assert seen == [(120, 240), (60, 120)]


def test_the_backbone_computes_what_torchvisions_does() -> None:
    torch.manual_seed(0)
    peer = torchvision.models.resnet50(weights=None).eval()
    net = refinenet(depth=50).eval()
    missing, unexpected = net.load_state_dict(peer.state_dict(), strict=False)
    assert unexpected == ["fc.weight", "fc.bias"] and not any(key.startswith("layer") for key in missing)
    seen: list[Tensor] = []
    peer.layer4.register_forward_hook(lambda module, inputs, output: seen.append(output))
    image = torch.randn(1, 3, 64, 32)
    with torch.inference_mode():
        peer(image)
        four, three, two, one = net.levels(image)
    torch.testing.assert_close(four, seen[0])
    assert [level.shape[-1] for level in (one, two, three)] == [8, 4, 2]


@pytest.mark.parametrize("units", [1, 2, 3])
def test_residual_units_of_passing_convolutions_double_what_is_positive(units: int) -> None:
    x = torch.randn(1, 4, 5, 6)
    y = constant(ResidualConvUnits(4, units), 1.0)(x)
    torch.testing.assert_close(y, torch.where(x > 0, x * 2**units, x))


def test_residual_units_leave_their_input_as_it_is() -> None:
    x = torch.randn(1, 4, 5, 6)
    before = x.clone()
    ResidualConvUnits(4, 2)(x)
    assert torch.equal(x, before)


def test_chained_pooling_adds_maxima_of_growing_windows() -> None:
    x = torch.zeros(1, 1, 21, 21)
    x[0, 0, 10, 10] = 1
    y = constant(ChainedResidualPooling(1, 4), 0.5)(x)[0, 0]
    rows, columns = torch.meshgrid(torch.arange(21), torch.arange(21), indexing="ij")
    away = torch.maximum((rows - 10).abs(), (columns - 10).abs())
    # Link k is 1 / 2^k within 2k pixels of the one: the sum of the links that reach so far, and the one itself.
    expected = sum(torch.where(away <= 2 * k, 0.5**k, 0.0) for k in (1, 2, 3, 4))
    torch.testing.assert_close(y, expected + (away == 0))


def test_fusion_adds_what_is_adapted_at_the_largest_size() -> None:
    net = constant(refinenet(depth=50, cascade="single"), 0.0)
    for path in range(4):  # the residual units add nothing
        net.get_submodule(f"p_ims1d2_outl{path + 1}_dimred").weight.data[0, 0, 1, 1] = 1.0
        net.get_submodule(f"adapt_stage{path + 1}_b2_joint_varout_dimred").weight.data[0, 0, 1, 1] = 10.0**path
    levels = [torch.ones(1, channels, 2**i, 2**i) for i, channels in enumerate((2048, 1024, 512, 256), start=1)]
    fused = net.fuse(1, levels, None)
    assert fused.shape == (1, 256, 16, 16)
    torch.testing.assert_close(fused[:, 0], torch.full((1, 16, 16), 1111.0))
    assert not fused[:, 1:].any()


def test_one_input_of_a_block_goes_through_fusion_unchanged() -> None:
    net = constant(refinenet(depth=50), 1.0)
    level = torch.rand(1, 2048, 3, 2)
    fused = net.fuse(1, [level], None)
    torch.testing.assert_close(fused, 4 * level[:, :512])


def test_a_coarser_block_is_enlarged_corner_to_corner() -> None:
    net = constant(refinenet(depth=50), 0.0)
    net.get_submodule("mflow_conv_g1_b3_joint_varout_dimred").weight.data[0, 0, 1, 1] = 1.0
    refined = torch.zeros(1, 512, 1, 2)
    refined[..., 1] = 3.0
    fused = net.fuse(2, [torch.empty(0), torch.zeros(1, 1024, 2, 4)], refined)
    torch.testing.assert_close(fused[0, 0], torch.tensor([[0.0, 1.0, 2.0, 3.0]] * 2))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"depth": 34}, "depth 34 was given; there are 50, 101, 152"),
        ({"cascade": "3-cascaded"}, "there are single, 2-cascaded, 4-cascaded, 4-cascaded-2-scale"),
        ({"classes": 0}, "both are at least 1"),
        ({"pools": 0}, "both are at least 1"),
        ({"planes": 0}, r"planes \(0,\) was given; it takes 1 whole number of at least 1"),
        ({"widths": (32, 24, 24)}, r"widths \(32, 24, 24\) was given; it takes 4 whole numbers"),
        ({"blocks": (2, 2, 0, 2)}, r"blocks \(2, 2, 0, 2\) was given; it takes 4 whole numbers"),
    ],
)
def test_arguments_that_make_no_network(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        refinenet(**arguments)
