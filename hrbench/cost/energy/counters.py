"""Counters of energy: NVML's of a GPU, and RAPL's of processors. No torch.

Both count since some moment; what was used between two readings is their difference. Whatever else runs on the board or
the processors is counted, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hrbench.types import Reason

POWERCAP = "sys/class/powercap"
"""Where Linux has the counters of processors, of Intel's and AMD's alike."""


class Counter(Protocol):
    """Counts energy. of: what it covers, in words."""

    of: str
    range: float | None
    """Joules after which a part of it begins at 0 again; None for a counter that does not."""

    def read(self) -> tuple[int, ...]:
        """What its parts have counted, each in its own unit. Raises OSError if it cannot be read any more."""
        ...

    def joules(self, before: Sequence[int], after: Sequence[int]) -> float:
        """Energy between two readings; 0 or less if it has not counted."""
        ...


@dataclass(frozen=True, slots=True)
class Zone:
    """One counter of RAPL. range: microjoules after which it begins at 0 again."""

    name: str
    path: Path
    range: int


class Rapl:
    """The energy of all processor packages of the machine, with their memory where that is counted."""

    def __init__(self, zones: Sequence[Zone]) -> None:
        self.zones = tuple(zones)
        self.range: float | None = min((zone.range for zone in zones), default=0) / 1e6
        self.of = f"RAPL: {', '.join(zone.name for zone in zones)}, other work on them included"

    def read(self) -> tuple[int, ...]:
        """Microjoules of each zone."""
        return tuple(int((zone.path / "energy_uj").read_text()) for zone in self.zones)

    def joules(self, before: Sequence[int], after: Sequence[int]) -> float:
        """Energy between two readings. A counter that has begun again is taken to have done so once."""
        each = zip(self.zones, before, after, strict=True)
        return sum(new - old + (zone.range if new < old else 0) for zone, old, new in each) / 1e6


def rapl(root: Path | str = "/") -> Rapl | Reason:
    """The counters of this machine's processors, or why there are none.

    root: the folder that holds /sys, in tests.

    Packages are added, with the memory ("dram") that some processors count beside them. What a package counts itself
    ("core", "uncore") is left out, and so is what covers the package ("psys").
    """
    folder = Path(root) / POWERCAP
    zones = []
    for path in sorted(folder.glob("intel-rapl:*")) if folder.is_dir() else ():
        part = re.fullmatch(r"intel-rapl:(\d+)(:\d+)?", path.name)
        if part is None:
            continue
        try:
            name = (path / "name").read_text().strip()
            if name != "dram" if part[2] else not name.startswith("package"):
                continue
            (path / "energy_uj").read_text()
            zones.append(Zone(f"dram of package-{part[1]}" if part[2] else name, path,
                              int((path / "max_energy_range_uj").read_text())))  # fmt: skip
        except PermissionError:
            return Reason(
                f"{path / 'energy_uj'} may be read by root only",
                "let others read it until the next start: sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj",
            )
        except (OSError, ValueError):
            continue
    if not zones:
        return Reason(
            f"this machine has no energy counter of its processors (no {folder}/intel-rapl:*)",
            "measure on a machine that has: most virtual machines have none",
        )
    return Rapl(zones)


class Nvml:
    """The energy of a whole GPU, its memory included. handle: of the device."""

    range: float | None = None
    of = "NVML: the whole GPU, its memory and other work on it included"

    def __init__(self, handle: Any, nvml: Any) -> None:
        self.handle, self.nvml = handle, nvml

    def read(self) -> tuple[int, ...]:
        """Millijoules since the driver was loaded. Raises OSError if NVML does not answer."""
        try:
            return (int(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)),)
        except self.nvml.NVMLError as error:
            raise OSError(f"NVML: {error}") from error

    def joules(self, before: Sequence[int], after: Sequence[int]) -> float:
        """Energy between two readings."""
        return (after[0] - before[0]) / 1e3


def nvml_counter(uuid: str, nvml: Any = None) -> Nvml | Reason:
    """The counter of the GPU with this UUID, or why there is none.

    nvml: pynvml, or a fake of it in tests.
    """
    if nvml is None:
        import pynvml as nvml
    if not uuid:
        return Reason("torch does not tell which GPU this is, so that NVML cannot be asked for its energy")
    try:
        nvml.nvmlInit()
        counter = Nvml(nvml.nvmlDeviceGetHandleByUUID(uuid), nvml)
        counter.read()
    except (nvml.NVMLError, OSError, AttributeError) as error:
        return Reason(f"this GPU or its driver tells no energy ({error})", "NVIDIA GPUs have a counter from Volta on")
    return counter
