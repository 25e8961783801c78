"""What an entry's network costs: parameters, operations, latency. Accuracy is measured apart (`evaluate.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrbench import environment, keys
from hrbench.cost.version import COST_VERSION
from hrbench.evaluate import Listen, Settings, build, device_of
from hrbench.machine import processor
from hrbench.resolve import resolve
from hrbench.types import Cost, Entry, EntryError, Event, Quantity, Variant

if TYPE_CHECKING:
    from torch import nn


def cost_key(entry: Entry, settings: Settings) -> str:
    """Key of an entry's costs on this machine; needs no torch unless a GPU might be used."""
    name, driver, threads = processor(), "", environment.threads()
    if _may_use_gpu(settings) and (device := device_of(settings)).startswith("cuda"):
        import torch

        # torch's own name: NVML counts cards that CUDA_VISIBLE_DEVICES hides
        name, threads = torch.cuda.get_device_name(device), None
        driver = next((str(card["driver"]) for card in environment.gpus()), "")
    return keys.cost_key(
        entry, device=name, driver=driver, torch=version("torch"), threads=threads, version=COST_VERSION
    )


def _may_use_gpu(settings: Settings) -> bool:
    return settings.device != "cpu" and (bool(environment.gpus()) or Path("/dev/nvidiactl").exists())


def measure_costs(entry: Entry, settings: Settings, listen: Listen) -> tuple[Cost, ...]:
    """Parameters, operation views, and latency at every batch and dtype the entry asks for.

    What cannot be counted or timed is a Cost without a value that carries its reason. Raises HrbenchError where the
    network cannot even be built.
    """
    from hrbench.cost.latency import measure_latency
    from hrbench.cost.operations import on_meta, parameter_costs

    height, width = entry.variant.input
    device = device_of(settings)
    resolve("hrbench.models", entry.variant.use)  # imported before, since tensors made on import would be on meta too
    net = on_meta(lambda: build(entry.variant))
    values = list(parameter_costs(net))
    if entry.cost.get("operations", True):
        values += _operations(net, (1, 3, height, width))
    latency = entry.cost.get("latency") or {}
    cells = [(batch, dtype) for dtype in latency.get("dtype", ()) for batch in latency.get("batch", ())]
    net = build(entry.variant).to(device) if cells else net
    for number, (batch, dtype) in enumerate(cells):
        phase = f"latency, batch {batch}, {dtype}"

        def tell(done: float, budget: float, phase: str = phase) -> None:
            listen(Event("progress", entry.name, phase, "seconds", int(done), int(budget)))

        listen(Event("cost", entry.name, phase, done=number, total=len(cells)))
        values.append(
            measure_latency(
                net,
                (batch, 3, height, width),
                device=device,
                dtype=dtype,
                budget=latency.get("budget"),
                progress=tell,
                as_input=as_input(entry.variant),
            )
        )
    return tuple(values)


def as_input(variant: Variant) -> Callable[[Any], Any] | None:
    """What makes a network's input of an (N, C, H, W) tensor: a list of images for a detector, None as it is."""
    return list if variant.task == "detection" else None


def _operations(net: nn.Module, shape: tuple[int, int, int, int]) -> Sequence[Cost]:
    from hrbench.cost.operations import count_operations, operation_costs
    from hrbench.cost.views import VIEWS

    try:
        return operation_costs(count_operations(net, shape))
    except EntryError as error:
        return [
            Cost(
                Quantity(name, view.label, "operations", "lower", view.description),
                None,
                {"view": name},
                (),
                str(error),
            )
            for name, view in VIEWS.items()
        ]
