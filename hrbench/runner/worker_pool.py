"""Worker processes and what they are asked for: samples to prepare, in order, and functions to call.

Workers are started as `python -c` children over a socket pair rather than by multiprocessing, whose spawned children
import the caller's main module again. So `hrbench.run` works in a script without a main guard. Arrays pass through
shared memory (`core/shared_blocks.py`); if there is none they pass through the sockets.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from hrbench.contracts import Task
from hrbench.core.shared_blocks import Block, SharedBlocks, written
from hrbench.errors import EntryError, HrbenchError
from hrbench.runner.worker_process import NOTHING
from hrbench.types import Item, Sample

_HELD = 2
"""Messages with samples that a worker has: one at work, and another so that it never waits for the next."""

NO_BLOCKS = "images pass between processes through pipes, which is slower: there is no shared memory for them"
"""What is said where arrays could not be shared."""


@dataclass(eq=False, slots=True)
class _Task:
    """What one message asks for.

    kind: "prepare" or "call".
    number: of the message.
    data, sizes, block: as `SharedBlocks.write` made them; the block of "prepare" is for the answer.
    samples: their positions and themselves, to prepare.
    future: the answer.
    """

    kind: str
    number: int
    data: bytes
    sizes: tuple[int, ...] | None
    block: Block | None
    samples: Sequence[tuple[int, Sample]] = ()
    future: Future[Any] = field(default_factory=Future)


class _Worker:
    """One child process and what it was asked for, by number, in the order of asking."""

    def __init__(self, setup: bytes, blocks: SharedBlocks | None, place: int) -> None:
        ours, theirs = socket.socketpair()
        shared = -1 if blocks is None else blocks.descriptor
        passed = [theirs.fileno()] if blocks is None else [theirs.fileno(), shared]
        command = f"from hrbench.runner.worker_process import serve; serve({theirs.fileno()}, {shared}, {place})"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}
        self.place = place
        self.process = subprocess.Popen(
            [sys.executable, "-c", command], pass_fds=passed, stdin=subprocess.DEVNULL, env=environment
        )
        theirs.close()
        self.connection = Connection(ours.detach())
        self.asked: dict[int, _Task] = {}
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(list(sys.path))  # apart from the task, which may need it to be unpickled
            self.connection.send_bytes(setup)

    def waiting(self, kind: str) -> int:
        """How many messages of a kind are not answered."""
        return sum(task.kind == kind for task in list(self.asked.values()))

    def send(self, task: _Task) -> None:
        """Asks for something. That the process is dead is found where its answers are read, after all of them."""
        self.asked[task.number] = task
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((task.kind, task.number, task.block, task.data, task.sizes))

    def close(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()

    def ending(self) -> str:
        """How the process ended, in words."""
        code = self.process.wait()
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


class WorkerPool:
    """Processes that prepare samples and call functions. To be closed; a context manager.

    task: its `prepare` is called.
    count: of processes.
    blocks: shared memory; None to pass all through pipes.
    note: called with a sentence, once, if arrays could not be shared.
    """

    def __init__(
        self,
        task: Task,
        count: int,
        blocks: SharedBlocks | None,
        note: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.blocks, self._note = blocks, note
        if blocks is None:
            self._say_pipes()
        self._lock = threading.RLock()
        self._numbers = itertools.count()
        self._backlog: deque[_Task] = deque()
        self._failure: BaseException | None = None
        self._closed = False
        self._workers: list[_Worker] = []
        self._wake, self._woken = socket.socketpair()
        try:
            setup = pickle.dumps(task, protocol=5)
            for place in range(count):
                if blocks is not None:
                    blocks.board[place] = NOTHING
                self._workers.append(_Worker(setup, blocks, place))
        except BaseException:
            self._end()
            raise
        self._listener = threading.Thread(target=self._listen, name="workers", daemon=True)
        self._listener.start()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def prepare(self, samples: Sequence[tuple[int, Sample]]) -> Future[list[list[Item] | HrbenchError]]:
        """Items of samples with their positions in the set, or the error that `prepare` raised, which is then the last.

        Asked for in the order of calls. The future raises EntryError naming the image if its process dies.
        """
        block = None if self.blocks is None else self.blocks.take()
        task = _Task("prepare", next(self._numbers), pickle.dumps(list(samples), protocol=5), None, block, samples)
        with self._lock:
            if not self._refused(task):
                self._backlog.append(task)
                self._hand_out()
        return task.future

    def call(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Future[Any]:
        """What function(*arguments) returns, or raises, in a worker. function: of a module."""
        block = None if self.blocks is None else self.blocks.take()
        asked = (function, tuple(arguments))
        data, sizes = written(asked, block, self.blocks)
        task = _Task("call", next(self._numbers), data, sizes, block)
        if self.blocks is not None and block is not None:
            self.blocks.used(block.number, sizes or ())
        with self._lock:
            if not self._refused(task):
                min(self._workers, key=lambda worker: worker.waiting("call")).send(task)
        return task.future

    def _refused(self, task: _Task) -> bool:
        """Whether nothing can be asked for any more; the task's future then raises why."""
        failure = self._failure or (EntryError("the worker processes have ended") if self._closed else None)
        if failure is not None:
            task.future.set_exception(failure)
        return failure is not None

    def _hand_out(self) -> None:
        for worker in self._workers:
            while self._backlog and worker.waiting("prepare") < _HELD:
                worker.send(self._backlog.popleft())

    # --- the thread that reads answers ---------------------------------------------------------------------------

    def _listen(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._woken, selectors.EVENT_READ)
                for worker in self._workers:
                    selector.register(worker.connection, selectors.EVENT_READ, worker)
                while True:
                    for key, _ in selector.select():
                        if key.data is None:
                            return
                        self._take_answer(key.data)
        except BaseException as error:  # it is raised again where an answer is waited for
            self._fail(error)

    def _take_answer(self, worker: _Worker) -> None:
        try:
            number, data, sizes = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._death(worker) from None
        if number is None:
            raise pickle.loads(data)
        with self._lock:
            task = worker.asked.pop(number)
            self._hand_out()
        answer = self._read(task, data, sizes)
        with contextlib.suppress(InvalidStateError):  # it was cancelled
            if isinstance(answer, BaseException):
                task.future.set_exception(answer)
            else:
                task.future.set_result(answer)

    def _read(self, task: _Task, data: bytes, sizes: tuple[int, ...] | None) -> Any:
        if self.blocks is None or task.block is None:
            return pickle.loads(data)
        block = task.block.number
        if task.kind == "call" or sizes is None:
            if task.kind == "prepare":
                self._say_pipes()
            self.blocks.give(block)
            return pickle.loads(data)
        self.blocks.used(block, sizes)
        return self.blocks.read(data, sizes, block, lend=True)

    def _say_pipes(self) -> None:
        note, self._note = self._note, lambda text: None
        note(NO_BLOCKS)

    def _death(self, worker: _Worker) -> EntryError:
        ended = worker.ending()
        with self._lock:
            asked = list(worker.asked.values())
        samples = {index: sample for task in asked for index, sample in task.samples}
        at_work = None if self.blocks is None else self.blocks.board[worker.place]
        if at_work in samples:
            doing = f"prepared image {samples[at_work].path}"
        elif not asked:
            doing = "waited for images"
        elif self.blocks is not None and any(task.kind == "call" for task in asked):
            doing = "finished an image"  # calls come first, and the board names no image
        else:
            doing = f"prepared image {asked[0].samples[0][1].path}" if asked[0].samples else "finished an image"
        return EntryError(
            f"a worker process {ended} while it {doing}; if it ran out of memory, run with fewer --workers"
        )

    def _fail(self, error: BaseException) -> None:
        """Everything that is asked for, now or later, raises this error."""
        with self._lock:
            self._failure = self._failure or error
            asked = [task for worker in self._workers for task in worker.asked.values()] + list(self._backlog)
            self._backlog.clear()
            for worker in self._workers:
                worker.asked.clear()
        for task in asked:
            with contextlib.suppress(InvalidStateError):
                task.future.set_exception(error)

    def close(self) -> None:
        """Ends all processes. What was asked for and has not come raises EntryError."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._wake.send(b".")
        self._listener.join()
        self._end()
        self._fail(EntryError("the worker processes have ended"))

    def _end(self) -> None:
        for worker in self._workers:
            worker.close()
        self._wake.close()
        self._woken.close()
        if self.blocks is not None:
            self.blocks.close()
