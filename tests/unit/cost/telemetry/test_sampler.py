"""The sampler over a folder that stands in for /proc and /sys, over a fake NVML, and over this process itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from hrbench.cost.telemetry import sampler
from hrbench.cost.telemetry.sampler import SECONDS, SHARE, Gpu, Machine, Sampler, Target, quota_files

PID = os.getpid()
CPUS = sorted(os.sched_getaffinity(0))


class Root:
    """A folder with the files of /proc and /sys that are read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = Target(PID, root=str(folder))
        self.stat(steal=0, user=0)

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def stat(self, steal: int, user: int) -> None:
        lines = [f"cpu{cpu} {user} 0 0 900 3 0 0 {steal} 0 0" for cpu in CPUS]
        self.write("proc/stat", "\n".join([f"cpu {user} 0 0 900 3 0 0 {steal} 0 0", *lines, "intr 0", ""]))

    def thread(self, thread: int, ran: float, waited: float, processor: int = 0) -> None:
        folder = f"proc/{PID}/task/{thread}"
        self.write(f"{folder}/schedstat", f"{int(ran * 1e9)} {int(waited * 1e9)} 7\n")
        fields = ["S", *["0"] * 35, str(processor), "0"]
        self.write(f"{folder}/stat", f"{thread} (a (name) b) {' '.join(fields)}\n")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def test_threads_are_summed_and_those_that_ended_are_kept(root):
    root.thread(11, ran=2.0, waited=0.5)
    root.thread(12, ran=1.0, waited=0.25)
    machine = Machine(root.target)
    assert {key: machine.reading(False)[key] for key in ("ran", "waited")} == {"ran": 3.0, "waited": 0.75}
    for file in ("schedstat", "stat"):
        (root.folder / f"proc/{PID}/task/12/{file}").unlink()
    (root.folder / f"proc/{PID}/task/12").rmdir()
    root.thread(11, ran=2.5, waited=0.5)
    found = machine.reading(False)
    assert (found["ran"], found["waited"]) == (3.5, 0.75)


def test_steal_is_told_for_each_processor_and_use_for_all(root):
    root.stat(steal=40, user=500)
    found = Machine(root.target).reading(False)
    tick = os.sysconf("SC_CLK_TCK")
    assert found["steal"] == [40 / tick] * len(CPUS)
    assert found["used"] == 500 * len(CPUS) / tick


def test_pressure_load_and_what_is_not_there(root):
    machine = Machine(root.target)
    assert {*machine.reading(True)} == {"at", "steal", "used"}
    root.write("proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0 total=7\n")
    root.write("proc/loadavg", "1.25 1.00 0.90 3/100 6459\n")
    found = machine.reading(True)
    assert found["pressure"] == 2.5 and found["load"] == 1.25


@pytest.mark.parametrize(
    ("groups", "file", "text"),
    [
        ("0::/a/b\n", "sys/fs/cgroup/a/cpu.stat", "usage_usec 9\nnr_throttled 3\nthrottled_usec 1500000\n"),
        ("0::/\n", "sys/fs/cgroup/cpu.stat", "throttled_usec 1500000\n"),
        ("4:cpu,cpuacct:/x\n", "sys/fs/cgroup/cpu,cpuacct/x/cpu.stat", "nr_periods 2\nthrottled_time 1500000000\n"),
        ("2:cpuacct:/\n1:cpu:/x\n0::/\n", "sys/fs/cgroup/cpu/cpu.stat", "throttled_time 1500000000\n"),
    ],
)
def test_a_quota_is_found_in_both_versions_of_control_groups_and_in_the_groups_around(root, groups, file, text):
    root.write(f"proc/{PID}/cgroup", groups)
    root.write(file, text)
    assert str(root.folder / file) in quota_files(PID, str(root.folder))
    assert Machine(root.target).reading(False)["throttled"] == 1.5


