"""The second counts are those of the other counters, and each difference has its operator."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import pytest
import torch
from helpers.counted_networks import NETWORKS, counted, line, second_count
from seeds import some
from torch import Tensor, nn
from torchvision.ops import DeformConv2d

from hrbench.cli.profile import second_count_table
from hrbench.cost.operations.count import count_operations
from hrbench.cost.operations.cross_check import OperatorDifference, flop_counter_mode, second_counts
from hrbench.errors import EntryError

FAST = ("timm:resnet50", "timm:cait_xxs24_224", "torchvision:vit_b_16", "smp:Unet")


class Mixed(nn.Module):
    """A convolution, a deformable one, and a product with a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), DeformConv2d(4, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = self.second(x, x.new_zeros(len(x), 18, *x.shape[2:]))
        return torch.mv(x[0, 0], x[0, 0, 0])


CONV, DEFORMED, VECTOR = 2 * 36 * 4 * 27, 2 * 36 * 2 * 36, 2 * 36


def test_differences_are_by_operator_largest_first():
    flops, fvcore = second_counts(Mixed, (1, 3, 6, 6))
    assert (flops.convention, flops.ours, flops.theirs) == ("flops", CONV + DEFORMED + VECTOR, CONV)
    assert flops.differences == (
        OperatorDifference("torchvision::deform_conv2d", 1, DEFORMED, 0, "no formula for torchvision::deform_conv2d"),
        OperatorDifference("aten::mv", 1, VECTOR, 0, "no formula for aten::mv"),
    )
    assert flops.share == pytest.approx((DEFORMED + VECTOR) / (CONV + DEFORMED + VECTOR))
    assert (fvcore.convention, fvcore.ours, fvcore.theirs, fvcore.differences) == ("fvcore", CONV / 2, CONV / 2, ())


def test_the_table_of_the_command_line_names_them():
    text = second_count_table(second_counts(Mixed, (1, 3, 6, 6)), "meta")
    assert "FlopCounterMode of torch" in text and "-40.33 %" in text and "no formula for aten::mv" in text
    assert text.splitlines()[-1] == "torch's counter saw the pass on the meta device, fvcore's on the CPU"


class Encoder(nn.Module):
    """What torch computes by one fused kernel on a CPU in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x[0])


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize("build", [Mixed, Encoder, lambda: nn.Sequential(nn.Conv2d(3, 2, 1), nn.Linear(8, 4))])
def test_it_is_what_the_counter_says_by_itself(build, device):
    from torch.utils.flop_counter import FlopCounterMode

    shape = (1, 3, 8, 8)
    with torch.device(device):
        net = build().eval()
    with torch.no_grad(), FlopCounterMode(display=False) as alone:
        net(torch.zeros(shape, device=device))
    found = flop_counter_mode(build, shape, device)
    assert found.theirs == alone.get_total_flops()
    assert found.ours == count_operations(build, shape, device=device).total("flops")


def test_fused_attention_of_the_cpu_is_what_the_other_counter_misses():
    found = flop_counter_mode(Encoder, (1, 3, 8, 8), "cpu")
    fused = "aten::_transformer_encoder_layer_fwd"
    assert found.theirs == 0 and [(row.operator, row.why) for row in found.differences] == [
        (fused, f"no formula for {fused}")
    ]
    assert flop_counter_mode(Encoder, (1, 3, 8, 8)).differences == ()


class FailingHalfWay(Mixed):
    def forward(self, x: Tensor) -> Tensor:
        super().forward(x)
        raise ValueError("two images are needed")


def test_a_failed_count_leaves_no_trace():
    """A counter that had wrapped torch's functions and not put them back would count the next network twice."""
    before, functions = second_counts(Mixed, (1, 3, 6, 6)), (nn.functional.linear, torch.matmul, nn.Conv2d.forward)
    failed = [count.reason for count in second_counts(FailingHalfWay, (1, 3, 6, 6))]
    assert failed == ["it failed: ValueError: two images are needed"] * 2
    assert second_counts(Mixed, (1, 3, 6, 6)) == before
    assert (nn.functional.linear, torch.matmul, nn.Conv2d.forward) == functions


def test_a_counter_that_fails_or_is_missing_is_a_reason(monkeypatch):
    class Refusing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise EntryError("operations are inside another runtime")

    assert {count.reason for count in second_counts(Refusing, (1, 3, 8, 8))} == {
        "operations are inside another runtime"
    }
    monkeypatch.setitem(sys.modules, "fvcore.nn", None)
    assert second_counts(nn.ReLU, (1, 3, 8, 8))[1].reason == "fvcore is not installed (pip install fvcore)"


# --- 25 networks of other libraries, and the table in the document --------------------------------------------------


@pytest.fixture(scope="module")
def documented(request: Any) -> dict[str, str]:
    """Name of a network -> its line of the table in docs/operations.md."""
    text = (request.config.rootpath / "docs/operations.md").read_text()
    rows = [row for row in text.splitlines() if row.startswith("| `") and "x" in row.split("|")[2]]
    return {row.split("`")[1]: row for row in rows}


def test_the_document_has_these_networks_in_this_order(documented):
    assert list(documented) == list(NETWORKS) and len(NETWORKS) == 25


@pytest.mark.parametrize("network", some(NETWORKS, later=set(NETWORKS) - set(FAST)))
def test_every_difference_from_torchs_counter_is_explained_as_documented(network, documented):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that build networks
        row = counted(network)
    assert line(row) == documented[network]
    for device in ("meta", "cpu"):
        found = second_count(network, device)
        assert found.ours == second_count(network, "meta").ours
        rest = found.ours - found.theirs - sum(each.ours - each.theirs for each in found.differences)
        assert rest == 0 and all(each.why.startswith("no formula for") for each in found.differences)
