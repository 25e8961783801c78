"""Unpacks archives completely and only within a folder: zip, tar, tar.gz, tar.bz2, tar.xz.

    unpack(Path("coco/val2017.zip"), Path("coco"))

Members are written to a temporary folder below the target (`.unpacking-<archive>`). Only when all are complete they are
renamed to their final place, so that an interruption leaves nothing that looks complete. A member that would leave the
folder (an absolute path, "..", a link) or that is no file (a device) is an error, and nothing is kept. Needs only the
standard library.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO

from hrbench.core.units import with_unit
from hrbench.errors import EntryError, InputError, UsageError

CHUNK_BYTES = 1 << 20
"""Bytes copied at once."""
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, UnicodeDecodeError)
"""What reading a damaged archive raises; gzip and bz2 raise OSError without a number."""

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an archive.

    name: its path within the archive.
    size: bytes.
    refused_type: "" for a file, else what it is ("a symbolic link").
    open: opens it for reading.
    """

    name: str
    size: int
    refused_type: str
    open: Callable[[], IO[bytes] | None]


def is_archive(name: str) -> bool:
    """Whether a file of this name can be unpacked.

    >>> is_archive("train.tar.gz"), is_archive("list.txt")
    (True, False)
    """
    return name.lower().endswith(ENDINGS)


def unpack(archive: Path, folder: Path, *, inner: str = ".", progress: Progress = lambda done, total: None) -> int:
    """Unpacks an archive into `folder`, which is created if necessary. Returns the number of files.

    archive: its file.
    inner: the folder of the archive whose content is unpacked, without that folder; "." for all.
    progress: called with (bytes written, bytes in all or 0 if unknown).

    Files of the same name are replaced, others stay. Raises InputError for an archive that is damaged or contains a
    forbidden member, which the message names; EntryError if there is no room; UsageError if another process unpacks it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".unpacking-{archive.name}"
    with _locked(archive):
        try:
            shutil.rmtree(beside, ignore_errors=True)  # leftovers of a killed process
            beside.mkdir()
            count = _write_all(archive, beside, inner, progress)
            _merge(beside, folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return count


@contextmanager
def _locked(archive: Path) -> Iterator[None]:
    """Keeps other processes from unpacking the same archive. The lock ends with its process."""
    with archive.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{archive} is being unpacked by another process: wait for it") from None
        yield


def _write_all(archive: Path, beside: Path, inner: str, progress: Progress) -> int:
    prefix = () if inner in ("", ".") else PurePosixPath(inner).parts
    count = done = 0
    try:
        total, members = (_zip if zipfile.is_zipfile(archive) else _tar)(archive)
        _room(beside, total, archive)
        for member in members:
            parts = _within(member, archive)
            if parts[: len(prefix)] != prefix or len(parts) == len(prefix):
                continue
            _room(beside, member.size, archive)
            done = _copy(member, beside.joinpath(*parts[len(prefix) :]), done, total, progress)
            count += 1
    except DAMAGED as error:
        raise InputError(f"{archive} is damaged ({_words(error)}): get it again") from None
    except RuntimeError as error:  # zipfile's, for encrypted members
        raise InputError(f"{archive} cannot be unpacked: {_words(error)}") from None
    except OSError as error:
        if error.errno is None:  # gzip's and bz2's, for damaged content
            raise InputError(f"{archive} is damaged ({_words(error)}): get it again") from None
        raise EntryError(f"{error.filename or beside} cannot be written: {error.strerror}") from None
    if not count:
        raise InputError(f"{archive} holds no file" + (f" below {inner}" if prefix else ""))
    return count


# --- members of archives ---------------------------------------------------------------------------------------------


def _zip(archive: Path) -> tuple[int, Iterator[Member]]:
    """Bytes in all, and the members except folders."""
    with zipfile.ZipFile(archive) as reader:
        infos = reader.infolist()

    def members() -> Iterator[Member]:
        with zipfile.ZipFile(archive) as source:
            for info in infos:
                file_type = info.external_attr >> 16 & 0o170000  # if the archive was written on Unix
                refused_type = {0: "", 0o100000: "", 0o040000: "", 0o120000: "a symbolic link"}.get(
                    file_type, "a device"
                )
                if not info.filename.endswith("/"):  # as `is_dir`, which takes no empty name
                    # the name as stored: zipfile would cut it at a zero byte, and convert backslashes
                    yield Member(info.orig_filename, info.file_size, refused_type, lambda info=info: source.open(info))

    return sum(info.file_size for info in infos), members()


def _tar(archive: Path) -> tuple[int, Iterator[Member]]:
    """Bytes in all (0 for a compressed archive: they are known only at its end), and the members except folders."""

    def members() -> Iterator[Member]:
        with tarfile.open(archive, "r|*") as reader:
            for info in reader:
                links = {tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link"}
                refused_type = "" if info.isreg() else links.get(info.type, "a device")
                if not info.isdir():
                    yield Member(info.name, info.size, refused_type, lambda info=info: reader.extractfile(info))

    with archive.open("rb") as stream:
        stream.seek(257)
        plain = stream.read(5) == b"ustar"
    return (archive.stat().st_size if plain else 0), members()


def _within(member: Member, archive: Path) -> tuple[str, ...]:
    """The parts of a member's path. Raises InputError if it would leave the folder, or the member is no file."""
    name = member.name
    path = PurePosixPath(name)
    why = (
        f"is {member.refused_type}" if member.refused_type
        else "is an absolute path" if path.is_absolute() or re.match(r"[A-Za-z]:", name)
        else "leads out of the folder" if ".." in path.parts
        else "is no path" if not path.parts or "\\" in name or "\0" in name
        else ""
    )  # fmt: skip
    if why:
        raise InputError(f"{archive}: its member {name!r} {why}; such an archive is not unpacked, and nothing was kept")
    return path.parts


# --- writing ---------------------------------------------------------------------------------------------------------


def _room(folder: Path, size: int, archive: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        need, left = with_unit(size, "bytes"), with_unit(free, "bytes")
        raise EntryError(f"{archive} needs {need} to be unpacked, and {left} are free there: make room, then go on")


def _copy(member: Member, path: Path, done: int, total: int, progress: Progress) -> int:
    """Writes a member and reports the progress. Returns the bytes written so far."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = member.open()
    assert source is not None  # a file has content
    with source, path.open("wb") as target:
        while chunk := source.read(CHUNK_BYTES):
            target.write(chunk)
            done += len(chunk)
            progress(done, max(total, done) if total else 0)
    return done


def _merge(source: Path, target: Path) -> None:
    """Moves the content of a folder into another; existing folders are merged."""
    for entry in sorted(source.iterdir()):
        goal = target / entry.name
        if entry.is_dir() and goal.is_dir():
            _merge(entry, goal)
        elif goal.is_dir() or (entry.is_dir() and os.path.lexists(goal)):
            raise EntryError(f"{goal} is in the way: {'a folder' if goal.is_dir() else 'a file'} of that name is there")
        else:
            entry.replace(goal)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
