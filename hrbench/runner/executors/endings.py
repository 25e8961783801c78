"""How a job ended, in one line that a person understands."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hrbench.errors import HrbenchError, in_words

CHANNEL_CLOSED = 97
"""Exit status of a job that could not hand over its result."""

_LONGEST_LINE = 2000
_LONGEST_TRACEBACK = 20_000

_PLAIN = {
    signal.SIGSEGV: "segmentation fault",
    signal.SIGBUS: "bus error",
    signal.SIGABRT: "abort",
    signal.SIGILL: "illegal instruction",
    signal.SIGFPE: "arithmetic error",
    signal.SIGXCPU: "processor time limit",
    signal.SIGXFSZ: "file size limit",
}


def ended(status: int, timeout: float | None = None, out_of_memory: str = "") -> str:
    """Why a process has no result.

    status: as `os.waitpid` gives it.
    timeout: the seconds after which hrbench ended it; None if it ended by itself.
    out_of_memory: what the kernel says of memory, see `kills_since`.
    """
    if timeout is not None:
        return f"was not finished after its timeout of {timeout:g} s and was ended"
    code = os.waitstatus_to_exitcode(status)
    if code == CHANNEL_CLOSED:
        return (
            "its process had no way left to hand over its result: its code closes file descriptors that are not its own"
        )
    if code >= 0:
        return f"its process ended with status {code} before there was a result, by os._exit({code}) or the like"
    if code == -signal.SIGKILL and out_of_memory:
        return f"its process was killed by SIGKILL, probably out of memory: {out_of_memory}"
    if code == -signal.SIGKILL:
        return "its process was killed by SIGKILL (by the out-of-memory killer, or by hand)"
    return f"its process was killed by {signal_name(-code)}"


def signal_name(number: int) -> str:
    """A signal by its name, and in plain words if they say more.

    >>> signal_name(11), signal_name(15)
    ('SIGSEGV (segmentation fault)', 'SIGTERM')
    """
    try:
        known = signal.Signals(number)
    except ValueError:
        return f"signal {number}"
    return f"{known.name} ({_PLAIN[known]})" if known in _PLAIN else known.name


def raised(error: BaseException) -> str:
    """What an exception of any class says, in one line of bounded length."""
    if isinstance(error, SystemExit):
        return f"its code called sys.exit({_safely(repr, error.code) if error.code is not None else ''})"
    kind = type(error).__name__
    if isinstance(error, Exception):
        said = _safely(in_words, error)
    else:
        text = _safely(str, error)
        said = f"{kind}: {text}" if text else kind
    lines = said.strip() if isinstance(error, HrbenchError) else (said.strip().splitlines() or [kind])[0]
    return lines.removesuffix(": ").removesuffix(":")[:_LONGEST_LINE]


def _safely(words: Callable[[Any], str], value: Any) -> str:
    """What `words` makes of a value; a message that cannot be read is said to be so."""
    try:
        return words(value)
    except BaseException as error:  # the code behind a message is the job's as well
        return f"{type(value).__name__} (its message cannot be read: {type(error).__name__})"


def trace(error: BaseException) -> str:
    """The traceback, its end if it is long."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException as second:
        text = f"{type(error).__name__} (its traceback cannot be shown: {type(second).__name__})"
    return text if len(text) <= _LONGEST_TRACEBACK else f"...\n{text[-_LONGEST_TRACEBACK:]}"


def foreseen(error: BaseException) -> bool:
    """Whether the message says all there is to know: an error of ours that no other code's error caused."""
    return isinstance(error, HrbenchError) and isinstance(error.__cause__, (HrbenchError, type(None)))


# --- memory -----------------------------------------------------------------------------------------------------------


def memory_kills(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> dict[str, int]:
    """How often the kernel's out-of-memory killer struck: "group", this process's control group, and "system"."""
    found = {}
    for name, path in (*_group_counters(proc, groups), ("system", proc / "vmstat")):
        try:
            lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            continue
        counts = [line.split()[1] for line in lines if line.startswith("oom_kill ")]
        if counts and counts[0].isdigit():
            found[name] = int(counts[0])
    return found


def _group_counters(proc: Path, groups: Path) -> list[tuple[str, Path]]:
    """Counters of the memory control group of this process, of version 2 ("0::/...") or 1 ("4:memory:/...")."""
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        if controllers == "":
            found.append(("group", groups / place.lstrip("/") / "memory.events"))
        elif "memory" in controllers.split(","):
            found.append(("group", groups / "memory" / place.lstrip("/") / "memory.oom_control"))
    return found


def kills_since(before: dict[str, int], now: dict[str, int]) -> str:
    """What the counters say of the time between, "" if nothing was killed for want of memory."""
    if now.get("group", 0) > before.get("group", now.get("group", 0)):
        return "the kernel's out-of-memory killer struck in its control group meanwhile"
    if now.get("system", 0) > before.get("system", now.get("system", 0)):
        return "the kernel's out-of-memory killer struck on this machine meanwhile"
    return ""
