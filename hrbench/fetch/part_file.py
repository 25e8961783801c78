"""A file that is being downloaded: `<target>.part`, locked, with `<target>.part.json` that identifies its content."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from hrbench.core.files import open_private_file, write_whole
from hrbench.errors import UsageError


@dataclass(frozen=True, slots=True)
class PartHeader:
    """Identifies the content of a .part file; stored in `<target>.part.json`.

    validator: a strong ETag or a Last-Modified date; "" if the server sends none, and then nothing is resumed.
    size: bytes in all, 0 for unknown.
    told: the SHA-256 that the server sends, or "".
    """

    address: str
    validator: str = ""
    size: int = 0
    told: str = ""


class Part:
    """`<target>.part`, open and locked, and its header in the file beside it."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path, self.stream, self.beside = path, stream, path.with_name(path.name + ".json")

    @property
    def size(self) -> int:
        return os.fstat(self.stream.fileno()).st_size

    def head(self, address: str) -> PartHeader:
        """The stored header; an empty one if it is of another address, or unreadable."""
        try:
            head = PartHeader(**json.loads(self.beside.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return PartHeader(address)
        return head if head.address == address else PartHeader(address)

    def begin(self, head: PartHeader) -> None:
        """Empties the file, then stores the header of the new content: the header never belongs to other content."""
        self.clear()
        write_whole(self.beside, lambda stream: stream.write(json.dumps(asdict(head)).encode()))

    def clear(self) -> None:
        if self.size:
            self.stream.truncate(0)
        self.beside.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self.stream.write(rest) :]

    def finish(self, target: Path) -> None:
        self.path.replace(target)
        self.beside.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Removes an empty file; must be called while the lock is held."""
        if not self.size and self.path.is_file():
            self.path.unlink(missing_ok=True)
            self.beside.unlink(missing_ok=True)


@contextmanager
def locked(target: Path) -> Iterator[Part]:
    """The locked .part file of a target. The lock ends with its process; the file remains."""
    path = target.with_name(target.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(open_private_file(path, os.O_WRONLY | os.O_APPEND), "ab", buffering=0) as stream:  # noqa: PTH123
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"{target} is being downloaded by another process: wait for it") from None
            # whoever held the lock before may have renamed the file that was opened: then its name is free again
            if not path.exists() or not os.path.samestat(path.stat(), os.fstat(stream.fileno())):
                continue
            yield Part(path, stream)
            return
