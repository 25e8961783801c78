"""One number, and what it means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hrbench.types.conditions import Conditions
from hrbench.types.notes import Reason

Unit = Literal[
    "fraction", "count", "operations", "seconds", "bytes", "joules", "rate", "intensity", "speed", "pixels", "number"
]


Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a number means, carried with the number so that tables and gates need to import no metric.

    name: stable identifier within its metric or cost, e.g. "AP50", "pckh@0.5/mean", "macs", "latency".
    label: what it is called, e.g. "AP50", "Latency". `unit` decides how `units.py` writes it.
    description: one sentence for a hover text, conventions included.
    heading: of its column in a table without a layout, with the shown unit: "Latency (ms)"; the label if "".
    group: common heading over several such columns ("Operations"); "" for none.
    convention: by which of several ways it is counted, in a few words; "" if there is only one.
    divisor: how much of the unit one shown unit is; None for the value of `units.py`.
    per_batch: whether a cost depends on the batch it was measured at; a table shows one that does not once.
    """

    name: str
    label: str
    unit: Unit
    better: Better
    description: str = ""
    heading: str = ""
    group: str = ""
    convention: str = ""
    divisor: float | None = None
    per_batch: bool = True


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number of one entry: a score or a cost.

    value: in the quantity's unit (accuracies are fractions in [0, 1], operations plain counts, latencies seconds);
        None if it does not exist, and then `reason` says why.
    metric: the name of the metric that computed a score; "" for a cost.
    interval: the 95 % interval (low, high) in the quantity's unit, or None. Of a score: by a bootstrap over images; of
        a latency: that of the median.
    n: number of ground-truth objects behind a score (people, joints, images: the quantity's description says which).
    samples: raw measurements in the order taken (seconds per pass), kept so that any statistic can be derived.
    conditions: what a cost was measured under.
    """

    quantity: Quantity
    value: float | None
    metric: str = ""
    interval: tuple[float, float] | None = None
    n: int = 0
    samples: tuple[float, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)
    reason: Reason | None = None
