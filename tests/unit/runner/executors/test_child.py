"""The way out of a job's process: whole messages, of this process alone."""

from __future__ import annotations

import os
import resource
import socket

import pytest

from hrbench.runner.executors import child
from hrbench.runner.executors.child import _Channel, _raised_number
from hrbench.runner.executors.messages import Incoming


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    channel = _Channel(theirs.detach())
    yield channel, ours
    ours.close()
    os.close(channel.descriptor)


def received(connection: socket.socket) -> list:
    connection.setblocking(False)
    return Incoming().feed(connection.recv(1 << 20))


def test_events_and_the_answer(ends):
    channel, ours = ends
    channel.emit({"n": 1})
    channel.finish({"value": 2})
    assert received(ours) == [{"event": {"n": 1}}, {"answer": {"value": 2}}]


def test_no_answer_follows_half_a_message(ends, monkeypatch):
    """As the exception of a signal handler may break one off."""
    channel, ours = ends
    write = os.write

    class Late(Exception):
        pass

    def interrupted(descriptor, data):
        write(descriptor, data[: len(data) // 2])
        raise Late

    with monkeypatch.context() as patch:
        patch.setattr(child.os, "write", interrupted)
        with pytest.raises(Late):
            channel.emit({"n": 1})
    with pytest.raises(OSError, match="the way back to hrbench was closed"):
        channel.finish({"value": 2})
    channel.emit({"n": 2})
    assert received(ours) == []


def test_no_answer_goes_into_another_file(ends, tmp_path):
    """As if the job had closed our file, and opened its own under the same number."""
    channel, _ = ends
    other = os.open(tmp_path / "mine", os.O_RDWR | os.O_CREAT)
    os.dup2(other, channel.descriptor)
    os.close(other)
    with pytest.raises(OSError, match="the way back to hrbench was closed"):
        channel.finish({"value": 2})
    assert (tmp_path / "mine").read_bytes() == b""


def test_a_copy_of_the_process_sends_nothing(ends):
    channel, ours = ends
    channel.process = os.getpid() + 1
    channel.emit({"n": 1})
    channel.finish({"value": 2})
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        ours.recv(1)


def test_the_number_is_high_and_within_the_limit(monkeypatch):
    read, write = os.pipe()
    os.close(write)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    moved = _raised_number(read)
    assert moved >= min(child._HIGH, limits[0] - 16) and not os.get_inheritable(moved)
    monkeypatch.setattr(child.resource, "getrlimit", lambda what: (256, 256))
    low = _raised_number(moved)
    assert low >= 240
    os.close(low)
