"""The conventions of tools that read a traced graph: fvcore and mmengine, and fvcore's activations.

fvcore 0.1.5 (fvcore/nn: flop_count.py, activation_count.py, jit_handles.py) and mmengine 0.10.7 (mmengine/analysis:
complexity_analysis.py, jit_handles.py), as facts. mmengine's are fvcore's, but that a product with a vector is counted.
"""

from __future__ import annotations

from math import floor, prod
from typing import Any

from hrbench.cost.operations.calls import Call, Shape, aten
from hrbench.cost.operations.formulas import Formula, convolution


def _numel(call: Call, argument: str) -> int:
    return call.shape(argument).elements


def _batch_norm(call: Call) -> int:
    """2 per element with an affine part and 1 without; while training 5 and 4."""
    affine = isinstance(call.arguments["weight"], Shape)
    base = 4 if call.arguments["training"] else 1
    return _numel(call, "input") * (base + affine)


def _norm(call: Call) -> int:
    """Layer, group and instance norm: 5 per element with an affine part, 4 without."""
    return _numel(call, "input") * (5 if isinstance(call.arguments["weight"], Shape) else 4)


def _matmul(call: Call) -> int | None:
    """Elements of the first operand x last axis of the second: a broadcast first operand is not repeated.

    fvcore cannot count a second operand that is a vector.
    """
    other = call.shape("other")
    return _numel(call, "self") * other[-1] if len(other) > 1 else None


def _matmul_with_vectors(call: Call) -> int:
    """The same, where a vector as second operand has one column."""
    other = call.shape("other")
    return _numel(call, "self") * (other[-1] if len(other) > 1 else 1)


def _einsum(call: Call) -> int | float:
    """Two patterns exactly, all others by NumPy's optimal path, whose count has four digits."""
    import numpy as np  # here, because only a network with einsum needs it

    equation = call.arguments["equation"].replace(" ", "")
    shapes: tuple[Any, ...] = call.arguments["tensors"]
    order = dict.fromkeys(letter for letter in equation if letter.isalpha())
    equation = equation.translate({ord(letter): ord("a") + i for i, letter in enumerate(order)})
    if equation == "abc,abd->acd":
        return prod(shapes[0]) * shapes[-1][-1]
    if equation == "abc,adc->adb":
        return prod(shapes[0]) * shapes[-1][1]
    report = np.einsum_path(equation, *(np.broadcast_to(0.0, shape) for shape in shapes), optimize="optimal")[1]
    line = next(line for line in report.split("\n") if "optimized flop" in line.lower())
    return float(floor(float(line.split(":")[-1]) / 2))


FVCORE: dict[str, Formula] = {
    "aten::_convolution": convolution,
    "aten::convolution": convolution,
    "aten::addmm": lambda call: _numel(call, "mat1") * call.shape("mat2")[-1],
    "aten::bmm": lambda call: _numel(call, "self") * call.shape("mat2")[-1],
    "aten::mm": lambda call: _numel(call, "self") * call.shape("mat2")[-1],
    "aten::matmul": _matmul,
    "aten::einsum": _einsum,
    "aten::linear": lambda call: _numel(call, "input") * call.shape("weight")[0],
    "aten::batch_norm": _batch_norm,
    "aten::group_norm": _norm,
    "aten::layer_norm": _norm,
    "aten::instance_norm": _norm,
    "aten::upsample_nearest2d": lambda call: call.elements,
    "aten::upsample_bilinear2d": lambda call: 4 * call.elements,
    "aten::adaptive_avg_pool2d": lambda call: _numel(call, "self"),
    "aten::grid_sampler": lambda call: 4 * call.elements,
}

MMENGINE: dict[str, Formula] = {**FVCORE, "aten::matmul": _matmul_with_vectors}

# Operators that compute but are "truly 0 flops" for fvcore; the copies and views in its list are idle anyway.
FVCORE_FREE = aten(
    "__and__ bitwise_not clamp clamp_ dropout eq floor floor_divide ge gt max nonzero relu relu_ remainder"
)

# fvcore reads a traced graph, in which a composite operator is one node, except these, which tracing always splits.
# (Padding "same" is a node of its own there, `aten::_convolution_mode`, so fvcore leaves such convolutions out.)
FVCORE_OPENS = aten(
    """
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
    gru_cell lstm_cell rnn_relu_cell rnn_tanh_cell
    """
)

# fvcore/nn/activation_count.py; that of mmengine is the same.
_ACTIVE = aten("_convolution convolution addmm bmm einsum matmul linear")


def activations(call: Call) -> int:
    """Numbers in the outputs of convolutions, linear layers and matrix products (`ActivationCountAnalysis`)."""
    if call.operator in _ACTIVE:
        return call.elements
    return sum(map(activations, call.parts)) if call.operator in FVCORE_OPENS else 0
