"""The cost probes that an entry requests, their options and cells, and what they return, checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from hrbench.contracts import CostProbe
from hrbench.core.plugins import resolve
from hrbench.errors import EntryError, UsageError
from hrbench.runner.conformance import check_contract
from hrbench.types import Better, Conditions, Entry, Measurement, Unit

if TYPE_CHECKING:
    pass


ALWAYS = ("parameters", "operations")
"""Probes that measure unless an entry turns them off: they only count, and share one process."""

OF_THE_MODULE = (*ALWAYS, "operations_on_images")
"""Probes that count in the torch module itself, whatever runs it: the runtime is no part of their keys."""


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


def cells_of(name: str, probe_settings: Mapping[str, Any], entry: Entry) -> tuple[CostProbe, Any, Sequence[Conditions]]:
    """A probe, its options and the conditions of its cells."""
    probe = probe_of(name)
    options = options_of(name, probe, probe_settings, entry)
    return probe, options, list(probe.cells(options))


def measured_by(probe: str, costs: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """Those of an entry's costs that a probe measured."""
    names = {one.name for one in probe_of(probe).quantities}
    return tuple(cost for cost in costs if cost.quantity.name in names)


def checked(name: str, probe: CostProbe, values: Any) -> list[Measurement]:
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
