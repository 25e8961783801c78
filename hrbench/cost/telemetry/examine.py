"""What about this machine would disturb a measurement: how it is set up, and what it does while a fixed work runs.

What makes a latency unstable (`stability`) disturbs, by the same bounds; all else that is worth telling only may.
Nothing is changed. Settings are read from /proc and /sys, those of GPUs from NVML.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from hrbench.core import environment
from hrbench.core.native import loader
from hrbench.core.units import amount
from hrbench.cost.telemetry.sampler import quota_files, read
from hrbench.cost.telemetry.seen import THROTTLED_BITS, between
from hrbench.cost.telemetry.stability import DRIFT, MOVED, TAKEN, WAITED, drift
from hrbench.cost.telemetry.watch import watching

Effect = Literal["disturbs", "may disturb", "fine", "unknown"]

BUSY = 0.1
"""Processors in use by others that are worth telling."""

FEW_MEMORY = 0.1
"""Share of the memory that should be free."""

SIZE = 384
"""Rows and columns of the matrices whose product is the fixed work: some milliseconds, in the caches."""


WARM_UP, WARM_UP_SHARE = 2.0, 0.25
"""Seconds of work before what is watched, and the most of them as a share of what is asked for."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was looked at.

    what: in a word or two.
    effect: on a measurement.
    found: what was found, in words.
    advice: what to do; "" for nothing.
    """

    what: str
    effect: Effect
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a machine did while a fixed work ran.

    seen: as `seen.between` gives it.
    samples: seconds of each piece of the work.
    busiest: (name, processors in use) of other processes, most first.
    missing: why nothing was seen, "" if something was.
    """

    seen: Mapping[str, Any]
    samples: Sequence[float]
    busiest: Sequence[tuple[str, float]] = ()
    missing: str = ""


def attempt(seconds: float, progress: Callable[[float], object] = lambda done: None) -> Trial:
    """Runs a fixed work on all threads for so long, and watches the machine.

    progress: called with the seconds that have passed.
    """
    import numpy as np

    left = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    before = _use_of_processes()
    samples: list[float] = []
    with watching() as watch:
        warm = time.perf_counter() + min(WARM_UP, WARM_UP_SHARE * seconds)
        while time.perf_counter() < warm:  # a clock that rises at first is no drift: latencies warm up, too
            np.matmul(left, left)
        begin, started = watch.mark(), time.perf_counter()
        while (passed := time.perf_counter() - started) < seconds:
            piece = time.perf_counter()
            np.matmul(left, left)
            samples.append(time.perf_counter() - piece)
            progress(passed)
        end = watch.mark()
    return Trial(between(watch.record, begin, end), samples, _busiest(before, seconds), watch.record.missing)