def test_the_clock_is_that_of_the_processors_on_which_threads_ran(root):
    root.thread(11, ran=1.0, waited=0.0, processor=CPUS[0])
    for cpu, clock in ((CPUS[0], 2_400_000), (CPUS[0] + 1, 800_000)):
        root.write(f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", f"{clock}\n")
    machine = Machine(root.target)
    assert machine.reading(True)["clock"] == 2400
    assert "clock" not in machine.reading(False) and "clock" not in machine.reading(True)  # nothing has run since
    root.thread(11, ran=2.0, waited=0.0, processor=CPUS[0] + 1)
    assert machine.reading(True)["clock"] == 800


class Nvml:
    """A fake of pynvml, told what to answer; what is not told is refused as by a board that does not know it."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    class NVMLError(Exception):
        pass

    def __init__(self, **told) -> None:
        self.told = told

    def nvmlInit(self):
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid):
        return f"handle of {uuid}"

    def __getattr__(self, name):
        def answer(handle, *more):
            assert handle == "handle of GPU-1"
            key = (name, *more) if (name, *more) in self.told else name
            if key not in self.told:
                raise self.NVMLError(name)
            return self.told[key]

        return answer


def test_a_gpu_tells_clocks_power_heat_reasons_and_other_processes():
    told = {
        ("nvmlDeviceGetClockInfo", 1): 1980,
        ("nvmlDeviceGetClockInfo", 2): 2619,
        "nvmlDeviceGetPowerUsage": 345_678,
        "nvmlDeviceGetTemperature": 61,
        "nvmlDeviceGetCurrentClocksThrottleReasons": 0x24,
        "nvmlDeviceGetComputeRunningProcesses": [SimpleNamespace(pid=4), SimpleNamespace(pid=9)],
        "nvmlDeviceGetEccMode": (1, 1),
        "nvmlDeviceGetEnforcedPowerLimit": 700_000,
    }
    nvml = Nvml()
    nvml.told = told
    gpu = Gpu(Target(4, "GPU-1"), nvml)
    expected = {"sm": 1980, "memory": 2619, "power": 345.678, "temperature": 61, "reasons": 0x24}
    assert gpu.reading(False) == expected
    assert gpu.reading(True) == {**expected, "foreign": 1}
    assert gpu.facts() == {"ecc": True, "power_limit": 700.0}
    del told["nvmlDeviceGetPowerUsage"]
    assert "power" not in gpu.reading(False)


def test_readings_stay_within_their_share_of_a_core(root, monkeypatch):
    seconds = iter([1.0, 1.0001, 1.0021])
    monkeypatch.setattr(sampler.time, "process_time", lambda: next(seconds, 1.01))
    watching = Sampler(Machine(root.target), None)
    assert watching.read() == SECONDS
    assert watching.read() == pytest.approx(0.002 / SHARE)
    assert len(watching.everything()["readings"]) == 2


def test_the_program_answers_each_request_and_writes_all_at_the_end():
    program = subprocess.Popen(
        [sys.executable, "-I", "-S", sampler.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    program.stdin.write(json.dumps({"pid": PID, "gpu": "", "root": ""}).encode() + b"\n")
    answered = [float(program.stdout.read(64))]
    for _ in range(3):
        program.stdin.write(b"\n")
        answered.append(float(program.stdout.read(64)))
    said, _ = program.communicate(timeout=20)
    content = json.loads(said)
    assert {*answered} <= {one["at"] for one in content["readings"]}
    assert len(content["readings"]) >= 4 and content["busy"] >= 0 and program.returncode == 0
    assert [one["at"] for one in content["readings"]] == sorted(one["at"] for one in content["readings"])


def test_it_imports_nothing_that_is_slow_or_of_hrbench():
    code = f"import runpy, sys; runpy.run_path({sampler.__file__!r}); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "torch", "pathlib", "subprocess", "asyncio", "hrbench"} & {*out.stdout.split()}
