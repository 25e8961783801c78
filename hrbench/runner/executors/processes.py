"""What Linux offers so that no process outlives the one that it works for.

Where a call is missing (another system, a sandbox), it is left out: processes then end by the closed socket alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Container
from pathlib import Path

from hrbench.runner.executors.interpreter import Interpreter, this_interpreter

_SET_PARENT_DEATH_SIGNAL = 1  # names of prctl(2): PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER
_SET_CHILD_SUBREAPER = 36

PROC = Path("/proc")

SWEEP_SECONDS = 10.0
"""How long killed processes are waited for: one that waits for a disk can die no sooner than the disk answers."""


def _prctl(option: int, value: int) -> bool:
    try:
        return ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0) == 0
    except (OSError, AttributeError):
        return False


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Sends this process the signal when the thread that started it ends; at once if `parent` is gone already."""
    _prctl(_SET_PARENT_DEATH_SIGNAL, number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def adopt_orphans() -> None:
    """Makes this process the parent of all its descendants whose own parents end, so that it can end them."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def threads_of_this_process() -> int:
    """How many threads the kernel sees; 1 if it does not tell."""
    try:
        return len(list((PROC / "self" / "task").iterdir()))
    except OSError:
        return 1


def children(parent: int) -> list[int]:
    """Ids of the processes whose parent is `parent`, ended ones that nobody has waited for included."""
    found = []
    for place in PROC.iterdir() if PROC.is_dir() else ():
        if place.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                text = (place / "stat").read_text(encoding="ascii", errors="replace")
                if int(text.rpartition(")")[2].split()[1]) == parent:  # a command's name may hold anything
                    found.append(int(place.name))
    return found


def kill_group(leader: int) -> None:
    """Kills a process and what is in the group that it leads."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(leader, signal.SIGKILL)


def end_children(keep: Container[int] = ()) -> dict[int, int]:
    """Kills all children of this process except `keep`, and what they leave behind; id -> wait status of the ended.

    A process that has adopted the orphans ends all descendants in this way, whichever session they moved to.
    """
    ended: dict[int, int] = {}
    until = time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < until:
        if not reap(ended):
            break
        left = [child for child in children(os.getpid()) if child not in keep]
        if not left:
            break
        for child in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        time.sleep(0.001)
    return ended


def reap(ended: dict[int, int]) -> bool:
    """Notes the wait status of every child that has ended; False if there is no child at all."""
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if child == 0:
            return True
        ended[child] = status


def python_command(code: str, interpreter: Interpreter | None = None) -> list[str]:
    """A Python that finds what `interpreter` finds, whatever lies in the working folder, and runs `code`.

    interpreter: None for this one.
    """
    python = interpreter or this_interpreter()
    # the options that multiprocessing gives its children too: -O, -W, -X and the like
    options = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [python.executable, *options, "-P", "-c", f"import sys; sys.path[:] = {list(python.path)}; {code}"]
