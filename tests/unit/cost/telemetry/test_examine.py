"""What would disturb a measurement, over folders that stand in for /proc and /sys, and a fake NVML."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from hrbench.core import environment
from hrbench.cost.telemetry.examine import Remark, Trial, attempt, examine, gpus, quota

CPU = min(os.sched_getaffinity(0))
QUIET = {"waited": 0.01, "steal": 0.001, "others": 0.02, "load": 0.3, "throttled": 0.0}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "threads", lambda: 1)


def found(root: Path, seen: dict | None = None, samples: tuple[float, ...] = (), **more) -> dict[str, Remark]:
    every = examine(Trial(QUIET if seen is None else seen, samples, **more), str(root))
    return {one.what: one for one in every}


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_a_quiet_machine(tmp_path):
    every = found(tmp_path, samples=(0.002,) * 30)
    assert {"threads", "other work", "waiting", "steal", "memory", "repeated work"} <= {*every}
    assert {one.effect for name, one in every.items() if name != "memory"} == {"fine"}
    assert not any(one.advice for name, one in every.items() if name not in ("memory", "compiled helper"))


@pytest.mark.parametrize(
    ("seen", "what", "said", "advice"),
    [
        ({"waited": 0.2}, "waiting", "20.0 % of their time", "fewer threads"),
        ({"steal": 0.05}, "steal", "5.0 % of a processor", "shares its processors with no other"),
        ({"clock": 2400.0, "clock_spread": 0.2}, "clock", "2,400 MHz, moved by 20.0 %", "cool it"),
    ],
)
def test_what_disturbs_is_told_with_what_to_do(tmp_path, seen, what, said, advice):
    one = found(tmp_path, {**QUIET, **seen}, busiest=[("chrome", 1.2)])[what]
    assert one.effect == "disturbs" and said in one.found and advice in one.advice


def test_only_what_makes_a_latency_unstable_disturbs(tmp_path):
    """As --strict counts it: a virtual machine with other work is a failure only if threads wait, or time is taken."""
    write(tmp_path, "proc/cpuinfo", "flags : fpu hypervisor lm\n")
    every = found(tmp_path, {**QUIET, "others": 1.4}, busiest=[("chrome", 1.2)], samples=(0.002,) * 30)
    one = every["other work"]
    assert one.found == "1.4 processors in use by others (chrome 1.2), load 0.3" and "end it" in one.advice
    assert one.effect == every["virtual machine"].effect == "may disturb"
    assert not any(each.effect == "disturbs" for each in every.values())


def test_a_machine_that_does_not_tell_is_unknown(tmp_path):
    every = found(tmp_path, {}, missing="no /proc")
    assert {every[what].effect for what in ("other work", "waiting")} == {"unknown"}
    assert every["waiting"].found == "no /proc" and "steal" not in every


def test_work_that_does_not_repeat_disturbs(tmp_path):
    one = found(tmp_path, samples=(*(0.002,) * 30, *(0.003,) * 30))["repeated work"]
    assert one.effect == "disturbs" and "windows 40.0 % apart" in one.found


def test_more_threads_than_processors(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "threads", lambda: 4096)
    one = found(tmp_path)["threads"]
    assert one.effect == "disturbs" and "set OMP_NUM_THREADS=" in one.advice


@pytest.mark.parametrize(
    ("files", "processors"),
    [
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/cpu.max": "50000 100000\n",
          "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, 0.5),
        ({"proc/self/cgroup": "1:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
          "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 2.0),
        ({"proc/self/cgroup": "1:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
          "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"proc/self/cgroup": "0::/\n"}, None),
    ],
)  # fmt: skip
def test_a_quota_of_either_version(tmp_path, monkeypatch, files, processors):
    for path, text in files.items():
        write(tmp_path, path, text)
    assert quota(str(tmp_path)) == processors
    if processors == 0.5:
        one = found(tmp_path, {**QUIET, "throttled": 0.3})["CPU quota"]
        assert one.effect == "disturbs" and "throttled in 30.0 % of the time" in one.found
        monkeypatch.setattr(environment, "threads", lambda: 1)
        assert found(tmp_path)["CPU quota"].effect == "may disturb"  # nothing was taken


def test_settings_of_the_clock_and_the_cores(tmp_path, monkeypatch):
    write(tmp_path, f"sys/devices/system/cpu/cpu{CPU}/cpufreq/scaling_governor", "powersave\n")
    write(tmp_path, "sys/devices/system/cpu/intel_pstate/no_turbo", "0\n")
    write(tmp_path, "sys/devices/system/cpu/smt/active", "1\n")
    write(tmp_path, "sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n")
    write(tmp_path, "proc/cpuinfo", "model name : x\nflags : fpu hypervisor lm\n")
    write(tmp_path, "sys/class/power_supply/AC/type", "Mains\n")
    write(tmp_path, "sys/class/power_supply/AC/online", "0\n")
    for node in range(2):
        write(tmp_path, f"sys/devices/system/node/node{node}/x", "")
    for cpu in os.sched_getaffinity(0):
        write(tmp_path, f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", "0-99\n")
    monkeypatch.setattr(environment, "threads", lambda: 2)
    every = found(tmp_path)
    may = {"power", "governor", "turbo", "hardware threads", "timer", "virtual machine", "memory nodes"}
    assert {name for name, one in every.items() if one.effect == "may disturb"} == may
    assert "connect it" in every["power"].advice and "governor performance" in every["governor"].advice
    assert "set OMP_NUM_THREADS=1" in every["hardware threads"].advice
    write(tmp_path, "sys/devices/system/cpu/cpufreq/boost", "0\n")
    assert found(tmp_path)["turbo"].effect == "fine"


class Nvml:
    """Answers what it is told; all else is refused."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        pass

    def __init__(self, count: int, **told) -> None:
        self.count, self.told = count, {f"nvmlDeviceGet{name}": value for name, value in told.items()}

    def nvmlInit(self):
        if not self.count:
            raise self.NVMLError("no driver")

    def nvmlDeviceGetCount(self):
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def __getattr__(self, name):
        def answer(*given):
            if name not in self.told:
                raise self.NVMLError(name)
            return self.told[name]

        return answer


