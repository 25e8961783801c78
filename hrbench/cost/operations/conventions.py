"""The conventions by which operations are counted, each a table from operators to formulas.

One network has as many "GFLOPs" as there are conventions. A `CountingConvention` says which operators are counted and
how, which are taken to be free, and by what the number is divided when a table writes it in giga.

macs         multiply-adds of convolutions, linear layers and matrix products: the arithmetic that is really computed.
             A transposed convolution touches every weight once per *input* position.
             The formulas are in `formulas.py`.
flops        2 x macs, what `torch.utils.flop_counter.FlopCounterMode` prints where it has a formula for every kernel.
fvcore       `FlopCountAnalysis` of fvcore 0.1.5 with its default handles: multiply-adds, and also normalisation,
             upsampling and adaptive average pooling; element-wise additions and fixed pooling are left out.
mmengine     `FlopAnalyzer` and `get_model_complexity_info` of mmengine 0.10.7, in eval mode, as the `get_flops.py` of
             mmdet, mmseg and mmpose call it. It is fvcore's count, but that mmengine counts a product with a vector,
             which fvcore cannot. Of a network that was just built, and so is in training mode, mmengine counts 5 and
             not 2 operations per number of a batch norm: 4.145 G for ResNet-50, which is 4.112 G in eval mode.
hrnet-paper  `get_model_summary` of the HRNet and SimpleBaseline repositories (lib/utils/utils.py): weight elements x
             *output* positions, for transposed convolutions too, which is stride^2 times the true count; linear layers
             by input x output features; matrix products outside layers are not counted; and giga means 2^30.
             That function ignores the batch; here the count is multiplied by it. For a linear layer it uses the size of
             axis 1 as the number of input features, which is right for (N, C) inputs of classifiers; here the number
             of input features is right for any rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hrbench.cost.operations.calls import Call
from hrbench.cost.operations.formulas import MACS, PAPER, Formula
from hrbench.cost.operations.traced import FVCORE, FVCORE_FREE, FVCORE_OPENS, MMENGINE
from hrbench.types import Quantity

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
    """The count of some calls by a convention.

    by_rule: operator whose rule counted -> operations.
    uncounted: operator without a rule -> (calls, elements).
    """

    by_rule: dict[str, int | float] = field(default_factory=dict)
    uncounted: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def operations(self) -> int | float:
        """All operations."""
        return sum(self.by_rule.values())

    @property
    def counted(self) -> bool:
        """Whether there was a rule for anything."""
        return bool(self.by_rule)

    def miss(self, operator: str, calls: int, elements: int) -> None:
        """Adds arithmetic for which the convention has no rule."""
        before = self.uncounted.get(operator, (0, 0))
        self.uncounted[operator] = (before[0] + calls, before[1] + elements)

    def add(self, other: Tally) -> None:
        """Adds another tally to this one."""
        for operator, operations in other.by_rule.items():
            self.by_rule[operator] = self.by_rule.get(operator, 0) + operations
        for operator, (calls, elements) in other.uncounted.items():
            self.miss(operator, calls, elements)


def tally(convention: CountingConvention, call: Call) -> Tally:
    """Counts one call, from the outside in: the first matching rule counts for all parts of the call.

    If a convention counts the parts of all composites, a composite without counted parts is listed under its own name
    ("aten::batch_norm"), not under those of its parts.
    """
    result = Tally()
    formula = convention.formulas.get(call.operator)
    operations = None if formula is None else formula(call)
    if operations is not None:
        result.by_rule[call.operator] = convention.factor * operations
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
            "mmengine",
            "G (mmengine)",
            "mmengine",
            GIGA,
            "multiply-adds / 10⁹ with batch norm and upsampling, as mmengine counts",
            "As mmengine 0.10.7 counts in eval mode, in 10^9: as fvcore, and products with vectors.",
            MMENGINE,
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

ACTIVATIONS = Quantity(
    "activations",
    "Activations",
    "count",
    "lower",
    "Numbers in the outputs of convolutions, linear layers and matrix products, as fvcore 0.1.5 counts activations.",
    heading="Activations (M)",
)
