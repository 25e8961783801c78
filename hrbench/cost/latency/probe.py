"""The time of one forward pass, as a cost: for each requested batch and dtype."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from hrbench.contracts import CostSubject, Evaluated, Runtime
from hrbench.core.units import amount
from hrbench.cost.forward_options import Batches, Dtypes, check_times, every_cell
from hrbench.cost.latency.pace import MIN_SAMPLES, PROCESSES, Mode
from hrbench.cost.latency.summary import LATENCY, of_processes
from hrbench.types import Conditions, Measurement, Reason, Variant

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """Where latency is measured, and on what; each batch and dtype makes a cell."""

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

    inputs: Annotated[
        Literal["auto", "random", "images"],
        Field(
            description="What the network is fed: random (standard normal), images of the entry's data set, or auto: "
            "images for a detector whose data and weights are there, whose time depends on them."
        ),
    ] = "auto"
    cold: Annotated[bool, Field(description="Whether the device's caches are flushed before each pass.")] = False

    def __post_init__(self) -> None:
        check_times(self.mode, self.budget, self.cap)


class Latency:
    """Times forward passes on the device (contracts.CostProbe)."""

    name = "latency"
    version = 3
    quantities = (LATENCY,)
    depends = ("device", "driver", "torch", "threads")
    Options = LatencyOptions

    def cells(self, options: LatencyOptions) -> Sequence[Conditions]:
        """Every batch in every dtype."""
        cells = every_cell(options.batch, options.dtype)
        return [replace(cell, caches="cold") for cell in cells] if options.cold else cells

    def fed_images(self, variant: Variant, options: LatencyOptions) -> Literal["never", "if there", "always"]:
        """Whether passes go over images: by default only a detector's, whose time depends on what it finds."""
        if options.inputs == "auto":
            return "if there" if variant.task == "detection" else "never"
        return "always" if options.inputs == "images" else "never"

    def measure(self, subject: CostSubject, cell: Conditions, options: LatencyOptions) -> list[Measurement]:
        """One latency, or why the cell has none."""
        assert cell.batch is not None
        fed = self._evaluated(subject, options)
        if isinstance(fed, Reason):
            conditions = replace(cell, input=subject.variant.input)
            return [Measurement(LATENCY, None, conditions=conditions, reason=fed)]
        began = time.perf_counter()
        net = subject.on_device() if fed is None else fed.build().to(subject.device)
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
            fed=fed,
            cold=options.cold,
        )
        return [replace(one, conditions=replace(one.conditions, load=load))]

    def _evaluated(self, subject: CostSubject, options: LatencyOptions) -> Evaluated | Reason | None:
        """The entry whose images are fed; None for a random input, or why there are no images though asked for."""
        how = self.fed_images(subject.variant, options)
        if how == "never":
            return None
        found = subject.evaluated()
        is_random = isinstance(found, Reason) or found.weights == "random"
        return None if how == "if there" and is_random else found

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
    fed: Evaluated | None = None,
    cold: bool = False,
) -> Measurement:
    """Latency of a network at its variant's input, or the reason why its file cannot be timed with this batch or dtype.

    net: on any device.
    variant: its input size, and whether it takes a list of images.
    batch, dtype, device: for the forward pass.
    runtime: turns the network into the callable that is timed.
    mode, budget, cap: how long, as `measure.measure_latency` takes them.
    progress: called as `progress(seconds done, budget)`, some times a second.
    fed: the entry over whose images the passes go; None for a random input.
    cold: whether caches are flushed before each pass.
    """
    from hrbench.cost import forward
    from hrbench.cost.latency import measure

    if reason := forward.unfit(net, variant, batch, dtype):
        conditions = Conditions(batch=batch, input=variant.input, dtype=dtype)
        return Measurement(LATENCY, None, conditions=conditions, reason=reason)
    as_input, inputs, under = forward.as_input(variant), (), {}
    if fed is not None:
        inputs, under = _images(fed, variant, batch, dtype, device, MIN_SAMPLES if mode == "smoke" else None)
    one = measure.measure_latency(
        net,
        (batch, 3, *variant.input),
        device=device,
        dtype=dtype,
        runtime=runtime,
        mode=mode,
        budget=budget,
        cap=cap,
        progress=progress,
        as_input=as_input,
        inputs=inputs,
        cold=cold,
    )
    if (most := forward.batch_of_file(net)) < batch:
        under["timed"] = f"{batch // most} passes of the {most} images that the file takes, one after the other"
    return replace(one, conditions=replace(one.conditions, **under))


def _images(
    fed: Evaluated, variant: Variant, batch: int, dtype: str, device: str, most: int | None
) -> tuple[list[Any], dict[str, str]]:
    """Batches of images as a network takes them, and what the conditions say of them."""
    import torch

    from hrbench.cost import forward
    from hrbench.cost.latency import images

    like = torch.empty(0, device=device, dtype=forward.dtype_named(dtype))
    pool = images.image_pool(fed, variant, like, most or images.POOL)
    batches = images.batches_of(pool, batch, as_list=forward.as_input(variant) is not None)
    under = {
        "inputs": f"{amount(len(pool), 'image')} of {fed.dataset}",
        "data": fed.digest[:12],
        "weights": fed.weights,
    }
    return batches, under