def _use_of_processes() -> dict[int, tuple[str, float]]:
    """Of each process, its name and the seconds of processors that it has used."""
    found = {}
    for process in psutil.process_iter(["name", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None and process.pid != os.getpid():
            found[process.pid] = (str(process.info["name"]), times.user + times.system)
    return found


def _busiest(before: Mapping[int, tuple[str, float]], seconds: float) -> list[tuple[str, float]]:
    used: dict[str, float] = {}
    for pid, (name, now) in _use_of_processes().items():
        used[name] = used.get(name, 0.0) + (now - before[pid][1] if pid in before else now) / seconds
    return sorted(((name, share) for name, share in used.items() if share > 0.02), key=lambda one: -one[1])[:3]


def examine(trial: Trial, root: str = "") -> list[Remark]:
    """Everything that was looked at, in order.

    root: the folder that holds /proc and /sys, "" except in tests.
    """
    settings = (_quota, _clock, _siblings, _nodes, _virtual, _source, _memory, _power, _helper)
    checks = (_processors, _others, _waiting, *settings)
    found = [finding for check in checks for finding in check(trial, root)]
    return [*found, *_repeats(trial), *gpus()]


def _processors(trial: Trial, root: str) -> Iterator[Remark]:
    usable, there, threads = len(os.sched_getaffinity(0)), os.cpu_count() or 1, environment.threads()
    found = f"{usable} of {there} may be used ({environment.processor()}), by {threads} threads"
    if threads > usable:
        yield Remark("threads", "disturbs", found, f"set OMP_NUM_THREADS={usable}: more threads wait for one another")
    else:
        yield Remark("threads", "fine", found)


def _others(trial: Trial, root: str) -> Iterator[Remark]:
    others, load = trial.seen.get("others"), trial.seen.get("load")
    if others is None:
        yield Remark("other work", "unknown", trial.missing or "this system does not tell")
        return
    names = ", ".join(f"{name} {share:.1f}" for name, share in trial.busiest)
    found = f"{others:.1f} processors in use by others" + (f" ({names})" if names else "")
    found += f", load {load:.1f}" if load is not None else ""
    busy = others > BUSY
    yield Remark(
        "other work", "may disturb" if busy else "fine", found, "end it, or wait until it ends" if busy else ""
    )


def _waiting(trial: Trial, root: str) -> Iterator[Remark]:
    waited, steal = trial.seen.get("waited"), trial.seen.get("steal")
    if waited is None:
        told = trial.missing or "this system does not tell how long threads waited"
        yield Remark("waiting", "unknown", told, "latencies are then `unknown`, and not known to be stable")
    else:
        bad = waited > WAITED
        found = f"threads waited for a processor in {100 * waited:.1f} % of their time"
        yield Remark(
            "waiting", "disturbs" if bad else "fine", found, "fewer threads, or less other work" if bad else ""
        )
    if steal is not None:
        bad = steal > TAKEN
        advice = "a machine that shares its processors with no other" if bad else ""
        found = f"the hypervisor took {100 * steal:.1f} % of a processor"
        yield Remark("steal", "disturbs" if bad else "fine", found, advice)


def _quota(trial: Trial, root: str) -> Iterator[Remark]:
    allowed = quota(root)
    if allowed is None:
        return
    threads, throttled = environment.threads(), trial.seen.get("throttled", 0.0)
    found = f"this container may use {allowed:.3g} processors"
    found += f", and was throttled in {100 * throttled:.1f} % of the time" if throttled else ""
    effect: Effect = "disturbs" if throttled > TAKEN else "may disturb" if threads > allowed else "fine"
    advice = "" if effect == "fine" else f"set OMP_NUM_THREADS={max(1, int(allowed))}, or raise the quota"
    yield Remark("CPU quota", effect, found, advice)


def quota(root: str = "") -> float | None:
    """How many processors a control group around this process may use; None for as many as there are."""
    found = []
    for path in quota_files("self", root):
        folder = path.rpartition("/")[0]
        words = (read(f"{folder}/cpu.max") or "").split()
        if len(words) == 2 and words[0].isdigit():
            found.append(int(words[0]) / int(words[1]))
        period, limit = (read(f"{folder}/cpu.cfs_{name}_us") for name in ("period", "quota"))
        if period and limit and int(limit) > 0:
            found.append(int(limit) / int(period))
    return min(found) if found else None


def _clock(trial: Trial, root: str) -> Iterator[Remark]:
    base = f"{root}/sys/devices/system/cpu"
    governor = (read(f"{base}/cpu{min(os.sched_getaffinity(0))}/cpufreq/scaling_governor") or "").strip()
    if governor:
        slow = governor not in ("performance", "userspace")
        advice = "sudo cpupower frequency-set --governor performance" if slow else ""
        yield Remark("governor", "may disturb" if slow else "fine", f"{governor} sets the clock", advice)
    boost, no_turbo = read(f"{base}/cpufreq/boost"), read(f"{base}/intel_pstate/no_turbo")
    if boost is not None or no_turbo is not None:
        on = (boost or "0").strip() == "1" if boost is not None else (no_turbo or "1").strip() == "0"
        advice = "off, the clock does not depend on heat and neighbours" if on else ""
        yield Remark("turbo", "may disturb" if on else "fine", "on" if on else "off", advice)
    if "clock" in trial.seen:
        moved = trial.seen.get("clock_spread", 0.0)
        found = f"{trial.seen['clock']:,.0f} MHz, moved by {100 * moved:.1f} %"
        yield Remark(
            "clock", "disturbs" if moved > MOVED else "fine", found, "cool it, or lock it" if moved > MOVED else ""
        )


def _siblings(trial: Trial, root: str) -> Iterator[Remark]:
    base = f"{root}/sys/devices/system/cpu"
    if (read(f"{base}/smt/active") or "0").strip() != "1":
        return
    cores = {read(f"{base}/cpu{cpu}/topology/thread_siblings_list") for cpu in os.sched_getaffinity(0)}
    usable, threads = len(os.sched_getaffinity(0)), environment.threads()
    shared = threads > len(cores)
    advice = f"set OMP_NUM_THREADS={len(cores)}: two threads of one core slow each other" if shared else ""
    found = f"{usable} hardware threads on {len(cores)} cores"
    yield Remark("hardware threads", "may disturb" if shared else "fine", found, advice)


def _nodes(trial: Trial, root: str) -> Iterator[Remark]:
    nodes = list(Path(f"{root}/sys/devices/system/node").glob("node[0-9]*"))
    if len(nodes) > 1:
        advice = "numactl --cpunodebind=0 --membind=0 hrbench run ..."
        yield Remark("memory nodes", "may disturb", f"{len(nodes)} nodes: memory of another is slower", advice)


def _virtual(trial: Trial, root: str) -> Iterator[Remark]:
    flags = next((line for line in (read(f"{root}/proc/cpuinfo") or "").splitlines() if line.startswith("flags")), "")
    if " hypervisor" in flags:
        yield Remark("virtual machine", "may disturb", "a hypervisor shares the hardware with others, unseen",
                      "compare in turns (--remeasure), which a change of the whole machine does not touch")  # fmt: skip


def _source(trial: Trial, root: str) -> Iterator[Remark]:
    name = (read(f"{root}/sys/devices/system/clocksource/clocksource0/current_clocksource") or "").strip()
    if name in ("hpet", "acpi_pm"):
        yield Remark("timer", "may disturb", f"time is read from {name}, which takes microseconds",
                      "boot with a clock source of the processor (tsc)")  # fmt: skip


def _memory(trial: Trial, root: str) -> Iterator[Remark]:
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    few = memory.available < FEW_MEMORY * memory.total
    found = f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
    found += f", {swap.used / 2**30:.1f} GiB swapped out" if swap.used > 2**28 else ""
    yield Remark(
        "memory", "may disturb" if few else "fine", found, "end what holds it: memory is swapped" if few else ""
    )


def _power(trial: Trial, root: str) -> Iterator[Remark]:
    for path in sorted(Path(f"{root}/sys/class/power_supply").glob("*")):
        if (read(f"{path}/type") or "").strip() == "Mains" and (read(f"{path}/online") or "").strip() == "0":
            yield Remark("power", "may disturb", "on battery", "connect it: clocks are lower on battery")


def _helper(trial: Trial, root: str) -> Iterator[Remark]:
    """Numbers are the same without it, and files are read and judged more slowly."""
    found = loader.helper()
    advice = "" if found.library is not None else loader.AGAIN
    yield Remark("compiled helper", "fine", loader.described(), advice)


def _repeats(trial: Trial) -> Iterator[Remark]:
    if not trial.samples:
        return
    ordered = sorted(trial.samples)
    middle, ninth = ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10]
    apart = drift(trial.samples)
    found = f"{len(ordered):,} times the same work: median {1000 * middle:.2f} ms, 90 % below {1000 * ninth:.2f} ms"
    if apart is not None:
        found += f", windows {100 * apart:.1f} % apart" if apart else ", windows no further apart than by chance"
    bad = apart is not None and apart > DRIFT
    advice = "look at what disturbs, and ask again" if bad else ""
    yield Remark("repeated work", "disturbs" if bad else "fine", found, advice)


# --- GPUs -----------------------------------------------------------------------------------------------------------


def gpus(nvml: Any = None) -> Iterator[Remark]:
    """What was found of each GPU; nothing without one.

    nvml: pynvml, or a fake of it in tests; None to import it.
    """
    if nvml is None:
        import pynvml as nvml
    try:
        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError:
        return

    def ask(question: Callable[[], Any]) -> Any:
        try:
            return question()
        except (nvml.NVMLError, AttributeError):
            return None

    for index in range(count):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        name = ask(lambda handle=handle: nvml.nvmlDeviceGetName(handle)) or "GPU"
        yield from _gpu(f"GPU {index}", str(name), handle, nvml, ask)


def _gpu(what: str, name: str, handle: Any, nvml: Any, ask: Callable[[Callable[[], Any]], Any]) -> Iterator[Remark]:
    running = ask(lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    many = 0 if running is None else len(running)
    advice = "end them, or name another GPU (--device cuda:1)" if many else ""
    found = f"{name}, in use by {amount(many, 'process', 'processes')}"
    yield Remark(what, "disturbs" if many else "fine", found, advice)
    reasons = ask(lambda: int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)))
    if reasons is not None and reasons & THROTTLED_BITS:
        yield Remark(what, "disturbs", "throttled now, by heat or hardware", "cool it, and look at its power supply")
    if reasons is not None and reasons & 0x2:
        yield Remark(what, "fine", "its clocks are set by hand")
    if ask(lambda: nvml.nvmlDeviceGetPersistenceMode(handle)) == 0:
        yield Remark(what, "may disturb", "persistence mode is off: the first work waits for the driver",
                      "sudo nvidia-smi --persistence-mode=1")  # fmt: skip
    limit, usual = (
        ask(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle)),
        ask(lambda: nvml.nvmlDeviceGetPowerManagementDefaultLimit(handle)),
    )
    if limit and usual and limit < usual:
        found = f"limited to {limit / 1000:.0f} W of {usual / 1000:.0f} W"
        yield Remark(what, "may disturb", found, "its numbers are those of this limit")
    mig = ask(lambda: nvml.nvmlDeviceGetMigMode(handle)[0])
    if mig:
        yield Remark(what, "may disturb", "split into instances (MIG)", "other instances share its memory's bandwidth")
    temperature = ask(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
    if temperature is not None and temperature >= 80:
        yield Remark(what, "may disturb", f"{temperature} degrees Celsius", "let it cool, or its clock will fall")
