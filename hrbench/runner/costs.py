"""Measures the costs of an entry's network by the cost probes that it requests. Accuracy: `evaluate.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hrbench.contracts import CostProbe, Evaluated, MeasuresInProcesses, NeedsOwnProcess, Runtime
from hrbench.core.plugins import resolve
from hrbench.models.build import build
from hrbench.models.runtimes.configured import in_force
from hrbench.runner.device import device_of, runtime
from hrbench.runner.evaluate import EventHandler
from hrbench.runner.fed_images import evaluated, fed_how, fed_parts
from hrbench.runner.precomputed import NO_NETWORK
from hrbench.runner.prepare import NO_DIGESTS
from hrbench.runner.probes import (
    ALWAYS,
    cells_of,
    checked,
    options_of,
    probe_of,
    requested_probes,
)
from hrbench.runner.settings import Settings
from hrbench.types import Conditions, Entry, Event, Measurement, Reason, Variant

if TYPE_CHECKING:
    from torch import nn


def cost_cells(entry: Entry, only: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """The cells of an entry's costs, each for a separate process: plain JSON values for `measure_cell`.

    only: names of the requested probes; None for all of the entry.

    Each cell of a probe is one process, or `cell["processes"]` of them, except that the probes of `ALWAYS` share the
    first.
    """
    chosen = None if only is None else set(only)
    names = {name: settings for name, settings in requested_probes(entry).items() if chosen is None or name in chosen}
    counting = [name for name in ALWAYS if name in names]
    found: list[dict[str, Any]] = []
    if counting:
        found.append({"probes": counting, "number": 0, "name": counting[-1], "processes": 1})
    for name in (name for name in names if name not in ALWAYS):
        probe, options, cells = cells_of(name, names[name], entry)
        several = probe.processes(options) if isinstance(probe, MeasuresInProcesses) else 1
        found += [
            {"probes": [name], "number": i, "name": _phase(name, cell), "processes": several}
            for i, cell in enumerate(cells)
        ]
    return found


def cell_name(cell: Mapping[str, Any]) -> str:
    """A cell in words, for progress and messages."""
    return cell["name"]


def _needs_processes(probe: CostProbe, cell: Mapping[str, Any]) -> str:
    """Why a cell has no value where everything runs in one process, in words; "" if it has."""
    if isinstance(probe, NeedsOwnProcess):
        return probe.own_process
    several = cell.get("processes", 1)
    return f"it is measured in {several} processes" if several > 1 else ""


def _of_processes(cell: Mapping[str, Any]) -> str:
    """A cell in words, with which of several processes it is."""
    if cell.get("processes", 1) == 1 or "process" not in cell:
        return cell_name(cell)
    return f"{cell_name(cell)}, process {cell['process'] + 1} of {cell['processes']}"


def only_counts(cell: Mapping[str, Any]) -> bool:
    """Whether a cell only counts; such a cell fails only if the network cannot be built."""
    return cell["probes"][0] in ALWAYS


def is_fed(entry: Entry, cell: Mapping[str, Any]) -> bool:
    """Whether a cell may be measured on images of the entry's data set."""
    found = ((probe_of(name), name) for name in cell["probes"])
    return any(
        fed_how(entry, probe, options_of(name, probe, requested_probes(entry)[name], entry)) != "never"
        for probe, name in found
    )


def measure_cell(
    entry: Entry, cell: Mapping[str, Any], settings: Settings, on_event: EventHandler
) -> tuple[Measurement, ...]:
    """One cell of an entry's costs.

    cell: one of `cost_cells`.

    What cannot be counted or timed is a Measurement without a value and with a reason. Raises HrbenchError if the
    network cannot be built.
    """
    device = "cpu" if only_counts(cell) else device_of(settings)
    with in_force(entry.runtime):
        return _measured_cell(entry, cell, settings, on_event, device)


