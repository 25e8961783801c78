"""What a commit and the list of a folder's files hold, and their bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from hrbench.errors import InputError

FORMAT = 1

RecordT = TypeVar("RecordT", bound=msgspec.Struct)


class StoredFile(msgspec.Struct, frozen=True):
    """A file as an object: sha256 names it. size: bytes."""

    sha256: str
    size: int

    @property
    def object(self) -> str:
        """Its path below the address of the run folder."""
        return f"objects/{self.sha256[:2]}/{self.sha256}"


class FolderRecord(msgspec.Struct, frozen=True):
    """All files of an entry, or of another folder. files: path below it, with slashes -> file."""

    files: dict[str, StoredFile]
    format: int = FORMAT


class Holder(msgspec.Struct, frozen=True):
    """Who writes.

    token: random, another for every run.
    machine: its name, and the number of the process, in words.
    mirror: random, of the local copy that it works in.
    since: UTC, in ISO 8601.
    """

    token: str = ""
    machine: str = ""
    mirror: str = ""
    since: str = ""


class Commit(msgspec.Struct, frozen=True):
    """All that a run folder holds at one moment.

    number: of the commit, from 1.
    holder: who made it.
    held: whether the holder goes on.
    written: UTC, in ISO 8601.
    files: suite.yaml, run.json and the like, by name.
    folders: "entries/NAME", "superseded/NAME.1", "pictures" -> the list of its files, a `FolderRecord` as an object.
    unnamed: objects that are named no more, or were left by a killed run -> since when that is known.
    nonce: random, another for each commit.
    """

    number: int = 0
    holder: Holder = Holder()
    held: bool = False
    written: str = ""
    files: dict[str, StoredFile] = {}
    folders: dict[str, StoredFile] = {}
    unnamed: dict[str, str] = {}
    nonce: str = ""
    format: int = FORMAT

    @property
    def path(self) -> str:
        return commit_path(self.number)


def commit_path(number: int) -> str:
    return f"commits/{number:08d}.json"


def number_of(name: str) -> int:
    """The number in the name of a commit's file; 0 for another file."""
    stem, dot, ending = name.rpartition(".")
    number = int(stem) if dot and ending == "json" and stem.isascii() and stem.isdigit() else 0
    return number if commit_path(number) == f"commits/{name}" else 0


def encode(record: msgspec.Struct) -> bytes:
    """JSON, and on a last line its SHA-256: half a record is not taken for a whole one."""
    data = msgspec.json.format(msgspec.json.encode(record, order="deterministic"), indent=1) + b"\n"
    return data + hashlib.sha256(data).hexdigest().encode() + b"\n"


def decode(data: bytes, kind: type[RecordT], place: str) -> RecordT:
    """The record in the bytes of a file. place: of the file, for the message. Raises InputError if it is not whole."""
    body, _, digest = data.removesuffix(b"\n").rpartition(b"\n")
    body += b"\n"
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise InputError(f"{place} is damaged: it is not what was written")
    try:
        found = msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InputError(f"{place} is not a record of hrbench ({error})") from None
    if getattr(found, "format", FORMAT) > FORMAT:
        raise InputError(f"{place} is of a newer hrbench: use that one")
    for name, at in _named(found):
        if not _is_plain(name) or not _SHA256.fullmatch(at.sha256) or at.size < 0:
            raise InputError(f"{place} names a file that hrbench never stores: {name!r}")
    return found


_SHA256 = re.compile(r"[0-9a-f]{64}")


def _named(record: msgspec.Struct) -> Iterator[tuple[str, StoredFile]]:
    """The files and folders that a record names."""
    if isinstance(record, Commit):
        yield from (*record.files.items(), *record.folders.items())
    elif isinstance(record, FolderRecord):
        yield from record.files.items()


def _is_plain(name: str) -> bool:
    """Whether a path stays below the folder that it is in, and names no hidden file."""
    return "\0" not in name and "\\" not in name and all(part and part[0] != "." for part in name.split("/"))


def stored(data: bytes) -> StoredFile:
    """How these bytes are stored."""
    return StoredFile(hashlib.sha256(data).hexdigest(), len(data))


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def moment(text: str) -> datetime:
    """A time of `now`; the beginning of time for another text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
