"""Images per second at the knee of a sweep over batches, as a cost: for each requested dtype."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from hrbench.contracts import CostSubject, FixedBatch
from hrbench.cost.forward_options import Dtypes, check_times
from hrbench.cost.latency.pace import PROCESSES, Mode
from hrbench.cost.throughput.summary import THROUGHPUT, of_processes
from hrbench.types import Conditions, Measurement

SMALLEST_SWEEP = 2
"""The smallest of the largest batch: a knee is where a doubled batch brings nothing."""


@dataclass(frozen=True, slots=True)
class ThroughputOptions:
    """How a throughput is measured; each dtype makes a cell."""

    dtype: Dtypes = ()
    largest: Annotated[
        int,
        Field(ge=SMALLEST_SWEEP, description="The largest batch that is tried, a power of two: batches double."),
    ] = 256
    mode: Annotated[
        Mode,
        Field(
            description="How long: quick for a look, gate (6 processes, each batch at least 2.5 s and 100 passes in "
            "each) for numbers that are judged, smoke for three passes of two batches."
        ),
    ] = "quick"
    budget: Annotated[
        float | None, Field(gt=0, description="Seconds each batch may take in mode quick; left out, 3.")
    ] = None
    cap: Annotated[
        float | None, Field(gt=0, description="Seconds each batch may take in mode gate, in all processes; 60.")
    ] = None

    def __post_init__(self) -> None:
        if self.largest & (self.largest - 1):
            below = 1 << (self.largest.bit_length() - 1)
            raise ValueError(f"batches double from 1 on, so that {self.largest} is none: {below} or {2 * below}")
        check_times(self.mode, self.budget, self.cap)


def _batch_of_file(net: object) -> int:
    """The smallest batch that a network takes."""
    return (net.fixed_batch if isinstance(net, FixedBatch) else None) or 1


class Throughput:
    """Sweeps over batches on the device (contracts.CostProbe)."""

    name = "throughput"
    version = 1
    quantities = (THROUGHPUT,)
    depends = ("device", "driver", "torch", "threads")
    Options = ThroughputOptions

    def cells(self, options: ThroughputOptions) -> Sequence[Conditions]:
        """Every dtype."""
        return [Conditions(dtype=dtype) for dtype in options.dtype]

    def measure(self, subject: CostSubject, cell: Conditions, options: ThroughputOptions) -> list[Measurement]:
        """One throughput with its curve, or why the cell has none."""
        from hrbench.cost import forward
        from hrbench.cost.throughput import measure

        began = time.perf_counter()
        net = subject.on_device()
        load = time.perf_counter() - began
        first = _batch_of_file(net)
        if reason := forward.unfit(net, subject.variant, first, cell.dtype):
            conditions = Conditions(input=subject.variant.input, dtype=cell.dtype)
            return [Measurement(THROUGHPUT, None, conditions=conditions, reason=reason)]
        one = measure.measure_throughput(
            net,
            subject.variant.input,
            runtime=subject.runtime,
            device=subject.device,
            dtype=cell.dtype,
            first=first,
            largest=options.largest,
            mode=options.mode,
            budget=options.budget,
            cap=options.cap,
            progress=lambda done, total: subject.progress("batches", done, total),
            as_input=forward.as_input(subject.variant),
        )
        return [replace(one, conditions=replace(one.conditions, load=load))]

    def processes(self, options: ThroughputOptions) -> int:
        """In mode gate several, since each has its own luck with memory and caches."""
        return PROCESSES if options.mode == "gate" else 1

    def merge(self, parts: Sequence[Sequence[Measurement]]) -> list[Measurement]:
        """One throughput of those of all processes."""
        return [of_processes([one for (one,) in parts])]
