from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from hrbench.models.hrnet import MultiResolutionModule, pose_hrnet
from hrbench.types import UsageError

NARROW: dict[str, Any] = {"stem": 16, "widths": (20, 24, 40, 64), "modules": (1, 1, 1), "blocks": 2}


def meta(**arguments: Any) -> nn.Module:
    with torch.device("meta"):
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
