"""Attention, recurrent layers, deformable convolution and products in every form that torch has: closed forms.

Every form is counted once and in full, or listed as uncounted, on the meta device and on a real one alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

from hrbench.cost.operations.count import count_operations
from hrbench.cost.operations.recorder import ValuesNeeded
from hrbench.errors import EntryError

DEVICES = ("meta", "cpu")
aten = torch.ops.aten


class Doing(nn.Module):
    """A network that is one function, with weights where it needs some."""

    def __init__(self, work: Callable[..., Any], *weights: tuple[int, ...]) -> None:
        super().__init__()
        self.work = work
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(shape)) for shape in weights)

    def forward(self, x: Tensor) -> Any:
        return self.work(x, *self.weights)


class Holding(nn.Module):
    """A network with one layer, which a function calls."""

    def __init__(self, layer: nn.Module, call: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.layer, self.call = layer, call

    def forward(self, x: Tensor) -> Any:
        return self.call(self.layer, x)


def macs(build: Callable[[], nn.Module], shape: tuple[int, int, int, int], device: str) -> float:
    ledger = count_operations(build, shape, device=device)
    assert ledger.total("flops") == 2 * ledger.total("macs")
    return ledger.total("macs")


# --- scaled dot-product attention: B H L S (E + Ev) ------------------------------------------------------------------

SDPA = F.scaled_dot_product_attention


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("work", "shape", "wanted"),
    [
        (lambda x: SDPA(x, x, x), (2, 3, 7, 4), 2 * 3 * 7 * 7 * 8),
        (lambda x: SDPA(x, x, x, is_causal=True), (2, 3, 7, 4), 2 * 3 * 7 * 7 * 8),
        (lambda x: SDPA(x, x, x, attn_mask=torch.ones(7, 7, dtype=torch.bool)), (2, 3, 7, 4), 2 * 3 * 7 * 7 * 8),
        (lambda x: SDPA(x[:, :, :2], x, x[..., :3]), (2, 3, 7, 4), 2 * 3 * 2 * 7 * (4 + 3)),
        (lambda x: SDPA(x, x[:, :2], x[:, :2], enable_gqa=True), (2, 4, 7, 4), 2 * 4 * 7 * 7 * 8),
        (lambda x: SDPA(x, x[:1], x[:1]), (2, 4, 7, 4), 2 * 4 * 7 * 7 * 8),
        (lambda x: SDPA(x[:1], x, x), (2, 4, 7, 4), 2 * 4 * 7 * 7 * 8),
        (lambda x: SDPA(x[0], x[0], x[0]), (1, 4, 7, 4), 4 * 7 * 7 * 8),
    ],
    ids=["plain", "causal", "masked", "cross", "grouped queries", "broadcast keys", "broadcast queries", "3 axes"],
)
def test_scaled_dot_product_attention(work, shape, wanted, device):
    assert macs(lambda: Doing(work), shape, device) == wanted


BY_HEADS, BY_LENGTH = 2 * 3 * 7 * 7 * 16, 2 * 7 * 3 * 3 * 16  # (2, 3, 7, 8) as 3 heads and 7 positions, and vice versa


@pytest.mark.parametrize(
    ("kernel", "wanted"),
    [
        (lambda x: aten._scaled_dot_product_flash_attention(x, x, x)[0], BY_HEADS),
        (lambda x: aten._scaled_dot_product_flash_attention_for_cpu(x, x, x)[0], BY_HEADS),
        (lambda x: aten._scaled_dot_product_efficient_attention(x, x, x, None, False)[0], BY_HEADS),
        (lambda x: aten._scaled_dot_product_cudnn_attention(x, x, x, None, False)[0], BY_HEADS),
        (lambda x: aten._scaled_dot_product_fused_attention_overrideable(x, x, x, None)[0], BY_HEADS),
        (lambda x: aten._scaled_dot_product_attention_math(x, x, x)[0], BY_HEADS),
        (lambda x: aten._flash_attention_forward(x, x, x, None, None, 3, 3, 0.0, False, False)[0], BY_LENGTH),
        (lambda x: aten._efficient_attention_forward(x, x, x, None, None, None, 3, 3, 0.0, 0, False)[0], BY_LENGTH),
    ],
    ids=["flash", "CPU's", "efficient", "cudnn", "overrideable", "math", "flash by length", "efficient by length"],
)
def test_every_backend_is_counted_where_an_exported_network_names_it(kernel, wanted):
    assert macs(lambda: Doing(kernel), (2, 3, 7, 8), "meta") == wanted


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_what_is_not_seen_is_a_reason_and_no_smaller_number():
    """Functions that torch's operators take, such as the one of scores in flex attention."""
    from torch.nn.attention.flex_attention import flex_attention

    with pytest.raises(ValuesNeeded, match="meta device"):
        count_operations(lambda: Doing(lambda x: flex_attention(x, x, x)), (2, 3, 16, 16))
    for work, name in (
        (lambda x: flex_attention(x, x, x), "flex_attention"),
        (lambda x: torch.cond(x.sum() > 0, lambda y: y @ y, lambda y: y + 1, (x,)), "cond"),
    ):
        with pytest.raises(EntryError, match=f"what torch's {name} runs is not seen"):
            count_operations(Doing(work), (2, 3, 16, 16), device="cpu")


