"""What runs in a worker process: prepares samples and calls functions for its parent, until the parent closes.

Messages from the parent are (kind, number, block, data, sizes), as `SharedBlocks.write` makes the last two:
"prepare" has [(index, sample), ...] and is answered by their items or errors in the block; "call" has a function with
its arguments, arrays among them in the block, and is answered through the pipe. Calls go before what waits to be
prepared: their parent holds memory for them. An answer is (number, data, sizes).
"""

from __future__ import annotations

import itertools
import pickle
import queue
import signal
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from hrbench.contracts import Task
from hrbench.core.import_path import importable
from hrbench.core.shared_blocks import Block, SharedBlocks, written
from hrbench.errors import EntryError, HrbenchError
from hrbench.types import Item, Sample

NOTHING = -1
"""On the board: a worker is not preparing an image."""

_END, _CALL, _SAMPLES = range(3)
"""The order in which a worker takes messages: the end, which nobody waits for answers after, calls, samples."""


def prepare(task: Task, sample: Sample) -> list[Item]:
    """`task.prepare`, whose unexpected errors become an EntryError that names the image."""
    try:
        return task.prepare(sample)
    except HrbenchError:
        raise
    except Exception as error:
        raise EntryError(f"preparing image {sample.path} failed: {type(error).__name__}: {error}") from error


def serve(descriptor: int, shared: int, place: int) -> None:
    """Runs in a worker process until the other side closes.

    descriptor: of the socket.
    shared: of the blocks; -1 for none.
    place: of this worker on the board.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles an interrupt
    connection = Connection(descriptor)
    blocks = SharedBlocks(shared) if shared >= 0 else None
    try:
        with importable(*connection.recv(), place="only"):
            _serve(connection, blocks, place)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _serve(connection: Connection, blocks: SharedBlocks | None, place: int) -> None:
    try:
        task = pickle.loads(connection.recv_bytes())
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        failure = EntryError(f"a worker process cannot load the task ({reason}): use --workers 0")
        connection.send((None, pickle.dumps(failure), None))
        return
    # Read in a thread: were both sides to write at once and neither to read, large samples would lock them.
    messages: queue.PriorityQueue[tuple[int, int, Any]] = queue.PriorityQueue()
    threading.Thread(target=_read, args=(connection, messages), daemon=True).start()
    while True:
        rank, _, message = messages.get()
        if rank == _END:
            return
        kind, number, block, data, sizes = message
        if kind == "call":
            answer, block = _called(data, sizes, block, blocks), None
        else:
            answer = _prepared(task, data, blocks, place)
        connection.send((number, *_written(answer, block, blocks)))


def _prepared(
    task: Task, data: bytes, blocks: SharedBlocks | None, place: int
) -> list[list[Item] | HrbenchError] | HrbenchError:
    """Items of each sample; the last may be an error, and then those after it are left out."""
    found: list[list[Item] | HrbenchError] = []
    try:
        samples: list[tuple[int, Sample]] = pickle.loads(data)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return EntryError(f"a worker process cannot load a sample ({reason}): use --workers 0")
    for index, sample in samples:
        if blocks is not None:
            blocks.board[place] = index  # so that the parent can name the image if this process dies
        try:
            found.append(prepare(task, sample))
        except HrbenchError as error:
            found.append(error)
            break
    if blocks is not None:
        blocks.board[place] = NOTHING
    return found


def _called(data: bytes, sizes: Sequence[int] | None, block: Block | None, blocks: SharedBlocks | None) -> Any:
    """What a function returned, or the error that it raised."""
    try:
        if blocks is None or block is None:
            function, arguments = pickle.loads(data)
        else:
            function, arguments = blocks.read(data, sizes, block.number)
        return function(*arguments)
    except Exception as error:
        return error


def _written(value: Any, block: Block | None, blocks: SharedBlocks | None) -> tuple[bytes, tuple[int, ...] | None]:
    try:
        return written(value, block, blocks)
    except Exception as error:  # of a user-defined class, say, that cannot be pickled
        failure = EntryError(f"a worker process cannot return what it made ({type(error).__name__}: {error})")
        return pickle.dumps(failure, protocol=5), None


def _read(connection: Connection, messages: queue.PriorityQueue[tuple[int, int, Any]]) -> None:
    """Puts each received message into the queue, calls before samples."""
    order = itertools.count()
    try:
        while True:
            message = connection.recv()
            messages.put((_CALL if message[0] == "call" else _SAMPLES, next(order), message))
    except (EOFError, ConnectionResetError):
        messages.put((_END, next(order), None))
