"""Runs jobs on this machine, one at a time, each in a process of its own that has run no other.

    with LocalExecutor() as executor:
        outcome = executor.submit(Job("package.module:function", {"name": "value"}))

The server (`server.py`) is started by the first job that is submitted, or by `warm`, as `python -c` over a socket pair:
the caller's main module is not imported again, so no main guard is needed, and a notebook will do.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hrbench.contracts import Job, Outcome
from hrbench.errors import EntryError
from hrbench.runner.executors.endings import ended, signal_name
from hrbench.runner.executors.interpreter import Interpreter, this_interpreter
from hrbench.runner.executors.messages import Damaged, Incoming, receive, send
from hrbench.runner.executors.output import KeptOutput
from hrbench.runner.executors.processes import kill_group, python_command
from hrbench.runner.executors.recipes import refused

MODULES = ("numpy", "cv2", "hrbench.runner.evaluate")
"""What the server imports before its first fork: what every entry needs."""

CLOSE_SECONDS = 15.0
"""How long the server may take to end what it has started."""

Listen = Callable[[Mapping[str, Any]], object]


class LocalExecutor:
    """An `Executor` of this machine.

    modules: imported once, before jobs are run.
    fresh: every job gets a fresh interpreter, as jobs on CUDA do in any case, rather than a fork of the server.
    interpreter: the Python that runs jobs, None for this one. A job that names no `path` finds what it finds.
    """

    def __init__(
        self, modules: Sequence[str] = MODULES, fresh: bool = False, interpreter: Interpreter | None = None
    ) -> None:
        self.modules, self.fresh, self.interpreter = tuple(modules), fresh, interpreter
        self._server: _ServerProcess | None = None
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def warm(self, device: str = "cpu", modules: Sequence[str] = ()) -> None:
        """Starts the server, which imports what jobs on the device need, and does not wait for it.

        modules: more of them than those of the executor.
        """
        with self._lock, contextlib.suppress(OSError):  # a server that has died is found out by the first job
            send(self._running().control, {"do": "warm", **self._how(device, modules)})

    def submit(self, job: Job, listen: Listen = lambda event: None) -> Outcome:
        """Runs a job to its end. Whatever its code does, it is told as an `Outcome`.

        listen: gets the job's events, in this thread. Raises what `listen` raises, and EntryError if the executor is
        closed meanwhile; the job is ended before.
        """
        if reason := refused(job):
            return Outcome(failure=reason)
        output = KeptOutput(Path(job.log) if job.log else None)
        with self._lock:
            try:
                return self._run(job, output, listen)
            except BaseException:
                self._abandon()
                raise
            finally:
                output.close()

    def close(self) -> None:
        """Ends the server and whatever it runs; a `submit` in another thread raises EntryError."""
        self._closed = True
        server = self._server
        if server is not None:
            server.hang_up()
        with self._lock:
            self._abandon()

    def _run(self, job: Job, output: KeptOutput, listen: Listen) -> Outcome:
        words = ""
        for _ in range(2):
            server, run = self._running(), _RunningJob(output, listen)
            with contextlib.suppress(OSError):  # the server has died meanwhile, as `follow` finds out
                run.start(server, self._message(job))
            if run.follow(server):
                return run.outcome(job)
            if self._closed:
                break
            words = self._abandon(CLOSE_SECONDS)
            if run.begun:  # the job may have run in part, and is not run again
                outcome = run.outcome(job)  # which is whole if the answer was there before
                lost = f"the process that watches over its process {words}"
                return outcome if run.answer else replace(outcome, failure=lost)
        if self._closed:
            raise EntryError("the executor was closed while a job was running")
        return Outcome(failure=f"the process that starts the processes of entries {words}")

    def _running(self) -> _ServerProcess:
        """The server, started if there is none or if it has died."""
        if self._closed:
            raise EntryError("the executor is closed: it runs no more jobs")
        if self._server is not None and self._server.process.poll() is not None:
            self._abandon()
        if self._server is None:
            self._server = _ServerProcess(self.interpreter)
        return self._server

    def _abandon(self, patience: float = 0) -> str:
        """Ends the server with all that it runs, if there is one; how it ended, in words."""
        server, self._server = self._server, None
        return "" if server is None else server.end(patience)

    def _message(self, job: Job) -> dict[str, Any]:
        return {
            "do": "run",
            **self._how(job.device, job.modules),
            "target": job.target,
            "arguments": dict(job.arguments),
            "timeout": job.timeout,
            "quiet": job.quiet,
            "path": [*(self.interpreter or this_interpreter()).path] if job.path is None else [*map(str, job.path)],
            "folder": job.folder or _folder(),
            "environment": dict(os.environ if job.environment is None else job.environment),
        }

    def _how(self, device: str, modules: Sequence[str]) -> dict[str, Any]:
        fresh = self.fresh or device.startswith("cuda")
        return {"fresh": fresh, "modules": [*self.modules, *modules]}


def _folder() -> str:
    """The working folder; "" if it was deleted, and the job's process is in the same one in any case."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return ""


