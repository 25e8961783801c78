"""Measures the costs of an entry's network by the cost probes that it requests. Accuracy: `evaluate.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args

from hrbench.contracts import CostProbe, Evaluated, MeasuresInProcesses, NeedsOwnProcess, Runtime
from hrbench.core import environment
from hrbench.core.environment import processor
from hrbench.core.plugins import installed_version, libraries, resolve, runtime_libraries
from hrbench.cost.latency.summary import COST_VERSION
from hrbench.errors import EntryError, UsageError
from hrbench.models.build import build
from hrbench.models.runtimes.configured import in_force
from hrbench.runner.conformance import check_contract
from hrbench.runner.device import device_of, runtime, runtime_version
from hrbench.runner.evaluate import EventHandler
from hrbench.runner.fed_images import evaluated, fed_digests, fed_how, fed_key, fed_parts
from hrbench.runner.precomputed import NO_NETWORK
from hrbench.runner.prepare import NO_DIGESTS
from hrbench.runner.settings import Settings
from hrbench.store import keys
from hrbench.store.format_1_keys import format_1_cost_key
from hrbench.types import Better, Conditions, Entry, Event, Measurement, Reason, Result, Unit, Variant

if TYPE_CHECKING:
    from torch import nn

ALWAYS = ("parameters", "operations")
"""Probes that measure unless an entry turns them off: they only count, and share one process."""

OF_THE_MODULE = (*ALWAYS, "operations_on_images")
"""Probes that count in the torch module itself, whatever runs it: the runtime is no part of their keys."""

FORMAT_1: Mapping[str, int] = MappingProxyType({"parameters": 1, "operations": 2, "latency": 2})
"""Probe -> the version of it that measures what hrbench 0.1.0 measured."""


# --- requested probes, and their keys -------------------------------------------------------------------------------


def requested_probes(entry: Entry) -> dict[str, Mapping[str, Any]]:
    """Name of each probe that an entry requests -> the settings that the entry gives."""
    every = {**dict.fromkeys(ALWAYS, True), **entry.cost}
    return {
        name: value if isinstance(value, Mapping) else {} for name, value in every.items() if value not in (False, None)
    }


def probe_of(name: str) -> CostProbe:
    """A probe by its entry point or "package.module:Class". Raises UsageError, or EntryError if it is not one."""
    return _probe(name, resolve("hrbench.costs", name))


@cache  # a probe is asked for several times for each entry
def _probe(name: str, make: Callable[[], CostProbe]) -> CostProbe:
    """What a callable makes. Raises EntryError if it is no probe."""
    probe = make()
    check_contract("hrbench.costs", name, probe)
    unknown = [word for word in probe.depends if word not in ("device", "driver", "torch", "threads")]
    if unknown:
        raise EntryError(f"{name}: depends names {', '.join(unknown)}; it may name device, driver, torch and threads")
    for one in probe.quantities:
        for given, known, what in ((one.unit, get_args(Unit), "unit"), (one.better, get_args(Better), "better")):
            if given not in known:
                raise EntryError(f"{name}: {one.name} has {what} {given!r}; there is {', '.join(known)}")
    return probe


def options_of(name: str, probe: CostProbe, settings: Mapping[str, Any], entry: Entry) -> Any:
    """A probe's options with these settings, lists as tuples, and the entry's dtype if it has a `dtype` that is ().

    Raises UsageError for a setting that it does not have.
    """
    known = [one.name for one in fields(probe.Options)] if is_dataclass(probe.Options) else []
    unknown = [key for key in settings if key not in known]
    if unknown:
        takes = ", ".join(known) or "no settings"
        raise UsageError(f"cost {name} does not take {', '.join(unknown)}; it takes {takes}")
    made = probe.Options(**{key: tuple(item) if isinstance(item, list) else item for key, item in settings.items()})
    return replace(made, dtype=(entry.dtype,)) if getattr(made, "dtype", None) == () else made


Digests = Callable[[], Mapping[str, str | None] | None]
"""Gives the digests of an entry's weights and data when they are asked for, as `fed_images.fed_digests` does."""


