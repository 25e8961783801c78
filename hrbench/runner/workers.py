"""Preparing samples beside the network: in order, bounded, and with a name for what a dead worker held.

    for sample, items in prepared(task, samples, workers=2): ...

Worker processes are started as `python -c` children over a socket pair rather than by multiprocessing, whose spawned
children import the caller's main module again: `hrbench.run` then works in a script without a main guard.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from typing import Any

from hrbench.contracts import Task
from hrbench.core.import_path import importable
from hrbench.core.streams import read_ahead
from hrbench.errors import EntryError, HrbenchError
from hrbench.types import Item, Sample

Prepared = tuple[Sample, list[Item]]

SMALL = 256
"""Sets of fewer images are prepared in threads: processes would take longer to start than to prepare them."""

_IN_HAND = 3
"""Samples a worker process holds: one at work, the others keep it from waiting for the next."""


def prepared(task: Task, samples: Sequence[Sample], workers: int | None = None) -> Iterator[Prepared]:
    """Every sample with its items, in the order given.

    workers: processes; 0 for threads; None decides by the number of samples and cores. Raises the HrbenchError that
    `prepare` raised, or EntryError naming the image where it raised anything else or its process died.
    """
    if workers is None:
        workers = 0 if len(samples) < SMALL else max(1, min(8, (os.cpu_count() or 2) - 1))
    if workers == 0:
        return _in_threads(task, samples)
    return read_ahead(_in_processes(task, samples, workers), ahead=4 * workers)


def _prepare(task: Task, sample: Sample) -> list[Item]:
    """`task.prepare`, whose unforeseen errors become an EntryError that names the image."""
    try:
        return task.prepare(sample)
    except HrbenchError:
        raise
    except Exception as error:
        raise EntryError(f"preparing image {sample.path} failed: {type(error).__name__}: {error}") from error


def _in_threads(task: Task, samples: Sequence[Sample]) -> Iterator[Prepared]:
    threads = max(1, min(4, os.cpu_count() or 1))
    running: deque[tuple[Sample, Future[list[Item]]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="prepare") as pool:
        try:
            for sample in samples:
                running.append((sample, pool.submit(_prepare, task, sample)))
                if len(running) > 4 * threads:
                    first, future = running.popleft()
                    yield first, future.result()
            while running:
                first, future = running.popleft()
                yield first, future.result()
        finally:
            for _, future in running:
                future.cancel()


class _Worker:
    """One child process and the numbers of the samples it holds, in the order it works on them."""

    def __init__(self, setup: bytes) -> None:
        ours, theirs = socket.socketpair()
        command = f"from hrbench.runner.workers import serve; serve({theirs.fileno()})"
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", command], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment
        )
        theirs.close()
        self.connection = Connection(ours.detach())
        self.connection.send(list(sys.path))  # apart from the task, which may need it to be unpickled
        self.connection.send_bytes(setup)
        self.holds: deque[int] = deque()

    def close(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()

    def ending(self) -> str:
        """How the process ended, in words."""
        code = self.process.wait()
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _in_processes(task: Task, samples: Sequence[Sample], workers: int) -> Iterator[Prepared]:
    setup = pickle.dumps(task, protocol=5)
    crew = [_Worker(setup) for _ in range(min(workers, max(1, len(samples))))]
    done: dict[int, Any] = {}
    sent = given = 0
    try:
        while given < len(samples):
            for worker in crew:
                while len(worker.holds) < _IN_HAND and sent < len(samples) and sent - given < 4 * _IN_HAND * len(crew):
                    worker.holds.append(sent)
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        # a dead worker is found out by `_collect`, after all that it had answered
                        worker.connection.send((sent, samples[sent]))
                    sent += 1
            while given in done:
                result = done.pop(given)
                if isinstance(result, HrbenchError):
                    raise result
                yield samples[given], result
                given += 1
            if given not in done and any(worker.holds for worker in crew):
                _collect(crew, samples, done)
    finally:
        for worker in crew:
            worker.close()


def _collect(crew: Sequence[_Worker], samples: Sequence[Sample], done: dict[int, Any]) -> None:
    """Waits for at least one answer and files what has come."""
    owners = {worker.connection: worker for worker in crew if worker.holds}
    for connection in wait(list(owners)):
        worker = owners[connection]  # pyright: ignore[reportArgumentType]
        try:
            index, result = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            raise _death(worker, samples) from None
        if index is None:
            raise result
        worker.holds.remove(index)
        done[index] = result


def _death(worker: _Worker, samples: Sequence[Sample]) -> EntryError:
    at_work = samples[worker.holds[0]].path
    return EntryError(
        f"a worker process {worker.ending()} while it prepared image {at_work}; "
        "if it ran out of memory, run with fewer --workers"
    )


def serve(descriptor: int) -> None:
    """The life of a worker process: prepares what it is sent until the other side closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to handle
    connection = Connection(descriptor)
    try:
        with importable(*connection.recv(), place="only"):
            _serve(connection)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _serve(connection: Connection) -> None:
    try:
        task = pickle.loads(connection.recv_bytes())
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        connection.send((None, EntryError(f"a worker process cannot load the task ({reason}): use --workers 0")))
        return
    # Read in a thread: were both sides to write at once and neither to read, large samples would lock them.
    given: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_read, args=(connection, given), daemon=True).start()
    while (message := given.get()) is not None:
        index, sample = message
        try:
            result: Any = _prepare(task, sample)
        except HrbenchError as error:
            result = error
        connection.send((index, result))


def _read(connection: Connection, given: queue.Queue[Any]) -> None:
    """Hands over what comes, and None at the end."""
    try:
        while True:
            given.put(connection.recv())
    except (EOFError, ConnectionResetError):
        given.put(None)
