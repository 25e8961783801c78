"""Joules for each image: passes for some windows of time, and what a counter of energy says before and after each.

The power of the machine at rest is measured before and told; it is not subtracted, since a network is not to blame for
it and yet cannot run without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from hrbench.contracts import Runtime
from hrbench.core.environment import torch_flags
from hrbench.cost.energy.counters import Counter
from hrbench.cost.energy.quantity import ENERGY
from hrbench.cost.forward import device_name, dtype_named, emulated, first_line, ready, reason_without_value, run_as
from hrbench.cost.latency.clocks import Clock, clock_for, gpu_uuid
from hrbench.cost.latency.marks import Marks
from hrbench.cost.latency.pace import Pace
from hrbench.cost.latency.passes import Passes, time_passes
from hrbench.cost.telemetry.seen import between
from hrbench.cost.telemetry.stability import judged
from hrbench.cost.telemetry.watch import Nobody, Watch, watching
from hrbench.errors import EntryError, HrbenchError
from hrbench.statistics.percentiles import median_interval
from hrbench.types import Conditions, Measurement, Reason

IDLE_SECONDS = 5.0
"""How long the power at rest is measured."""

WARM_UP_SECONDS = 2.0
"""That warming up takes at least, so that clocks and temperature have risen."""

SLOWEST = 4.0
"""A first pass that takes longer than so many windows is given up."""

OTHERS = 0.1
"""Processors that others may use meanwhile: a counter of processors counts their energy, too."""

ROUNDS = 10
"""So many times the power at rest a device is taken to use at most, where a counter that goes round is held to it."""


def measure_energy(
    net: nn.Module,
    input_shape: tuple[int, int, int, int],
    counter: Counter,
    *,
    runtime: Runtime,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | str = "float32",
    seconds: float = 10.0,
    windows: int = 3,
    clock: Clock | None = None,
    sleep: Callable[[float], object] = time.sleep,
    progress: Callable[[float, float], None] | None = None,
    as_input: Callable[[Tensor], Any] | None = None,
    watch: Callable[[str], AbstractContextManager[Watch]] | None = watching,
) -> Measurement:
    """Energy of a network in eval and inference mode on a seeded standard-normal input, in this process.

    net: on any device, in any dtype; copied if they are not the requested ones.
    input_shape: (N, C, H, W).
    counter: of the device.
    runtime: turns the network into the callable that is run.
    dtype: "float32", "bfloat16", ...
    seconds: of each window, at least.
    windows: how many.
    clock, sleep: for tests.
    progress: called as `progress(seconds done, seconds in all)`.
    as_input: converts the (N, C, H, W) tensor to the network's input, e.g. `list` for a detector.
    watch: watches the machine, called with the UUID of the GPU or ""; None for nobody.

    Returns the median of the windows in joules per image, with all of them as samples and a 95 % interval from six
    windows on. Or a Measurement without a value but with a reason: a counter that stands still or goes back, a dtype
    that the device does not support, out of memory, a pass too slow. Raises UsageError for a missing device or dtype;
    EntryError if the network fails.
    """
    device, dtype = torch.device(device), dtype_named(dtype)
    clock = clock or clock_for(device)
    conditions = _conditions(input_shape, device, dtype, counter)
    if why := emulated(net, runtime, device, dtype):
        return Measurement(ENERGY, None, conditions=conditions, reason=why)
    meter = _Meter(counter, clock)
    try:
        with (
            ready(net, input_shape, device, dtype, runtime, as_input) as passing,
            nullcontext(Nobody()) if watch is None else watch(gpu_uuid(device)) as watched,
        ):
            meter.read()
            sleep(IDLE_SECONDS)
            meter.read()
            idle = meter.windows()[0]
            marks = Marks(watched, runtime)
            found = _windows(passing.work, clock, meter, marks, seconds, windows, progress)
    except HrbenchError:
        raise
    except OSError as error:
        why = Reason(f"the energy counter cannot be read any more: {first_line(error)}")
        return Measurement(ENERGY, None, conditions=conditions, reason=why)
    except Exception as error:
        reason = reason_without_value(error, device, dtype)
        if reason is None:
            raise EntryError(f"a forward pass failed while energy was measured: {first_line(error)}") from error
        return Measurement(ENERGY, None, conditions=conditions, reason=reason)
    if reason := next((one.reason for one in found if one.reason), marks.fault):
        return Measurement(ENERGY, None, conditions=conditions, reason=reason)
    used = meter.windows()[2::2]  # each window is between two readings; what lies between windows is left out
    conditions = replace(
        conditions,
        idle_power=idle.power if idle.joules > 0 else None,
        power=sum(one.joules for one in used) / sum(one.seconds for one in used),
        windows=len(used),
        window=min(one.seconds for one in used),
        first_pass=found[0].first,
        warm_up_passes=found[0].warm_up,
        warm_up_settled=found[0].settled,
        passes=sum(len(one.samples) * one.every for one in found),
        compile=passing.prepared,
        threads=torch.get_num_threads(),  # read now: a network may have set it in its first pass
        flags=torch_flags(),
        **run_as(runtime, device, dtype)._asdict(),
    )
    if counter.range is not None and ROUNDS * max(idle.power, 1.0) * max(one.seconds for one in used) > counter.range:
        why = Reason(
            f"the energy counter begins again after {counter.range:,.0f} J, which {seconds:.3g} s may use twice",
            "lower seconds",
        )
        return Measurement(ENERGY, None, conditions=replace(conditions, power=None), reason=why)
    if still := next((one for one in used if one.joules <= 0), None):
        word = "stood still" if still.joules == 0 else "went back"
        why = Reason(f"the energy counter {word} during {still.seconds:.3g} s of passes ({counter.of})")
        return Measurement(ENERGY, None, conditions=replace(conditions, power=None), reason=why)
    if watch is not None:
        times = [one.seconds for each in found for one in each.samples]
        conditions = _with_stability(conditions, between(watched.record, marks.times[0], marks.times[-1]), times,
                                     watched.record.missing)  # fmt: skip
    images = [input_shape[0] * len(one.samples) * one.every for one in found]
    samples = tuple(one.joules / many for one, many in zip(used, images, strict=True))
    return Measurement(ENERGY, median(samples), interval=median_interval(samples), samples=samples,
                       conditions=conditions)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Window:
    """What was used between two readings."""

    seconds: float
    joules: float

    @property
    def power(self) -> float:
        """Watts."""
        return self.joules / self.seconds


class _Meter:
    """Reads a counter with the time."""

    def __init__(self, counter: Counter, clock: Clock) -> None:
        self.counter, self.clock = counter, clock
        self.readings: list[tuple[float, tuple[int, ...]]] = []

    def read(self) -> None:
        self.readings.append((self.clock.now(), self.counter.read()))

    def windows(self) -> list[_Window]:
        """Between each reading and the next."""
        return [
            _Window(later - at, self.counter.joules(before, after))
            for (at, before), (later, after) in zip(self.readings, self.readings[1:], strict=False)
        ]


def _windows(
    work: Callable[[], object],
    clock: Clock,
    meter: _Meter,
    marks: Marks,
    seconds: float,
    windows: int,
    progress: Callable[[float, float], None] | None,
) -> list[Passes]:
    """The passes of each window; the machine and the meter are read before and after each."""

    def mark() -> None:
        marks()
        meter.read()

    budget, found = SLOWEST * seconds, []
    for number in range(windows):
        if progress is not None:
            progress(seconds * number, seconds * windows)
        pace = Pace("gate", budget, None if number else WARM_UP_SECONDS, seconds, 1)
        one = time_passes(work, clock, pace, None, mark)
        if one.reason is not None:
            slow = f"the first pass alone took {one.first:.3g} s, and a window {seconds:.3g} s"
            return [one._replace(reason=Reason(slow, "raise seconds"))]
        found.append(one)
    return found


def _with_stability(conditions: Conditions, seen: dict[str, Any], times: Sequence[float], missing: str) -> Conditions:
    """As a time is judged, and other work is in the energy of processors even where it holds no thread up."""
    found = judged(seen, times, conditions.warm_up_settled, missing)
    verdict, reasons = found.verdict, found.reasons
    if conditions.device_type == "cpu" and (others := seen.get("others", 0.0)) > OTHERS:
        told = f"other processes used the processors, and their energy is in it ({others:.2g} processors)"
        reasons, verdict = ((*reasons, told) if verdict == "unstable" else (told,)), "unstable"
    return replace(conditions, seen=seen, stability=verdict, stability_reasons=reasons)


def _conditions(
    input_shape: tuple[int, int, int, int], device: torch.device, dtype: torch.dtype, counter: Counter
) -> Conditions:
    return Conditions(
        batch=input_shape[0],
        input=(input_shape[2], input_shape[3]),
        dtype=str(dtype).removeprefix("torch."),
        device=device_name(device),
        device_type=device.type,
        threads=torch.get_num_threads(),
        torch=str(torch.__version__),
        channels_last=False,
        flags=torch_flags(),
        timed="forward passes of the network one after the other, input already on the device",
        energy_of=counter.of,
    )