# --- nn.MultiheadAttention: its projections and its products, whichever way torch takes ------------------------------

SELF = 2 * 5 * (3 * 64 + 64) + 2 * 2 * 5 * 5 * (4 + 4)  # 2 sequences of 5, width 8, 2 heads


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("call", "options", "wanted"),
    [
        (lambda a, x: a(x[0], x[0], x[0]), {}, SELF),
        (lambda a, x: a(x[0], x[0], x[0], need_weights=False), {}, SELF),
        (lambda a, x: a(x[0], x[0], x[0]), {"bias": False}, SELF),
        (lambda a, x: a(x[0, :, :3], x[0], x[0]), {}, 2 * (3 * 64 + 5 * 128 + 3 * 64) + 2 * 2 * 3 * 5 * 8),
        (
            lambda a, x: a(x[0], x[0, ..., :6], x[0, ..., :4]),
            {"kdim": 6, "vdim": 4},
            2 * 5 * 8 * (8 + 6 + 4 + 8) + 2 * 2 * 5 * 5 * 8,
        ),
    ],
    ids=["with weights", "without weights", "no bias", "cross", "other widths"],
)
def test_multihead_attention(call, options, wanted, device):
    def build() -> nn.Module:
        return Holding(nn.MultiheadAttention(8, 2, batch_first=True, **options), call)

    assert macs(build, (1, 2, 5, 8), device) == wanted


def fused_attention(a: nn.MultiheadAttention, x: Tensor) -> Tensor:
    weights = (a.in_proj_weight, a.in_proj_bias, a.out_proj.weight, a.out_proj.bias)
    return torch._native_multi_head_attention(x[0], x[0], x[0], 8, 2, *weights)[0]


def fused_layer(layer: nn.TransformerEncoderLayer, x: Tensor) -> Tensor:
    a, first, second = layer.self_attn, layer.norm1, layer.norm2
    attention = (a.in_proj_weight, a.in_proj_bias, a.out_proj.weight, a.out_proj.bias, False, False, 1e-5)
    norms = (first.weight, first.bias, second.weight, second.bias)
    linear = (layer.linear1.weight, layer.linear1.bias, layer.linear2.weight, layer.linear2.bias)
    return torch._transformer_encoder_layer_fwd(x[0], 8, 2, *attention, *norms, *linear)


@pytest.mark.parametrize("device", DEVICES)
def test_fused_attention_is_counted_as_its_parts(device):
    shape = (1, 2, 5, 8)
    attention = macs(lambda: Holding(nn.MultiheadAttention(8, 2, batch_first=True), fused_attention), shape, device)
    layer = macs(lambda: Holding(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), fused_layer), shape, device)
    assert (attention, layer) == (SELF, SELF + 2 * 5 * 2 * 8 * 16)


# --- recurrent layers: gates x hidden x (inputs + hidden) for each step, layer and direction ------------------------

