"""What an entry's network costs: parameters, operations, latency. Accuracy is measured apart (`evaluate.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from hrbench import environment, keys
from hrbench.evaluate import Listen, Settings, build, device_of
from hrbench.types import Cost, Entry, EntryError, Event, Quantity


def cost_key(entry: Entry, settings: Settings) -> str:
    """Key of an entry's costs on this machine; needs no torch unless a GPU might be used."""
    cards = environment.gpus() if settings.device != "cpu" else []
    name, driver = environment.processor(), ""
    if cards and device_of(settings).startswith("cuda"):
        index = int(settings.device.partition(":")[2] or 0)
        name, driver = cards[index]["name"], cards[index]["driver"]
    return keys.cost_key(entry, device=name, driver=driver, torch=version("torch"))


def measure_costs(entry: Entry, settings: Settings, listen: Listen) -> tuple[Cost, ...]:
    """Parameters, operation views, and latency at every batch and dtype the entry asks for.

    What cannot be counted or timed is a Cost without a value that carries its reason. Raises HrbenchError where the
    network cannot even be built.
    """
    from hrbench.cost.latency import measure_latency
    from hrbench.cost.operations import parameter_costs

    height, width = entry.variant.input
    device = device_of(settings)
    net = build(entry.variant)
    values = list(parameter_costs(net))
    if entry.cost.get("operations", True):
        values += _operations(entry)
    latency = entry.cost.get("latency") or {}
    cells = [(batch, dtype) for dtype in latency.get("dtype", ()) for batch in latency.get("batch", ())]
    net = net.to(device) if cells else net
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
            )
        )
    return tuple(values)


def _operations(entry: Entry) -> Sequence[Cost]:
    from hrbench.cost.operations import count_operations, operation_costs

    height, width = entry.variant.input
    try:
        return operation_costs(count_operations(lambda: build(entry.variant), (1, 3, height, width)))
    except EntryError as error:
        return [Cost(Quantity("macs", "GMACs", "operations", "lower"), None, {"view": "macs"}, (), str(error))]
