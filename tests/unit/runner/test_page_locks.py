"""Memory is locked once, again where it grew, and unlocked before it goes; CUDA is a stand-in here."""

from __future__ import annotations

from hrbench.runner.page_locks import PageLocks, page_locks


class Cuda:
    """Notes what it is asked for; `refuses` to register anything."""

    def __init__(self, refuses: bool = False) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.refuses = refuses

    def register(self, address: int, size: int, flags: int) -> int:
        self.calls.append(("register", address, size, flags))
        return 2 if self.refuses else 0

    def unregister(self, address: int) -> int:
        self.calls.append(("unregister", address))
        return 0

    def wait(self) -> None:
        self.calls.append(("wait",))


def locks_of(cuda: Cuda) -> PageLocks:
    return PageLocks(cuda.register, cuda.unregister, cuda.wait)


def test_memory_is_locked_once_and_again_where_it_grew():
    cuda = Cuda()
    locks = locks_of(cuda)
    for size in (5000, 4000, 8192, 8193):
        locks.lock(1 << 20, size)
    assert cuda.calls == [
        ("register", 1 << 20, 8192, 1),
        ("unregister", 1 << 20),
        ("register", 1 << 20, 12288, 1),
    ]
    locks.close()
    assert cuda.calls[3:] == [("wait",), ("unregister", 1 << 20)]
    locks.lock(1 << 20, 1 << 20)
    assert len(cuda.calls) == 5


def test_memory_that_cannot_be_locked_stays_as_it_is():
    cuda = Cuda(refuses=True)
    locks = locks_of(cuda)
    locks.lock(4096, 100)
    locks.lock(4096, 5000)
    locks.close()
    assert cuda.calls == [("register", 4096, 4096, 1), ("register", 4096, 8192, 1), ("wait",)]


def test_a_processor_needs_none():
    assert page_locks("cpu") is None
