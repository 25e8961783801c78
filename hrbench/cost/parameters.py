"""The parameters and buffers of a network, as a cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hrbench.contracts import CostSubject, DescribesCount
from hrbench.types import Conditions, Measurement, Quantity

if TYPE_CHECKING:
    from torch import nn

PARAMETERS = Quantity(
    "parameters",
    "Parameters",
    "count",
    "lower",
    "Learnt weights; shared ones counted once.",
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
    version = 1
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
    """Parameters and buffers of a network, on any device: elements, shared ones counted once."""
    conditions = Conditions(counted=net.counted) if isinstance(net, DescribesCount) else Conditions()
    return [
        Measurement(PARAMETERS, sum(value.numel() for value in net.parameters()), conditions=conditions),
        Measurement(BUFFERS, sum(value.numel() for value in net.buffers())),
    ]
