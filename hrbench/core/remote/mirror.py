"""A folder of an object store as a folder of this disk, whose files arrive when they are needed.

    folder = local_folder("s3://bucket/data")     # a path on this disk; nothing is read yet
    listed(folder / "coco")                       # names and sizes of all files below are there
    present([folder / "coco/val2017/1.jpg"])      # their content is there: several at once, with progress

Names and sizes of all files are on the disk at once, so whatever reads a folder finds it complete. A file whose content
has not arrived (`cache`) is fetched when Python opens it: `open` announces every opening before it happens (PEP 578,
`sys.addaudithook`), and the file is there when it goes on. `present` fetches many at once, and is called before images
are read: worker processes and libraries that open files without Python would find a file of zeros, which no format of
images takes.

A file is fetched again if its size or tag in the store has changed. If the tag is the MD5 of the content, as in S3 for
files that were uploaded in one piece, that is checked; else the tag is asked for again after the last byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hrbench.core.digests import md5
from hrbench.core.files import write_whole
from hrbench.core.remote import cache
from hrbench.core.remote.addresses import joined, local_path, split_url
from hrbench.core.remote.file_system import Remote, RemoteFile
from hrbench.errors import MissingError, StorageError, UsageError

THREADS = 16
"""Files that are fetched at once."""

WORTH_TELLING = 1 << 23
"""Bytes of a single file whose progress is told: many small ones may be opened one by one."""

Progress = Callable[[int, int], object]
"""Is called with the bytes that have arrived, and how many will be, from several threads."""


@dataclass(slots=True)
class Mirror:
    """A folder of an object store on this disk.

    url: its address, without secrets.
    place: its folder in the cache.
    since: a listing that another process wrote since then is good enough, in nanoseconds; None for none.
    listed: folders, relative, that this process has listed.
    """

    url: str
    place: Path
    since: int | None = None
    listed: set[str] = field(default_factory=set)
    _remotes: dict[int, Remote] = field(default_factory=dict)

    @property
    def files(self) -> Path:
        return self.place / "files"

    @property
    def incoming(self) -> Path:
        return self.place / "incoming"

    @property
    def remote(self) -> Remote:
        """The store, opened once a process: a fork has another."""
        if os.getpid() not in self._remotes:
            self._remotes[os.getpid()] = Remote.open(self.url)
        return self._remotes[os.getpid()]

    def list(self, folder: str = "") -> None:
        """Makes names and sizes below a folder those of the store; what is whole and unchanged stays."""
        if any(above in self.listed for above in ("", folder)):
            return
        mark = self.place / "listed" / (hashlib.sha256(folder.encode()).hexdigest()[:16])
        if self.since is None or not mark.exists() or mark.stat().st_mtime_ns < self.since:
            found = self.remote.list(folder)
            with cache.locked(cache.cache_folder(), shared=False):
                self._lay_out(folder, found)
                mark.parent.mkdir(exist_ok=True)
                mark.touch()
        self.listed.add(folder)

    def list_file(self, name: str) -> None:
        """The same for one file."""
        found = self.remote.info(name)
        with cache.locked(cache.cache_folder(), shared=False):
            self._lay_out_file(self.files / name, found)

    def _lay_out(self, folder: str, found: Sequence[RemoteFile]) -> None:
        root = self.files / folder
        there, wanted = {name for name, _ in _own_files(root)}, []
        for file in found:
            if not _is_name_of_files(file.name):
                continue
            wanted.append(file)
            there.discard(file.name)
        for name in there:  # first, since a name may have been a folder's, and be a file's now
            (root / name).unlink(missing_ok=True)
            _remove_empty(root, (root / name).parent)
        for file in wanted:
            self._lay_out_file(root / file.name, file)

    def _lay_out_file(self, path: Path, file: RemoteFile) -> None:
        version = cache.version_of(file.tag, file.size)
        with contextlib.suppress(OSError):
            stat = path.lstat()
            if stat.st_size == file.size and version in (cache.whole_version(stat), cache.awaited_version(stat)):
                return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            cache.put_awaited(path, file.size, version, self.incoming)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise StorageError(
                f"{joined(self.url, file.name)} is a file and a folder, which no disk can hold"
            ) from None
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written ({error.strerror}); make room, or name another folder by HRBENCH_CACHE"
            ) from None

    def fetch(self, path: Path, on_bytes: Callable[[int], object]) -> None:
        """Fetches one awaited file; does nothing for any other."""
        name = path.relative_to(self.files).as_posix()
        with _lock_of(path):
            stat = path.stat()
            version = cache.awaited_version(stat)
            if version is None:
                return
            arriving = self.incoming / cache.unique_name()
            try:
                self.remote.get(name, arriving, stat.st_size, on_bytes)
                if version != cache.version_of(md5(arriving), stat.st_size):
                    now = self.remote.info(name)
                    if version != cache.version_of(now.tag, now.size):
                        raise StorageError(f"{joined(self.url, name)}: has changed since it was listed; run again")
                cache.set_whole(arriving, version)
                with cache.locked(cache.cache_folder(), shared=True):
                    if not _is_of(path, version):  # another process has listed another version meanwhile
                        raise StorageError(f"{joined(self.url, name)}: has changed since it was listed; run again")
                    arriving.replace(path)
            finally:
                arriving.unlink(missing_ok=True)


_MIRRORS: dict[str, Mirror] = {}  # folder of files, with a slash at its end -> mirror
_LOCKS: dict[str, threading.Lock] = {}
_GUARD = threading.Lock()
_USERS: dict[tuple[int, Path], cache.CacheUser] = {}
_TOLD: list[Progress] = []
_WATCHING: list[bool] = []  # not empty once openings are watched, which cannot be undone


def local_folder(text: str | Path, since: int | None = None) -> Path:
    """The folder on this disk that a path or an address means. Nothing is read of an object store.

    since: when the run began, in nanoseconds, if this is another process of it: what the run has listed is not listed
        again.

    Raises UsageError for an address that is not understood, MissingError if a library is not installed.
    """
    path = local_path(text)
    if path is not None:
        return path
    url = str(text).rstrip("/")
    split_url(url)
    place = cache.cache_folder() / "mirrors" / hashlib.sha256(url.encode()).hexdigest()[:16]
    key = f"{place}/files/"
    with _GUARD:
        if key not in _MIRRORS:
            mirror = Mirror(url, place, since)
            mirror.remote  # noqa: B018 - a missing library is told now
            _user()
            for folder in (mirror.files, mirror.incoming):
                folder.mkdir(parents=True, exist_ok=True)
            write_whole(place / "address", lambda stream: stream.write(f"{url}\n".encode()))
            if not _WATCHING:
                sys.addaudithook(_on_open)
                _WATCHING.append(True)
            _MIRRORS[key] = mirror
        elif since is None:  # another run of this process: the store may have changed since the last one
            _MIRRORS[key].listed.clear()
    return place / "files"


def local_copy(text: str | Path) -> Path:
    """The file or folder on this disk that a path or an address means, fetched whole.

    Raises MissingError if there is none, StorageError if it cannot be fetched.
    """
    path = local_path(text)
    if path is not None:
        return path
    url = str(text).rstrip("/")
    inner = split_url(url)[1]
    if "/" in inner:
        above, _, name = url.rpartition("/")
        folder = local_folder(above)
        with contextlib.suppress(MissingError):
            _MIRRORS[f"{folder}/"].list_file(name)
            present([folder / name])
            return folder / name
    folder = local_folder(url)
    listed(folder)
    below = [folder / name for name, _ in _own_files(folder)]
    if not below:
        raise MissingError(f"{url}: there is no such file or folder")
    present(below)
    return folder


def address_of(path: Path) -> str | None:
    """The address of a path in a mirror; None for any other."""
    mirror = _mirror_of(f"{path}/")
    if mirror is None:
        return None
    return joined(mirror.url, *Path(path).relative_to(mirror.files).parts)


def told(text: str) -> str:
    """A text in which paths in mirrors are told by their addresses."""
    for folder, mirror in [*_MIRRORS.items()]:
        text = text.replace(folder, f"{mirror.url}/").replace(folder[:-1], mirror.url)
    return text


def listed(folder: Path) -> None:
    """Names and sizes of all files below are there, if `folder` lies in a mirror: asked for once a process."""
    mirror = _mirror_of(f"{folder}/")
    if mirror is not None:
        mirror.list("" if folder == mirror.files else Path(folder).relative_to(mirror.files).as_posix())


def present(paths: Iterable[Path]) -> None:
    """The content of these files is there; paths that lie in no mirror, or that do not exist, stay as they are.

    Raises StorageError for the first that cannot be fetched, UsageError if the cache is too small for them.
    """
    if not _MIRRORS:
        return
    awaited: dict[Path, int] = {}
    owner: dict[Path, Mirror] = {}
    with cache.locked(cache.cache_folder(), shared=True):
        for path in paths:
            mirror = _mirror_of(str(path))
            if mirror is None:
                continue
            with contextlib.suppress(OSError):
                stat = path.stat()
                if cache.awaited_version(stat) is not None:
                    awaited[path], owner[path] = stat.st_size, mirror
                elif cache.whole_version(stat) is not None:
                    cache.set_needed(path, stat)
    if awaited:
        _user().take(sum(awaited.values()))
        _fetch_all(awaited, owner)


class _Stopped(Exception):
    """Another file of the same call could not be fetched."""


def _fetch_all(awaited: dict[Path, int], owner: dict[Path, Mirror]) -> None:
    arrived, total, guard, stopped = 0, sum(awaited.values()), threading.Lock(), threading.Event()
    told_at = time.monotonic()

    def on_bytes(count: int) -> None:
        nonlocal arrived, told_at
        if stopped.is_set():
            raise _Stopped
        with guard:
            arrived += count
            now = time.monotonic()
            tell = (arrived >= total and count > 0) or now - told_at > 0.2
            told_at = now if tell else told_at
            if tell:
                for progress in _TOLD:
                    progress(arrived, total)

    if len(awaited) == 1:
        ((path, size),) = awaited.items()
        return owner[path].fetch(path, on_bytes if size >= WORTH_TELLING else lambda count: None)
    for progress in _TOLD:
        progress(0, total)
    faults: list[BaseException] = []

    def fetch(path: Path) -> None:
        try:
            owner[path].fetch(path, on_bytes)
        except BaseException as error:
            faults.append(error)
            stopped.set()  # what the others fetch need not arrive

    with ThreadPoolExecutor(min(THREADS, len(awaited)), thread_name_prefix="fetch") as pool:
        try:
            wait([pool.submit(fetch, path) for path in awaited])
        finally:  # also of Ctrl-C
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
    if faults:
        raise next((each for each in faults if not isinstance(each, _Stopped)), faults[0])
    return None


@contextlib.contextmanager
def telling(progress: Progress) -> Iterator[None]:
    """While the block runs, `progress` hears of what this process fetches."""
    _TOLD.append(progress)
    try:
        yield
    finally:
        _TOLD.remove(progress)


# --- parts -----------------------------------------------------------------------------------------------------------


def _on_open(event: str, args: tuple[Any, ...]) -> None:
    """Called by Python before any file is opened: fetches an awaited one."""
    if event != "open" or not isinstance(args[0], (str, bytes, os.PathLike)):
        return
    name = os.fsdecode(args[0])
    if _mirror_of(name) is not None and ".." not in name:
        present([Path(name)])
        return
    try:  # a relative name, a link, one with "..": the file itself says what it is
        awaited = cache.awaited_version(os.stat(name)) is not None  # noqa: PTH116 (of every file that is opened)
    except (OSError, ValueError):
        return
    if awaited and _mirror_of(whole := os.path.realpath(name)) is not None:
        present([Path(whole)])


def _mirror_of(name: str) -> Mirror | None:
    return next((mirror for folder, mirror in [*_MIRRORS.items()] if name.startswith(folder)), None)


def _is_name_of_files(name: str) -> bool:
    """Whether a folder can have a file of this relative name: a store takes any text."""
    parts = name.split("/")
    return "\0" not in name and all(part not in ("", ".", "..") and len(os.fsencode(part)) <= 255 for part in parts)


def _own_files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Whole and awaited files below a folder, by their relative name; not what others put there."""
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            with contextlib.suppress(FileNotFoundError):
                stat = path.lstat()
                if cache.whole_version(stat) is not None or cache.awaited_version(stat) is not None:
                    yield path.relative_to(folder).as_posix(), stat


