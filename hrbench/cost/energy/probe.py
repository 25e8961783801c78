"""Joules for each image, as a cost: for each requested batch and dtype."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from hrbench.contracts import CostSubject
from hrbench.cost.energy import counters
from hrbench.cost.energy.quantity import ENERGY
from hrbench.cost.forward_options import Batches, Dtypes, every_cell
from hrbench.types import Conditions, Measurement, Reason


@dataclass(frozen=True, slots=True)
class EnergyOptions:
    """Where energy is measured; each batch and dtype makes a cell."""

    batch: Batches = (1,)
    dtype: Dtypes = ()
    seconds: Annotated[float, Field(ge=10, description="Seconds of each window of passes.")] = 10.0
    windows: Annotated[
        int, Field(ge=1, description="Windows; from 6 on their median has an interval, and can be judged.")
    ] = 3


class Energy:
    """Reads the energy counter of the device around forward passes (contracts.CostProbe)."""

    name = "energy"
    version = 1
    quantities = (ENERGY,)
    depends = ("device", "driver", "torch", "threads")
    Options = EnergyOptions

    def cells(self, options: EnergyOptions) -> Sequence[Conditions]:
        """Every batch in every dtype."""
        return every_cell(options.batch, options.dtype)

    def measure(self, subject: CostSubject, cell: Conditions, options: EnergyOptions) -> list[Measurement]:
        """One energy, or why the cell has none."""
        from hrbench.cost import forward
        from hrbench.cost.energy import measure

        assert cell.batch is not None
        conditions = Conditions(batch=cell.batch, input=subject.variant.input, dtype=cell.dtype)
        counter = _counter_of(subject.device)
        if isinstance(counter, Reason):
            return [Measurement(ENERGY, None, conditions=conditions, reason=counter)]
        began = time.perf_counter()
        net = subject.on_device()
        load = time.perf_counter() - began
        if reason := forward.unfit(net, subject.variant, cell.batch, cell.dtype):
            return [Measurement(ENERGY, None, conditions=conditions, reason=reason)]
        one = measure.measure_energy(
            net,
            (cell.batch, 3, *subject.variant.input),
            counter,
            runtime=subject.runtime,
            device=subject.device,
            dtype=cell.dtype,
            seconds=options.seconds,
            windows=options.windows,
            progress=lambda done, total: subject.progress("seconds", int(done), int(total)),
            as_input=forward.as_input(subject.variant),
        )
        return [replace(one, conditions=replace(one.conditions, load=load))]


def _counter_of(device: str) -> counters.Counter | Reason:
    """The energy counter of a device, or why there is none."""
    from hrbench.cost.latency.clocks import gpu_uuid

    return counters.nvml_counter(gpu_uuid(device)) if device.startswith("cuda") else counters.rapl()
