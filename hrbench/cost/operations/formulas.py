"""Multiply-adds of each operator that multiplies: the formulas of the conventions `macs`, `flops` and `hrnet-paper`.

Elements of the output times what is summed for each of them, with these particulars:

transposed convolution  each weight is used once per input position: input elements x weights per input channel.
deformable convolution  its convolution (Dai et al., https://arxiv.org/abs/1703.06211, eq. 2); the bilinear sampling
                        before it is not counted, as that of `grid_sampler` is not.
attention               the products query x key and weights x value over all pairs, masked or causal ones too, as every
                        kernel counts in torch's FlopCounterMode: B H L S (E + Ev). Heads that share keys and values
                        (GQA) and broadcast batches are counted as often as they are used.
fused attention         `_native_multi_head_attention` and `_transformer_encoder_layer_fwd`, which torch takes in eval
                        mode: projections, both products, and the feed-forward part.
recurrent layers        for each step, layer and direction: gates x hidden x (inputs + hidden), gates being 4 (LSTM),
                        3 (GRU) or 1 (RNN), and hidden x projection where there is one
                        (https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html). Element-wise gates are not
                        counted. A cell, or a device without a fused kernel, shows the same products one by one.
bilinear layer          x1 W x2 for each output: in1 x in2 + in2 multiply-adds
                        (https://docs.pytorch.org/docs/stable/generated/torch.nn.Bilinear.html).
quantised layers        as the layer that was quantised; the weight is in a packed argument (`recorder.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from hrbench.cost.operations.calls import Call, Shape

Formula = Callable[[Call], int | float | None]
"""Operations of a call; None if there is no rule for its arguments."""


def convolution(call: Call) -> int:
    """Multiply-adds; weight is (out, in / groups, *kernel), for a transposed one (in, out / groups, *kernel)."""
    weight = call.shape("weight")
    positions = call.shape("input") if call.arguments.get("transposed") else call.outputs[0]
    return positions.elements * prod(weight[1:])


def convolution_by_output(call: Call) -> int:
    """Weight elements x output positions x batch, for a convolution or a transposed one."""
    output = call.outputs[0]
    spatial = len(call.shape("weight")) - 2
    batch = output[0] if len(output) == spatial + 2 else 1
    return batch * call.shape("weight").elements * prod(output[len(output) - spatial :])


def temporal_convolution(call: Call) -> int:
    """`conv_tbc`: (time, batch, channels) with a weight (kernel, in, out)."""
    return call.outputs[0].elements * prod(call.shape("weight")[:2])


def linear(call: Call) -> int:
    """Output elements x input features."""
    return call.outputs[0].elements * call.shape("input")[-1]


def product(first: str) -> Formula:
    """A matrix product, batched, broadcast or not: output elements x the length of the summed axis."""

    def formula(call: Call) -> int:
        return call.outputs[0].elements * call.shape(first)[-1]

    return formula


def batches_summed(call: Call) -> int:
    """`addbmm`: the batch is summed, too."""
    return call.shape("batch1").elements * call.shape("batch2")[-1]


def bilinear(call: Call) -> int:
    """x1 W x2 for each output; the weight is (out, in1, in2)."""
    _, first, second = call.shape("weight")
    return call.outputs[0].elements * (first * second + second)


def attention(call: Call) -> int:
    """Both products of scaled dot-product attention over all pairs; query is (..., L, E), the output (..., L, Ev)."""
    query, key, value = call.shape("query"), call.shape("key"), call.shape("value")
    return prod(call.outputs[0][:-1]) * key[-2] * (query[-1] + value[-1])


def attention_by_length(call: Call) -> int | None:
    """The same with query (batch, L, heads, E); None for sequences of several lengths, which are values."""
    query, key, value = call.shape("query"), call.shape("key"), call.shape("value")
    if len(query) != 4 or isinstance(call.arguments.get("cum_seq_q"), Shape):
        return None
    if isinstance(call.arguments.get("cu_seqlens_q"), Shape):
        return None
    return prod(query[:3]) * key[1] * (query[3] + value[3])


def fused_attention(call: Call) -> int:
    """`_native_multi_head_attention`: query (batch, L, E), key and value (batch, S, E)."""
    batch, length, width = call.shape("query")
    other = call.shape("key")[1]
    projections = (2 * length + 2 * other) * width * width
    return batch * (projections + 2 * length * other * width)


def fused_encoder_layer(call: Call) -> int:
    """`_transformer_encoder_layer_fwd`: self-attention of (batch, L, E), and two linear layers."""
    batch, length, width = call.shape("src")
    feed_forward = call.shape("ffn_weight_1").elements + call.shape("ffn_weight_2").elements
    return batch * length * (4 * width * width + 2 * length * width + feed_forward)


def recurrent(*weights: str) -> Formula:
    """A whole recurrent layer: positions (steps x batch) x elements of its weight matrices.

    weights: arguments that hold them, each a tensor, a list of tensors, or packed ones; vectors are biases.
    """

    def formula(call: Call) -> int:
        shapes = [shape for name in weights for shape in tensors(call.arguments[name])]
        steps = call.shape("input" if "input" in call.arguments else "data")[:-1]
        return prod(steps) * sum(shape.elements for shape in shapes if len(shape) == 2)

    return formula


def packed_layer(call: Call) -> int | None:
    """A quantised linear layer or convolution: (out, in) or (out, in / groups, *kernel) is packed."""
    weight = _packed(call)
    return None if weight is None else call.outputs[0].elements * prod(weight[1:])


def packed_transposed_convolution(call: Call) -> int | None:
    """A quantised transposed convolution: (in, out / groups, *kernel) is packed."""
    weight = _packed(call)
    return None if weight is None else call.shape("qx").elements * prod(weight[1:])


def _packed(call: Call) -> Shape | None:
    names = ("W_prepack", "packed_weight", "weight")
    return next((shape for name in names for shape in tensors(call.arguments.get(name))), None)


def tensors(value: Any) -> Iterator[Shape]:
    """The shapes of all tensors in an argument, a list of tensors or a packed one."""
    if isinstance(value, Shape):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from tensors(item)


PRODUCTS: dict[str, Formula] = {
    "aten::matmul": product("self"),
    "aten::mm": product("self"),
    "aten::bmm": product("self"),
    "aten::mv": product("self"),
    "aten::dot": product("self"),
    "aten::vdot": product("self"),
    "aten::_int_mm": product("self"),
    "aten::_scaled_mm": product("self"),
    "aten::_weight_int8pack_mm": product("self"),
    "aten::_weight_int4pack_mm": product("self"),
    "aten::_weight_int4pack_mm_for_cpu": product("self"),
    "aten::addmm": product("mat1"),
    "aten::addmm_": product("mat1"),
    "aten::_addmm_activation": product("mat1"),
    "aten::addmv": product("mat"),
    "aten::addmv_": product("mat"),
    "aten::baddbmm": product("batch1"),
    "aten::baddbmm_": product("batch1"),
    "aten::addbmm": batches_summed,
    "aten::addbmm_": batches_summed,
    "aten::bilinear": bilinear,
}

ATTENTION: dict[str, Formula] = {
    "aten::scaled_dot_product_attention": attention,
    "aten::_scaled_dot_product_flash_attention": attention,
    "aten::_scaled_dot_product_flash_attention_for_cpu": attention,
    "aten::_scaled_dot_product_efficient_attention": attention,
    "aten::_scaled_dot_product_cudnn_attention": attention,
    "aten::_scaled_dot_product_fused_attention_overrideable": attention,
    "aten::_scaled_dot_product_attention_math_for_mps": attention,
    "aten::_flash_attention_forward": attention_by_length,
    "aten::_efficient_attention_forward": attention_by_length,
    "aten::_native_multi_head_attention": fused_attention,
    "aten::_transformer_encoder_layer_fwd": fused_encoder_layer,
}

RECURRENT: dict[str, Formula] = {
    "aten::mkldnn_rnn_layer": recurrent("weight0", "weight1"),
    "aten::_cudnn_rnn": recurrent("weight"),
    "aten::miopen_rnn": recurrent("weight"),
    "aten::_lstm_mps": recurrent("params"),
    "aten::quantized_lstm": recurrent("params"),
    "aten::quantized_gru": recurrent("params"),
    **{
        f"quantized::quantized_{cell}_cell_dynamic": recurrent("w_ih", "w_hh")
        for cell in ("lstm", "gru", "rnn_relu", "rnn_tanh")
    },
}

_LINEAR = """
    linear linear_relu linear_leaky_relu linear_tanh linear_dynamic linear_relu_dynamic linear_dynamic_fp16
    linear_relu_dynamic_fp16 linear_with_input_q_dq_qweight_dq_output_fp32
