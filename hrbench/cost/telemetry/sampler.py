"""Reads ten times a second what a machine does while a cost is measured: a program, which `watch.py` starts.

It uses the standard library alone and imports nothing of hrbench, so that it starts within milliseconds and takes no
memory from what is measured. It changes nothing of the machine.

Its input: a line of JSON (`Target`), then a byte for each reading that is wanted at once, answered by a line with its
time. When its input ends it writes what it read as one line of JSON, `{"readings": [...], "facts": {...}, "busy":
seconds}`, and ends.

A reading: `at` in seconds of the monotonic clock, and of what this system tells:
    ran, waited: seconds that the threads of the process have run, and have waited on a run queue
    steal, used: seconds of the processors that it may use: taken by the hypervisor (a list), and in use by anybody
    pressure: seconds in which some process of the machine waited for a processor
    load: processes that ran or waited, mean over a minute
    throttled: seconds that a quota held back threads of its control group
    clock: MHz of the processors on which it ran
    gpu: sm, memory (MHz), power (W), temperature (degrees Celsius), reasons (NVML's bits), foreign (other processes)
"""

from __future__ import annotations

import json
import os
import select
import time
from dataclasses import dataclass
from typing import Any

SECONDS = 0.1
"""Between two readings."""

SHARE = 0.0045
"""The largest share of one core that readings may take, a little below the 0.5 % that is promised: what one takes is
known only after it. With very many threads there are fewer readings."""

RARELY = 5
"""Clocks of processors and processes of a GPU are read at every so many readings: they take longer to read."""


@dataclass(frozen=True)
class Target:
    """What is watched.

    pid: the process.
    gpu: UUID of its GPU, "" for none.
    root: the folder that holds /proc and /sys, "" except in tests.
    """

    pid: int
    gpu: str = ""
    root: str = ""


