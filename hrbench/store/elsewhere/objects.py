"""A run folder in an object store: its commits and objects, with every digest checked."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from hrbench.core.digests import sha256
from hrbench.core.remote import Remote, RetryPolicy
from hrbench.errors import InputError, MissingError, StorageError
from hrbench.store.elsewhere.connections import remote_at
from hrbench.store.elsewhere.records import Commit, FolderRecord, StoredFile, commit_path, decode, number_of, stored

AT_ONCE = 8
"""Files that are up- or downloaded at the same time: a small object takes longer to ask for than to send."""

ItemT = TypeVar("ItemT")
FoundT = TypeVar("FoundT")


@dataclass(slots=True)
class RunStore:
    """The objects at one address.

    there: SHA-256 -> size of the objects that are known to be there.
    damaged: SHA-256 of objects that were found damaged or lost, to be written again.
    records: SHA-256 -> the list of files that was read under it.
    """

    remote: Remote
    there: dict[str, int] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    records: dict[str, FolderRecord] = field(default_factory=dict)

    @classmethod
    def open(cls, url: str, policy: RetryPolicy | None = None) -> RunStore:
        """Raises UsageError for an address that is not understood, MissingError if a library is not installed."""
        return cls(remote_at(url) if policy is None else Remote.open(url, policy))

    @property
    def url(self) -> str:
        return self.remote.url

    # --- commits

    def numbers(self) -> list[int]:
        """Numbers of the commits there are, rising."""
        return sorted(filter(None, (number_of(one.name) for one in self.remote.list("commits"))))

    def commit(self, number: int) -> Commit:
        """One commit. Raises InputError if it is damaged, MissingError if it is not there."""
        path = commit_path(number)
        return decode(self.remote.read(path), Commit, self.remote.address(path))

    def latest(self) -> Commit | None:
        """The commit that counts; None if there is none. Raises InputError if it is damaged."""
        for _ in range(3):
            numbers = self.numbers()
            if not numbers:
                return None
            try:
                return self.commit(numbers[-1])
            except MissingError:  # removed since it was listed: a run that went on has made others
                continue
        raise StorageError(f"{self.url}: its commits change faster than they can be read")

    def latest_whole(self) -> tuple[Commit | None, int, str]:
        """The latest commit that can be read, the highest number, and a sentence if these differ."""
        numbers = self.numbers()
        told = ""
        for number in reversed(numbers):
            try:
                found = self.commit(number)
            except (InputError, MissingError) as error:
                told = told or str(error)
                continue
            return found, numbers[-1], f"{told}: goes on from commit {number}" if told else ""
        if told:
            raise InputError(f"{told}; no commit of {self.url} can be read: choose another --out")
        return None, 0, ""

    # --- objects

    def read_record(self, at: StoredFile, folder: str) -> FolderRecord:
        """The list of a folder's files. folder: for the message. Raises InputError if it is damaged or lost."""
        if (found := self.records.get(at.sha256)) is None:
            data = self._read(at, f"the list of files of {folder}")
            found = self.records[at.sha256] = decode(data, FolderRecord, self.remote.address(at.object))
        return found

    def fetch(self, at: StoredFile, to: Path, what: str) -> None:
        """Downloads an object; `to` is written whole, and only if the digest is right.

        what: the file, in words, for the message. Raises InputError if it is damaged or lost.
        """
        part = to.with_name(f".{to.name[:100]}.{os.getpid()}.{secrets.token_hex(4)}.part")
        try:
            self._asked(at, what, lambda: self.remote.get(at.object, part, at.size))
            if sha256(part) != at.sha256:
                raise self._is_damaged(at, what)
            part.replace(to)
        finally:
            part.unlink(missing_ok=True)

    def _read(self, at: StoredFile, what: str) -> bytes:
        data = self._asked(at, what, lambda: self.remote.read(at.object, at.size))
        if stored(data) != at:
            raise self._is_damaged(at, what)
        return data

    def _asked(self, at: StoredFile, what: str, ask: Callable[[], FoundT]) -> FoundT:
        """What a call returns; a fault of the object itself is told from one of the store."""
        try:
            return ask()
        except MissingError:
            self.damaged.add(at.sha256)
            raise InputError(f"{self.url}: {what} is lost ({at.object}): run the suite again") from None
        except StorageError:
            if self._size(at) not in (None, at.size):
                raise self._is_damaged(at, what) from None
            raise

    def _size(self, at: StoredFile) -> int | None:
        """Of the object as the store has it; None if it does not say."""
        try:
            return self.remote.info(at.object).size
        except (StorageError, MissingError):
            return None

    def _is_damaged(self, at: StoredFile, what: str) -> InputError:
        self.damaged.add(at.sha256)
        return InputError(f"{self.url}: {what} is damaged ({at.object}): delete it and run the suite again")

    def list_objects(self) -> dict[str, int]:
        """SHA-256 -> size of all objects; they are known from now on."""
        self.there = {one.name.rpartition("/")[2]: one.size for one in self.remote.list("objects")}
        return dict(self.there)

    def has(self, at: StoredFile) -> bool:
        return self.there.get(at.sha256) == at.size and at.sha256 not in self.damaged

    def upload(self, at: StoredFile, content: bytes | Path) -> None:
        """Writes an object, unless it is there. Raises StorageError if the file has changed."""
        if self.has(at):
            return
        if isinstance(content, Path):
            self.remote.put(at.object, content)
            if sha256(content) != at.sha256:  # it was written to meanwhile, as a log is
                self.remote.delete(at.object)
                raise StorageError(f"{content}: is being written")
        else:
            self.remote.write(at.object, content)
        self.there[at.sha256] = at.size
        self.damaged.discard(at.sha256)


def at_once(items: Iterable[ItemT], do: Callable[[ItemT], FoundT]) -> list[FoundT]:
    """What `do` returns for each; the first error is raised after all that have begun have ended."""
    items = list(items)
    if len(items) < 2:
        return [do(one) for one in items]
    with ThreadPoolExecutor(min(AT_ONCE, len(items)), thread_name_prefix="hrbench-store") as pool:
        futures = [pool.submit(do, one) for one in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
