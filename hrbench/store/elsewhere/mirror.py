"""The local copy in which a run works whose folder lies in an object store.

It is a run folder like any other. What changes in it is uploaded as soon as it is whole, and what another machine has
stored meanwhile is fetched when a run begins: of every entry its result, its other files when they are asked for. What
could not be uploaded stays in the copy, and is uploaded with the next change, or by the next run.
"""

from __future__ import annotations

import hashlib
import platform
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hrbench.core.files import whole_folder, write_whole
from hrbench.core.remote import split_url
from hrbench.core.remote.cache import cache_folder
from hrbench.errors import HrbenchError, InputError, LostLeaseError, MissingError, StorageError
from hrbench.store.elsewhere import garbage
from hrbench.store.elsewhere.lease import Lease, Timing, describe
from hrbench.store.elsewhere.local_files import Digests, record_in, write_record
from hrbench.store.elsewhere.objects import RunStore, at_once
from hrbench.store.elsewhere.records import Commit, FolderRecord, StoredFile, decode, encode, stored
from hrbench.store.places import ADDRESS

FILES = ("suite.yaml", "run.json", "environment.json", "baseline.json")
"""Files of a run folder that are stored; pages lie beside them under their own names."""

SMALL = 8 << 20
"""Bytes up to which a file is read at once, so that what is uploaded is what its digest is of, though it may grow."""

_COMMIT = ".commit.json"
_MIRROR = ".mirror"


def mirror_folder(url: str) -> Path:
    """Where the local copy of a run folder lies: below the same names as in the store."""
    url = url.rstrip("/")
    scheme, path = split_url(url)
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return cache_folder() / "runs" / hashlib.sha256(url.encode()).hexdigest()[:12] / scheme / Path(*parts)