def read(path: str) -> str | None:
    """The text of a small file; None if there is none, or if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(descriptor, 1 << 20).decode("ascii", "replace")
    except OSError:
        return None
    finally:
        os.close(descriptor)


class Machine:
    """The counters of one process and of the processors that it may use."""

    def __init__(self, target: Target) -> None:
        self.root, self.tasks = target.root, f"{target.root}/proc/{target.pid}/task"
        self.cpus = sorted(os.sched_getaffinity(target.pid))
        self.tick = os.sysconf("SC_CLK_TCK")
        self.quotas = [path for path in quota_files(target.pid, target.root) if _throttled(read(path)) is not None]
        self.threads: dict[str, tuple[int, int]] = {}  # of threads that have ended, the last values
        self.clocked = read(self._clock_file(self.cpus[0])) is not None

    def reading(self, rarely: bool) -> dict[str, Any]:
        """What is known now. rarely: whether to read what takes long, too."""
        found: dict[str, Any] = {"at": time.monotonic()}
        active = self._schedule(found)
        self._processors(found)
        pressure = read(f"{self.root}/proc/pressure/cpu")
        if pressure is not None and "total=" in pressure:
            found["pressure"] = int(pressure.partition("total=")[2].split(None, 1)[0]) / 1e6
        if (load := read(f"{self.root}/proc/loadavg")) is not None:
            found["load"] = float(load.split()[0])
        throttled = [_throttled(read(path)) for path in self.quotas]
        if known := [one for one in throttled if one is not None]:
            found["throttled"] = max(known)
        if rarely and self.clocked and (clock := self._clock(active)) is not None:
            found["clock"] = clock
        return found

    def _schedule(self, found: dict[str, Any]) -> list[str]:
        """Adds what the threads ran and waited; gives those that ran since the last reading."""
        active = []
        try:
            present = os.listdir(self.tasks)  # noqa: PTH208 (pathlib takes longer to import than all of this)
        except OSError:  # the process is gone
            present = []
        for thread in present:
            words = (read(f"{self.tasks}/{thread}/schedstat") or "").split()
            if len(words) == 3:
                now = int(words[0]), int(words[1])
                if now[0] != self.threads.get(thread, (0, 0))[0]:
                    active.append(thread)
                self.threads[thread] = now
        if self.threads:
            found["ran"] = sum(ran for ran, _ in self.threads.values()) / 1e9
            found["waited"] = sum(waited for _, waited in self.threads.values()) / 1e9
        return active

    def _processors(self, found: dict[str, Any]) -> None:
        lines = (read(f"{self.root}/proc/stat") or "").split("\n")
        counters = {line.split(None, 1)[0]: line.split()[1:] for line in lines if line.startswith("cpu")}
        own = [[int(word) for word in counters[f"cpu{cpu}"]] for cpu in self.cpus if f"cpu{cpu}" in counters]
        own = [words for words in own if len(words) >= 8]
        if own:
            # user, nice, system, idle, iowait, irq, softirq, steal
            found["steal"] = [words[7] / self.tick for words in own]
            found["used"] = sum(sum(words[:3]) + sum(words[5:7]) for words in own) / self.tick

    def _clock_file(self, cpu: int) -> str:
        return f"{self.root}/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq"

    def _clock(self, active: list[str]) -> float | None:
        """Mean MHz of the processors on which threads ran."""
        processors = set()
        for thread in active:
            fields = (read(f"{self.tasks}/{thread}/stat") or "").rpartition(")")[2].split()
            if len(fields) > 36:
                processors.add(int(fields[36]))
        texts = [read(self._clock_file(cpu)) for cpu in processors]
        known = [int(text) / 1000 for text in texts if text and text.strip().isdigit()]
        return sum(known) / len(known) if known else None


def quota_files(pid: int | str, root: str = "") -> list[str]:
    """`cpu.stat` of the control group of a process and of all groups around it, of both versions of control groups."""
    found = []
    for line in (read(f"{root}/proc/{pid}/cgroup") or "").splitlines():
        number, controllers, group = line.split(":", 2)
        if number == "0":
            bases = [f"{root}/sys/fs/cgroup", f"{root}/sys/fs/cgroup/unified"]
        elif "cpu" in controllers.split(","):
            bases = [f"{root}/sys/fs/cgroup/{controllers}", f"{root}/sys/fs/cgroup/cpu"]
        else:
            continue
        parts = [part for part in group.split("/") if part]
        for base in bases:
            found += [f"{base}/{'/'.join([*parts[:many], 'cpu.stat'])}" for many in range(len(parts) + 1)]
    return list(dict.fromkeys(found))


def _throttled(text: str | None) -> float | None:
    """Seconds that a quota held threads back, of a `cpu.stat`; None if it does not tell."""
    for line in (text or "").splitlines():
        name, _, value = line.partition(" ")
        if name == "throttled_usec":
            return int(value) / 1e6
        if name == "throttled_time":
            return int(value) / 1e9
    return None


class Gpu:
    """One GPU as NVML tells of it. nvml: pynvml, or a fake of it in tests."""

    def __init__(self, target: Target, nvml: Any) -> None:
        self.nvml = nvml
        nvml.nvmlInit()
        self.handle = nvml.nvmlDeviceGetHandleByUUID(target.gpu)

    def facts(self) -> dict[str, Any]:
        """What does not change while it is measured."""
        nvml, handle = self.nvml, self.handle
        found = {
            "ecc": self._ask(lambda: bool(nvml.nvmlDeviceGetEccMode(handle)[0])),
            "mig": self._ask(lambda: bool(nvml.nvmlDeviceGetMigMode(handle)[0])),
            "power_limit": self._ask(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000),
            "largest_sm": self._ask(lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM)),
        }
        return {name: value for name, value in found.items() if value is not None}

    def reading(self, rarely: bool) -> dict[str, Any]:
        """What is known now. rarely: whether to read what takes long, too."""
        nvml, handle = self.nvml, self.handle
        found = {
            "sm": self._ask(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
            "memory": self._ask(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
            "power": self._ask(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000),
            "temperature": self._ask(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            "reasons": self._ask(lambda: int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))),
        }
        if rarely:
            found["foreign"] = self._ask(self._foreign)
        return {name: value for name, value in found.items() if value is not None}

    def _foreign(self) -> int:
        """How many processes other than ours use the GPU. A container may see ours under another number."""
        return max(0, len(self.nvml.nvmlDeviceGetComputeRunningProcesses(self.handle)) - 1)

    def _ask(self, question: Any) -> Any:
        try:
            return question()
        except (self.nvml.NVMLError, AttributeError):  # a board, a driver or a binding that does not tell
            return None


class Sampler:
    """All readings of one process and its GPU. machine, gpu: as above; gpu None for none."""

    def __init__(self, machine: Machine, gpu: Gpu | None) -> None:
        self.machine, self.gpu = machine, gpu
        self.readings: list[dict[str, Any]] = []
        self.facts = {} if gpu is None else {"gpu": gpu.facts()}
        self.began = self.spent = time.process_time()  # what it takes to start is over before anything is timed

    def read(self) -> float:
        """Takes a reading; seconds until the next one, so that all of them stay within `SHARE`.

        What the last one took counts with all that belongs to it: waking, answering, growing memory.
        """
        rarely = len(self.readings) % RARELY == 0
        found = self.machine.reading(rarely)
        if self.gpu is not None:
            found["gpu"] = self.gpu.reading(rarely)
        self.readings.append(found)
        spent, self.spent = self.spent, time.process_time()
        return max(SECONDS, (self.spent - spent) / SHARE)

    def everything(self) -> dict[str, Any]:
        return {"readings": self.readings, "facts": self.facts, "busy": time.process_time() - self.began}


def serve(wanted: int, answers: int) -> None:
    """Reads until the input ends. wanted, answers: open files of input and output."""
    target = _target(wanted)
    if target is None:
        return
    sampler = Sampler(Machine(target), _gpu(target))
    due = time.monotonic() + sampler.read()
    _answer(sampler, answers)
    while True:
        ready, _, _ = select.select([wanted], [], [], max(0.0, due - time.monotonic()))
        if ready and not os.read(wanted, 1):
            break
        due = time.monotonic() + sampler.read()
        if ready:
            _answer(sampler, answers)
    line = json.dumps(sampler.everything()).encode() + b"\n"
    while line:
        line = line[os.write(answers, line) :]


def _answer(sampler: Sampler, answers: int) -> None:
    """Tells when the last reading was taken."""
    os.write(answers, f"{sampler.readings[-1]['at']!r}\n".encode())


def _target(wanted: int) -> Target | None:
    """What is to be watched; None if whoever wants it has gone."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(wanted, 1)
        if not byte:
            return None
        line += byte
    return Target(**json.loads(line))


def _gpu(target: Target) -> Gpu | None:
    """The GPU of a target; None for none, and if there is no library, no driver or no such device."""
    if not target.gpu:
        return None
    try:
        import pynvml

        return Gpu(target, pynvml)
    except Exception:  # the rest is read in any case
        return None


if __name__ == "__main__":
    serve(0, 1)
