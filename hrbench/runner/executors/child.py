"""The life of a process that runs one job and nothing else.

It is a fork of the server or, if the job needs a process without any history, a fresh interpreter that was started
ahead. What it returns goes through a channel that the job's code does not know, and is whole or nothing.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import importlib
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TextIO

from hrbench.core.environment import threads_in_force
from hrbench.core.import_path import importable
from hrbench.runner.executors import witness
from hrbench.runner.executors.endings import CHANNEL_CLOSED, foreseen, raised, trace
from hrbench.runner.executors.messages import packed, receive, send
from hrbench.runner.executors.processes import die_with_parent

_HIGH = 60_000
"""Numbers of our own open files begin here, if the limit allows: code that closes all up to 1024 or 4096 does not
meet them, and none of its own files ever gets one of them."""


def stand_by(descriptor: int) -> None:
    """The life of a fresh interpreter that is used once: imports, says that it is ready, and runs what it is sent."""
    die_with_parent(os.getppid())  # if the server is gone already, there is nothing to receive
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(descriptor, False)
    connection = socket.socket(fileno=descriptor)
    with contextlib.suppress(OSError):  # the server is gone
        received = receive(connection)
        if received is not None:
            load(received[0])
            send(connection, "ready")
            received = receive(connection)
        if received is not None:
            message, (channel, output) = received
            connection.close()
            live(message, channel, output)


def load(modules: list[str]) -> None:
    """Imports what jobs will need. A module that cannot be imported is left to the job, which will say why."""
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def live(message: Mapping[str, Any], channel: int, output: int) -> NoReturn:
    """Runs a job to its end, and ends this process without whatever its code left to be done at exit.

    message: fields of the job as `local.py` sends them.
    channel, output: open files for events and the result, and for what is printed.
    """
    status = CHANNEL_CLOSED
    try:
        ours = _Channel(_raised_number(channel))
        with importable(*message["path"], place="only"):
            ours.finish(_run(message, output, ours))
        status = 0
    except BaseException as error:  # of ours: the job's own errors are part of what it answers
        with contextlib.suppress(BaseException):
            os.write(2, f"hrbench: {raised(error)}\n".encode())
    finally:
        os._exit(status)


class _Channel:
    """The way out for events and the result."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.identity = self._identity()
        self.process = os.getpid()
        self.lock = threading.Lock()
        self.broken = False

    def _identity(self) -> tuple[int, int]:
        status = os.fstat(self.descriptor)
        return status.st_dev, status.st_ino

    def emit(self, event: Mapping[str, Any]) -> None:
        """Sends an event, from any thread; a copy of the process that the job's code forked sends none."""
        self._send(packed({"event": event}))

    def finish(self, answer: Mapping[str, Any]) -> None:
        """Sends what the job came to. Raises OSError if that cannot be done."""
        if os.getpid() != self.process:
            return
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        if self.broken or self._identity() != self.identity:
            raise OSError("the way back to hrbench was closed")
        self._send(packed({"answer": answer}))

    def _send(self, data: bytes) -> None:
        if os.getpid() != self.process:
            return
        with self.lock:
            whole, self.broken = not self.broken, True  # an exception of a signal handler may leave half a message
            while whole and data:
                data = data[os.write(self.descriptor, data) :]
            self.broken = not whole


def _raised_number(descriptor: int) -> int:
    """The same open file under a high number."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    lowest = _HIGH if limit == resource.RLIM_INFINITY else min(_HIGH, max(3, limit - 16))
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    os.close(descriptor)
    return moved


def _settle(message: Mapping[str, Any], output: int) -> None:
    """Makes the process one of the job's: streams, folder, environment, signals."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for descriptor in (nothing, output):
        if descriptor > 2:
            os.close(descriptor)
    sys.stdout = sys.__stdout__ = _printing(1)
    sys.stderr = sys.__stderr__ = _printing(2)
    _environment(message["environment"])
    if message["folder"]:
        os.chdir(message["folder"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    told = _raised_number(os.dup(2))
    faulthandler.enable(told)  # the log then says where a crash was, and where a job hung that is past its timeout
    faulthandler.register(signal.SIGTERM, told, all_threads=True, chain=True)


def _printing(descriptor: int) -> TextIO:
    """A stream that hands on every line at once, so that a death loses none."""
    # closefd=False, as for Python's own: the number of a closed stream would be given to the next file that is opened
    return open(descriptor, "w", 1, "utf-8", "backslashreplace", closefd=False)


def _environment(wanted: Mapping[str, str]) -> None:
    for key in [key for key in os.environ if key not in wanted]:
        del os.environ[key]
    os.environ.update({key: value for key, value in wanted.items() if os.environ.get(key) != value})


def _run(message: Mapping[str, Any], output: int, channel: _Channel) -> dict[str, Any]:
    """What the job came to: its value or its error, and what it changed of its process."""
    answer: dict[str, Any] = {}
    before: witness.ProcessState | None = None
    try:
        _settle(message, output)
        before = witness.state()
        answer["value"] = value_of(message["target"], message["arguments"], channel.emit)
        packed(answer)  # what JSON cannot hold is the job's error
    except BaseException as error:  # SystemExit, GeneratorExit and KeyboardInterrupt of its code end the job alone
        answer = failure(error)
    answer["changes"] = _changes(before)
    answer["threads"] = threads_in_force()
    return answer


def _changes(before: witness.ProcessState | None) -> tuple[str, ...]:
    if before is None:
        return ()
    try:
        return witness.changes(before, witness.state())
    except Exception as error:
        return (f"what it is like now cannot be read ({type(error).__name__})",)


def value_of(target: str, arguments: Mapping[str, Any], emit: Callable[[Mapping[str, Any]], object]) -> Any:
    """Calls "package.module:function" as `function(emit, **arguments)`."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)(emit, **arguments)


def failure(error: BaseException) -> dict[str, Any]:
    """An exception as plain values: its class, its message in a line, its traceback."""
    return {
        "failure": raised(error),
        "error": type(error).__name__,
        "foreseen": foreseen(error),
        "traceback": trace(error),
    }