def _is_of(path: Path, version: int) -> bool:
    """Whether a file is of this version, awaited or whole."""
    with contextlib.suppress(OSError):
        stat = path.lstat()
        return version in (cache.awaited_version(stat), cache.whole_version(stat))
    return False


def _remove_empty(root: Path, folder: Path) -> None:
    """Removes a folder below the root, and those above it, as long as they are empty."""
    with contextlib.suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent


def _lock_of(path: Path) -> threading.Lock:
    with _GUARD:
        return _LOCKS.setdefault(str(path), threading.Lock())


def _user() -> cache.CacheUser:
    """This process as a user of the cache; a fork is another."""
    key = (os.getpid(), cache.cache_folder())
    if key not in _USERS:
        _USERS[key] = cache.CacheUser.begin(key[1])
    return _USERS[key]


def release() -> None:
    """What this process has needed until now may make room for what it needs next: for an entry that follows others."""
    if _MIRRORS:
        _user().begin_anew()


def plain(folder: Path) -> str:
    """A folder as another process, or another machine, finds it by `local_folder`: an address, or the path."""
    return address_of(folder) or str(folder)


def began() -> int:
    """When this process began to use the cache, in nanoseconds: `since` for its other processes."""
    return _user().began if _MIRRORS else 0


__all__ = [
    "THREADS", "Mirror", "address_of", "began", "listed", "local_copy", "local_folder", "plain", "present", "release",
    "telling", "told",
]  # fmt: skip
