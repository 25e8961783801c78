"""JSON messages over a stream socket, each whole or not at all: eight bytes of length, then the text.

The standard library's `json` is used because it keeps what paths and scores need: NaN, infinities, every float exactly,
and the lone surrogates by which Python stands for file names that are not UTF-8.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

_LENGTH = struct.Struct("!Q")
_MAX_DESCRIPTORS = 4

LONGEST = 1 << 31
"""Bytes of the longest message; a length beyond it means that the stream is damaged."""


class Damaged(Exception):
    """What came is not a message: the stream cannot be read any further."""


def packed(message: Any) -> bytes:
    """The message as it is sent. Raises TypeError or ValueError for what JSON cannot hold."""
    text = json.dumps(message).encode("ascii")
    return _LENGTH.pack(len(text)) + text


def send(connection: socket.socket, message: Any, descriptors: Sequence[int] = ()) -> None:
    """Sends a message, and with it open files. Raises OSError if the other side is gone."""
    data = packed(message)
    if descriptors:
        sent = socket.send_fds(connection, [data[: _LENGTH.size]], list(descriptors))
        data = data[sent:]
    connection.sendall(data)


def receive(connection: socket.socket) -> tuple[Any, list[int]] | None:
    """The next message and the open files that came with it; None if the other side is gone. Waits for it."""
    head, descriptors = b"", array.array("i")
    room = socket.CMSG_SPACE(_MAX_DESCRIPTORS * descriptors.itemsize)
    while len(head) < _LENGTH.size:
        try:
            part, carried, _, _ = connection.recvmsg(_LENGTH.size - len(head), room, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            part, carried = b"", []
        for _, _, data in carried:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        if not part:
            for descriptor in descriptors:
                os.close(descriptor)
            return None
        head += part
    text = _exactly(connection, _length(head))
    return None if text is None else (_unpacked(text), list(descriptors))


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        try:
            part = connection.recv(min(count - len(parts), 1 << 20))
        except ConnectionResetError:
            part = b""
        if not part:
            return None
        parts += part
    return bytes(parts)


class Incoming:
    """Takes a stream in pieces of any size and gives its whole messages."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are complete now. Raises Damaged if the stream is not one of messages."""
        self._held += data
        found = []
        while len(self._held) >= _LENGTH.size:
            end = _LENGTH.size + _length(bytes(self._held[: _LENGTH.size]))
            if len(self._held) < end:
                break
            found.append(_unpacked(bytes(self._held[_LENGTH.size : end])))
            del self._held[:end]
        return found


def _length(head: bytes) -> int:
    length: int = _LENGTH.unpack(head)[0]
    if length > LONGEST:
        raise Damaged(f"a message of {length} bytes was announced")
    return length


def _unpacked(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Damaged(str(error)) from None
