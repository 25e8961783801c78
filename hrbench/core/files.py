"""Reading whole files with a clear error, and writing them whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from hrbench.errors import InputError, MissingError, UsageError

FARTHEST = 1e9  # px; coordinates beyond it are refused: no picture reaches there, and squares begin to overflow


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


@dataclass(frozen=True)
class Output:
    """What `replacing` gives to write to: errors of the disk come out as UsageError, and no others do."""

    path: Path
    stream: BinaryIO

    def write(self, data: bytes) -> int:
        with _named(self.path):
            return self.stream.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Output]:
    """A file beside `path`, which takes its place when the block ends without an error, and vanishes otherwise.

    Raises UsageError where the disk does not let it. Errors of the block's own pass through as they are: what is
    written may come from a network that reads images meanwhile.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    with _named(path):
        stream = part.open("xb")
    try:
        with stream:
            yield Output(path, stream)
            with _named(path):
                stream.flush()
                os.fsync(stream.fileno())
        with _named(path):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path`, which takes its place when the block ends without an error, and vanishes otherwise.

    What lay at `path` before is gone afterwards. Raises UsageError where the disk does not let it be made or renamed;
    errors of the block's own pass through as they are, so what it writes it writes with `replacing`.
    """
    path = Path(path)
    mark = secrets.token_hex(6)
    part, old = (path.with_name(f".{path.name}.{mark}.{end}") for end in ("part", "old"))
    with _named(path):
        part.mkdir()
    try:
        yield part
        with _named(path):
            if path.exists():
                path.rename(old)
            part.rename(path)
    finally:
        for left in (part, old):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written ({error.strerror}); make room, or name a folder that can be written"
        ) from None


def write_atomic(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Lets `write` fill a file beside `path`, then renames it; a failure leaves `path` as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def link(source: Path, target: Path) -> None:
    """`target` is the file or folder `source` once more: by hard links if the disk has them, else as a copy.

    Raises FileNotFoundError if there is no `source`.
    """

    def one(here: str | Path, there: str | Path) -> None:
        try:
            os.link(here, there, follow_symlinks=False)
        except OSError:
            shutil.copy2(here, there)

    if source.is_dir():
        shutil.copytree(source, target, copy_function=one)
    else:
        one(source, target)
