"""Prepares samples while the network runs: in order, with bounded memory; names the image of a worker that died.

    crew = crew_of(task, samples, workers=2)
        for sample, items in crew.prepared():
            ...
            crew.call(function, arguments)      # a future; what is heavy after the network

Small sets are prepared in threads of this process, others in processes (`worker_pool.py`).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import psutil

from hrbench.contracts import Task
from hrbench.core.shared_blocks import SharedBlocks
from hrbench.errors import HrbenchError
from hrbench.runner.page_locks import PageLocks
from hrbench.runner.worker_pool import WorkerPool
from hrbench.runner.worker_process import prepare
from hrbench.types import Item, Sample

Prepared = tuple[Sample, list[Item]]

MIN_FOR_PROCESSES = 256
"""Sets of fewer images are prepared in threads: starting processes would take longer than preparing them."""

MEMORY_PER_WORKER = 1 << 29
"""Bytes of available memory that a worker process must find: Python, OpenCV, Pillow, an image in several forms, and
torch where it pastes masks."""

_AHEAD = 4
"""Messages with samples for each worker that may be asked for and not yet be used; that many wait where one is slow."""
_MESSAGE_BYTES = 1 << 20
"""Pixels that an answer should have: so many small images come together."""
_MESSAGE_SAMPLES = 16


class Crew(Protocol):
    """Those who prepare samples and call functions beside the network."""

    def prepared(self) -> Iterator[Prepared]:
        """Every sample with its items, in the order given.

        Raises the HrbenchError that `prepare` raised, or EntryError naming the image if it raised anything else or its
        process died.
        """
        ...

    def call(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Future[Any]:
        """What function(*arguments) returns, computed beside. It is of a module, and changes none of its arguments."""
        ...

    def close(self) -> None:
        """Ends all threads and processes."""
        ...


def crew_of(
    task: Task,
    samples: Sequence[Sample],
    workers: int | None = None,
    note: Callable[[str], object] = lambda text: None,
    locks: PageLocks | None = None,
) -> Crew:
    """Threads or processes for a task on samples. To be closed.

    workers: processes; 0 for threads; None to decide by the number of samples, cores and memory (`usual_workers`).
    note: called with a sentence if processes cannot share memory.
    locks: lock the memory that processes share, until the crew is closed.
    """
    if workers is None:
        workers = usual_workers(len(samples))
    if workers == 0:
        return _Threads(task, samples)
    return _Processes(task, samples, workers, note, locks)


def prepare_samples(task: Task, samples: Sequence[Sample], workers: int | None = None) -> Iterator[Prepared]:
    """Every sample with its items, as `Crew.prepared`; threads and processes end with the iterator."""
    crew = crew_of(task, samples, workers)
    try:
        yield from crew.prepared()
    finally:
        crew.close()


def usual_workers(samples: int) -> int:
    """Processes for so many samples: 0, which is threads, for fewer than 256; otherwise one less than the cores that
    this process may use, if there is half a GiB of available memory for each, and at least one.
    """
    if samples < MIN_FOR_PROCESSES:
        return 0
    by_memory = psutil.virtual_memory().available // MEMORY_PER_WORKER
    return max(1, min(_cores() - 1, by_memory, samples // (MIN_FOR_PROCESSES // 8)))


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Threads:
    """Prepares and calls in threads of this process."""

    def __init__(self, task: Task, samples: Sequence[Sample]) -> None:
        self.task, self.samples = task, samples
        self.threads = max(1, min(4, _cores()))
        self._preparing = ThreadPoolExecutor(self.threads, thread_name_prefix="prepare")
        self._calling = ThreadPoolExecutor(self.threads, thread_name_prefix="call")

    def prepared(self) -> Iterator[Prepared]:
        running: deque[tuple[Sample, Future[list[Item]]]] = deque()
        for sample in self.samples:
            running.append((sample, self._preparing.submit(prepare, self.task, sample)))
            if len(running) > 4 * self.threads:
                first, future = running.popleft()
                yield first, future.result()
        while running:
            first, future = running.popleft()
            yield first, future.result()

    def call(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Future[Any]:
        return self._calling.submit(function, *arguments)

    def close(self) -> None:
        for pool in (self._preparing, self._calling):
            pool.shutdown(cancel_futures=True)


class _Processes:
    """Prepares and calls in worker processes."""

    def __init__(
        self,
        task: Task,
        samples: Sequence[Sample],
        workers: int,
        note: Callable[[str], object],
        locks: PageLocks | None,
    ) -> None:
        self.samples, self.locks = samples, locks
        self.workers = min(workers, max(1, len(samples)))
        blocks = SharedBlocks.create()
        if blocks is not None and locks is not None:
            blocks.on_use = locks.lock
        self._pool = WorkerPool(task, self.workers, blocks, note)

    def prepared(self) -> Iterator[Prepared]:
        running: deque[tuple[range, Future[list[list[Item] | HrbenchError]]]] = deque()
        asked, done, size = 0, 0, 0
        while done < len(self.samples):
            while asked < len(self.samples) and len(running) < _AHEAD * self.workers:
                count = self._together(asked, size / done if done else None)
                places = range(asked, asked + count)
                running.append((places, self._pool.prepare([(place, self.samples[place]) for place in places])))
                asked += count
            places, future = running.popleft()
            for place, found in zip(places, future.result(), strict=False):
                if isinstance(found, HrbenchError):
                    raise found
                size += sum(item.image.nbytes for item in found)
                done += 1
                yield self.samples[place], found
                del found  # so that its memory is free as soon as its user is done with it

    def _together(self, asked: int, size: float | None) -> int:
        """How many samples go in one message: the fewer the larger they are; few where few are left for all workers.

        size: mean bytes of those that have come, None if none has.
        """
        if size is None:
            return 1
        by_size = min(_MESSAGE_SAMPLES, int(_MESSAGE_BYTES / max(size, 1)))
        return max(1, min(by_size, (len(self.samples) - asked) // (2 * self.workers)))

    def call(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Future[Any]:
        return self._pool.call(function, arguments)

    def close(self) -> None:
        self._pool.close()
        if self.locks is not None:
            self.locks.close()
