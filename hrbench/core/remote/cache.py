"""The folder in which files of object stores are kept: which are whole, how large it may be, who uses it.

    HRBENCH_CACHE/mirrors/<address>/files/...      files under the names that they have in the store
    HRBENCH_CACHE/mirrors/<address>/incoming/      files that are arriving
    HRBENCH_CACHE/users/                           a file for each process that uses the folder, locked while it lives

A file of a mirror is *whole*, or *awaited*: an empty place of the right size, which takes no room on the disk. Its time
of change says which, and of which version in the store: nothing else has to be kept in step with it. Files of other
times are not ours and are never touched. The time of access says when a file was needed last, whatever the disk itself
notes: the first to make room is the one whose need is longest ago. What was needed since the oldest living process
began stays.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hrbench.core.units import with_unit
from hrbench.errors import UsageError

DEFAULT_BYTES = 50 * 10**9
"""How large the cache may be if neither --cache-size nor HRBENCH_CACHE_SIZE says it."""
SPARE_BYTES = 1 << 28
"""Room that is made at once beyond what is needed now, so that not every file looks through the whole cache."""

_AWAITED_NS = 315_532_800 * 10**9  # 1980-01-01
_WHOLE_NS = 631_152_000 * 10**9  # 1990-01-01
_SPAN_NS = (1 << 47) * 1000  # 4.5 years: times are of whole microseconds, which every disk keeps

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGT]?)(i?)B?)", re.IGNORECASE)


def cache_folder() -> Path:
    """HRBENCH_CACHE, or hrbench/ in the user's folder of caches. It may not exist."""
    given = os.environ.get("HRBENCH_CACHE")
    if given:
        return Path(given).expanduser().resolve()
    return (Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "hrbench").resolve()


def cache_bytes() -> int:
    """How large the cache may be (HRBENCH_CACHE_SIZE). Raises UsageError for a size that is none."""
    given = os.environ.get("HRBENCH_CACHE_SIZE")
    return parse_bytes(given) if given else DEFAULT_BYTES


@contextlib.contextmanager
def bounded_to(size: str) -> Iterator[None]:
    """While the block runs, the cache of this process and of those it starts may be so large; "" changes nothing.

    Raises UsageError for a size that is none.
    """
    before = os.environ.get("HRBENCH_CACHE_SIZE")
    if size:
        os.environ["HRBENCH_CACHE_SIZE"] = str(parse_bytes(size))
    try:
        yield
    finally:
        if before is not None:
            os.environ["HRBENCH_CACHE_SIZE"] = before
        elif size:
            os.environ.pop("HRBENCH_CACHE_SIZE", None)


def parse_bytes(text: str) -> int:
    """Bytes of a size in words. Raises UsageError.

    >>> parse_bytes("50 GB"), parse_bytes("1.5T"), parse_bytes("512MiB"), parse_bytes("1000")
    (50000000000, 1500000000000, 536870912, 1000)
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is no size: it should be like 50GB, 500MB or 512MiB")
    number, unit, binary = found.groups()
    power = "KMGT".find(unit.upper()) + 1 if unit else 0
    return int(float(number) * (1024**power if binary else _UNITS[unit.upper()]))


def unique_name() -> str:
    """A name for a file that is arriving: of this process, and of no other file."""
    return f"{os.getpid()}-{secrets.token_hex(8)}"


# --- what a time of change says --------------------------------------------------------------------------------------


def version_of(tag: str, size: int) -> int:
    """A number for one version of a file, in [0, _SPAN_NS)."""
    return int.from_bytes(hashlib.sha256(f"{size} {tag}".encode()).digest()[:8], "big") % (1 << 47) * 1000


def whole_version(stat: os.stat_result) -> int | None:
    """The version of a file that is whole; None if it is awaited or not ours."""
    return _version(stat, _WHOLE_NS)


def awaited_version(stat: os.stat_result) -> int | None:
    """The version of a file that is awaited; None if it is whole or not ours."""
    return _version(stat, _AWAITED_NS)


def _version(stat: os.stat_result, since: int) -> int | None:
    passed = stat.st_mtime_ns - since
    return passed if 0 <= passed < _SPAN_NS else None


def set_whole(path: Path, version: int) -> None:
    """Marks a file as whole, and as needed now."""
    os.utime(path, ns=(time.time_ns(), _WHOLE_NS + version))


def set_needed(path: Path, stat: os.stat_result) -> None:
    """Notes that a file is needed now."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(path, ns=(time.time_ns(), stat.st_mtime_ns))


def put_awaited(path: Path, size: int, version: int, beside: Path) -> None:
    """Puts an awaited file in the place of whatever is at `path`. beside: a folder on the same disk, for the moment."""
    new = beside / unique_name()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        os.truncate(descriptor, size)
        os.utime(descriptor, ns=(time.time_ns(), _AWAITED_NS + version))
    finally:
        os.close(descriptor)
    try:
        new.replace(path)
    except OSError:
        new.unlink()
        raise


