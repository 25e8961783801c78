"""Watches the machine while a cost is measured in this process: starts the sampler, and ends it.

with watching() as watch:
    begin = watch.mark()
    ...
    end = watch.mark()
seen = between(watch.record, begin, end)
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hrbench.cost.telemetry import sampler
from hrbench.cost.telemetry.sampler import Target

PATIENCE = 5.0
"""Seconds within which the sampler answers; one that does not is given up."""


@dataclass(frozen=True, slots=True)
class Record:
    """What was read of a machine.

    readings: as `sampler.py` describes them, in order of time.
    facts: what did not change: of the GPU.
    busy: CPU seconds that the sampler took.
    missing: why nothing was read, in words; "" if something was.
    """

    readings: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    busy: float = 0.0
    missing: str = ""


class Watch(Protocol):
    """Watches a machine. record: what was read, complete once the watch has ended."""

    record: Record

    def mark(self) -> float:
        """Has the machine read now; returns the time of the reading by the monotonic clock, in seconds."""
        ...


@dataclass(slots=True)
class Nobody:
    """A `Watch` that sees nothing."""

    record: Record = Record(missing="nobody has watched the machine")

    def mark(self) -> float:
        """The time by the monotonic clock, in seconds."""
        return time.monotonic()


class Sampled:
    """A `Watch` of this process by the sampler, which is a process of its own.

    gpu: UUID of the GPU that it uses, "" for none.
    """

    def __init__(self, gpu: str = "") -> None:
        self.record = Record(missing="nothing has watched this machine")
        self._process = None if not Path("/proc/self/task").is_dir() or not sys.executable else self._start(gpu)
        if self._process is None:
            self.record = Record(missing="this system does not tell what its processors do (it has no /proc)")
        else:
            self._answered()

    def _start(self, gpu: str) -> subprocess.Popen[bytes] | None:
        target = Target(os.getpid(), gpu)
        # of packages, only NVML's is needed, and only for a GPU; without `site` it starts in half of the time
        where = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))} if gpu else None
        try:
            process = subprocess.Popen(
                [sys.executable, *(("-S", "-P") if gpu else ("-I", "-S")), sampler.__file__],
                env=where,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
            assert process.stdin is not None
            process.stdin.write(json.dumps(asdict(target)).encode() + b"\n")
        except OSError:
            return None
        return process

    def mark(self) -> float:
        """Has the machine read now; returns the time of the reading by the monotonic clock, in seconds."""
        if self._process is not None:
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(b"\n")
            except OSError:
                self._give_up()
            else:
                return self._answered()
        return time.monotonic()

    def _answered(self) -> float:
        """Waits for the sampler's answer; the time of its reading, or now if it does not answer."""
        assert self._process is not None and self._process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            readable = _readable(self._process.stdout.fileno(), PATIENCE)
            part = self._process.stdout.read(64) if readable else b""
            if not part:
                self._give_up()
                return time.monotonic()
            line += part
        return float(line)

    def _give_up(self) -> None:
        process, self._process = self._process, None
        self.record = Record(missing="the process that watches the machine has ended before its time")
        if process is not None:
            process.kill()
            _close(process)

    def close(self) -> None:
        """Ends the sampler and takes what it read."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            said, _ = process.communicate(timeout=PATIENCE)
            content = json.loads(said)
            self.record = Record(content["readings"], content["facts"], content["busy"])
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self.record = Record(missing="the process that watches the machine has ended before its time")
            process.kill()
        finally:
            _close(process)


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()  # not select(), which takes no file above 1,024
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()


@contextlib.contextmanager
def watching(gpu: str = "") -> Iterator[Sampled]:
    """Watches this process, and the GPU with this UUID, until the end of the block."""
    watch = Sampled(gpu)
    try:
        yield watch
    finally:
        watch.close()
