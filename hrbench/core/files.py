"""Reads files with clear errors, and writes them completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hrbench.errors import InputError, MissingError, UsageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

REMEDY = "make room, or name a folder that can be written"
"""What a writing error advises by default."""

BUFFER_BYTES = 1 << 16
"""Bytes collected before the operating system is asked to write: predictions come in many small parts."""

MAX_COORDINATE = 1e9  # px; larger coordinates are refused: no image is that large, and their squares begin to overflow


@contextlib.contextmanager
def reading(path: Path, content: str) -> Iterator[BinaryIO]:
    """Opens `path` for reading.

    content: what the file should be, in words, for error messages.

    Raises MissingError if there is no such file, InputError if it cannot be read.
    """
    path = Path(path)
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise MissingError(f"{path}: there is no such file; it should be {content}") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have, with a null character in it
        why = getattr(error, "strerror", "") or error
        raise InputError(f"{path}: cannot be read ({why}); it should be {content}") from None
    with stream:
        yield stream


# --- written whole or not at all -------------------------------------------------------------------------------------
#
# A file is first written next to its target under a temporary name, `.NAME.PID.TOKEN.part`, and is renamed at the end.
# So a process that dies, an error, a full disk or a second writer never leaves half a file under the real name. The
# temporary file is locked while it is written, and the lock ends with its process: a temporary file without a lock was
# left behind by a process that ended (`unfinished_files`).
#
# Nothing is synced to the disk (fsync) before it is renamed. Renaming protects against the end of a process. To protect
# against a power cut, each file and each folder above it would have to be synced: 4 ms per file were measured on a fast
# disk, and an entry may have thousands of label maps. After a power cut, a file of the last half minute may be empty.
# Every reader refuses such a file, and only its entry is run again.


def write_whole(path: Path, write: Callable[[BinaryIO], object], remedy: str = REMEDY) -> None:
    """Writes a file through `write`, completely or not at all; parent folders are created.

    write: called with a seekable stream of bytes. If it raises, the error passes through and `path` stays as it was.
    remedy: what the error advises if the disk refuses.

    Raises UsageError naming `path` if it cannot be written. A link at `path` is replaced, never followed.
    """
    path = Path(path)
    with _errors_naming(path, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        part, lock = _begin(path, _new_file)
    try:
        raw = _RawFile(os.dup(lock), path, remedy)  # a copy: closing it reports late errors, while the lock stays open
        try:
            stream = io.BufferedWriter(raw, BUFFER_BYTES)
            write(stream)
            stream.flush()
        finally:
            with _errors_naming(path, remedy):
                raw.close()
        with _errors_naming(path, remedy):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
        os.close(lock)


@contextlib.contextmanager
def whole_folder(path: Path, *, replace: bool = True, remedy: str = REMEDY) -> Iterator[Path]:
    """A new folder to fill. It becomes `path` if the block ends without an error, and is removed otherwise.

    replace: whether the new folder replaces what is at `path` then. If not, a folder that is not empty stays, and the
        new one is removed. Use that for content that is always the same, so that two processes may write it at once.
    remedy: what the error advises if the disk refuses.

    Raises UsageError naming `path` if it cannot be created or renamed; errors of the block pass through.
    """
    path = Path(path)
    with _errors_naming(path, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished_files(path.parent, path.name)
        part, lock = _begin(path, _new_folder)
    old = part.with_suffix(".old")
    try:
        yield part
        with _errors_naming(path, remedy):
            _put(part, path, old if replace else None)
    finally:
        for left in (part, old):
            _remove(left)
        os.close(lock)


def _put(part: Path, path: Path, old: Path | None) -> None:
    """Renames a folder to `path`. What is there moves to `old`, or stays if `old` is None."""
    while True:
        try:
            part.rename(path)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            if old is None and path.is_dir():
                return
            if old is None:
                raise
        _remove(old)
        with contextlib.suppress(FileNotFoundError):  # another process has moved it already
            path.rename(old)


def open_private_file(path: Path, flags: int) -> int:
    """Descriptor of a file that only hrbench uses, such as a lock file; it is created if it does not exist.

    flags: os.O_WRONLY and the like.

    Raises UsageError for a link, which would lead to somebody else's file.
    """
    try:
        return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise UsageError(f"{path} is a link, and is not followed: delete it") from None


# --- what killed processes leave -------------------------------------------------------------------------------------

_UNFINISHED_NAME = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d{1,10})(?P<end>\.[0-9a-f]{8}\.(part|old))?", re.DOTALL)


def unfinished_files(folder: Path, name: str = "") -> list[Path]:
    """Unfinished files and folders in `folder` whose process has ended, sorted. name: only those for this target."""
    found = []
    for path in _unfinished(Path(folder), name):
        with _left_behind(path) as left:
            found += [path] if left else []
    return found


def remove_unfinished_files(folder: Path, name: str = "") -> list[Path]:
    """Removes what `unfinished_files` finds and returns it. What cannot be removed stays, without an error."""
    removed = []
    for path in _unfinished(Path(folder), name):
        with _left_behind(path) as left:
            if left:
                _remove(path)
                removed.append(path)
    return removed


def _unfinished(folder: Path, name: str) -> list[Path]:
    try:
        entries = sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return []
    matches = ((entry, _UNFINISHED_NAME.fullmatch(entry)) for entry in entries if entry.startswith("."))
    return [folder / entry for entry, match in matches if match and _short(name) in ("", match["name"])]


def _short(name: str) -> str:
    """A file's name, shortened so that the temporary name has at most 255 bytes, the limit of file systems."""
    return os.fsdecode(os.fsencode(name)[:220])


