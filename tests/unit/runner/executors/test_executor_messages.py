"""Messages over a socket are whole or are not there."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from hrbench.runner.executors.messages import Damaged, Incoming, packed, receive, send


def test_messages_in_pieces_of_any_size():
    messages = [{"a": [1, 2.5, None]}, "\udcff", [], {"long": "x" * 5000}]
    data = b"".join(map(packed, messages))
    for size in (1, 3, 7, 8, 9, 4096, len(data)):
        incoming, found = Incoming(), []
        for at in range(0, len(data), size):
            found += incoming.feed(data[at : at + size])
        assert found == messages


@pytest.mark.parametrize("end", [1, 8, 20])
def test_half_a_message_is_none(end):
    assert Incoming().feed(packed({"answer": "x" * 100})[:end]) == []


def test_what_is_no_message_is_told():
    with pytest.raises(Damaged, match="bytes was announced"):
        Incoming().feed(b"\xff" * 8)
    with pytest.raises(Damaged):
        Incoming().feed(b"\0" * 7 + b"\x02{[")


def test_open_files_come_along():
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    with ours, theirs:
        send(ours, {"n": 1}, [write])
        send(ours, {"n": 2})
        received = receive(theirs)
        assert received is not None and received[0] == {"n": 1} and len(received[1]) == 1
        assert receive(theirs) == ({"n": 2}, [])
        os.write(received[1][0], b"through")
        assert os.read(read, 100) == b"through" and not os.get_inheritable(received[1][0])
        for descriptor in (read, write, *received[1]):
            os.close(descriptor)


@pytest.mark.parametrize("end", [0, 5, 8, 30])
def test_a_side_that_goes_away_is_the_end(end):
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(packed("x" * 100)[:end])
        assert receive(theirs) is None


def test_large_messages_pass():
    ours, theirs = socket.socketpair()
    text = "y" * 3_000_000
    with ours, theirs:
        sender = threading.Thread(target=send, args=(ours, text))
        sender.start()
        assert receive(theirs) == (text, [])
        sender.join()
