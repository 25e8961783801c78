"""The time of one forward pass, as a cost: at each batch and in each dtype that is asked for."""

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
    """Latency of a network at its variant's input, or why its file cannot be timed at this batch or dtype.

    net: on any device.
    variant: gives the input, and whether the network takes a list of images.
    batch, dtype, device: under which it is timed.
    runtime: turns the network into what is timed.
    budget: seconds of wall time, None for the device's default.
    progress: called as `progress(seconds done, budget)` after every pass.
    """
    from hrbench.cost.latency import measure

    fixed = str(net.precision if isinstance(net, FixedPrecision) else dtype).removeprefix("torch.")
    at_once = (net.fixed_batch if isinstance(net, FixedBatch) else None) or 1
    unlike = None
    if fixed != dtype:
        unlike = Reason(f"the network's file computes in {fixed}", "ask for latency in that")
    elif batch % at_once:
        unlike = Reason(f"the network's file takes {at_once} images at once", "ask for latency at such a batch")
    if unlike is not None:
        conditions = Conditions(batch=batch, input=variant.input, dtype=dtype)
        return Measurement(LATENCY, None, conditions=conditions, reason=unlike)
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
    """What makes a network's input of an (N, C, H, W) tensor: a list of images for a detector, None as it is."""
    return list if variant.task == "detection" else None