"""
_CONVOLUTIONS = """
    conv1d conv1d_relu conv1d_dynamic conv2d conv2d_relu conv2d_add conv2d_add_relu conv2d_dynamic conv3d conv3d_relu
    conv3d_dynamic
"""
_TRANSPOSED = """
    conv_transpose1d conv_transpose1d_dynamic conv_transpose2d conv_transpose2d_dynamic conv_transpose3d
    conv_transpose3d_dynamic
"""
QUANTISED: dict[str, Formula] = {
    **{f"quantized::{name}": packed_layer for name in (_LINEAR + _CONVOLUTIONS).split()},
    **{f"quantized::{name}": packed_transposed_convolution for name in _TRANSPOSED.split()},
}

MACS: dict[str, Formula] = {
    "aten::convolution": convolution,
    "aten::_convolution": convolution,
    "aten::cudnn_convolution": convolution,
    "aten::_slow_conv2d_forward": convolution,
    "aten::convolution_overrideable": convolution,
    "aten::conv_tbc": temporal_convolution,
    "aten::linear": linear,
    "torchvision::deform_conv2d": convolution,
    **PRODUCTS,
    **ATTENTION,
    **RECURRENT,
    **QUANTISED,
}

PAPER: dict[str, Formula] = {
    "aten::convolution": convolution_by_output,
    "aten::_convolution": convolution_by_output,
    "aten::linear": linear,
}
