"""The time of one forward pass, as a cost: for each requested batch and dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from hrbench.contracts import CostSubject, FixedBatch, FixedPrecision, Runtime
from hrbench.cost.latency.summary import LATENCY
from hrbench.types import Conditions, Measurement, Reason, Variant

if TYPE_CHECKING:
    from torch import nn

Dtype = Literal["float32", "float16", "bfloat16", "float64"]
Batch = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """Where latency is measured; each batch and dtype makes a cell."""

    batch: Annotated[
        tuple[Batch, ...], Field(min_length=1, description="Images per forward pass, one number or several.")
    ] = (1,)
    dtype: Annotated[
        tuple[Dtype, ...], Field(min_length=1, description="Precision of the forward pass, one or several.")
    ] = ("float32",)
    budget: Annotated[
        float | None,
        Field(gt=0, description="Seconds a cell may take; left out, 10 on a CPU and 30 on a GPU."),
    ] = None


class Latency:
    """Times forward passes on the device (contracts.CostProbe)."""

    name = "latency"
    version = 2
    quantities = (LATENCY,)
    depends = ("device", "driver", "torch", "threads")
    Options = LatencyOptions

    def cells(self, options: LatencyOptions) -> Sequence[Conditions]:
        """Every batch in every dtype."""
        return [Conditions(batch=batch, dtype=dtype) for dtype in options.dtype for batch in options.batch]

    def measure(self, subject: CostSubject, cell: Conditions, options: LatencyOptions) -> list[Measurement]:
        """One latency, or why the cell has none."""
        assert cell.batch is not None
        one = latency(
            subject.on_device(),
            subject.variant,
            cell.batch,
            cell.dtype,
            subject.device,
            runtime=subject.runtime,
            budget=options.budget,
            progress=lambda done, total: subject.progress("seconds", int(done), int(total)),
        )
        return [one]


def latency(
    net: nn.Module,
    variant: Variant,
    batch: int,
    dtype: str,
    device: str,
    *,
    runtime: Runtime,
    budget: float | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> Measurement:
    """Latency of a network at its variant's input, or the reason why its file cannot be timed with this batch or dtype.

    net: on any device.
    variant: its input size, and whether it takes a list of images.
    batch, dtype, device: for the forward pass.
    runtime: turns the network into the callable that is timed.
    budget: seconds of wall time, None for the device's default.
    progress: called as `progress(seconds done, budget)` after every pass.
    """
    from hrbench.cost.latency import measure

    precision = str(net.precision if isinstance(net, FixedPrecision) else dtype).removeprefix("torch.")
    batch_of_file = (net.fixed_batch if isinstance(net, FixedBatch) else None) or 1
    reason = None
    if precision != dtype:
        reason = Reason(f"the network's file computes in {precision}", "ask for latency in that")
    elif batch % batch_of_file:
        reason = Reason(f"the network's file takes {batch_of_file} images at once", "ask for latency at such a batch")
    if reason is not None:
        conditions = Conditions(batch=batch, input=variant.input, dtype=dtype)
        return Measurement(LATENCY, None, conditions=conditions, reason=reason)
    return measure.measure_latency(
        net,
        (batch, 3, *variant.input),
        device=device,
        dtype=dtype,
        runtime=runtime,
        budget=budget,
        progress=progress,
        as_input=as_input(variant),
    )


def as_input(variant: Variant) -> Callable[[Any], Any] | None:
    """Converts an (N, C, H, W) tensor to the network's input: to a list of images for a detector; None for others."""
    return list if variant.task == "detection" else None
