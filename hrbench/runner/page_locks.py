"""Memory that a GPU copies from by itself: page-locked, so that copies go beside what the GPU and this process do.

    locks = page_locks("cuda")        # None for a processor
    locks.lock(address, size)         # the memory may have grown since it was locked last
    locks.close()

The blocks that workers write to are locked as they are, so that images are not copied in main memory first.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable
from typing import Any

Call = Callable[..., int]
"""A function of CUDA's runtime, which returns 0 if it worked."""

_PORTABLE = 1
"""cudaHostRegisterPortable: for all devices and threads."""


class PageLocks:
    """Pieces of memory that are locked; to be closed before the memory is unmapped.

    register: called with address, bytes and flags (cudaHostRegister).
    unregister: called with an address that was registered (cudaHostUnregister).
    wait: returns when no copy is under way.
    """

    def __init__(self, register: Call, unregister: Call, wait: Callable[[], object]) -> None:
        self._register, self._unregister, self._wait = register, unregister, wait
        self._locked: dict[int, int] = {}
        self._closed = False
        self._lock = threading.Lock()

    def lock(self, address: int, size: int) -> None:
        """Locks memory from an address on. If that fails it stays as it is: copies from it are slower, and the same."""
        with self._lock:
            if self._closed or size <= self._locked.get(address, 0):
                return
            if self._locked.get(address):
                self._unregister(address)
            whole = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
            worked = int(self._register(address, whole, _PORTABLE)) == 0
            self._locked[address] = whole if worked else 0

    def close(self) -> None:
        """Unlocks all, after what is being copied; nothing is locked any more from then on."""
        with self._lock:
            self._closed = True
            self._wait()
            for address, size in self._locked.items():
                if size:
                    self._unregister(address)
            self._locked.clear()


def page_locks(device: str) -> PageLocks | None:
    """Those of a device in torch's words; None for one that is no GPU of CUDA."""
    if not device.startswith("cuda"):
        return None
    import torch

    runtime: Any = torch.cuda.cudart()
    return PageLocks(
        lambda *given: int(runtime.cudaHostRegister(*given)),
        lambda address: int(runtime.cudaHostUnregister(address)),
        lambda: torch.cuda.synchronize(device),
    )
