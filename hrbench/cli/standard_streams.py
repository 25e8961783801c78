"""Standard output and standard error that may be closed, full, or without a reader: no traceback, a fitting exit code.

A run goes on without its output: what it measures is stored, and its report is written. Any other command ends.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from hrbench.core.shown_text import clean
from hrbench.errors import HrbenchError

READER_LEFT = 141
"""The exit code of a command if nobody reads its output: as of a program that SIGPIPE ends (128 + 13)."""


class OutputError(HrbenchError):
    """Standard output that cannot be written."""


def open_standard_streams() -> None:
    """Opens what was closed before the start (`>&-`) on the null device.

    Otherwise the next file to be opened would get the number of standard output, and what is printed with it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", errors="replace", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):  # an encoding without "−" or "×" writes a question mark, and goes on
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def echo(text: str) -> None:
    """Prints a cleaned text. Raises BrokenPipeError if nobody reads it, OutputError if it cannot be written."""
    with _written():
        print(clean(text), flush=True)


def flush() -> None:
    """Writes what others have printed on standard error and standard output; raises as `echo` does."""
    try:
        sys.stderr.flush()
    except OSError:
        drop(sys.stderr)
    with _written():
        sys.stdout.flush()


@contextlib.contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        drop(sys.stdout)
        raise
    except OSError as error:
        drop(sys.stdout)
        raise OutputError(f"standard output cannot be written: {error.strerror}") from None


class TolerantEcho:
    """Prints texts as long as somebody reads them; then writes one line on standard error, and prints no more."""

    def __init__(self) -> None:
        self.lost = False

    def __call__(self, text: str) -> None:
        if self.lost:
            return
        try:
            echo(text)
        except (BrokenPipeError, OutputError) as error:
            self.lost = True
            why = "nobody reads the output any more" if isinstance(error, BrokenPipeError) else str(error)
            echo_error(f"hrbench: {why}; the run goes on, and its report will be in the run folder")


def echo_error(text: str) -> None:
    """Prints a text on standard error, if it can be written."""
    try:
        print(clean(text), file=sys.stderr, flush=True)
    except OSError:
        drop(sys.stderr)


def drop(stream: TextIO) -> None:
    """Redirects a stream to the null device, so that what is left in its buffer raises no error when Python ends."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: a stream that is no file, such as a test's
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
