"""Which processes are there, for tests that end some."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

import psutil


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended; one that nobody has waited for has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def left_of(pids: Iterable[int], patience: float = 120) -> list[int]:
    """Those of the processes that do not end. Returns as soon as all have ended."""
    until = time.monotonic() + patience
    left = [pid for pid in pids if alive(pid)]
    while left and time.monotonic() < until:
        time.sleep(0.01)
        left = [pid for pid in left if alive(pid)]
    return left
