"""How near a network comes to what its device allows, as a cost: for each requested batch and dtype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from hrbench.contracts import CostSubject, CountedByPart
from hrbench.cost.forward_options import Batches, Dtypes, every_cell
from hrbench.cost.roofline.arithmetic import Ceilings, Work, attainable, reached, stated, work_of
from hrbench.cost.telemetry.stability import in_short, of_machine
from hrbench.errors import EntryError, HrbenchError
from hrbench.types import Conditions, Measurement, Quantity, Reason

if TYPE_CHECKING:
    import torch

BUDGET = 5.0
"""Seconds of the latency that is compared with what is attainable."""

_GROUP = "Roofline"
INTENSITY = Quantity(
    "intensity", "Arithmetic intensity", "intensity", "neither",
    "Operations of a forward pass for each byte that must be moved: weights and input read once, and each output of a "
    "convolution, linear layer or matrix product written once.",
    heading="FLOP/byte", group=_GROUP,
)  # fmt: skip
ATTAINABLE = Quantity(
    "attainable", "Attainable speed", "speed", "neither",
    "Operations per second that the device allows at this intensity: the smaller of its matrix speed, and of its copy "
    "bandwidth times the intensity.",
    heading="roof (GFLOP/s)", group=_GROUP,
)  # fmt: skip
REACHED = Quantity(
    "reached", "Reached share", "fraction", "neither",  # a judgement looks at the latency, which this is computed from
    "Operations per second of a forward pass (p50) as a share of the attainable ones. Above 100 % if caches are faster "
    "than the memory that was copied, or a convolution is computed with fewer operations.",
    heading="reached (%)", group=_GROUP,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RooflineOptions:
    """Where the roofline is measured; each batch and dtype makes a cell."""

    batch: Batches = (1,)
    dtype: Dtypes = ()
    budget: Annotated[float, Field(gt=0, description="Seconds of the latency behind it, as of a quick one.")] = BUDGET


class Roofline:
    """Counts a pass, times it, and measures two ceilings of the device (contracts.CostProbe)."""

    name = "roofline"
    version = 1
    quantities = (INTENSITY, ATTAINABLE, REACHED)
    depends = ("device", "driver", "torch", "threads")
    Options = RooflineOptions

    def cells(self, options: RooflineOptions) -> Sequence[Conditions]:
        """Every batch in every dtype."""
        return every_cell(options.batch, options.dtype)

    def measure(self, subject: CostSubject, cell: Conditions, options: RooflineOptions) -> list[Measurement]:
        """The three numbers; each with a reason if it cannot be told."""
        from hrbench.cost import forward

        assert cell.batch is not None
        plain = Conditions(batch=cell.batch, input=subject.variant.input, dtype=cell.dtype)
        dtype = forward.dtype_named(cell.dtype)
        work = _work(subject, cell.batch, dtype)
        if isinstance(work, Reason):
            return [Measurement(one, None, conditions=plain, reason=work) for one in self.quantities]
        counted = replace(plain, roofline=stated(work, None, None))
        intensity = Measurement(INTENSITY, work.intensity, conditions=counted)
        timed = _latency(subject, cell, options)
        if timed.value is None:
            under = replace(timed.conditions, roofline=counted.roofline)
            return [intensity, *(Measurement(one, None, conditions=under, reason=timed.reason)
                                 for one in (ATTAINABLE, REACHED))]  # fmt: skip
        ceilings, disturbed = _ceilings(subject.device, dtype)
        under = replace(timed.conditions, percentile=None, p90_bound=None, p99_bound=None)
        if isinstance(ceilings, Reason):
            return [intensity, *(Measurement(one, None, conditions=under, reason=ceilings)
                                 for one in (ATTAINABLE, REACHED))]  # fmt: skip
        under = replace(_with_disturbance(under, disturbed), roofline=stated(work, timed.value, ceilings))
        return [
            intensity,
            Measurement(ATTAINABLE, attainable(work.intensity, ceilings), conditions=under),
            Measurement(REACHED, reached(work, timed.value, ceilings), conditions=under),
        ]


def _work(subject: CostSubject, batch: int, dtype: torch.dtype) -> Work | Reason:
    """What a pass does, or why it cannot be told."""
    from hrbench.cost.memory import bytes_of
    from hrbench.cost.operations.probe import count

    net = subject.on_meta()
    if isinstance(net, CountedByPart):
        return Reason("the operations of a detector are counted for a fixed number of boxes, and a pass has another")
    try:
        ledger, _ = count(net, subject.variant, subject.build, batch)
    except EntryError as error:
        return Reason(str(error))
    work = work_of(ledger, bytes_of(net, dtype), dtype.itemsize)
    return work if work.flops else Reason("no convolution, linear layer or matrix product was counted in this network")


def _latency(subject: CostSubject, cell: Conditions, options: RooflineOptions) -> Measurement:
    """The time of a pass, as a quick latency."""
    from hrbench.cost.latency.probe import latency

    assert cell.batch is not None
    return latency(
        subject.on_device(),
        subject.variant,
        cell.batch,
        cell.dtype,
        subject.device,
        runtime=subject.runtime,
        mode="quick",
        budget=options.budget,
        progress=lambda done, total: subject.progress("seconds", int(done), int(total)),
    )


def _ceilings(device_name: str, dtype: torch.dtype) -> tuple[Ceilings | Reason, list[str]]:
    """The ceilings of a device, or why there are none; and what disturbed the machine meanwhile, in words."""
    import torch

    from hrbench.cost import forward
    from hrbench.cost.latency.clocks import clock_for, gpu_uuid
    from hrbench.cost.roofline.ceilings import measure_ceilings
    from hrbench.cost.telemetry.seen import between
    from hrbench.cost.telemetry.watch import watching

    device = torch.device(device_name)
    try:
        with watching(gpu_uuid(device)) as watched:
            begin = watched.mark()
            ceilings = measure_ceilings(device, dtype, clock_for(device))
            end = watched.mark()
    except HrbenchError:
        raise
    except Exception as error:
        reason = forward.reason_without_value(error, device, dtype)
        if reason is None:
            raise EntryError(f"the ceilings of the device were not measured: {forward.first_line(error)}") from error
        return reason, []
    return ceilings, of_machine(between(watched.record, begin, end))


def _with_disturbance(conditions: Conditions, disturbed: Sequence[str]) -> Conditions:
    """The conditions of the latency, unstable too if the machine was disturbed while the ceilings were measured."""
    if not disturbed:
        return conditions
    shorts = [in_short(one) for one in disturbed]
    told = tuple(
        f"{short}, while the ceilings were measured{one.removeprefix(short)}"
        for short, one in zip(shorts, disturbed, strict=True)
    )
    before = conditions.stability_reasons if conditions.stability == "unstable" else ()
    return replace(conditions, stability="unstable", stability_reasons=(*before, *told))
