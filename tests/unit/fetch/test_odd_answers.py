"""Answers whose heads are odd: the file that arrives is the server's, or the download says what is wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hrbench.errors import EntryError, UsageError
from hrbench.fetch.download import fetch

BODY = bytes(range(200))


@contextmanager
def answering(*heads: str) -> Iterator[str]:
    """The address of a server that answers each request with the next of these heads, and with the last for ever."""
    left = list(heads)
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                stream, _ = server.accept()
            except OSError:
                return
            with stream:
                stream.recv(1 << 16)
                head = left.pop(0) if len(left) > 1 else left[0]
                body = b"" if head.startswith("HTTP/1.1 3") or "Content-Length: 0" in head else BODY
                stream.sendall(f"{head}\r\nConnection: close\r\n\r\n".encode() + body)

    with closing(server):
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/net.pth"


def attempt(tmp_path: Path, *heads: str) -> tuple[bytes, list[str], list[float]]:
    """The file, and what was noted and waited for on the way."""
    notes: list[str] = []
    waits: list[float] = []
    with answering(*heads) as address:
        found = fetch(address, tmp_path / "net.pth", note=notes.append, sleep=waits.append, timeout=60)
    return found.path.read_bytes(), notes, waits


@pytest.mark.parametrize("length", ["abc", "-1", "2e2", "+200", "9" * 30, "9" * 5000, "200, 201", "²"])
def test_a_length_that_is_none_is_no_length(tmp_path: Path, length: str):
    odd = f"HTTP/1.1 200 OK\r\nContent-Length: {length}"
    body, notes, _ = attempt(tmp_path, odd, f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}")
    assert body == BODY and len(notes) == 1 and notes[0].startswith("the server states the length '")
    with pytest.raises(EntryError, match=r"states the length .*, which is none, 5 times in a row"):
        attempt(tmp_path, odd)
    assert [path.name for path in tmp_path.iterdir()] == ["net.pth"]


@pytest.mark.parametrize("head", ["", "\r\nContent-Length: 200", "\r\nContent-Length: 200, 200"])
def test_no_length_and_one_that_is_said_twice(tmp_path: Path, head: str):
    assert attempt(tmp_path, f"HTTP/1.1 200 OK{head}")[:2] == (BODY, [])


def test_an_empty_file_is_none(tmp_path: Path):
    with pytest.raises(EntryError, match="the server sends an empty file, 5 times in a row"):
        attempt(tmp_path, "HTTP/1.1 200 OK\r\nContent-Length: 0")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["http://[", "http://127.0.0.1:port/x"])
def test_an_address_that_leads_to_none(tmp_path: Path, place: str):
    with pytest.raises((EntryError, UsageError), match=r"leads to what is no address|or leads to none"):
        attempt(tmp_path, f"HTTP/1.1 302 Found\r\nLocation: {place}")


@pytest.mark.parametrize(("said", "waited"), [("7", 7), ("²", 1), ("9" * 400, 1), ("-1", 1), ("86400", 60)])
def test_how_long_to_wait_is_a_number(tmp_path: Path, said: str, waited: float):
    body, _, waits = attempt(
        tmp_path, f"HTTP/1.1 503 Busy\r\nRetry-After: {said}", f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}"
    )
    assert body == BODY and waits == [waited]