class _ServerProcess:
    """The server process, seen from here. job: the process that it runs now."""

    def __init__(self, interpreter: Interpreter | None) -> None:
        self.control, theirs = socket.socketpair()
        self.job: int | None = None
        # a file, since nobody reads a pipe between jobs, and a full one would stop the server
        self.said = tempfile.TemporaryFile()  # noqa: SIM115
        code = f"from hrbench.runner.executors.server import serve; serve({theirs.fileno()})"
        with theirs:
            self.process = subprocess.Popen(
                python_command(code, interpreter),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self.said,
                stderr=self.said,
                start_new_session=True,  # Ctrl-C of a terminal is ours to handle
            )

    def hang_up(self) -> None:
        """Tells the server that nobody needs it any more; it then ends what it runs, and itself."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)

    def end(self, patience: float = 0) -> str:
        """Waits for the server's end, and brings it about after `patience` seconds; how it ended, in words."""
        self.hang_up()
        try:
            self.process.wait(patience if self.job is None else CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
        finally:  # a second Ctrl-C may end the wait; the server ends by itself then, since nothing holds the socket
            self.control.close()
        code = self.process.wait()
        if code < 0 and self.job is not None:
            kill_group(self.job)
        with self.said:
            self.said.seek(max(0, self.said.seek(0, os.SEEK_END) - 4096))
            lines = self.said.read().decode("utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        words = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with status {code}"
        return f"{words}: {last}" if last else words


class _RunningJob:
    """One job while it runs: its events, its answer, its output."""

    def __init__(self, output: KeptOutput, listen: Listen) -> None:
        self.output, self.listen = output, listen
        self.channel, self.theirs = socket.socketpair()
        self.printed, self.their_output = os.pipe()
        self.incoming: Incoming | None = Incoming()
        self.answer: dict[str, Any] | None = None
        self.end: dict[str, Any] = {}
        self.begun = self.fresh = False

    def start(self, server: _ServerProcess, message: Mapping[str, Any]) -> None:
        """Hands the job to the server. Raises OSError if it is gone."""
        try:
            send(server.control, message, [self.theirs.fileno(), self.their_output])
        finally:
            self.theirs.close()
            os.close(self.their_output)

    def follow(self, server: _ServerProcess) -> bool:
        """Takes what comes until the server says that the job has ended; False if the server ends before."""
        try:
            with selectors.DefaultSelector() as selector:
                for source in (self.channel, self.printed, server.control):
                    selector.register(source, selectors.EVENT_READ)
                while not self.end:
                    for key, _ in selector.select():
                        if key.fileobj is server.control:
                            if not self._told(server):
                                return False
                        elif not (self._hear() if key.fileobj is self.channel else self._read()):
                            selector.unregister(key.fileobj)
            self.channel.setblocking(False)
            os.set_blocking(self.printed, False)
            with contextlib.suppress(BlockingIOError):  # all who wrote have ended except one that the disk holds up
                while self._hear():
                    pass
            with contextlib.suppress(BlockingIOError):
                while self._read():
                    pass
            return True
        finally:
            server.job = server.job if not self.end else None
            self.channel.close()
            os.close(self.printed)

    def _told(self, server: _ServerProcess) -> bool:
        """What the server says; False if it is gone."""
        received = receive(server.control)
        if received is None:
            return False
        message = received[0]
        if "begins" in message:
            self.begun = True
        elif "started" in message:
            server.job, self.fresh = message["started"], message["fresh"]
        else:
            self.end = message
        return True

    def _hear(self) -> bool:
        """An event or the answer; False if nothing more comes."""
        try:
            data = self.channel.recv(1 << 16)
        except ConnectionResetError:
            return False
        try:
            messages = self.incoming.feed(data) if self.incoming is not None else []
        except Damaged:
            self.incoming, messages = None, []
        for message in messages:
            if "event" in message:
                self.listen(message["event"])
            else:
                self.answer = message["answer"]
        return bool(data)

    def _read(self) -> bool:
        """A piece of the output; False if nothing more comes."""
        data = os.read(self.printed, 1 << 16)
        self.output.feed(data)
        return bool(data)

    def outcome(self, job: Job) -> Outcome:
        """What the job came to, as far as it is known."""
        answer = self.answer or {}
        timed_out = self.end.get("timed out", False) and "value" not in answer
        if timed_out or (not answer and self.end):
            timeout = job.timeout if timed_out else None
            failure = ended(self.end["ended"], timeout, self.end["out of memory"])
        else:
            failure = answer.get("failure", "")
        return Outcome(
            value=answer.get("value"),
            failure=failure,
            error=answer.get("error", ""),
            foreseen=answer.get("foreseen", False),
            traceback=answer.get("traceback", ""),
            changes=tuple(answer.get("changes", ())),
            threads=answer.get("threads"),
            output=self.output.last_lines(),
            output_bytes=self.output.total,
            left_out=self.output.left_out,
            fresh=self.fresh,
            seconds=self.end.get("seconds", 0.0),
        )
