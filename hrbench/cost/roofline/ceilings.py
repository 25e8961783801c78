"""The two ceilings of a device, measured: how fast it copies, and how fast it multiplies matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch

from hrbench.cost.latency.clocks import Clock
from hrbench.cost.roofline.arithmetic import Ceilings

MIB = 2**20
COPIED = {"cpu": 256 * MIB, "cuda": 1024 * MIB}
"""Bytes of the array that is copied: several times what the caches of a usual device hold."""

MATRICES = {"cpu": (512, 1024, 2048), "cuda": (2048, 4096, 8192)}
"""Rows of the square matrices, of which the best counts: small ones do not fill a device, large ones take long."""

TRIALS, SECONDS = 5, 1.0
"""Each ceiling is the best of at least so many trials, and of all that fit into so much time."""

LONG = 0.5
"""Seconds of a product after which no larger one is tried."""


class Best(NamedTuple):
    """The shortest of some trials."""

    seconds: float
    trials: int


def best_of(work: Callable[[], object], clock: Clock) -> Best:
    """The shortest time of a work, by the device's own clock where it has one; one more trial warms up."""
    clock.time(work)
    found: list[float] = []
    began = clock.now()
    while len(found) < TRIALS or clock.now() - began < SECONDS:
        timed = clock.time(work)
        found.append(timed.seconds if timed.device is None else timed.device)
    return Best(min(found), len(found))


def measure_ceilings(
    device: torch.device,
    dtype: torch.dtype,
    clock: Clock,
    copied: int | None = None,
    matrices: Sequence[int] | None = None,
) -> Ceilings:
    """Copy bandwidth and matrix speed of a device in a dtype.

    device: "cpu" or "cuda".
    dtype: of the numbers.
    clock: of the device.
    copied: bytes of the array; None for `COPIED`.
    matrices: rows of the matrices, rising; None for `MATRICES`.
    """
    many = (COPIED[device.type] if copied is None else copied) // dtype.itemsize
    with torch.inference_mode():
        copy = _copy(device, dtype, clock, many)
        with _as_convolutions(device, dtype) as tf32:
            peak, matrix, products = _product(
                device, dtype, clock, MATRICES[device.type] if matrices is None else matrices
            )
    size = many * dtype.itemsize
    return Ceilings(2 * size / copy.seconds, peak, size, copy.trials, matrix, products, tf32)


def _copy(device: torch.device, dtype: torch.dtype, clock: Clock, many: int) -> Best:
    """The shortest copy of an array of so many numbers."""
    source = torch.zeros(many, dtype=dtype, device=device)
    target = torch.ones_like(source)
    return best_of(lambda: target.copy_(source), clock)


def _product(device: torch.device, dtype: torch.dtype, clock: Clock, matrices: Sequence[int]) -> tuple[float, int, int]:
    """Operations per second of the fastest product, the rows of its matrices, and how many products were computed."""
    peak, matrix, products = 0.0, 0, 0
    for rows in matrices:
        one, other = (torch.randn(rows, rows, device=device).to(dtype) for _ in range(2))
        best = best_of(partial(torch.mm, one, other, out=torch.empty_like(one)), clock)
        products += best.trials
        if (speed := 2 * rows**3 / best.seconds) > peak:
            peak, matrix = speed, rows
        if best.seconds > LONG:
            break
    return peak, matrix, products


@contextmanager
def _as_convolutions(device: torch.device, dtype: torch.dtype) -> Iterator[bool | None]:
    """Lets products of float32 use TF32 if convolutions do, as torch has it by default: else networks, which are mostly
    convolutions, would stand above the ceiling. Whether they do; None if the device has no TF32."""
    if device.type != "cuda" or dtype != torch.float32:
        yield None
        return
    before, tf32 = torch.get_float32_matmul_precision(), bool(torch.backends.cudnn.allow_tf32)
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        yield tf32
    finally:
        torch.set_float32_matmul_precision(before)