# --- who uses it, and room -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(folder: Path, shared: bool) -> Iterator[None]:
    """Holds the lock of a cache; several may share it, and who makes room has it alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UsageError(
            f"{folder}: files of object stores cannot be kept there ({error.strerror}); HRBENCH_CACHE names another"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class CacheUser:
    """This process as a user of a cache.

    folder: of the cache.
    descriptor: of the file that is locked as long as the process lives.
    since: what was needed later stays, in nanoseconds.
    began: when the process began to use the cache, in nanoseconds.
    room: bytes that it may still write before it has to look again.
    """

    folder: Path
    descriptor: int
    since: int
    began: int
    room: int = 0

    @classmethod
    def begin(cls, folder: Path) -> CacheUser:
        with locked(folder, shared=False):
            place = folder / "users"
            place.mkdir(exist_ok=True)
            for other in place.iterdir():
                _told(other)
            name = place / unique_name()
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            user = cls(folder, descriptor, since=(now := time.time_ns()), began=now)
            user._note()
        atexit.register(name.unlink, missing_ok=True)
        return user

    def begin_anew(self) -> None:
        """Needs nothing of what it has needed before."""
        with locked(self.folder, shared=True):
            self.since = time.time_ns()
            self._note()

    def take(self, needed: int) -> None:
        """Makes room for so many bytes. Raises UsageError if what living processes use leaves too little."""
        if needed > self.room:
            with locked(self.folder, shared=False):
                limit = cache_bytes()
                since, promised, alone = self._others()
                if alone:
                    _clean(self.folder)
                kept = _make_room(self.folder, limit - promised, needed + SPARE_BYTES, since)
                if kept + needed > limit - promised:
                    raise UsageError(
                        f"{self.folder} may hold {with_unit(limit, 'bytes')}, of which "
                        f"{with_unit(kept + promised, 'bytes')} are in use, and {with_unit(needed, 'bytes')} more are "
                        "needed: set a larger --cache-size or HRBENCH_CACHE_SIZE"
                    )
                self.room = min(needed + SPARE_BYTES, limit - promised - kept)
                self._note()
        self.room -= needed

    def _note(self) -> None:
        """Tells other processes since when this one lives, and how much it may still write."""
        os.pwrite(self.descriptor, f"{self.since:020d} {self.room:020d}".encode(), 0)

    def _others(self) -> tuple[int, int, bool]:
        """When the oldest living process began, how much others may still write, and whether there are none."""
        since, promised, alone = self.since, 0, True
        own = os.fstat(self.descriptor)
        for path in sorted((self.folder / "users").iterdir()):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), own):
                    continue
            if (told := _told(path)) is not None:
                since, promised, alone = min(since, told[0]), promised + told[1], False
        return since, promised, alone


def _told(path: Path) -> tuple[int, int] | None:
    """What a process told; None, and its file is removed, if it has ended."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        words = os.pread(descriptor, 100, 0).split()
        return (int(words[0]), int(words[1])) if len(words) == 2 else (0, 0)
    else:
        path.unlink(missing_ok=True)
        return None
    finally:
        os.close(descriptor)


def _clean(folder: Path) -> None:
    """Removes what ended processes were fetching. Called when no other process lives."""
    own = str(os.getpid())
    for path in folder.glob("mirrors/*/incoming/*"):
        if own not in re.split(r"[.-]", path.name):
            path.unlink(missing_ok=True)


def _make_room(folder: Path, limit: int, wanted: int, since: int) -> int:
    """Makes files awaited until `wanted` bytes more are at most `limit`, as far as that can be. Returns what is whole.

    since: files that were needed later stay.
    """
    files = sorted(_whole_files(folder), key=lambda each: each[0])
    kept = sum(size for _, size, _, _ in files)
    for needed, size, version, path in files:
        if kept + wanted <= limit or needed >= since:
            break
        with contextlib.suppress(FileNotFoundError):
            put_awaited(path, size, version, mirror_place(folder, path) / "incoming")
            kept -= size
    return kept


def _whole_files(folder: Path) -> Iterator[tuple[int, int, int, Path]]:
    """(when needed last, bytes, version, path) of each whole file."""
    for place in sorted(folder.glob("mirrors/*/files")):
        for where, _, names in os.walk(place):
            for name in names:
                path = Path(where, name)
                with contextlib.suppress(FileNotFoundError):
                    stat = path.lstat()
                    if (version := whole_version(stat)) is not None:
                        yield stat.st_atime_ns, stat.st_size, version, path


def mirror_place(folder: Path, path: Path) -> Path:
    """The folder of the mirror that a path lies in."""
    return folder / "mirrors" / path.relative_to(folder / "mirrors").parts[0]
