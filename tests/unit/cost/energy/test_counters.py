"""Counters of energy: a fake powercap folder and a fake NVML, told what to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrbench.cost.energy.counters import POWERCAP, Nvml, Rapl, nvml_counter, rapl
from hrbench.types import Reason


class Powercap:
    """A folder as Linux has it. Zones by their folder's name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def zone(self, folder: str, name: str, microjoules: int, largest: int = 1000) -> Path:
        path = self.root / POWERCAP / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "name").write_text(f"{name}\n")
        (path / "energy_uj").write_text(f"{microjoules}\n")
        (path / "max_energy_range_uj").write_text(f"{largest}\n")
        return path


@pytest.fixture
def powercap(tmp_path) -> Powercap:
    return Powercap(tmp_path)


def test_packages_and_their_memory_are_added_and_nothing_twice(powercap, tmp_path):
    powercap.zone("intel-rapl:0", "package-0", 100)
    powercap.zone("intel-rapl:0:0", "core", 7)
    powercap.zone("intel-rapl:0:1", "uncore", 7)
    powercap.zone("intel-rapl:0:2", "dram", 20)
    powercap.zone("intel-rapl:1", "package-1", 300)
    powercap.zone("intel-rapl:2", "psys", 7)
    powercap.zone("intel-rapl-mmio:0", "package-0", 7)
    (tmp_path / POWERCAP / "intel-rapl").mkdir()
    counter = rapl(tmp_path)
    assert isinstance(counter, Rapl)
    assert counter.of == "RAPL: package-0, dram of package-0, package-1, other work on them included"
    before = counter.read()
    assert before == (100, 20, 300)
    powercap.zone("intel-rapl:0", "package-0", 150)
    powercap.zone("intel-rapl:0:2", "dram", 21)
    assert counter.joules(before, counter.read()) == pytest.approx(51e-6)


def test_a_counter_that_begins_again_is_followed(powercap, tmp_path):
    powercap.zone("intel-rapl:0", "package-0", 990, largest=1000)
    counter = rapl(tmp_path)
    before = counter.read()
    powercap.zone("intel-rapl:0", "package-0", 15, largest=1000)
    assert counter.joules(before, counter.read()) == pytest.approx(25e-6)


def test_no_counter_is_a_reason(tmp_path, powercap):
    assert isinstance(rapl(tmp_path), Reason)
    powercap.zone("intel-rapl:0:0", "core", 7)
    reason = rapl(tmp_path)
    assert isinstance(reason, Reason) and reason.what.startswith("this machine has no energy counter of its processors")
    assert "virtual machines" in reason.remedy


def test_a_counter_that_may_not_be_read_says_what_to_do(powercap, tmp_path, monkeypatch):
    path = powercap.zone("intel-rapl:0", "package-0", 7)
    read = Path.read_text

    def refused(self, *words, **more):
        if self.name == "energy_uj":  # root, as whom tests may run, reads everything
            raise PermissionError(13, "Permission denied")
        return read(self, *words, **more)

    monkeypatch.setattr(Path, "read_text", refused)
    reason = rapl(tmp_path)
    assert isinstance(reason, Reason) and reason.what == f"{path / 'energy_uj'} may be read by root only"
    assert reason.remedy.endswith("sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj")


class EnergyNvml:
    """A fake of pynvml. millijoules: what it answers, one after the other; an exception is raised."""

    class NVMLError(Exception):
        pass

    def __init__(self, *millijoules: int | Exception) -> None:
        self.answers = iter(millijoules)

    def nvmlInit(self):
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid):
        return f"handle of {uuid}"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        assert handle == "handle of GPU-1"
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_gpu_counts_millijoules_of_the_whole_board():
    counter = nvml_counter("GPU-1", EnergyNvml(5, 1_000, 4_500))
    assert isinstance(counter, Nvml) and "whole GPU" in counter.of
    before = counter.read()
    assert counter.joules(before, counter.read()) == 3.5


def test_a_gpu_without_a_counter_is_a_reason():
    refused = EnergyNvml(EnergyNvml.NVMLError("Not Supported"))
    reason = nvml_counter("GPU-1", refused)
    assert isinstance(reason, Reason)
    assert str(reason) == (
        "this GPU or its driver tells no energy (NVML: Not Supported); NVIDIA GPUs have a counter from Volta on"
    )
    assert isinstance(nvml_counter("", refused), Reason)


def test_a_gpu_that_falls_silent_is_an_error_of_the_system():
    counter = nvml_counter("GPU-1", EnergyNvml(5, EnergyNvml.NVMLError("GPU is lost")))
    with pytest.raises(OSError, match="NVML: GPU is lost"):
        counter.read()
