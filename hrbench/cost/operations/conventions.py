"""The conventions by which operations are counted, each a table from operators to formulas.

One network has as many "GFLOPs" as there are conventions. A `CountingConvention` says which operators are counted and
how, which are taken to be free, and by what the number is divided when a table writes it in giga.

macs         multiply-adds of convolutions, linear layers and matrix products: the arithmetic that is really computed.
             A transposed convolution touches every weight once per *input* position.
flops        2 x macs, what `torch.utils.flop_counter.FlopCounterMode` prints.
fvcore       `FlopCountAnalysis` of fvcore 0.1.5 with its default handles: multiply-adds, and also normalisation,
             upsampling and adaptive average pooling; element-wise additions and fixed pooling are left out.
hrnet-paper  `get_model_summary` of the HRNet and SimpleBaseline repositories (lib/utils/utils.py): weight elements x
             *output* positions, for transposed convolutions too, which is stride^2 times the true count; linear layers
             by input x output features; matrix products outside layers are not counted; and giga means 2^30.
             That function ignores the batch; here the count is multiplied by it. For a linear layer it uses the size of
             axis 1 as the number of input features, which is right for (N, C) inputs of classifiers; here the number
             of input features is right for any rank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import floor, prod
from typing import Any

from hrbench.cost.operations.calls import Call, Shape, aten
from hrbench.types import Quantity

Formula = Callable[[Call], int | float]
GIGA = 1e9


@dataclass(frozen=True, slots=True)
class CountingConvention:
    """One convention.

    name: as in `Conditions.convention`.
    label: heading of a column whose values are count / divisor.
    heading: the same, for columns of several conventions under a common heading.
    convention: in a few words.
    formulas: operator -> operations of one call.
    free: operators that count as nothing.
    opens: composite operators whose parts are counted; None for all.
    factor: multiplies every formula.
    """

    name: str
    label: str
    heading: str
    divisor: float
    convention: str
    description: str
    formulas: Mapping[str, Formula]
    free: frozenset[str] = frozenset()
    opens: frozenset[str] | None = None
    factor: int = 1

    @property
    def quantity(self) -> Quantity:
        """What a count by this convention means, for a table."""
        return Quantity(
            self.name,
            self.label,
            "operations",
            "lower",
            self.description,
            heading=self.heading,
            group="Operations",
            convention=self.convention,
            divisor=None if self.divisor == GIGA else self.divisor,
        )


@dataclass(slots=True)
class Tally:
    """The count of some calls by a convention: operations, and operators without a rule as (calls, elements)."""

    operations: int | float = 0
    counted: bool = False
    uncounted: dict[str, tuple[int, int]] = field(default_factory=dict)

    def miss(self, operator: str, calls: int, elements: int) -> None:
        """Adds arithmetic for which the convention has no rule."""
        before = self.uncounted.get(operator, (0, 0))
        self.uncounted[operator] = (before[0] + calls, before[1] + elements)

    def add(self, other: Tally) -> None:
        """Adds another tally to this one."""
        self.operations += other.operations
        self.counted = self.counted or other.counted
        for operator, (calls, elements) in other.uncounted.items():
            self.miss(operator, calls, elements)


def tally(convention: CountingConvention, call: Call) -> Tally:
    """Counts one call, from the outside in: the first matching rule counts for all parts of the call.

    If a convention counts the parts of all composites, a composite without counted parts is listed under its own name
    ("aten::batch_norm"), not under those of its parts.
    """
    result = Tally()
    formula = convention.formulas.get(call.operator)
    if formula is not None:
        result.operations, result.counted = convention.factor * formula(call), True
    elif call.idle or call.operator in convention.free:
        pass
    elif call.parts and (convention.opens is None or call.operator in convention.opens):
        for part in call.parts:
            result.add(tally(convention, part))
        if convention.opens is None and result.uncounted and not result.counted:
            result.uncounted = {call.operator: (1, call.elements)}
    else:
        result.miss(call.operator, 1, call.elements)
    return result


# --- formulas ----------------------------------------------------------------------------------------------------


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


def linear(call: Call) -> int:
    """Output elements x input features."""
    return call.outputs[0].elements * call.shape("input")[-1]


def _product(first: str) -> Formula:
    """A matrix product, batched or not: output elements x the length of the summed axis."""

    def formula(call: Call) -> int:
        return call.outputs[0].elements * call.shape(first)[-1]

    return formula


def batches_summed(call: Call) -> int:
    """`addbmm`: the batch is summed, too."""
    return call.shape("batch1").elements * call.shape("batch2")[-1]


def attention(call: Call) -> int:
    """Both products of scaled dot-product attention over all pairs, masked or not; query is (..., L, E)."""
    query, key, value = call.shape("query"), call.shape("key"), call.shape("value")
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


_PRODUCTS: dict[str, Formula] = {
    "aten::matmul": _product("self"),
    "aten::mm": _product("self"),
    "aten::bmm": _product("self"),
    "aten::mv": _product("self"),
    "aten::dot": _product("self"),
    "aten::vdot": _product("self"),
    "aten::_int_mm": _product("self"),
    "aten::_scaled_mm": _product("self"),
    "aten::addmm": _product("mat1"),
    "aten::addmm_": _product("mat1"),
    "aten::_addmm_activation": _product("mat1"),
    "aten::addmv": _product("mat"),
    "aten::addmv_": _product("mat"),
    "aten::baddbmm": _product("batch1"),
    "aten::baddbmm_": _product("batch1"),
    "aten::addbmm": batches_summed,
    "aten::addbmm_": batches_summed,
    "aten::scaled_dot_product_attention": attention,
}

MACS: dict[str, Formula] = {
    "aten::convolution": convolution,
    "aten::_convolution": convolution,
    "aten::linear": linear,
    "torchvision::deform_conv2d": convolution,
    **_PRODUCTS,
}

PAPER: dict[str, Formula] = {
    "aten::convolution": convolution_by_output,
    "aten::_convolution": convolution_by_output,
    "aten::linear": linear,
}


# --- fvcore 0.1.5, fvcore/nn/flop_count.py and jit_handles.py, as facts ------------------------------------------


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


def _matmul(call: Call) -> int:
    """Elements of the first operand x last axis of the second: a broadcast first operand is not repeated."""
    return _numel(call, "self") * call.shape("other")[-1]


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

CONVENTIONS: dict[str, CountingConvention] = {
    convention.name: convention
    for convention in (
        CountingConvention(
            "macs",
            "GMACs",
            "GMACs",
            GIGA,
            "multiply-adds of convolutions and linear layers / 10⁹",
            "Multiply-adds of convolutions, linear layers and matrix products, in 10^9; transposed convolutions by "
            "their input size.",
            MACS,
        ),
        CountingConvention(
            "flops",
            "GFLOPs",
            "GFLOPs",
            GIGA,
            "2 × multiply-adds / 10⁹",
            "Two operations for every multiply-add, in 10^9, as torch's FlopCounterMode prints it.",
            MACS,
            factor=2,
        ),
        CountingConvention(
            "fvcore",
            "G (fvcore)",
            "fvcore",
            GIGA,
            "multiply-adds / 10⁹ with batch norm and upsampling, as fvcore counts",
            "As fvcore 0.1.5 counts, in 10^9: multiply-adds, and normalisation, upsampling and adaptive average "
            "pooling; additions left out.",
            FVCORE,
            FVCORE_FREE,
            FVCORE_OPENS,
        ),
        CountingConvention(
            "hrnet-paper",
            "GFLOPs (HRNet papers: MACs / 2^30, transposed convolutions by output)",
            "HRNet papers",
            2.0**30,  # what they call one GFLOP (README of leoxiaobin/deep-high-resolution-net.pytorch)
            "multiply-adds / 2³⁰, transposed convolutions by their output, as the HRNet papers count",
            "Multiply-adds of convolutions and linear layers over 2^30, transposed convolutions by their output size: "
            "what the HRNet and SimpleBaseline papers call GFLOPs.",
            PAPER,
        ),
    )
}