def _measured_cell(
    entry: Entry, cell: Mapping[str, Any], settings: Settings, on_event: EventHandler, device: str
) -> tuple[Measurement, ...]:
    subject = Subject(entry.variant, entry.name, device, runtime(entry.runtime), on_event, settings.offline,
                      _of_processes(cell), evaluation=lambda: _evaluated(entry, settings, cell))  # fmt: skip
    values: list[Measurement] = []
    for name in cell["probes"]:
        probe, options, conditions = cells_of(name, requested_probes(entry)[name], entry)
        if settings.in_process and (why := _needs_processes(probe, cell)):
            reason, under = Reason(why, "run without --in-process"), conditions[cell["number"]]
            values += [Measurement(one, None, conditions=under, reason=reason) for one in probe.quantities]
            continue
        values += checked(name, probe, probe.measure(subject, conditions[cell["number"]], options))
    return tuple(values)


def _evaluated(entry: Entry, settings: Settings, cell: Mapping[str, Any]) -> Evaluated | Reason:
    """The entry as it is evaluated, or why it cannot be. cell: with the digests that were computed already, if any."""
    parts = fed_parts(entry, settings, digests=cell.get("digests") or NO_DIGESTS)
    return parts if isinstance(parts, Reason) else evaluated(parts)


def merged(entry: Entry, cell: Mapping[str, Any], parts: Sequence[tuple[Measurement, ...]]) -> tuple[Measurement, ...]:
    """The costs of a cell, of what each of its processes measured. Raises EntryError if a probe merges them wrongly."""
    if len(parts) == 1:
        return parts[0]
    (name,) = cell["probes"]
    probe = probe_of(name)
    assert isinstance(probe, MeasuresInProcesses)
    return tuple(checked(name, probe, probe.merge(parts)))


def unmeasured(entry: Entry, cell: Mapping[str, Any], reason: Reason) -> tuple[Measurement, ...]:
    """The quantities of a cell without values, for the reason why it could not be measured."""
    found = []
    for name in cell["probes"]:
        probe, _, conditions = cells_of(name, requested_probes(entry)[name], entry)
        under = conditions[cell["number"]]
        found += [Measurement(one, None, conditions=under, reason=reason) for one in probe.quantities]
    return tuple(found)


def without_network(entry: Entry, only: Iterable[str] | None = None) -> tuple[Measurement, ...]:
    """The costs of an entry that has precomputed predictions and no network: every quantity without a value."""
    return tuple(one for cell in cost_cells(entry, only) for one in unmeasured(entry, cell, NO_NETWORK))


def _phase(name: str, cell: Conditions) -> str:
    """A cell in words: "latency, batch 1, float32"."""
    return ", ".join(
        [name, *(str(value) if key == "dtype" else f"{key} {value}" for key, value in cell.stated().items())]
    )


@dataclass(slots=True)
class Subject:
    """The network of an entry, built when a probe asks for it (contracts.CostSubject).

    name: of the entry, for the events.
    device: in words that torch takes.
    on_event: called with events of progress.
    offline: whether a source must find the network on this disk.
    phase: the cell in words, for the events.
    evaluation: gives the entry as it is evaluated, or why it cannot be.
    """

    variant: Variant
    name: str
    device: str
    runtime: Runtime
    on_event: EventHandler
    offline: bool = False
    phase: str = ""
    evaluation: Callable[[], Evaluated | Reason] = lambda: Reason("no data set was asked for")
    _networks: dict[str, nn.Module] = field(default_factory=dict)

    def on_meta(self) -> nn.Module:
        """The network without values, made once."""
        from hrbench.cost.operations.count import on_meta

        resolve("hrbench.models", self.variant.use)  # imported before, else tensors made on import were on meta too
        if "meta" not in self._networks:
            self._networks["meta"] = on_meta(self.build)
        return self._networks["meta"]

    def on_device(self) -> nn.Module:
        """The network on the device, made once."""
        if "device" not in self._networks:
            self._networks["device"] = self.build().to(self.device)
        return self._networks["device"]

    def build(self) -> nn.Module:
        """A new network with random weights, on the CPU."""
        return build(self.variant, offline=self.offline)

    def evaluated(self) -> Evaluated | Reason:
        """The entry as it is evaluated, with its weights; or why it cannot be."""
        return self.evaluation()

    def progress(self, unit: str, done: int, total: int) -> None:
        """Reports the progress of the cell."""
        self.on_event(Event("progress", self.name, self.phase, unit, done, total))
