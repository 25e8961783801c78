"""Values pass between processes in shared memory: the same, in bounded memory, and without it where there is none."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hrbench.core.shared_blocks import BLOCK, Block, SharedBlocks

VALUE = {"image": np.arange(30_000, dtype=np.uint8).reshape(100, 100, 3), "few": np.arange(3.0), "text": "a"}


@pytest.fixture
def blocks():
    made = SharedBlocks.create(1 << 28)
    assert made is not None
    yield made
    made.close()


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one) and one.keys() == other.keys()


def test_a_value_is_read_as_it_was_written_on_the_other_side(blocks):
    other_side = SharedBlocks(blocks.descriptor)
    block = blocks.take()
    more = [VALUE, np.full((7, 1001), -1.5), np.asfortranarray(np.arange(6000.0).reshape(60, 100))]
    data, sizes = other_side.write(more, block)
    assert sizes == (30_000, 56_056, 48_000) and len(data) < 2000
    first, second, third = blocks.read(data, sizes, block.number)
    assert same(first, VALUE) and np.array_equal(second, more[1]) and np.array_equal(third, more[2])
    assert third.flags.f_contiguous and all(each.ctypes.data % 64 == 0 for each in (first["image"], second, third))
    first["image"][0, 0, 0] = 77  # a view, which may be written to
    assert blocks.read(data, sizes, block.number)[0]["image"][0, 0, 0] == 77


def test_a_block_is_free_when_the_last_array_that_refers_to_it_is_gone(blocks):
    block = blocks.take()
    data, sizes = blocks.write(VALUE, block)
    blocks.used(block.number, sizes)
    value = blocks.read(data, sizes, block.number, lend=True)
    part = value["image"][3:5].T
    del value
    assert blocks.take().number != block.number and np.array_equal(part, VALUE["image"][3:5].T)
    del part
    assert blocks.take().number == block.number


def test_a_value_without_large_arrays_frees_its_block_at_once(blocks):
    block = blocks.take()
    value = blocks.read(*blocks.write([1, 2], block), block.number, lend=True)
    assert value == [1, 2] and blocks.take().number == block.number


def test_memory_stays_within_the_budget():
    blocks = SharedBlocks.create(100_000)
    held = []
    for _ in range(10):
        block = blocks.take()
        data, sizes = blocks.write(VALUE, block)
        assert same(blocks.read(data, sizes, block.number), VALUE)
        blocks.used(block.number, sizes or ())
        held.append(sizes is not None)
    assert held == [True] * 3 + [False] * 7 and blocks.bytes_held() <= 100_000
    blocks.close()


def test_blocks_of_one_process_at_a_time_hold_the_memory_of_one(blocks):
    for number in range(50):
        block = blocks.take()
        data, sizes = blocks.write(np.full(1_000_000, number), block)
        blocks.used(block.number, sizes)
        value = blocks.read(data, sizes, block.number, lend=True)
        assert (value == number).all()
        del value
    assert blocks.bytes_held() == 8_000_000


def test_what_is_larger_than_a_block_goes_another_way(blocks):
    block = Block(1, 0, BLOCK)
    large = np.zeros(BLOCK + 1, np.uint8)
    assert blocks.write(large, block)[1] is None


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.ENOMEM, errno.EINTR])
def test_without_memory_a_value_is_pickled(blocks, monkeypatch, error):
    def refused(*given):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "posix_fallocate", refused)
    block = blocks.take()
    data, sizes = blocks.write(VALUE, block)
    assert sizes is None and same(blocks.read(data, sizes, block.number), VALUE)


def test_where_no_memory_can_be_shared_there_are_no_blocks(monkeypatch):
    def refused(*given):
        raise OSError(errno.ENOSYS, "no such call")

    monkeypatch.setattr(os, "memfd_create", refused)
    assert SharedBlocks.create() is None
    monkeypatch.delattr(os, "memfd_create")
    assert SharedBlocks.create() is None


def test_where_little_can_be_mapped_there_are_fewer_blocks(monkeypatch):
    real = os.ftruncate

    def limited(descriptor, size):
        if size > 100 * BLOCK:
            raise OSError(errno.EFBIG, "too large")
        real(descriptor, size)

    monkeypatch.setattr(os, "ftruncate", limited)
    made = SharedBlocks.create()
    assert made is not None and made.count == 63
    made.close()


def test_memory_is_gone_with_its_last_holder():
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = opened()
    blocks = SharedBlocks.create()
    value = blocks.read(*blocks.write(VALUE, blocks.take()), 1, lend=True)
    blocks.close()
    assert same(value, VALUE)  # arrays outlive the descriptor
    del value
    assert opened() == before + 1  # the mapping's own
    del blocks
    assert opened() == before
