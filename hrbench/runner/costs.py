"""What an entry's network costs: parameters, operations, latency. Accuracy is measured apart (`evaluate.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrbench.core import environment
from hrbench.core.environment import processor
from hrbench.core.plugins import libraries, resolve, source_of
from hrbench.cost.latency.summary import COST_VERSION
from hrbench.errors import EntryError
from hrbench.models.build import build
from hrbench.runner.device import device_of
from hrbench.runner.evaluate import Listen
from hrbench.runner.precomputed import NO_NETWORK
from hrbench.runner.settings import Settings
from hrbench.store import keys
from hrbench.types import Conditions, Entry, Event, Measurement, Quantity, Reason, Variant

if TYPE_CHECKING:
    from torch import nn

    from hrbench.cost.operations.ledger import Ledger


def cost_key(entry: Entry, settings: Settings) -> str:
    """Key of an entry's costs on this machine; needs no torch unless a GPU might be used."""
    name, driver, threads = processor(), "", environment.threads()
    if _may_use_gpu(settings) and (device := device_of(settings)).startswith("cuda"):
        import torch

        # torch's own name: NVML counts cards that CUDA_VISIBLE_DEVICES hides
        name, threads = torch.cuda.get_device_name(device), None
        driver = next((str(card["driver"]) for card in environment.gpus()), "")
    return keys.cost_key(
        entry,
        device=name,
        driver=driver,
        torch=version("torch"),
        threads=threads,
        version=COST_VERSION,
        libraries=libraries(entry.variant.use),
    )


def _may_use_gpu(settings: Settings) -> bool:
    return settings.device != "cpu" and (bool(environment.gpus()) or Path("/dev/nvidiactl").exists())


def measure_costs(entry: Entry, settings: Settings, listen: Listen) -> tuple[Measurement, ...]:
    """Parameters, operation views, and latency at every batch and dtype the entry asks for.

    What cannot be counted or timed is a Measurement without a value that carries its reason; so is all of it where
    predictions were given and no network. Raises HrbenchError where the network cannot even be built.
    """
    from hrbench.cost.operations.count import on_meta

    variant = entry.variant
    if not variant.use:
        return _none(entry)
    device = device_of(settings)
    resolve("hrbench.models", variant.use)  # imported before, since tensors made on import would be on meta too
    net = on_meta(lambda: build(variant))
    values = parameters(net)
    if entry.cost.get("operations", True):
        values += _operations(net, variant)
    cells = _cells(entry)
    net = build(variant).to(device) if cells else net
    for number, (batch, dtype) in enumerate(cells):
        listen(Event("cost", entry.name, _phase(batch, dtype), done=number, total=len(cells)))
        values.append(_latency(entry, net, batch, dtype, device, listen))
    return tuple(values)


def _cells(entry: Entry) -> list[tuple[int, str]]:
    """Every batch and dtype that latency is asked for at."""
    latency = entry.cost.get("latency") or {}
    return [(batch, dtype) for dtype in latency.get("dtype", ()) for batch in latency.get("batch", ())]


def _phase(batch: int, dtype: str) -> str:
    return f"latency, batch {batch}, {dtype}"


def _latency(entry: Entry, net: nn.Module, batch: int, dtype: str, device: str, listen: Listen) -> Measurement:
    def tell(done: float, budget: float) -> None:
        listen(Event("progress", entry.name, _phase(batch, dtype), "seconds", int(done), int(budget)))

    return latency(net, entry.variant, batch, dtype, device, budget=entry.cost["latency"].get("budget"), progress=tell)


def latency(
    net: nn.Module,
    variant: Variant,
    batch: int,
    dtype: str,
    device: str,
    budget: float | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> Measurement:
    """Latency of a network at its variant's input, or why its file cannot be timed at this batch or dtype."""
    from hrbench.cost.latency.measure import measure_latency
    from hrbench.cost.latency.summary import LATENCY

    fixed = str(getattr(net, "precision", dtype)).removeprefix("torch.")  # of a network that is a file
    at_once = getattr(net, "fixed_batch", None) or 1
    unlike = None
    if fixed != dtype:
        unlike = Reason(f"the network's file computes in {fixed}", "ask for latency in that")
    elif batch % at_once:
        unlike = Reason(f"the network's file takes {at_once} images at once", "ask for latency at such a batch")
    if unlike is not None:
        conditions = Conditions(batch=batch, input=variant.input, dtype=dtype)
        return Measurement(LATENCY, None, conditions=conditions, reason=unlike)
    shape = (batch, 3, *variant.input)
    return measure_latency(
        net, shape, device=device, dtype=dtype, budget=budget, progress=progress, as_input=as_input(variant)
    )


def parameters(net: nn.Module) -> list[Measurement]:
    """The parameters and buffers of a network, with what it says that they are the count of."""
    from hrbench.cost.operations.count import parameter_costs

    said = getattr(net, "counted", "")
    return [
        replace(cost, conditions=Conditions(counted=said)) if said and cost.quantity.name == "parameters" else cost
        for cost in parameter_costs(net)
    ]


def _none(entry: Entry) -> tuple[Measurement, ...]:
    """The costs of an entry that has predictions and no network: each says so."""
    import torch

    from hrbench.cost.latency.summary import LATENCY
    from hrbench.cost.operations.count import parameter_costs

    empty = torch.nn.Module()
    values = [replace(cost, value=None, reason=NO_NETWORK) for cost in parameter_costs(empty)]
    if entry.cost.get("operations", True):
        values += uncounted(NO_NETWORK)
    for batch, dtype in _cells(entry):
        conditions = Conditions(batch=batch, dtype=dtype)
        values.append(Measurement(LATENCY, None, conditions=conditions, reason=NO_NETWORK))
    return tuple(values)


def as_input(variant: Variant) -> Callable[[Any], Any] | None:
    """What makes a network's input of an (N, C, H, W) tensor: a list of images for a detector, None as it is."""
    return list if variant.task == "detection" else None


def _operations(net: nn.Module, variant: Variant) -> Sequence[Measurement]:
    """Every view of the operations, or why there are none."""
    from hrbench.cost.operations.count import operation_costs

    try:
        ledger, counted_on = count(net, variant)
    except EntryError as error:
        return uncounted(Reason(str(error)))
    return operation_costs(ledger, counted_on)


def count(net: nn.Module, variant: Variant) -> tuple[Ledger, str]:
    """The operations of a network at its variant's input, and where they were counted, in words, if on the CPU.

    Counted on the CPU where another source's network needs values for its pass. Raises EntryError where they cannot be
    counted.
    """
    from hrbench.cost.operations.count import count_operations
    from hrbench.cost.operations.recorder import ValuesNeeded

    shape = (1, 3, *variant.input)
    try:
        return count_operations(net, shape), ""
    except ValuesNeeded:
        if source_of(variant.use) is None:
            raise
    counted_on = "the CPU with a random input, since the network looks at values on its way"
    return count_operations(build(variant), shape, device="cpu"), counted_on


def uncounted(reason: Reason) -> list[Measurement]:
    """The operation views of a network whose operations cannot be counted, each with the reason."""
    from hrbench.cost.operations.conventions import VIEWS

    return [
        Measurement(
            Quantity(name, view.label, "operations", "lower", view.description),
            None,
            conditions=Conditions(convention=name, batch=1),
            reason=reason,
        )
        for name, view in VIEWS.items()
    ]
