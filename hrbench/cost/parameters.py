"""The parameters and buffers of a network, as a cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hrbench.contracts import CostSubject, DescribesCount
from hrbench.cost.packed_weights import packed_objects, packed_tensors
from hrbench.types import Conditions, Measurement, Quantity, Reason

if TYPE_CHECKING:
    from torch import nn

PARAMETERS = Quantity(
    "parameters",
    "Parameters",
    "count",
    "lower",
    "Learnt weights, those of quantised layers too; shared ones counted once.",
    heading="Params (M)",
)
BUFFERS = Quantity(
    "buffers",
    "Buffers",
    "count",
    "neither",
    "Stored numbers that are not learnt, such as batch norm's statistics.",
    heading="Buffers (M)",
)


@dataclass(frozen=True, slots=True)
class NoOptions:
    """There is nothing to set."""


class Parameters:
    """Counts the elements of parameters and buffers, of a network without values (contracts.CostProbe)."""

    name = "parameters"
    version = 2
    quantities = (PARAMETERS, BUFFERS)
    depends = ()
    Options = NoOptions

    def cells(self, options: NoOptions) -> Sequence[Conditions]:
        """One cell: no condition changes a count."""
        return (Conditions(),)

    def measure(self, subject: CostSubject, cell: Conditions, options: NoOptions) -> list[Measurement]:
        """Both counts, with what the network says about what was counted."""
        return parameter_costs(subject.on_meta())


def parameter_costs(net: nn.Module) -> list[Measurement]:
    """Parameters and buffers of a network, on any device: elements, shared ones counted once.

    Quantised layers keep their weights packed, where they are no parameters of the module: they are unpacked and
    counted. A network whose weights cannot be told has no number but a reason.
    """
    counted = net.counted if isinstance(net, DescribesCount) else ""
    buffers = sum(value.numel() for value in net.buffers())
    parameters, packed, reason = sum(value.numel() for value in net.parameters()), 0, None
    for path, holder in packed_objects(net):
        tensors = packed_tensors(holder)
        packed += sum(value.numel() for value in tensors)
        if not tensors:
            what = str(holder._type()).rpartition(".")[2]
            reason = Reason(f"module {path or '(top)'} keeps its weights in a {what}, which cannot be unpacked")
    if not parameters + packed and reason is None:
        reason = _why_none(net, buffers)
    if packed:
        counted = ", ".join(filter(None, [counted, f"{packed:,} of them packed by quantised layers"]))
    value = None if reason else parameters + packed
    return [
        Measurement(PARAMETERS, value, conditions=Conditions(counted=counted), reason=reason),
        Measurement(BUFFERS, buffers),
    ]


def _why_none(net: nn.Module, buffers: int) -> Reason | None:
    """Why a network without parameters may have weights all the same; None if it has none."""
    import torch

    if any(isinstance(module, torch.jit.ScriptModule) for module in net.modules()):
        return Reason("the network is TorchScript without parameters: its weights are constants that it does not tell")
    if buffers:
        return Reason(f"the network has no parameters, but {buffers:,} numbers in buffers, which may be its weights")
    return None
