"""Reading whole files with a clear error, and writing them whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..types import InputError, MissingError, UsageError


@contextlib.contextmanager
def reading(path: Path, what: str) -> Iterator[BinaryIO]:
    """Open `path` for reading. `what` says in words what it should be, for the errors.

    Raises MissingError where there is nothing, InputError where it cannot be read.
    """
    path = Path(path)
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise MissingError(f"{path}: there is no such file; it should be {what}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); it should be {what}") from None
    with stream:
        yield stream


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream to a temporary file beside `path`, which takes its place when the block ends without an error.

    Raises UsageError where the folder cannot be written.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); name a folder that can") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)  # mkstemp makes files that only their owner may read
        Path(name).replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); make room or name another folder") from None
    finally:
        Path(name).unlink(missing_ok=True)
