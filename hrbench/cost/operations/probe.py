"""The operations of a network by every convention, as a cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hrbench.contracts import CostSubject
from hrbench.cost.operations.conventions import ACTIVATIONS, CONVENTIONS
from hrbench.cost.parameters import NoOptions
from hrbench.errors import EntryError
from hrbench.types import Conditions, Measurement, Reason, Variant

if TYPE_CHECKING:
    from torch import nn

    from hrbench.cost.operations.ledger import Ledger

COUNTED_ON_CPU = "the CPU with a random input, since the network looks at values on its way"


class Operations:
    """Counts operations and activations on the meta device, for one image (contracts.CostProbe)."""

    name = "operations"
    version = 3
    quantities = (*(convention.quantity for convention in CONVENTIONS.values()), ACTIVATIONS)
    depends = ("torch",)  # its operators are counted
    Options = NoOptions

    def cells(self, options: NoOptions) -> Sequence[Conditions]:
        """One cell: counts are for one image."""
        return (Conditions(batch=1),)

    def measure(self, subject: CostSubject, cell: Conditions, options: NoOptions) -> list[Measurement]:
        """The count by every convention, or why there is none."""
        from hrbench.cost.operations.count import operation_costs

        try:
            ledger, counted_on = count(subject.on_meta(), subject.variant, subject.build)
        except EntryError as error:
            return uncounted(Reason(str(error)))
        return operation_costs(ledger, counted_on)


def count(net: nn.Module, variant: Variant, build: Callable[[], nn.Module], batch: int = 1) -> tuple[Ledger, str]:
    """The operations of a network at its variant's input, and on which device they were counted ("" for meta).

    net: on the meta device.
    build: builds the network again, if it needs values: it is then counted on the CPU.
    batch: images.

    Raises EntryError if they cannot be counted.
    """
    from hrbench.cost.operations.count import count_operations
    from hrbench.cost.operations.recorder import ValuesNeeded

    shape = (batch, 3, *variant.input)
    try:
        return count_operations(net, shape), ""
    except ValuesNeeded:
        return count_operations(build(), shape, device="cpu"), COUNTED_ON_CPU


def uncounted(reason: Reason) -> list[Measurement]:
    """The operations of a network that cannot be counted: no value by any convention, each with the reason."""
    return [
        *(
            Measurement(convention.quantity, None, conditions=Conditions(convention=name, batch=1), reason=reason)
            for name, convention in CONVENTIONS.items()
        ),
        Measurement(ACTIVATIONS, None, conditions=Conditions(batch=1), reason=reason),
    ]