def digests_for(entry: Entry, settings: Settings, result: Result | None = None, generate: bool = True) -> Digests:
    """Digests of an entry's weights and data, computed once, and only if one of its costs depends on them.

    result: the entry's, None if there is none.
    generate: whether a miniature data set that does not exist yet is generated.
    """
    return cache(lambda: fed_digests(entry, settings, result, generate))


def cost_keys(
    entry: Entry, settings: Settings, in_force: int | None = None, digests: Digests | None = None
) -> dict[str, str]:
    """Key of each probe's numbers on this machine; needs no torch unless a GPU might be used.

    entry, settings: what is measured, and on which device.
    in_force: number of CPU threads that the network set for itself, None if it did not change it.
    digests: of the weights and data of the entry; computed if None.
    """
    machine = _machine(settings, in_force, threads_set(entry))
    digests = digests or digests_for(entry, settings)
    found = {}
    for name, probe_settings in requested_probes(entry).items():
        probe = probe_of(name)
        options = options_of(name, probe, probe_settings, entry)
        of_module = name in OF_THE_MODULE
        found[name] = keys.probe_key(
            entry,
            probe=name,
            version=probe.version,
            options={one.name: getattr(options, one.name) for one in fields(options)},
            measured_with={word: machine[word] for word in probe.depends},
            libraries=libraries(entry.variant.use) | ({} if of_module else runtime_libraries(entry.runtime.name)),
            runtime={} if of_module else entry.runtime.stated(),
            runtime_version=1 if of_module else runtime_version(entry.runtime),
            fed=fed_key(entry, probe, options, digests),
        )
    return found


