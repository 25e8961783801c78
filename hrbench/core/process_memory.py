"""The memory of this process, as the kernel counts it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

SELF = Path("/proc/self")


def resident(name: str, root: Path = SELF) -> int | None:
    """A size of a process in bytes, by its name in its status ("VmRSS", "VmHWM"); None if the system does not tell.

    root: of a process in /proc.
    """
    try:
        lines = (root / "status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    words = next((line.split() for line in lines if line.startswith(f"{name}:")), [])
    return int(words[1]) * 1024 if len(words) == 3 and words[1].isdigit() else None


def peak(root: Path = SELF) -> int:
    """The most bytes of memory that this process has held at once.

    `ru_maxrss` is used only if the kernel does not report VmHWM: after a vfork, which is how many launchers start
    processes, it begins at the launcher's own peak, and hides what this process takes.
    """
    found = resident("VmHWM", root)
    if found is not None:
        return found
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