def test_gpus_are_looked_at_one_by_one():
    assert list(gpus(Nvml(0))) == []
    quiet = Nvml(2, Name="H200", ComputeRunningProcesses=[], CurrentClocksThrottleReasons=0, PersistenceMode=1)
    assert [(one.what, one.effect, one.found) for one in gpus(quiet)] == [
        ("GPU 0", "fine", "H200, in use by 0 processes"),
        ("GPU 1", "fine", "H200, in use by 0 processes"),
    ]
    busy = Nvml(1, Name="H200", ComputeRunningProcesses=[SimpleNamespace(pid=1)], CurrentClocksThrottleReasons=0x42,
                PersistenceMode=0, EnforcedPowerLimit=500_000, PowerManagementDefaultLimit=700_000, MigMode=(1, 1),
                Temperature=88)  # fmt: skip
    told = [(one.effect, one.found) for one in gpus(busy)]
    assert told == [
        ("disturbs", "H200, in use by 1 process"),
        ("disturbs", "throttled now, by heat or hardware"),
        ("fine", "its clocks are set by hand"),
        ("may disturb", "persistence mode is off: the first work waits for the driver"),
        ("may disturb", "limited to 500 W of 700 W"),
        ("may disturb", "split into instances (MIG)"),
        ("may disturb", "88 degrees Celsius"),
    ]


def test_this_machine_is_tried():
    passed: list[float] = []
    trial = attempt(0.3, passed.append)
    assert trial.samples and passed and passed == sorted(passed) and passed[-1] < 0.4
    assert examine(trial)


def test_which_way_arrays_are_computed_is_told_and_disturbs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HRBENCH_COMPILED", "0")
    one = found(tmp_path)["compiled helper"]
    assert (one.effect, one.found) == ("fine", "not used: HRBENCH_COMPILED is 0") and "--reinstall" in one.advice
