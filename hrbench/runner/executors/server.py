"""The process that starts jobs' processes, watches over them, and ends them.

It runs no job's code. It imports what jobs need once, computes nothing, and has a single thread, so that its forks are
clean; for jobs that need a process without history it starts fresh interpreters, one of them ahead. When hrbench ends,
however it ends, the socket closes, and the server takes everything that it started with it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

from hrbench.runner.executors.child import live, load
from hrbench.runner.executors.endings import kills_since, memory_kills
from hrbench.runner.executors.messages import receive, send
from hrbench.runner.executors.processes import (
    adopt_orphans,
    die_with_parent,
    end_children,
    kill_group,
    python_command,
    reap,
    threads_of_this_process,
)

GRACE_SECONDS = 2.0
"""Between asking a job to end, which writes to its log where it hung, and killing it."""


def serve(descriptor: int) -> None:
    """The life of the server: does what it is told until the other side is gone."""
    os.set_inheritable(descriptor, False)  # a copy in another process would hide the server's end from hrbench
    server = _Server(socket.socket(fileno=descriptor))
    try:
        while (received := server.hear()) is not None:
            message, descriptors = received
            if message["do"] == "warm":
                server.warm(message)
            else:
                server.run(message, *descriptors)
    except (_Alone, OSError):
        pass
    finally:
        end_children()


class _Alone(Exception):
    """hrbench is gone, or has no more use for what is running."""


class _Spare:
    """A fresh interpreter that waits for its one job."""

    def __init__(self, modules: list[str]) -> None:
        ours, theirs = socket.socketpair()
        code = f"from hrbench.runner.executors.child import stand_by; stand_by({theirs.fileno()})"
        command = python_command(code)
        self.process = os.fork()
        if self.process == 0:
            try:
                os.set_inheritable(theirs.fileno(), True)
                signal.set_wakeup_fd(-1)
                os.execv(command[0], command)
            finally:
                os._exit(127)
        theirs.close()
        self.connection = ours
        self.ready = False
        with contextlib.suppress(OSError):  # one that died at once is found out when it is needed
            send(ours, modules)


class _Server:
    def __init__(self, control: socket.socket) -> None:
        self.control, self.parent = control, os.getppid()
        self.spare: _Spare | None = None
        self.clean = True  # whether a fork has this one thread alone
        self.ended: dict[int, int] = {}
        self.woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.wake = wake
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGUSR1):  # handlers of Python's own, or nothing is written to the pipe
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to handle
        adopt_orphans()  # whatever session the descendants of a job move to, they are ended with it
        die_with_parent(self.parent, signal.SIGUSR1)  # a signal that wakes: the thread that started us may end earlier

    def hear(self) -> tuple[Any, list[int]] | None:
        """What hrbench wants next; None if it is gone."""
        while self.control not in self._ready(None):
            pass
        return receive(self.control)

    def warm(self, message: Mapping[str, Any]) -> None:
        """Gets ready for jobs: imports, or starts the fresh interpreter that the first one will use."""
        if message["fresh"]:
            self.spare = self.spare or _Spare(message["modules"])
        else:
            self._load(message["modules"])

    def _load(self, modules: list[str]) -> None:
        """Imports what is not imported yet, and finds out whether a fork is still clean."""
        if set(modules) <= set(sys.modules):
            return
        load(modules)
        gc.collect()
        gc.freeze()  # what stays for ever is not looked through again in every fork
        # OpenBLAS starts its threads on import and ends them before a fork: they count only if they are there after it.
        probe = os.fork()
        if probe == 0:
            os._exit(0)
        os.waitpid(probe, 0)
        self.clean = threads_of_this_process() == 1

    def run(self, message: Mapping[str, Any], channel: int, output: int) -> None:
        """Runs a job to its end, and says how it ended once nothing is left of it."""
        fresh = message["fresh"]
        if not fresh:
            self._load(message["modules"])
        if fresh or not self.clean:
            job = self._hand_over(message, channel, output)
        else:
            job = self._fork(message, channel, output)
        for descriptor in (channel, output):
            os.close(descriptor)
        kills, started = memory_kills(), time.monotonic()
        send(self.control, {"started": job, "fresh": fresh or not self.clean})
        timed_out = self._watch(job, message["timeout"])
        seconds = time.monotonic() - started
        self.ended |= end_children(keep=() if self.spare is None else (self.spare.process,))
        send(
            self.control,
            {
                "ended": self.ended.pop(job),
                "timed out": timed_out,
                "out of memory": kills_since(kills, memory_kills()),
                "seconds": seconds,
            },
        )
        self.ended.clear()
        if fresh and self.spare is None:
            self.spare = _Spare(message["modules"])

    def _fork(self, message: Mapping[str, Any], channel: int, output: int) -> int:
        server = os.getpid()
        job = os.fork()
        if job == 0:
            self._become(server)
            live(message, channel, output)
        return job

    def _become(self, server: int) -> None:
        """Leaves everything of the server's behind, in a fork."""
        try:
            die_with_parent(server)
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGUSR1):
                signal.signal(number, signal.SIG_DFL)
            self.control.close()
            os.close(self.woken)
            os.close(self.wake)
            if self.spare is not None:
                self.spare.connection.close()
        except BaseException:
            os._exit(1)

    def _hand_over(self, message: Mapping[str, Any], channel: int, output: int) -> int:
        """Gives the job to a fresh interpreter. Nothing else is started beside one that measures times."""
        spare, self.spare = self.spare, None
        if spare is None or not self._is_ready(spare):  # none was started ahead, or somebody killed it
            spare = _Spare(message["modules"])
            self._is_ready(spare)
        if not message["quiet"]:
            self.spare = _Spare(message["modules"])
        with contextlib.suppress(OSError):  # one that has died is found out by its end
            send(spare.connection, message, [channel, output])
        spare.connection.close()
        return spare.process

    def _is_ready(self, spare: _Spare) -> bool:
        """Waits until a fresh interpreter has imported what it was told to; False if it has died instead."""
        while not spare.ready:
            if spare.connection in self._wait(None, spare.connection):
                if receive(spare.connection) is None:
                    return False
                spare.ready = True
        return True

    def _watch(self, job: int, timeout: float | None) -> bool:
        """Waits for the end of a job, and ends it after its timeout; whether that was needed."""
        asked, deadline = False, None if timeout is None else time.monotonic() + timeout
        while not self._has_ended(job):
            if deadline is not None and time.monotonic() >= deadline:
                if asked:
                    kill_group(job)
                    deadline = None
                else:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(job, signal.SIGTERM)
                    asked, deadline = True, time.monotonic() + GRACE_SECONDS
            self._wait(deadline)
        return asked

    def _has_ended(self, job: int) -> bool:
        reap(self.ended)
        return job in self.ended

    def _wait(self, deadline: float | None, *more: socket.socket) -> list[socket.socket]:
        """Waits for the end of a process, the deadline, or one of `more`; gives those of `more` that have something.

        Raises _Alone if hrbench is gone: it sends nothing while a job runs, so all that it can have to say is its end.
        """
        ready = self._ready(deadline, *more)
        if self.control in ready:
            raise _Alone
        return ready

    def _ready(self, deadline: float | None, *more: socket.socket) -> list[socket.socket]:
        patience = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([self.control, self.woken, *more], [], [], patience)
        if os.getppid() != self.parent:  # a copy of hrbench may still hold the socket open
            raise _Alone
        if self.woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.woken, 4096)
        return [one for one in ready if isinstance(one, socket.socket)]