def valid_costs(
    entry: Entry,
    settings: Settings,
    stored: Result | None,
    digests: Digests | None = None,
    expected: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Name of each probe that the entry asks for and whose stored numbers still count -> their key of today.

    digests: of the weights and data of the entry; computed if None.
    expected: what `cost_keys` says of the entry; computed if None.
    """
    if stored is None or not stored.costs:
        return {}
    digests = digests or digests_for(entry, settings, stored, generate=False)
    expected = cost_keys(entry, settings, digests=digests) if expected is None else expected
    threads = threads_of(stored.costs)
    as_set = threads in (None, threads_set(entry))  # then the keys are the same, and need not be computed again
    in_force = expected if as_set else cost_keys(entry, settings, threads, digests)
    if stored.cost_key is not None and stored.cost_key == format_1_key(entry, settings):
        return {name: key for name, key in expected.items() if probe_of(name).version == FORMAT_1.get(name)}
    keys_of = stored.cost_keys
    valid = {name: keys_of[name] for name in expected if keys_of.get(name) in (expected[name], in_force[name])}
    if not settings.redo_unstable:
        return valid
    return {name: key for name, key in valid.items() if not is_unstable(measured_by(name, stored.costs))}


def is_unstable(costs: Iterable[Measurement]) -> bool:
    """Whether the machine disturbed one of these costs."""
    return any(one.conditions.stability == "unstable" for one in costs)


def measured_by(probe: str, costs: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """Those of an entry's costs that a probe measured."""
    names = {one.name for one in probe_of(probe).quantities}
    return tuple(cost for cost in costs if cost.quantity.name in names)


def threads_of(costs: Iterable[Measurement]) -> int | None:
    """CPU threads that latency was measured with; None if there is none."""
    return next((cost.conditions.threads for cost in costs if cost.conditions.threads is not None), None)


def format_1_key(entry: Entry, settings: Settings) -> str:
    """The key that hrbench 0.1.0 gave an entry's costs on this machine; "" if it would not have measured the same.

    Probes that 0.1.0 did not have are no part of it, nor are settings that its probes did not have.
    """
    requested, latency = requested_probes(entry), entry.cost.get("latency")
    if "parameters" not in requested:
        return ""
    if latency and not isinstance(latency, Mapping):
        return ""
    machine = _machine(settings, None, threads_set(entry))
    measured_with = {**machine, "version": COST_VERSION, "libraries": libraries(entry.variant.use)}
    return format_1_cost_key(entry, **measured_with)


def threads_set(entry: Entry) -> int:
    """CPU threads that an entry is run with, unless its network sets others: those of its runtime, or the process's."""
    return entry.runtime.threads or environment.threads()


def _machine(settings: Settings, in_force: int | None, expected: int) -> dict[str, Any]:
    """What numbers may depend on: device and driver by name, torch's version, threads of a pass on the CPU.

    in_force: threads that the network was measured with, None if that is not known.
    expected: those that were set.
    """
    name, driver, threads = processor(), "", expected if in_force in (None, expected) else [expected, in_force]
    if may_use_gpu(settings) and (device := device_of(settings)).startswith("cuda"):
        import torch

        # torch's own name: NVML counts cards that CUDA_VISIBLE_DEVICES hides
        name, threads = torch.cuda.get_device_name(device), None
        driver = next((str(card["driver"]) for card in environment.gpus()), "")
    return {"device": name, "driver": driver, "torch": installed_version("torch"), "threads": threads}


def may_use_gpu(settings: Settings) -> bool:
    """Whether the device may be a GPU, without loading torch."""
    return settings.device != "cpu" and (bool(environment.gpus()) or Path("/dev/nvidiactl").exists())


# --- measuring -------------------------------------------------------------------------------------------------------


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
        probe, options, cells = _cells(name, names[name], entry)
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
        probe, options, conditions = _cells(name, requested_probes(entry)[name], entry)
        if settings.in_process and (why := _needs_processes(probe, cell)):
            reason, under = Reason(why, "run without --in-process"), conditions[cell["number"]]
            values += [Measurement(one, None, conditions=under, reason=reason) for one in probe.quantities]
            continue
        values += _checked(name, probe, probe.measure(subject, conditions[cell["number"]], options))
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
    return tuple(_checked(name, probe, probe.merge(parts)))


def unmeasured(entry: Entry, cell: Mapping[str, Any], reason: Reason) -> tuple[Measurement, ...]:
    """The quantities of a cell without values, for the reason why it could not be measured."""
    found = []
    for name in cell["probes"]:
        probe, _, conditions = _cells(name, requested_probes(entry)[name], entry)
        under = conditions[cell["number"]]
        found += [Measurement(one, None, conditions=under, reason=reason) for one in probe.quantities]
    return tuple(found)


def without_network(entry: Entry, only: Iterable[str] | None = None) -> tuple[Measurement, ...]:
    """The costs of an entry that has precomputed predictions and no network: every quantity without a value."""
    return tuple(one for cell in cost_cells(entry, only) for one in unmeasured(entry, cell, NO_NETWORK))


def _cells(name: str, probe_settings: Mapping[str, Any], entry: Entry) -> tuple[CostProbe, Any, Sequence[Conditions]]:
    """A probe, its options and the conditions of its cells."""
    probe = probe_of(name)
    options = options_of(name, probe, probe_settings, entry)
    return probe, options, list(probe.cells(options))


def _checked(name: str, probe: CostProbe, values: Any) -> list[Measurement]:
    """The measurements of a probe. Raises EntryError if they are not what a probe returns."""
    if not isinstance(values, list | tuple) or not all(isinstance(one, Measurement) for one in values) or not values:
        raise EntryError(f"cost {name} returned {values!r:.60}; a list of Measurement is needed, one at least")
    known = {one.name for one in probe.quantities}
    for one in values:
        what = f"cost {name} measured {one.quantity.name}"
        if one.quantity.name not in known:
            raise EntryError(f"{what}, which is not among its quantities")
        if one.value is None and one.reason is None:
            raise EntryError(f"{what} as None without a reason")
        if one.value is not None and not (isinstance(one.value, int | float) and math.isfinite(one.value)):
            raise EntryError(f"{what} as {one.value!r:.60}; an int or a finite float is needed, or None and a reason")
    return list(values)


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
