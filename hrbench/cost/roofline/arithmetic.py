"""The roofline model: how fast a network could run on a device with two limits. Pure functions, no torch.

S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for multicore architectures",
Communications of the ACM 52(4), 2009: attainable speed = min(peak speed, bandwidth x arithmetic intensity).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hrbench.cost.operations.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What a device reaches in one dtype, each as the best of several trials.

    bandwidth: bytes per second of a copy, read and written ones.
    peak: operations per second of a product of two square matrices, two for each multiply-add.
    copied: bytes of the array that was copied.
    copies: how often.
    matrix: rows of the matrices with which the peak was reached.
    products: how many of them were computed.
    tf32: whether products of float32 were computed in TF32, as the convolutions were; None on a CPU.
    """

    bandwidth: float
    peak: float
    copied: int
    copies: int
    matrix: int
    products: int
    tf32: bool | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What a forward pass does at least.

    flops: operations, two for each multiply-add of convolutions, linear layers and matrix products.
    bytes: that must be moved: weights and input read once, and each output of these layers written once.
    """

    flops: float
    bytes: float

    @property
    def intensity(self) -> float:
        """Operations for each byte."""
        return self.flops / self.bytes


def work_of(ledger: Ledger, weights: int, itemsize: int) -> Work:
    """What a pass does, of the operations that were counted.

    ledger: of the whole batch.
    weights: bytes of parameters and buffers.
    itemsize: bytes of a number of the input and of outputs.

    A lower bound: what reads an output, and all that is computed element by element, may be fused with the layer before
    or find its input in a cache, and is left out.
    """
    numbers = 1
    for side in ledger.input:
        numbers *= side
    numbers += sum(row.elements for row in ledger.rows if row.counts.get("macs"))
    return Work(2.0 * ledger.total("macs"), float(weights + itemsize * numbers))


def attainable(intensity: float, ceilings: Ceilings) -> float:
    """Operations per second that the two ceilings allow.

    >>> two = Ceilings(bandwidth=10.0, peak=100.0, copied=1, copies=1, matrix=1, products=1)
    >>> attainable(5.0, two), attainable(20.0, two)
    (50.0, 100.0)
    """
    return min(ceilings.peak, ceilings.bandwidth * intensity)


def reached(work: Work, p50: float, ceilings: Ceilings) -> float:
    """The share of what is attainable that a pass of `p50` seconds reaches."""
    return work.flops / p50 / attainable(work.intensity, ceilings)


def stated(work: Work, p50: float | None, ceilings: Ceilings | None) -> Mapping[str, Any]:
    """All that a roofline was computed from, as plain values for `Conditions.roofline`."""
    known: dict[str, Any] = {"flops": work.flops, "bytes": work.bytes, "p50": p50}
    if ceilings is not None:
        known |= asdict(ceilings)
    return {name: value for name, value in known.items() if value is not None}