@dataclass(slots=True)
class RunMirror:
    """The local copy of one run folder, while a run works in it.

    path: of the copy.
    tell: called with what a person should know, a sentence each.
    owed: what could not be uploaded, in a sentence; "" if all is in the store.
    """

    store: RunStore
    path: Path
    tell: Callable[[str], object] = lambda text: None
    timing: Timing = field(default_factory=Timing)
    owed: str = ""
    lease: Lease | None = None
    _digests: Digests = field(default_factory=Digests)
    _records: dict[str, bytes] = field(default_factory=dict)
    """Folder -> the list of its files as it was uploaded last: a suite may have a thousand, of which one changes."""
    _unread: dict[str, StoredFile] = field(default_factory=dict)
    """Folders whose list of files is damaged; they stay in the store until an entry is measured anew."""

    @classmethod
    def open(cls, url: str, timing: Timing | None = None, store: RunStore | None = None) -> RunMirror:
        """Nothing is read or written yet."""
        return cls(store or RunStore.open(url), mirror_folder(url), timing=timing or Timing())

    @property
    def shown(self) -> str:
        """The address, for texts."""
        return self.store.url

    def refusal(self) -> str:
        """Who writes the folder, in a sentence, where another process has locked the copy; "" if that is not known."""
        with suppress(HrbenchError):
            commit = self.store.latest()
            return "" if commit is None or not commit.held else describe(self.store, commit)
        return ""

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder is this run's, and the copy has all that is stored. The caller holds the lock of the copy."""
        write_whole(self.path / ADDRESS, lambda stream: stream.write(self.shown.encode() + b"\n"))
        self.lease = Lease.take(self.store, self._identity(), self.timing, self.tell)
        if self.lease.note:
            self.tell(self.lease.note)
        try:
            self._remind(self.lease.commit)
            self._take_over(garbage.sweep(self.lease))
            self.publish()
            yield
            self._settle()
        except BaseException:
            self.lease.abandon()
            raise
        finally:
            self.lease = None

    def _settle(self) -> None:
        """The end of a run: all is uploaded, or it is told what is not."""
        assert self.lease is not None
        try:
            self._upload()
            self.lease.release()
        except LostLeaseError:
            raise
        except (StorageError, MissingError) as error:
            raise StorageError(f"{error}; {self._kept()}") from None

    def _kept(self) -> str:
        return f"the results are whole in {self.path}, and the same command uploads them"

    def replace(self) -> None:
        """Makes the store hold what the copy holds and nothing else, as of a baseline that is saved.

        Raises UsageError if a run has the folder.
        """
        self.lease = Lease.take(self.store, timing=self.timing)
        try:
            garbage.sweep(self.lease)
            self._upload()
            self.lease.release()
        except BaseException:
            self.lease.abandon()
            raise

    def check(self) -> None:
        """Raises LostLeaseError if another run has taken the folder."""
        if self.lease is not None:
            self.lease.check()

    # --- from the store

    def fill(self, folder: Path) -> None:
        """Fetches the files of a folder that are not in the copy yet. Raises InputError for one that is damaged."""
        record = record_in(folder)
        if record is None:
            return
        name = folder.relative_to(self.path).as_posix()
        absent = {file: at for file, at in record.files.items() if not (folder / file).is_file()}
        at_once(absent.items(), lambda one: self.store.fetch(one[1], folder / one[0], f"{one[0]} of {name}"))

    def _take_over(self, commit: Commit) -> None:
        """Brings the copy to what is stored.

        What was changed here alone stays; what was changed in both places is kept aside.
        """
        before = self._last()
        for name, at in commit.files.items():
            here = self._digests.of(self.path / name) if (self.path / name).is_file() else None
            if here is None or (here != at and before.files.get(name) != at):
                self.store.fetch(at, self.path / name, name)
        at_once(commit.folders.items(), lambda one: self._take_folder(one[0], one[1], before))
        for name, at in before.folders.items():
            folder = self.path / name
            if name not in commit.folders and folder.is_dir() and not self._is_changed(folder, at):
                shutil.rmtree(folder)
        self._remember(commit)

    def _remind(self, commit: Commit) -> None:
        """Lists of files that the copy has need not be read again."""
        for name, at in commit.folders.items():
            record = record_in(self.path / name)
            if record is not None and stored(encode(record)) == at:
                self.store.records[at.sha256] = record

    def _take_folder(self, name: str, at: StoredFile, before: Commit) -> None:
        folder, last = self.path / name, before.folders.get(name)
        if folder.is_dir():
            if _marked(folder) == at or self._is_same(folder, at, name):
                return
            if self._is_changed(folder, last):
                if last == at:
                    return
                self._keep_aside(folder, name)
        elif last == at:
            return  # it was moved here, which is not stored yet
        self._materialise(name, at)

    def _is_same(self, folder: Path, at: StoredFile, name: str) -> bool:
        """Whether a folder that was never marked holds what is stored."""
        if record_in(folder) is not None:
            return False
        record = FolderRecord(self._files(folder))
        if stored(encode(record)) != at:
            return False
        write_record(folder, encode(record))
        return True

    def _is_changed(self, folder: Path, last: StoredFile | None) -> bool:
        """Whether a folder of the copy is another than it was when all was stored last."""
        marked = _marked(folder)
        if marked is None or marked != last:
            return True
        record = record_in(folder)
        assert record is not None
        return any(record.files.get(name) != at for name, at in self._files(folder).items())

    def _keep_aside(self, folder: Path, name: str) -> None:
        """Two machines have changed an entry: that of the store counts, the local one becomes superseded."""
        entry = folder.name if name.startswith("entries/") else folder.name.rpartition(".")[0]
        past = self.path / "superseded"
        past.mkdir(exist_ok=True)
        number = 1000 + len(list(past.iterdir()))  # above what other machines may have stored meanwhile
        folder.rename(past / f"{entry}.{number}")
        self.tell(
            f"{name} was changed here and on another machine: the local one is kept as superseded/{entry}.{number}"
        )

    def _materialise(self, name: str, at: StoredFile) -> None:
        """Makes a folder with its result alone, or with all files if it has no result."""
        try:
            record = self.store.read_record(at, name)
        except InputError as error:
            self._unread[name] = at
            self.tell(str(error))
            return
        with whole_folder(self.path / name) as part:
            write_record(part, encode(record))
            first = {"result.json": record.files["result.json"]} if "result.json" in record.files else record.files
            for file, one in first.items():
                try:
                    self.store.fetch(one, part / file, f"{file} of {name}")
                except InputError as error:
                    self.tell(str(error))

    # --- to the store

    def publish(self, entry: str = "") -> None:
        """Uploads what has changed. A fault of the store is told; the next change tries again, the end must succeed.

        entry: the only one that has changed since the last call, besides what is superseded; "" to look at all.

        Raises LostLeaseError.
        """
        if self.lease is None:
            return
        self.lease.check()
        try:
            self._upload(entry if not self.owed else "")
        except LostLeaseError:
            raise
        except (StorageError, MissingError) as error:
            self.owed = f"{error}; the result is whole in {self.path}, and is uploaded with the next one"
            self.tell(self.owed)
        else:
            self.owed = ""

    def _upload(self, entry: str = "") -> None:
        lease = self.lease
        assert lease is not None
        last = lease.commit
        files = {name: self._uploaded_file(self.path / name) for name in FILES if (self.path / name).is_file()}
        known = self._records if entry else {}
        records = {
            name: known[name] if name in known and name != f"entries/{entry}" else self._uploaded_folder(folder)
            for name, folder in self._folders()
        }
        folders = {**self._unread, **{name: stored(record) for name, record in records.items()}}
        if (files, folders) != (last.files, last.folders):
            unnamed = garbage.dropped(self.store, last, folders, files)
            lease.make(msgspec.structs.replace(last, files=files, folders=folders, unnamed=unnamed))
        for name, record in records.items():
            if known.get(name) != record:
                write_record(self.path / name, record)
        self._records = records
        self._remember(lease.commit)

    def _folders(self) -> Iterator[tuple[str, Path]]:
        """Folders that are stored, with their names below the run folder."""
        for above in ("entries", "superseded"):
            for folder in sorted((self.path / above).glob("[!.]*")):
                if folder.is_dir() and not folder.is_symlink():
                    yield f"{above}/{folder.name}", folder
        if (self.path / "pictures").is_dir():
            yield "pictures", self.path / "pictures"

    def _uploaded_file(self, path: Path) -> StoredFile:
        data = path.read_bytes()
        self.store.upload(stored(data), data)
        return stored(data)

    def _uploaded_folder(self, folder: Path) -> bytes:
        """Uploads the files of a folder, then the list of them, which is returned."""
        record = record_in(folder)
        known = {} if record is None else record.files
        here = self._files(folder)
        new = {at: folder / name for name, at in here.items() if not self.store.has(at)}
        at_once(new.items(), lambda one: self._upload_one(*one))
        listed = encode(FolderRecord(dict(sorted({**known, **here}.items()))))
        self.store.upload(stored(listed), listed)
        return listed

    def _upload_one(self, at: StoredFile, path: Path) -> None:
        """Raises StorageError if the file has changed since its digest was taken: the next change uploads it."""
        if at.size <= SMALL:
            data = path.read_bytes()
            if stored(data) != at:
                raise StorageError(f"{path}: is being written")
            self.store.upload(at, data)
        else:
            self.store.upload(at, path)

    def _files(self, folder: Path) -> dict[str, StoredFile]:
        """The files that are in the copy, by path below the folder. Hidden ones and links are left out."""
        return self._digests.below(folder)

    # --- what the copy knows of itself

    def _identity(self) -> str:
        """A name of this copy. A copy of the copy, as from the cache of a build server, has another one."""
        path = self.path / _MIRROR
        if not path.is_file():
            write_whole(path, lambda stream: stream.write(secrets.token_hex(8).encode()))
        status = path.stat()
        whole = [path.read_text("utf-8"), platform.node(), str(status.st_dev), str(status.st_ino)]
        return hashlib.sha256("\0".join(whole).encode()).hexdigest()[:16]

    def _last(self) -> Commit:
        """The commit that the copy was last equal to; an empty one if that is not known."""
        try:
            return decode((self.path / _COMMIT).read_bytes(), Commit, str(self.path / _COMMIT))
        except (OSError, InputError):
            return Commit()

    def _remember(self, commit: Commit) -> None:
        write_whole(self.path / _COMMIT, lambda stream: stream.write(encode(commit)))


def _marked(folder: Path) -> StoredFile | None:
    """What the mark of a folder says that it is a copy of."""
    record = record_in(folder)
    return None if record is None else stored(encode(record))