@contextlib.contextmanager
def _left_behind(path: Path) -> Iterator[bool]:
    """Whether the process that wrote an unfinished file has ended. The file stays locked until the block ends.

    Names without a token (`.result.json.4711`, of version 0.1.0) were never locked: for them the process id decides.
    """
    match = _UNFINISHED_NAME.fullmatch(path.name)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # removed already, or a link, which we never create
        yield False
        return
    try:
        locked = _lock(descriptor) if match and match["end"] else None
        yield bool(match and (locked or (locked is None and not _alive(int(match["pid"])))))
    finally:
        os.close(descriptor)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _lock(descriptor: int) -> bool | None:
    """Whether the lock of an open file or folder could be taken; None if the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


# --- parts -----------------------------------------------------------------------------------------------------------


def _begin(path: Path, make: Callable[[Path], int | None]) -> tuple[Path, int]:
    """A new temporary file or folder next to `path`, and the descriptor that locks it."""
    while True:
        part = path.with_name(f".{_short(path.name)}.{os.getpid()}.{secrets.token_hex(4)}.part")
        # before it is locked, another process may take it for one left behind and remove it
        if (descriptor := make(part)) is None:
            continue
        if _lock(descriptor) is not False:
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(part.stat(), os.fstat(descriptor)):
                    return part, descriptor
        os.close(descriptor)


def _new_file(part: Path) -> int:
    return os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _new_folder(part: Path) -> int | None:
    part.mkdir()
    try:
        return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # removed already
        return None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


class _RawFile(io.FileIO):
    """The file below the stream. Its disk errors become UsageErrors that name the target."""

    def __init__(self, descriptor: int, target: Path, remedy: str) -> None:
        super().__init__(descriptor, "wb")
        self.target, self.remedy = target, remedy

    def write(self, data: ReadableBuffer, /) -> int:
        with _errors_naming(self.target, self.remedy):
            return super().write(data)


@contextlib.contextmanager
def _errors_naming(path: Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); {remedy}") from None


def link(source: Path, target: Path) -> None:
    """Makes `target` a second name of the file or folder `source`: by hard links if possible, else as a copy.

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
