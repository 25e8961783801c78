"""What was seen of a machine between two moments: shares and extremes, of the readings of the sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hrbench.cost.telemetry.watch import Record

THROTTLED_BITS = 0x8 | 0x20 | 0x40 | 0x80
"""NVML's reasons for lower clocks that nobody asked for: hardware slowdown, software and hardware thermal slowdown,
power brake. The limit on power (0x4) is none: a GPU may run at it for hours with a steady clock, which is looked at."""


def between(record: Record, begin: float, end: float) -> dict[str, Any]:
    """What was seen from `begin` to `end`, by the monotonic clock, in seconds.

    Of what the system tells: `waited` (share of the time in which threads ran or waited), `steal` (of the worst
    processor's time), `throttled` and `pressure` (shares of the time), `others` (processors in use by others, mean),
    `load`, `clock` (MHz, median) and `clock_spread` (share of the median); of a GPU `sm_clock`, `sm_clock_spread`,
    `memory_clock`, `memory_clock_spread`, `power` (W, mean), `temperature` (degrees Celsius, largest), `slowed` (share
    of readings with a slowdown by hardware or heat), `power_limited` and `locked` (shares of readings at the limit of
    power, and with clocks that somebody has set), `foreign` (other processes that use it, largest); and `sampler`
    (share of one core).
    """
    inside = [one for one in record.readings if begin <= one["at"] <= end]
    found: dict[str, Any] = {}
    if len(inside) >= 2:
        found |= _processors(inside)
    clocks = [float(one["clock"]) for one in inside if "clock" in one]
    found |= _clock("clock", clocks)
    found |= _gpu([one["gpu"] for one in inside if "gpu" in one])
    if record.readings and (whole := record.readings[-1]["at"] - record.readings[0]["at"]) > 0:
        found["sampler"] = record.busy / whole
    for name in ("ecc", "mig", "power_limit"):
        if name in record.facts.get("gpu", {}):
            found[name] = record.facts["gpu"][name]
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in found.items()}


def _processors(inside: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    first, last = inside[0], inside[-1]
    seconds = last["at"] - first["at"]
    found = {}

    def grown(name: str) -> float | None:
        return last[name] - first[name] if name in first and name in last else None

    ran, waited = grown("ran"), grown("waited")
    if ran is not None and waited is not None and ran + waited > 0:
        found["waited"] = waited / (ran + waited)
    if seconds > 0:
        if "steal" in first and "steal" in last:
            found["steal"] = max(b - a for a, b in zip(first["steal"], last["steal"], strict=True)) / seconds
        for name in ("throttled", "pressure"):
            if (value := grown(name)) is not None:
                found[name] = value / seconds
        if (used := grown("used")) is not None and ran is not None:
            found["others"] = max(0.0, used - ran) / seconds
    if "load" in last:
        found["load"] = float(last["load"])
    return found


def _clock(name: str, values: Sequence[float]) -> dict[str, float]:
    """The median of a clock, and how far it moved: from the 5th to the 95th percentile, as a share of the median."""
    if not values:
        return {}
    ordered = sorted(values)
    middle, cut = ordered[len(ordered) // 2], len(ordered) // 20
    spread = (ordered[len(ordered) - 1 - cut] - ordered[cut]) / middle if middle else 0.0
    return {name: middle, f"{name}_spread": spread}


def _gpu(readings: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    if not readings:
        return found
    found |= _clock("sm_clock", [float(one["sm"]) for one in readings if "sm" in one])
    found |= _clock("memory_clock", [float(one["memory"]) for one in readings if "memory" in one])
    if power := [one["power"] for one in readings if "power" in one]:
        found["power"] = sum(power) / len(power)
    if temperature := [one["temperature"] for one in readings if "temperature" in one]:
        found["temperature"] = max(temperature)
    if reasons := [one["reasons"] for one in readings if "reasons" in one]:
        found["slowed"] = sum(bool(one & THROTTLED_BITS) for one in reasons) / len(reasons)
        found["power_limited"] = sum(bool(one & 0x4) for one in reasons) / len(reasons)
        found["locked"] = sum(bool(one & 0x2) for one in reasons) / len(reasons)
    if foreign := [one["foreign"] for one in readings if "foreign" in one]:
        found["foreign"] = max(foreign)
    return found
