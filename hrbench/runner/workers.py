"""Prepares samples while the network runs: in order, with bounded memory; names the image of a worker that died.

    for sample, items in prepare_samples(task, samples, workers=2): ...

Worker processes are started as `python -c` children over a socket pair rather than by multiprocessing, whose spawned
children import the caller's main module again. So `hrbench.run` works in a script without a main guard.
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

MIN_FOR_PROCESSES = 256
"""Sets of fewer images are prepared in threads: starting processes would take longer than preparing them."""

_SAMPLES_PER_WORKER = 3
"""Samples that a worker process holds: one at work, and others so that it never waits for the next."""


def prepare_samples(task: Task, samples: Sequence[Sample], workers: int | None = None) -> Iterator[Prepared]:
    """Every sample with its items, in the order given.

    workers: processes; 0 for threads; None to decide by the number of samples and cores.

    Raises the HrbenchError that `prepare` raised, or EntryError naming the image if it raised anything else or its
    process died.
    """
    if workers is None:
        workers = 0 if len(samples) < MIN_FOR_PROCESSES else max(1, min(8, (os.cpu_count() or 2) - 1))
    if workers == 0:
        return _in_threads(task, samples)
    return read_ahead(_in_processes(task, samples, workers), ahead=4 * workers)


def _prepare(task: Task, sample: Sample) -> list[Item]:
    """`task.prepare`, whose unexpected errors become an EntryError that names the image."""
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
    processes = [_Worker(setup) for _ in range(min(workers, max(1, len(samples))))]
    done: dict[int, Any] = {}
    sent = yielded = 0
    try:
        while yielded < len(samples):
            for worker in processes:
                while (
                    len(worker.holds) < _SAMPLES_PER_WORKER
                    and sent < len(samples)
                    and sent - yielded < 4 * _SAMPLES_PER_WORKER * len(processes)
                ):
                    worker.holds.append(sent)
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        # `_collect` detects a dead worker, after all its answers
                        worker.connection.send((sent, samples[sent]))
                    sent += 1
            while yielded in done:
                result = done.pop(yielded)
                if isinstance(result, HrbenchError):
                    raise result
                yield samples[yielded], result
                yielded += 1
            if yielded not in done and any(worker.holds for worker in processes):
                _collect(processes, samples, done)
    finally:
        for worker in processes:
            worker.close()


def _collect(processes: Sequence[_Worker], samples: Sequence[Sample], done: dict[int, Any]) -> None:
    """Waits for at least one answer and stores all that have arrived in `done`."""
    owners = {worker.connection: worker for worker in processes if worker.holds}
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
    """Runs in a worker process: prepares the samples it receives until the other side closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles an interrupt
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
    messages: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_read, args=(connection, messages), daemon=True).start()
    while (message := messages.get()) is not None:
        index, sample = message
        try:
            result: Any = _prepare(task, sample)
        except HrbenchError as error:
            result = error
        connection.send((index, result))


def _read(connection: Connection, messages: queue.Queue[Any]) -> None:
    """Puts each received message into the queue, and None at the end."""
    try:
        while True:
            messages.put(connection.recv())
    except (EOFError, ConnectionResetError):
        messages.put(None)
