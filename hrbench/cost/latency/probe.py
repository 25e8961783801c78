"""The time of one forward pass, as a cost: for each requested batch and dtype."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from hrbench.contracts import CostSubject, Runtime
from hrbench.cost.forward_options import Batches, Dtypes, every_cell
from hrbench.cost.latency.pace import PROCESSES, Mode
from hrbench.cost.latency.summary import LATENCY, of_processes
from hrbench.types import Conditions, Measurement, Variant

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """Where latency is measured; each batch and dtype makes a cell."""

    batch: Batches = (1,)
    dtype: Dtypes = ()
    mode: Annotated[
        Mode,
        Field(
            description="How long: quick for a look, gate (6 processes, at least 30 s and 2,010 passes) for numbers "
            "that are judged, smoke for three passes."
        ),
    ] = "quick"
    budget: Annotated[
        float | None,
        Field(gt=0, description="Seconds a quick cell may take; left out, 10 on a CPU and 30 on a GPU."),
    ] = None
    cap: Annotated[
        float | None,
        Field(gt=0, description="Seconds the passes of a gate cell may take; left out, 120."),
    ] = None

    def __post_init__(self) -> None:
        if self.budget is not None and self.mode != "quick":
            raise ValueError(f"budget is the time of a quick latency, not of mode {self.mode}; a gate latency has cap")
        if self.cap is not None and self.mode != "gate":
            raise ValueError(f"cap is the time of a gate latency, not of mode {self.mode}; a quick latency has budget")


class Latency:
    """Times forward passes on the device (contracts.CostProbe)."""

    name = "latency"
    version = 3
    quantities = (LATENCY,)
    depends = ("device", "driver", "torch", "threads")
    Options = LatencyOptions

    def cells(self, options: LatencyOptions) -> Sequence[Conditions]:
        """Every batch in every dtype."""
        return every_cell(options.batch, options.dtype)

    def measure(self, subject: CostSubject, cell: Conditions, options: LatencyOptions) -> list[Measurement]:
        """One latency, or why the cell has none."""
        assert cell.batch is not None
        began = time.perf_counter()
        net = subject.on_device()
        load = time.perf_counter() - began
        one = latency(
            net,
            subject.variant,
            cell.batch,
            cell.dtype,
            subject.device,
            runtime=subject.runtime,
            mode=options.mode,
            budget=options.budget,
            cap=options.cap,
            progress=lambda done, total: subject.progress("seconds", int(done), int(total)),
        )
        return [replace(one, conditions=replace(one.conditions, load=load))]

    def processes(self, options: LatencyOptions) -> int:
        """A gate latency is measured in several processes, since each has its own luck with memory and caches."""
        return PROCESSES if options.mode == "gate" else 1

    def merge(self, parts: Sequence[Sequence[Measurement]]) -> list[Measurement]:
        """One latency of those of all processes."""
        return [of_processes([one for (one,) in parts])]


def latency(
    net: nn.Module,
    variant: Variant,
    batch: int,
    dtype: str,
    device: str,
    *,
    runtime: Runtime,
    mode: str = "quick",
    budget: float | None = None,
    cap: float | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> Measurement:
    """Latency of a network at its variant's input, or the reason why its file cannot be timed with this batch or dtype.

    net: on any device.
    variant: its input size, and whether it takes a list of images.
    batch, dtype, device: for the forward pass.
    runtime: turns the network into the callable that is timed.
    mode, budget, cap: how long, as `measure.measure_latency` takes them.
    progress: called as `progress(seconds done, budget)`, some times a second.
    """
    from hrbench.cost import forward
    from hrbench.cost.latency import measure

    if reason := forward.unfit(net, variant, batch, dtype):
        conditions = Conditions(batch=batch, input=variant.input, dtype=dtype)
        return Measurement(LATENCY, None, conditions=conditions, reason=reason)
    return measure.measure_latency(
        net,
        (batch, 3, *variant.input),
        device=device,
        dtype=dtype,
        runtime=runtime,
        mode=mode,
        budget=budget,
        cap=cap,
        progress=progress,
        as_input=forward.as_input(variant),
    )