LAYERS = {
    "LSTM": (nn.LSTM, 4, {}),
    "LSTM of two layers and directions": (nn.LSTM, 4, {"num_layers": 2, "bidirectional": True}),
    "GRU": (nn.GRU, 3, {"bidirectional": True}),
    "RNN": (nn.RNN, 1, {"num_layers": 2}),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", LAYERS)
def test_recurrent_layers(name, device):
    kind, gates, options = LAYERS[name]
    directions, layers = 1 + options.get("bidirectional", False), options.get("num_layers", 1)
    inputs = [4] + [6 * directions] * (layers - 1)
    wanted = sum(directions * 2 * 5 * gates * 6 * (width + 6) for width in inputs)

    def build() -> nn.Module:
        return Holding(kind(4, 6, batch_first=True, **options), lambda layer, x: layer(x[0])[0])

    assert macs(build, (1, 2, 5, 4), device) == wanted


@pytest.mark.parametrize("device", DEVICES)
def test_recurrent_cells_projections_and_sequences_of_several_lengths(device):
    for kind, gates in ((nn.LSTMCell, 4), (nn.GRUCell, 3), (nn.RNNCell, 1)):
        build = lambda kind=kind: Holding(kind(4, 6), lambda cell, x: cell(x[0, 0]))  # noqa: E731
        assert macs(build, (1, 1, 5, 4), device) == 5 * gates * 6 * (4 + 6)
    if device == "meta":  # a CPU warns that it has no kernel for them
        projected = lambda: Holding(nn.LSTM(4, 6, proj_size=3), lambda layer, x: layer(x[0])[0])  # noqa: E731
        assert macs(projected, (1, 2, 5, 4), device) == 2 * 5 * (24 * (4 + 3) + 6 * 3)

    def padded(layer: nn.LSTM, x: Tensor) -> Tensor:
        return layer(nn.utils.rnn.pack_padded_sequence(x[0], [5, 3], batch_first=True))[0].data

    assert macs(lambda: Holding(nn.LSTM(4, 6, batch_first=True), padded), (1, 2, 5, 4), device) == 8 * 24 * (4 + 6)


def test_the_fused_kernel_of_a_gpu_is_counted_by_its_weights():
    """cuDNN's layer on meta tensors: two layers in two directions, with biases, 5 steps of 2."""
    net = nn.LSTM(4, 6, num_layers=2, bidirectional=True)

    def fused(x: Tensor, *weights: Tensor) -> Tensor:
        state = x.new_empty(4, 2, 6)
        return aten._cudnn_rnn(x[0], weights, 4, None, state, state, 2, 6, 0, 2, False, 0.0, False, True, [], None)[0]

    shapes = [tuple(weight.shape) for weight in net.parameters()]
    assert macs(lambda: Doing(fused, *shapes), (1, 5, 2, 4), "meta") == 10 * 2 * 24 * (4 + 6 + 12 + 6)


# --- the rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("build", "shape", "wanted"),
    [
        (
            lambda: Doing(lambda x, w: deform_conv2d(x, x.new_zeros(1, 18, 6, 6), w), (5, 3, 3, 3)),
            (1, 3, 8, 8),
            36 * 5 * 3 * 9,
        ),
        (
            lambda: Doing(
                lambda x, w: deform_conv2d(x, x.new_zeros(1, 36, 6, 6), w, mask=x.new_ones(1, 18, 6, 6)), (6, 2, 3, 3)
            ),
            (1, 4, 8, 8),
            36 * 6 * 2 * 9,
        ),
        (lambda: Doing(lambda x: torch.einsum("bij,bjk,bkl->bil", x[0], x[0], x[0])), (1, 3, 4, 4), 2 * 3 * 64),
        (lambda: Doing(lambda x: torch.einsum("...ij,kj->...ik", x, x[0, 0])), (2, 3, 4, 4), 6 * 64),
        (lambda: Doing(lambda x: torch.einsum("bchw,bchw->bc", x, x)), (2, 3, 4, 4), 96),
        (lambda: Doing(lambda x, b: torch.baddbmm(b, x[0], x[0]), (4,)), (1, 3, 4, 4), 3 * 64),
        (lambda: Doing(lambda x: torch.matmul(x[:1, :1], x)), (2, 3, 4, 4), 6 * 64),
        (lambda: Doing(lambda x: torch.matmul(x[0, 0, 0], x)), (2, 3, 5, 5), 6 * 25),
        (lambda: Doing(lambda x: torch.tensordot(x, x, dims=([2, 3], [2, 3]))), (2, 3, 4, 4), 36 * 16),
        (lambda: Doing(lambda x: torch.linalg.multi_dot([x[0, 0], x[0, 0], x[0, 0]])), (1, 1, 4, 4), 2 * 64),
        (lambda: Holding(nn.Bilinear(4, 3, 5), lambda b, x: b(x, x[..., :3])), (2, 3, 4, 4), 24 * 5 * (4 * 3 + 3)),
        (lambda: Doing(lambda x, w, b: torch.conv_tbc(x[0], w, b), (3, 4, 6), (6,)), (1, 5, 2, 4), 3 * 2 * 6 * 4 * 3),
    ],
    ids=[
        "deformable", "deformable in groups, modulated", "einsum of three", "einsum with ...", "einsum of products",
        "baddbmm of a vector", "matmul, first broadcast", "vector times matrices", "tensordot", "chain", "bilinear",
        "conv_tbc",
    ],
)  # fmt: skip
def test_products_in_other_forms(build, shape, wanted, device):
    assert macs(build, shape, device) == wanted


@pytest.mark.parametrize(
    ("work", "operator"),
    [
        (lambda x: F.grid_sample(x, x.new_zeros(1, 3, 3, 2), align_corners=False), "aten::grid_sampler"),
        (lambda x: torch.fft.rfft2(x).real, "aten::fft_rfft2"),
        (lambda x: torch.fft.ifft(x).real, "aten::fft_ifft"),
        (lambda x: torch.cdist(x, x), "aten::cdist"),
        (lambda x: torch.outer(x[0, 0, 0], x[0, 0, 0]), "aten::outer"),
        (lambda x: torch.linalg.vecdot(x, x), "aten::linalg_vecdot"),
    ],
)
def test_what_has_no_formula_is_listed(work, operator):
    ledger = count_operations(lambda: Doing(work), (1, 4, 8, 8))
    assert ledger.total("macs") == 0 and [item.operator for item in ledger.uncounted["macs"]] == [operator]
