"""Keys of the costs of an entry on this machine, and which stored numbers still count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hrbench.core import environment
from hrbench.core.environment import processor
from hrbench.core.plugins import installed_version, libraries, runtime_libraries
from hrbench.cost.latency.summary import COST_VERSION
from hrbench.runner.device import device_of, runtime_version
from hrbench.runner.fed_images import fed_digests, fed_key
from hrbench.runner.probes import (
    OF_THE_MODULE,
    measured_by,
    options_of,
    probe_of,
    requested_probes,
)
from hrbench.runner.settings import Settings
from hrbench.store import keys
from hrbench.store.format_1_keys import format_1_cost_key
from hrbench.types import Entry, Measurement, Result

if TYPE_CHECKING:
    pass


FORMAT_1: Mapping[str, int] = MappingProxyType({"parameters": 1, "operations": 2, "latency": 2})
"""Probe -> the version of it that measures what hrbench 0.1.0 measured."""


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
    machine = _machine(settings, in_force, threads_set(entry, settings))
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
    # where they are as they were set, the keys are the same and need not be computed again
    as_set = threads in (None, threads_set(entry, settings))
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
    machine = _machine(settings, None, threads_set(entry, settings))
    measured_with = {**machine, "version": COST_VERSION, "libraries": libraries(entry.variant.use)}
    return format_1_cost_key(entry, **measured_with)


def threads_set(entry: Entry, settings: Settings) -> int:
    """CPU threads that an entry is run with, unless its network sets others: those of its runtime, or the process's."""
    elsewhere = None if settings.machine is None else settings.machine["cpu_threads"]
    return entry.runtime.threads or elsewhere or environment.threads()


def _machine(settings: Settings, in_force: int | None, expected: int) -> dict[str, Any]:
    """What numbers may depend on: device and driver by name, torch's version, threads of a pass on the CPU.

    in_force: threads that the network was measured with, None if that is not known.
    expected: those that were set.
    """
    found = machine_here(settings) if settings.machine is None else settings.machine
    threads = expected if in_force in (None, expected) else [expected, in_force]
    named = {name: found[name] for name in ("device", "driver", "torch")}
    return {**named, "threads": None if found["gpu"] else threads}


def machine_here(settings: Settings) -> dict[str, Any]:
    """What costs depend on of this machine, JSON values: "device", "driver" and "torch" by name or version, "gpu",
    whether the device is one, and "cpu_threads".
    """
    name, driver, gpu = processor(), "", False
    if may_use_gpu(settings) and (device := device_of(settings)).startswith("cuda"):
        import torch

        # torch's own name: NVML counts cards that CUDA_VISIBLE_DEVICES hides
        name, gpu = torch.cuda.get_device_name(device), True
        driver = next((str(card["driver"]) for card in environment.gpus()), "")
    version = installed_version("torch")
    return {"device": name, "driver": driver, "torch": version, "gpu": gpu, "cpu_threads": environment.threads()}


def may_use_gpu(settings: Settings) -> bool:
    """Whether the device may be a GPU, without loading torch."""
    return settings.device != "cpu" and (bool(environment.gpus()) or Path("/dev/nvidiactl").exists())
