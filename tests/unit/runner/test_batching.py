"""A batch grows while that pays, shrinks where memory ends, and every item comes out once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrbench.errors import EntryError
from hrbench.runner import batching
from hrbench.runner.batching import MAX_BATCH, Batcher
from hrbench.types import Item


class OutOfMemoryError(RuntimeError):
    """By the name of torch's own."""


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that only `Machine` moves."""
    clock = SimpleNamespace(now=0.0)
    clock.perf_counter = lambda: clock.now
    monkeypatch.setattr(batching, "time", clock)
    return clock


class Machine:
    """A task that fits `room` items, and takes `fixed` seconds a pass and `each` seconds an item."""

    def __init__(self, room=10**9, fixed=0.0, each=0.0, error=None):
        self.room, self.fixed, self.each = room, fixed, each
        self.error = error or OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.batches: list[int] = []

    def forward(self, net, items):
        if len(items) > self.room:
            raise self.error
        self.batches.append(len(items))
        batching.time.now += self.fixed + self.each * len(items)  # the fixture's clock
        return [item.sample for item in items]


def items(count):
    return [Item(number, np.zeros((4, 6, 3), np.uint8)) for number in range(count)]


def test_a_batch_that_does_not_fit_is_halved_until_it_does():
    notes = []
    machine = Machine(room=3)
    batcher = Batcher(machine, None, 16, notes.append)
    assert batcher.run(items(20)) == list(range(20))
    assert batcher.size == 16 and set(machine.batches) == {2}
    assert notes[0] == "batch halved to 8: 16 images of 6x4 did not fit into memory" and len(notes) == 3


@settings(max_examples=60)
@given(room=st.integers(1, 20), size=st.integers(1, 20), runs=st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_how_items_are_cut_that_do_not_fit_does_not_depend_on_what_came_before(monkeypatch, room, size, runs):
    monkeypatch.setattr(batching, "_free", lambda: None)

    def cuts(batcher, count):
        batcher.task.batches.clear()
        batcher.launch(items(count))()
        return list(batcher.task.batches)

    used = Batcher(Machine(room), None, size)
    assert [cuts(used, count) for count in runs] == [cuts(Batcher(Machine(room), None, size), one) for one in runs]


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 99 bytes")],
)
def test_the_processors_ways_of_running_out_are_known(error):
    batcher = Batcher(Machine(room=1, error=error), None, 2)
    assert batcher.run(items(4)) == [0, 1, 2, 3]


def test_one_image_that_does_not_fit_is_named():
    with pytest.raises(EntryError, match=r"memory ran out on one image of 6x4 \(0\): choose a smaller input"):
        Batcher(Machine(room=0), None, 4).run(items(4))


def test_other_errors_pass_through():
    with pytest.raises(RuntimeError, match="shapes differ"):
        Batcher(Machine(room=0, error=RuntimeError("shapes differ")), None, 4).run(items(4))


def test_auto_doubles_while_a_pass_costs_more_than_its_items():
    notes = []
    machine = Machine(fixed=0.02, each=0.0005)
    batcher = Batcher(machine, None, "auto", notes.append)
    for _ in range(400):
        if not batcher.growing:
            break
        batcher.run(items(batcher.size))
    assert machine.batches[:6] == [1, 1, 2, 2, 4, 4] and batcher.size >= 16
    assert notes == [f"batch {batcher.size} was found to be the best"]


def test_auto_stays_small_where_larger_batches_bring_nothing():
    batcher = Batcher(Machine(each=0.004), None, "auto")
    while batcher.growing:
        batcher.run(items(batcher.size))
    assert batcher.size <= 2


def test_auto_ends_where_memory_does():
    notes = []
    batcher = Batcher(Machine(room=5, fixed=0.01), None, "auto", notes.append)
    for _ in range(20):
        batcher.run(items(batcher.size))
    assert batcher.size == 4 and not batcher.growing and "halved to 4" in notes[-1]


def test_auto_ends_somewhere():
    batcher = Batcher(Machine(fixed=0.003), None, "auto")
    while batcher.growing:
        batcher.run(items(batcher.size))
    assert batcher.size == MAX_BATCH
