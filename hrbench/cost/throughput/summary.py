"""The throughput of a sweep, and one of several processes. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from hrbench.cost.telemetry.stability import all_settled, together, worst_seen, worst_verdict
from hrbench.cost.throughput.sweep import knee, of_curves
from hrbench.statistics.percentiles import median_interval
from hrbench.types import BatchTime, Conditions, Measurement, Quantity, Reason

THROUGHPUT = Quantity(
    "throughput",
    "Throughput",
    "rate",
    "higher",
    "Images per second at the knee: the batch whose double brings less than 3 % more. Batch over median time of a "
    "forward pass, one pass after the other, network only.",
    heading="Throughput (img/s)",
)


def at_knee(curve: Sequence[BatchTime], conditions: Conditions) -> Measurement:
    """The throughput of a curve, under these conditions and what they say of the knee; it has no interval."""
    best, found = knee(curve)
    under = replace(conditions, knee=best.batch, knee_found=found, curve=tuple(curve))
    return Measurement(THROUGHPUT, best.rate, conditions=under)


def of_processes(parts: Sequence[Measurement]) -> Measurement:
    """One throughput of the measurements of several processes under the same conditions.

    Each batch that all of them timed has the median of their medians, and the knee is that of this curve. The interval
    is that of the processes' rates at the knee. If a process has no value, there is none.
    """
    without = [one for one in parts if one.value is None]
    if without:
        return without[0]
    every = [one.conditions for one in parts]
    curve = of_curves([one.curve for one in every])
    if not curve:
        reason = Reason("no batch was measured in all processes")
        return replace(parts[-1], value=None, interval=None, conditions=replace(every[-1], curve=()), reason=reason)
    endings = list(dict.fromkeys(one.ended for one in every if one.ended))
    shared = replace(
        every[-1],
        ended=endings[0] if len(endings) == 1 else f"processes ended at different batches ({'; '.join(endings)})",
        first_pass=_median(one.first_pass for one in every),
        load=_median(one.load for one in every),
        compile=_median(one.compile for one in every),
        warm_up_passes=sum(one.warm_up_passes or 0 for one in every),
        warm_up_settled=all_settled([one.warm_up_settled for one in every]),
        passes=sum(one.passes or 0 for one in every),
        process_passes=tuple(one.passes or 0 for one in every),
        seen=worst_seen([one.seen for one in every]),
        stability=worst_verdict([one.stability for one in every]),
        stability_reasons=together([one.stability_reasons for one in every]),
    )
    found = at_knee(curve, shared)
    rates = [one.rate for each in every for one in each.curve if one.batch == found.conditions.knee]
    return replace(found, value=median(rates), interval=median_interval(rates))


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
