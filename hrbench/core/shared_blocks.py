"""Blocks of memory that a process shares with its children, so that arrays pass between them without a pipe.

    blocks = SharedBlocks.create(budget)                   # in the parent; None if the system has none
    blocks = SharedBlocks(descriptor)                      # in a child, which inherited blocks.descriptor
    data, sizes = blocks.write(value, block)               # in one of them: arrays go to the block, the rest is `data`
    value = blocks.read(data, sizes, block.number)         # in the other: arrays are views of the block

The memory is one anonymous file (`memfd_create`) that no folder holds: it is gone when the last process that holds it
ends, however it ends, and the size of a container's /dev/shm does not matter. Blocks are used again, so that their
pages are mapped once. A block that was lent by `read` is free again when no array refers to it any more.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import pickle
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

BLOCK = 1 << 26
"""Bytes that a block may have: a picture of 22 million pixels. What is larger goes through the pipe."""

_MOST_BLOCKS, _FEWEST_BLOCKS = 1024, 16
_SMALL = 1 << 10
"""Bytes of an array that are not worth a place in a block."""
_ALIGNED = 64
_MOST_MEMORY = 1 << 31
"""Bytes that all blocks together have at most, however much memory there is."""
_FIRST_ROOM = 1 << 24
"""Bytes that a block may grow to as long as nothing is known of the sizes."""

_Whole = ctypes.c_char * BLOCK


@dataclass(frozen=True, slots=True)
class Block:
    """A block for one value.

    number: which it is; 0 is the board.
    held: bytes of it that have memory already.
    room: bytes that it may grow to.
    """

    number: int
    held: int
    room: int


class SharedBlocks:
    """The mapped memory, and in the parent which blocks of it are free.

    descriptor: of the file, which a child inherits.
    budget: bytes that all blocks together may have.
    on_use: called with address and bytes of each block that is lent, before it is.
    board: a block of 8-byte numbers that both sides read and write, for what is not worth a message.
    """

    def __init__(self, descriptor: int, budget: int = 0) -> None:
        self.descriptor, self.budget = descriptor, budget
        self.on_use: Callable[[int, int], object] = lambda address, size: None
        count = os.fstat(descriptor).st_size // BLOCK
        self._memory = mmap.mmap(descriptor, count * BLOCK)
        self.board = memoryview(self._memory)[:BLOCK].cast("q")
        self.count = count - 1
        self._unused = list(range(count - 1, 0, -1))  # the lowest is taken first, so that few have memory
        self._freed: deque[int] = deque()  # appended to by callbacks, which may run anywhere: they take no lock
        self._lent: dict[int, weakref.ref[Any]] = {}
        self._held: dict[int, int] = {}
        self._reserved: dict[int, int] = {}
        self._largest = 0
        self._lock = threading.Lock()

    @classmethod
    def create(cls, budget: int | None = None) -> SharedBlocks | None:
        """New memory; None if this system has none that is anonymous, or too little of it can be mapped.

        budget: bytes that all blocks together may have; None for a quarter of the memory that is available, and 2 GiB
            at most.
        """
        budget = min(_MOST_MEMORY, psutil.virtual_memory().available // 4) if budget is None else budget
        count = _MOST_BLOCKS
        while count >= _FEWEST_BLOCKS:
            made = _mapped(count, budget)
            if made is not None:
                return made
            count //= 4  # where a limit is set on the addresses of a process
        return None

    # --- in the parent -------------------------------------------------------------------------------------------

    def take(self) -> Block | None:
        """A block that nobody uses, with the room that the budget leaves it; None if there is none."""
        with self._lock:
            self._collect()
            if not self._unused:
                return None
            number = self._unused.pop()
            held = self._held.get(number, 0)
            spare = self.budget - sum(self._held.values()) - sum(self._reserved.values())
            wanted = min(BLOCK, max(_FIRST_ROOM, 4 * self._largest))
            grow = max(0, min(wanted - held, spare))
            self._reserved[number] = grow
            return Block(number, held, held + grow)

    def give(self, block: int) -> None:
        """Gives a block back that no array refers to."""
        self._freed.append(block)

    def used(self, block: int, sizes: Sequence[int]) -> None:
        """Says what was written to a block that was taken."""
        total = _total(sizes)
        with self._lock:
            self._reserved.pop(block, None)
            self._held[block] = max(total, self._held.get(block, 0))
            self._largest = max(self._largest, total)

    def bytes_held(self) -> int:
        """Bytes that have memory."""
        with self._lock:
            return sum(self._held.values())

    def _collect(self) -> None:
        while self._freed:
            number = self._freed.popleft()
            self._reserved.pop(number, None)
            self._lent.pop(number, None)
            self._unused.append(number)

    # --- on both sides -------------------------------------------------------------------------------------------

    def write(self, value: Any, block: Block | None) -> tuple[bytes, tuple[int, ...] | None]:
        """The value pickled; its large arrays lie in the block, and their sizes are told. None for sizes: all of it is
        in the bytes, since there is no block, or no memory for it.
        """
        if block is not None:
            buffers: list[memoryview] = []
            data = pickle.dumps(value, protocol=5, buffer_callback=lambda each: _kept(each, buffers))
            sizes = tuple(each.nbytes for each in buffers)
            if self._has_room(block, _total(sizes)):
                start = block.number * BLOCK
                with memoryview(self._memory) as memory:
                    for each, size in zip(buffers, sizes, strict=True):
                        memory[start : start + size] = each
                        start += _up(size)
                return data, sizes
        return pickle.dumps(value, protocol=5), None

    def _has_room(self, block: Block, total: int) -> bool:
        if total > block.room:
            return False
        if total > block.held:
            try:  # so that memory which runs out is an error here and not a signal where it is touched
                os.posix_fallocate(self.descriptor, block.number * BLOCK, total)
            except OSError:
                return False
        return True

    def read(self, data: bytes, sizes: Sequence[int] | None, block: int | None, lend: bool = False) -> Any:
        """The value of `write`.

        lend: whether the block is given back when the last array of the value is gone.
        """
        if sizes is None or block is None:
            return pickle.loads(data)
        whole = _Whole.from_buffer(self._memory, block * BLOCK)
        if lend:
            self.on_use(ctypes.addressof(whole), _total(sizes))
            give = self._freed.append
            self._lent[block] = weakref.ref(whole, _giver(give, block))
        memory, start, views = memoryview(whole).cast("B"), 0, []
        for size in sizes:
            views.append(memory[start : start + size])
            start += _up(size)
        return pickle.loads(data, buffers=views)

    def close(self) -> None:
        """Closes the descriptor. Arrays that refer to blocks stay valid as long as they live."""
        os.close(self.descriptor)


def written(value: Any, block: Block | None, blocks: SharedBlocks | None) -> tuple[bytes, tuple[int, ...] | None]:
    """As `SharedBlocks.write`, also if there are none."""
    return (pickle.dumps(value, protocol=5), None) if blocks is None else blocks.write(value, block)


def _mapped(count: int, budget: int) -> SharedBlocks | None:
    if not hasattr(os, "memfd_create") or not hasattr(os, "posix_fallocate"):
        return None
    try:
        descriptor = os.memfd_create("hrbench")
    except OSError:
        return None
    try:
        os.ftruncate(descriptor, count * BLOCK)  # a hole, which takes no memory
        return SharedBlocks(descriptor, budget)
    except (OSError, ValueError):
        os.close(descriptor)
        return None


def _giver(give: Callable[[int], None], block: int) -> Callable[[object], None]:
    return lambda _: give(block)


def _kept(buffer: pickle.PickleBuffer, buffers: list[memoryview]) -> bool:
    """Whether a buffer stays in the pickle, as pickle asks it; those that do not are kept in the list."""
    raw = buffer.raw()
    if raw.nbytes < _SMALL:
        return True
    buffers.append(raw)
    return False


def _up(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _total(sizes: Sequence[int]) -> int:
    return sum(map(_up, sizes))
