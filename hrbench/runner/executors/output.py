"""What a job prints, kept within bounds: its beginning and its end in a file, and its last lines at hand."""

from __future__ import annotations

import os
from pathlib import Path

from hrbench.core.text import last_lines

HEAD_BYTES = 256 << 10
TAIL_BYTES = 256 << 10


class KeptOutput:
    """Output of one job. The beginning is written as it comes, so that it can be followed; the end on closing.

    path: of the log, which is appended to; None if none is wanted. A log that cannot be written costs nothing but
    itself: a link at its place is not followed, and the last lines are at hand all the same.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.total = 0
        self._stream: int | None = None
        self._refused = path is None
        self._tail = bytearray()  # of what came after the beginning
        self._head = bytearray()

    def feed(self, data: bytes) -> None:
        """Takes what was printed; never more than the bounds is held."""
        self.total += len(data)
        room = HEAD_BYTES - len(self._head)
        if room > 0:
            self._head += data[:room]
            self._write(data[:room])
        self._tail += data[max(room, 0) :]
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    def close(self) -> None:
        """Writes the end, after a line that tells how much is left out."""
        end = bytes(self._tail[-TAIL_BYTES:])
        if left_out := self.left_out:
            self._write(f"\n[hrbench: {left_out:,} bytes left out here]\n".encode())
        self._write(end)
        if self._stream is not None:
            os.close(self._stream)
            self._stream = None

    @property
    def left_out(self) -> int:
        """Bytes that are in neither the beginning nor the end."""
        return max(0, self.total - len(self._head) - TAIL_BYTES)

    def last_lines(self) -> str:
        """The end of the output as text, without colours and other commands to a terminal."""
        # of the beginning what is still among the last bytes, which most outputs fit into
        return last_lines(bytes((self._head + self._tail)[-TAIL_BYTES:]))

    def _write(self, data: bytes) -> None:
        if not data or self._refused:
            return
        try:
            if self._stream is None:
                assert self.path is not None
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
                self._stream = os.open(self.path, flags, 0o666)
            while data:
                data = data[os.write(self._stream, data) :]
        except OSError:
            self._refused = True
