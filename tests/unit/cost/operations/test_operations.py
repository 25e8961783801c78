"""Counts against closed forms, and against torch's and fvcore's counters on small inputs."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hrbench.cost.operations.count import count_operations, operation_costs
from hrbench.cost.parameters import parameter_costs
from hrbench.errors import EntryError, UsageError
from hrbench.types import Conditions


class Do(nn.Module):
    """A network that is one function, with weights where it needs some."""

    def __init__(self, work: Callable[..., object], *weights: tuple[int, ...]) -> None:
        super().__init__()
        self.work = work
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(shape)) for shape in weights)

    def forward(self, x: Tensor) -> object:
        return self.work(x, *self.weights)


def count(build: Callable[[], nn.Module] | nn.Module, shape: tuple[int, int, int, int], view: str = "macs") -> float:
    return count_operations(build, shape).total(view)


@pytest.mark.parametrize(
    ("build", "shape", "macs"),
    [
        (lambda: nn.Conv2d(3, 8, 3, padding=1), (1, 3, 10, 12), 10 * 12 * 8 * 3 * 9),
        (lambda: nn.Conv2d(3, 8, 3, stride=2), (2, 3, 11, 11), 2 * 5 * 5 * 8 * 3 * 9),
        (lambda: nn.Conv2d(6, 4, 3, groups=2, bias=False), (1, 6, 5, 5), 3 * 3 * 4 * 3 * 9),
        (lambda: nn.Conv2d(4, 4, 5, dilation=2), (1, 4, 12, 9), 4 * 1 * 4 * 4 * 25),
        (lambda: nn.Conv2d(4, 4, 3, padding="same"), (1, 4, 7, 7), 7 * 7 * 4 * 4 * 9),
        (lambda: nn.ConvTranspose2d(6, 4, 4, 2, 1), (1, 6, 8, 6), 8 * 6 * 6 * 4 * 16),
        (lambda: nn.ConvTranspose2d(6, 4, 3, 2, 1, output_padding=1, groups=2), (3, 6, 5, 5), 3 * 25 * 6 * 2 * 9),
        (lambda: nn.Linear(7, 5), (2, 3, 4, 7), 2 * 3 * 4 * 7 * 5),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(24, 5)), (2, 2, 3, 4), 2 * 24 * 5),
        (lambda: Do(lambda x: x @ x.transpose(2, 3)), (2, 3, 4, 5), 2 * 3 * 4 * 5 * 4),
        (lambda: Do(lambda x: torch.mm(x[0, 0], x[0, 0].t())), (1, 1, 4, 5), 4 * 5 * 4),
        (lambda: Do(lambda x: torch.bmm(x[0], x[0].transpose(1, 2))), (1, 3, 4, 5), 3 * 4 * 5 * 4),
        (lambda: Do(lambda x: torch.mv(x[0, 0], x[0, 0, 0])), (1, 1, 5, 5), 25),
        (lambda: Do(lambda x: torch.dot(x[0, 0, 0], x[0, 0, 0])), (1, 1, 1, 9), 9),
        (lambda: Do(lambda x, b: torch.baddbmm(b, x[0], x[0]), (3, 4, 4)), (1, 3, 4, 4), 3 * 64),
        (lambda: Do(lambda x, b: torch.addbmm(b, x[0], x[0]), (4, 4)), (1, 3, 4, 4), 3 * 64),
        (lambda: Do(lambda x, b: torch.addmm(b, x[0, 0], x[0, 1]), (4, 4)), (1, 2, 4, 4), 64),
        (lambda: Do(lambda x: torch.einsum("nchw,nkhw->nck", x, x)), (2, 3, 4, 5), 2 * 3 * 3 * 20),
        (lambda: Do(lambda x: F.scaled_dot_product_attention(x, x, x)), (2, 3, 7, 4), 2 * 3 * 7 * 7 * 8),
        (lambda: Do(lambda x: F.scaled_dot_product_attention(x[:, :, :2], x, x[..., :3])), (1, 1, 5, 4), 2 * 5 * 7),
    ],
)
def test_multiply_adds_are_the_closed_form(build, shape, macs):
    assert count(build, shape) == macs
    assert count(build, shape, "flops") == 2 * macs


def test_a_transposed_convolution_is_counted_by_input_and_in_the_papers_view_by_output():
    ledger = count_operations(lambda: nn.ConvTranspose2d(6, 4, 4, 2, 1), (1, 6, 8, 6))
    assert ledger.total("macs") == 8 * 6 * 6 * 4 * 16
    assert ledger.total("hrnet-paper") == 4 * ledger.total("macs")


def test_the_papers_view_counts_linear_layers_but_sees_no_matrix_product():
    ledger = count_operations(lambda: nn.Sequential(nn.Linear(7, 5), Do(lambda x: x @ x.mT)), (1, 1, 4, 7))
    assert ledger.total("hrnet-paper") == 4 * 7 * 5
    assert [(item.operator, item.calls, item.elements) for item in ledger.uncounted["hrnet-paper"]] == [
        ("aten::matmul", 1, 16)
    ]
    assert ledger.uncounted["macs"] == ()


def test_attention_of_a_transformer_layer_is_counted_whole():
    class Attention(nn.MultiheadAttention):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x[0], x[0], x[0])[0]

    projections, products = 2 * 5 * (8 * 24 + 8 * 8), 2 * 2 * 5 * 5 * (4 + 4)
    assert count(lambda: Attention(8, 2, batch_first=True), (1, 2, 5, 8)) == projections + products


def test_a_fused_encoder_layer_is_counted_as_its_parts_on_a_real_device():
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x[0])

    meta = count_operations(Encoder, (1, 2, 5, 8))
    real = count_operations(Encoder, (1, 2, 5, 8), device="cpu")
    linear, products = 2 * 5 * (8 * 24 + 8 * 8 + 2 * 8 * 16), 2 * 2 * 5 * 5 * (4 + 4)
    assert meta.total("macs") == real.total("macs") == linear + products


def test_arithmetic_without_a_rule_is_listed_and_what_only_moves_numbers_is_not():
    def work(x: Tensor) -> Tensor:
        y = F.relu(x.permute(0, 2, 3, 1).contiguous().detach_().unsqueeze_(0).squeeze_(0).reshape(1, 1, 4, -1))
        y = F.dropout(torch.cat([y, y], 2)[..., ::2].flip(-1).clone(), training=False)
        return F.softmax(y + y, -1) * 2 + 1

    ledger = count_operations(lambda: Do(work), (1, 2, 4, 4))
    assert ledger.total("macs") == 0
    assert {item.operator: (item.calls, item.elements) for item in ledger.uncounted["macs"]} == {
        "aten::relu": (1, 32),
        "aten::add": (2, 64),
        "aten::softmax": (1, 32),
        "aten::mul": (1, 32),
    }


def test_a_composite_that_is_counted_in_part_lists_the_rest_of_its_parts():
    ledger = count_operations(
        lambda: nn.LSTM(4, 4, batch_first=True), (1, 1, 1, 1), as_input=lambda x: x.new_empty(1, 2, 4)
    )
    assert ledger.total("macs") == 2 * (4 * 16 + 4 * 16)
    listed = {item.operator for item in ledger.uncounted["macs"]}
    assert {"aten::sigmoid", "aten::tanh", "aten::mul"} <= {name.rstrip("_") for name in listed}


def test_batch_norm_is_the_papers_nothing_and_fvcores_two_per_element():
    ledger = count_operations(lambda: nn.BatchNorm2d(3), (2, 3, 4, 5))
    assert (ledger.total("macs"), ledger.total("hrnet-paper"), ledger.total("fvcore")) == (0, 0, 240)
    assert [(i.operator, i.calls, i.elements) for i in ledger.uncounted["macs"]] == [("aten::batch_norm", 1, 120)]


SMALL: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int, int]]] = {
    "conv": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1, groups=2), nn.BatchNorm2d(6), nn.ReLU(True)), (2, 4, 9, 9)),
    "same": (lambda: nn.Conv2d(4, 6, 3, padding="same"), (2, 4, 9, 9)),
    "deconv": (lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 4, 2, 1), nn.BatchNorm2d(6, affine=False)), (1, 4, 5, 5)),
    "linear": (lambda: nn.Sequential(nn.Linear(6, 3), nn.LayerNorm(3), nn.Flatten(), nn.Linear(30, 2)), (1, 2, 5, 6)),
    "norms": (
        lambda: nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True), nn.GroupNorm(2, 4, affine=False)),
        (2, 4, 5, 5),
    ),
    "pools": (
        lambda: nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Sigmoid(), nn.Dropout()),
        (1, 2, 9, 9),
    ),
    "nearest": (lambda: nn.Upsample(scale_factor=2), (1, 3, 4, 5)),
    "bilinear": (lambda: nn.Upsample(size=(7, 9), mode="bilinear"), (1, 3, 4, 5)),
    "bicubic": (lambda: nn.Upsample(size=(7, 9), mode="bicubic"), (1, 3, 4, 5)),
    "matmul": (lambda: Do(lambda x: torch.matmul(x, x.transpose(2, 3)).softmax(-1)), (2, 3, 4, 5)),
    "broadcast": (lambda: Do(lambda x, w: torch.matmul(x, w), (5, 6)), (2, 3, 4, 5)),
    "bmm": (lambda: Do(lambda x: torch.bmm(x[0], x[0].transpose(1, 2))), (1, 3, 4, 5)),
    "addmm": (lambda: Do(lambda x, b: torch.addmm(b, x[0, 0], x[0, 1]), (4, 4)), (1, 2, 4, 4)),
    "einsum": (lambda: Do(lambda x: torch.einsum("nct,ncp->ntp", x[0], x[0])), (1, 2, 3, 4)),
    "einsum turned": (lambda: Do(lambda x: torch.einsum("ntg,ncg->nct", x[0], x[0])), (1, 2, 3, 4)),
    "einsum else": (lambda: Do(lambda x: torch.einsum("nchw,nkhw->nck", x, x)), (2, 3, 4, 5)),
    "attention": (lambda: Do(lambda x: F.scaled_dot_product_attention(x, x, x)), (1, 2, 3, 4)),
    "grid": (lambda: Do(lambda x, g: F.grid_sample(x, g, align_corners=False), (1, 3, 3, 2)), (1, 2, 4, 4)),
    "residual": (lambda: Do(lambda x: F.silu(x + x.mul(2)).add_(1).clamp(0, 6)), (1, 2, 4, 4)),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_fvcore_view_is_fvcores_count_and_its_list(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        build, shape = SMALL[name]
        oracle = FlopCountAnalysis(build().eval(), torch.zeros(shape)).unsupported_ops_warnings(False)
        oracle.uncalled_modules_warnings(False)
        total, unsupported = oracle.total(), oracle.unsupported_ops()
    ledger = count_operations(build, shape)
    assert ledger.total("fvcore") == total
    assert Counter({item.operator: item.calls for item in ledger.uncounted["fvcore"]}) == unsupported


@pytest.mark.parametrize("name", SMALL)
def test_activations_are_fvcores(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import ActivationCountAnalysis

        build, shape = SMALL[name]
        oracle = ActivationCountAnalysis(build().eval(), torch.zeros(shape)).unsupported_ops_warnings(False)
        total = oracle.uncalled_modules_warnings(False).total()
    assert count_operations(build, shape).activations == total


@pytest.mark.parametrize("name", SMALL)
def test_the_flops_view_is_what_torch_prints(name):
    from torch.utils.flop_counter import FlopCounterMode, flop_registry

    if name == "attention" and torch.ops.aten._scaled_dot_product_flash_attention_for_cpu not in flop_registry:
        pytest.skip("torch's counter knows attention on a CPU from 2.5 on")
    build, shape = SMALL[name]
    with torch.no_grad(), FlopCounterMode(display=False) as oracle:
        build().eval()(torch.zeros(shape))
    assert count(build, shape, "flops") == oracle.get_total_flops()


@pytest.mark.parametrize("name", SMALL)
def test_a_built_network_and_a_real_device_give_the_same_ledger(name):
    build, shape = SMALL[name]
    ledger = count_operations(build, shape)
    for other in (count_operations(build(), shape), count_operations(build, shape, device="cpu")):
        assert other.rows == ledger.rows
        assert other.uncounted == ledger.uncounted


def test_the_batch_multiplies_every_view():
    def build() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 2, 2, 2))

    one, four = count_operations(build, (1, 3, 8, 8)), count_operations(build, (4, 3, 8, 8))
    for view in one.conventions:
        assert four.total(view) == 4 * one.total(view) > 0


def test_a_network_that_is_given_is_left_as_it_was():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4).eval(), nn.Dropout()).train()
    net[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    fastpath = torch.backends.mha.get_fastpath_enabled()
    count_operations(net, (1, 3, 8, 8))
    assert [module.training for module in net] == [True, False, True]
    assert net.training
    assert all(
        value.device.type == "cpu" and torch.equal(value, before[name]) for name, value in net.state_dict().items()
    )
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert torch.backends.mha.get_fastpath_enabled() == fastpath


def test_what_a_network_caches_while_it_is_counted_stays_out_of_it():
    class Caching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.grid: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            if self.grid is None:
                self.grid = torch.arange(x.shape[-1]).to(x)
            return x * self.grid

    net = Caching()
    count_operations(net, (1, 3, 2, 2))
    assert net.grid is None
    assert net(torch.ones(1, 1, 1, 2)).tolist() == [[[[0, 1]]]]


def test_half_precision_weights_get_a_half_precision_input():
    assert count(nn.Conv2d(3, 4, 1).half(), (1, 3, 2, 2)) == 48


def test_no_weight_is_drawn_when_a_builder_is_counted():
    before = torch.random.get_rng_state()
    count(lambda: nn.Conv2d(3, 4, 1), (1, 3, 2, 2))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_builder_that_reads_values_is_built_elsewhere_and_counted_all_the_same():
    def build() -> nn.Module:
        rates = [rate.item() for rate in torch.linspace(0, 0.1, 2)]
        return nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout(rates[1]))

    assert count(build, (1, 3, 2, 2)) == 48

    def within() -> nn.Module:  # as `networks.build` tells of what went wrong
        try:
            return build()
        except RuntimeError as error:
            raise EntryError("building failed") from error

    assert count(within, (1, 3, 2, 2)) == 48


def test_a_detector_takes_a_list_of_images():
    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Conv2d(3, 4, 1)

        def forward(self, images: list[Tensor]) -> list[Tensor]:
            return [self.body(image[None]) for image in images]

    ledger = count_operations(Detector, (2, 3, 5, 5), as_input=list)
    assert ledger.total("macs") == 2 * 25 * 12
    assert [(row.module, row.operator, row.calls) for row in ledger.rows] == [("body", "aten::conv2d", 2)]


class Picking(nn.Module):
    """Something that cannot be done without values."""

    def forward(self, x: Tensor) -> Tensor:
        return x[x > 0].sum()


def test_an_operator_that_needs_values_is_named_with_its_module_and_a_way_out():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ModuleDict({"pick": Picking()})["pick"])
    with pytest.raises(EntryError, match=r"aten::nonzero|aten::index") as caught:
        count_operations(net, (1, 3, 2, 2))
    assert "module 1" in str(caught.value) and "count_operations(..., device='cpu')" in str(caught.value)
    assert count_operations(net, (1, 3, 2, 2), device="cpu").total("macs") == 48


def test_a_network_that_fails_by_itself_is_named_with_its_module():
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyError("neck")

    with pytest.raises(EntryError, match=r"failed in module 1: KeyError: 'neck'"):
        count_operations(nn.Sequential(nn.ReLU(), Broken()), (1, 3, 2, 2))


def test_an_input_with_wrong_channels_is_an_error_at_the_operator():
    with pytest.raises(EntryError, match=r"aten::conv\w* in module 0: .*channel"):
        count_operations(lambda: nn.Sequential(nn.Conv2d(3, 4, 1)), (1, 5, 2, 2))


def test_calls_after_a_caught_failure_go_to_the_module_that_caught_it():
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError

    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Broken(), nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.first(x)
            except ValueError:
                return self.second(x)

    ledger = count_operations(lambda: nn.Sequential(Careful(), nn.ReLU()), (1, 3, 2, 2))
    assert [row.module for row in ledger.rows] == ["0.second", "1"]


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 3, 0, 4), (1, 3, 4.0, 4)])
def test_an_input_that_is_no_batch_of_images_is_refused(shape):
    with pytest.raises(UsageError, match="N, C, H, W"):
        count_operations(lambda: nn.ReLU(), shape)


def test_costs_say_view_divisor_input_batch_and_what_was_left_out():
    costs = operation_costs(count_operations(lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), (2, 3, 6, 8)))
    names = ["macs", "flops", "fvcore", "mmengine", "hrnet-paper", "activations"]
    assert [cost.quantity.name for cost in costs] == names
    assert [cost.value for cost in costs] == [1152, 2304, 1152, 1152, 1152, 2 * 4 * 6 * 8]
    macs, _, fvcore, _, paper, activations = costs
    assert macs.conditions == Conditions(
        convention="macs", divisor=1e9, input=(6, 8), batch=2, uncounted={"aten::relu": 1}
    )
    assert fvcore.conditions.uncounted == {}
    assert paper.conditions.divisor == 2**30
    assert {cost.quantity.unit for cost in costs[:-1]} == {"operations"}
    assert activations.quantity.unit == "count" and activations.conditions == Conditions(input=(6, 8), batch=2)


def test_shared_parameters_are_counted_once():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    net.append(net[0])
    assert [(cost.quantity.name, cost.value) for cost in parameter_costs(net)] == [("parameters", 24), ("buffers", 9)]


# --- detectors, counted by part --------------------------------------------------------------------------------------


class Detector(nn.Module):
    """A convolution on the image, a linear layer on every box; what it selects depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
        self.box_head = nn.Linear(4, 2, bias=False)
        self.mask_head = nn.Conv2d(4, 1, 1, bias=False)

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        raise AssertionError("a detector is counted by part")

    def count_parts(self, images: torch.Tensor, proposals: int, masks: int) -> dict[str, object]:
        features = self.backbone(images)
        self.box_head(features.new_empty(len(images) * proposals, 4))
        self.mask_head(features.new_empty(len(images) * masks, 4, 7, 7))
        return {"proposals": proposals, "masks": masks, "not counted": "box selection"}


@pytest.mark.parametrize(("batch", "proposals", "masks"), [(1, 1000, 100), (2, 300, 10)])
def test_a_detector_is_counted_by_part(batch: int, proposals: int, masks: int) -> None:
    ledger = count_operations(Detector, (batch, 3, 16, 12), proposals=proposals, masks=masks)
    parts = {row.module: row.counts["macs"] for row in ledger.by_module(1)}
    assert parts == {
        "backbone": batch * 4 * 27 * 8 * 6,
        "box_head": batch * proposals * 8,
        "mask_head": batch * masks * 4 * 49,
    }
    for cost in operation_costs(ledger):
        assert cost.conditions.proposals == proposals
        assert cost.conditions.masks == masks
        assert cost.conditions.not_counted == "box selection"
        assert cost.conditions.input == (16, 12)


def test_a_network_that_says_why_it_cannot_be_counted_is_quoted() -> None:
    class Foreign(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise EntryError("operations are inside another runtime")

    with pytest.raises(EntryError, match=r"^operations are inside another runtime$"):
        count_operations(Foreign, (1, 3, 8, 8))
