"""One stream for several readers, each in its own thread, without holding the whole stream in memory.

fan_out(predictions, [boxes.write, masks.write])
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")

QUEUE_LENGTH = 8
"""Elements that may wait for a reader; the source waits for the slowest reader."""


class SourceFailed(Exception):
    """Raised in a reader when the source has failed, so that it can clean up. Never leaves `fan_out`."""


def fan_out(source: Iterable[T], readers: Sequence[Callable[[Iterator[T]], object]]) -> None:
    """Gives every element to every reader, in order. The source runs in the calling thread.

    Raises what the source raises, else what the first of the readers raised; no reader is left running, and a source
    that is a generator is closed, with the processes that it may have started.
    """
    running = [_StreamReader(read) for read in readers]
    try:
        for element in source:
            for reader in running:
                reader.put(("element", element))
        for reader in running:
            reader.put(("end", None))
    except _ReaderStopped:
        pass
    finally:
        for reader in running:
            reader.stop()
        if isinstance(source, Generator):
            source.close()
    for reader in running:
        if reader.error is not None:
            raise reader.error


class _ReaderStopped(Exception):
    """A reader has failed before the source has ended."""


class _StreamReader(Generic[T]):
    def __init__(self, read: Callable[[Iterator[T]], object]) -> None:
        self.read = read
        self.queue: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=QUEUE_LENGTH)
        self.error: BaseException | None = None
        self.ended = False
        self.thread = threading.Thread(target=self._run, name="write", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.read(self._elements())
        except SourceFailed:
            pass
        except BaseException as error:  # it is raised again in the calling thread
            self.error = error

    def _elements(self) -> Iterator[T]:
        while True:
            kind, element = self.queue.get()
            if kind == "failed":
                raise SourceFailed
            if kind == "end":
                return
            yield element

    def put(self, message: tuple[str, Any]) -> None:
        """Sends a message. It is dropped if the reader has ended without an error."""
        self.ended = message[0] == "end"
        while self.thread.is_alive():
            try:
                return self.queue.put(message, timeout=0.1)
            except queue.Full:
                continue
        if self.error is not None:
            raise _ReaderStopped

    def stop(self) -> None:
        """Waits for the reader to end. If the stream has not ended, the reader gets `SourceFailed`."""
        if not self.ended:
            while self.thread.is_alive():
                try:
                    self.queue.put(("failed", None), timeout=0.1)
                    break
                except queue.Full:
                    continue
        self.thread.join()


def read_ahead(source: Iterator[T], ahead: int) -> Iterator[T]:
    """The elements of `source`, read by a separate thread, at most `ahead` of them in advance."""
    buffer: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=ahead)
    stop = threading.Event()

    def put(message: tuple[str, Any]) -> bool:
        while not stop.is_set():
            try:
                buffer.put(message, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def take() -> None:
        try:
            for element in source:
                if not put(("element", element)):
                    break
            put(("end", None))
        except BaseException as error:  # it is raised again in the consuming thread
            put(("error", error))
        finally:
            close = getattr(source, "close", None)
            if close:
                close()

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = buffer.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        stop.set()
        thread.join()
