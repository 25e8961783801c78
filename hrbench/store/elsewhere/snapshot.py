"""Copies of what a reader needs of a run folder in an object store, as of its last commit.

A copy belongs to one commit and only grows, so readers do not disturb one another, nor a run that goes on. Files that
an earlier copy has are linked. Copies that nobody has asked for in `KEEP` are removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path

from hrbench.core.digests import sha256
from hrbench.core.files import open_private_file, write_whole
from hrbench.core.remote import joined, split_url
from hrbench.core.remote.cache import cache_folder
from hrbench.errors import MissingError
from hrbench.store.elsewhere.local_files import record_in, write_record
from hrbench.store.elsewhere.mirror import mirror_folder
from hrbench.store.elsewhere.objects import RunStore, at_once
from hrbench.store.elsewhere.records import Commit, FolderRecord, StoredFile, encode
from hrbench.store.integrity import LOG
from hrbench.store.places import ADDRESS

KEEP = 7 * 24 * 3600
"""Seconds after which a copy that was not asked for is removed."""


class Needs(IntEnum):
    """What of each entry is fetched: each has what the ones before it have.

    FILES: of no entry anything; suite.yaml, run.json and the like.
    RESULTS: results.
    STATES: states and error analyses, small pictures of baselines.
    PICTURES: pictures, logs, and superseded results.
    ALL: predictions.
    """

    FILES = 0
    RESULTS = 1
    STATES = 2
    PICTURES = 3
    ALL = 4


def snapshot(url: str, needs: Needs, store: RunStore | None = None) -> Path:
    """A folder with what the last commit at an address holds.

    Raises MissingError if there is no run folder, InputError naming the first file that is damaged or lost, and
    StorageError if the store does not answer.
    """
    store = store or RunStore.open(url)
    commit = store.latest()
    if commit is None or (not commit.folders and not commit.files):
        raise MissingError(f"there is no run folder {store.url}: hrbench run SUITE --out {store.url}")
    copies = _copies(store.url)
    _remove_old(copies.parent)
    path = copies / str(commit.number) / _below(store.url)
    path.mkdir(parents=True, exist_ok=True)
    with _locked(copies / str(commit.number)):
        _fill(store, commit, path, needs, _earlier(copies, commit.number, store.url))
    return path


def has_run(url: str, store: RunStore | None = None) -> bool:
    """Whether there is a run folder or baseline at an address."""
    commit = (store or RunStore.open(url)).latest()
    return commit is not None and bool(commit.folders or commit.files)


def runs_below(url: str) -> list[str]:
    """Names of the run folders and baselines directly below an address, sorted."""
    names = _folders_below(url)
    found = at_once(names, lambda name: has_run(joined(url, name)))
    return [name for name, there in zip(names, found, strict=True) if there]


def _folders_below(url: str) -> list[str]:
    return [one.name.strip("/") for one in RunStore.open(url).remote.list("", deep=False) if one.is_folder]


def view_of(url: str, needs: Needs) -> Path:
    """A folder in which the run folders below an address lie by their names, as links to copies of them.

    If there is a run folder at the address itself, a copy of it.
    """
    if has_run(url):
        return snapshot(url, needs)
    view = _copies(url) / "view"
    view.mkdir(parents=True, exist_ok=True)
    write_whole(view / ADDRESS, lambda stream: stream.write(url.rstrip("/").encode() + b"\n"))

    def copy_of(name: str) -> Path | None:
        with suppress(MissingError):
            return snapshot(joined(url, name), needs)
        return None

    names = _folders_below(url)
    copies = {name: path for name, path in zip(names, at_once(names, copy_of), strict=True) if path is not None}
    for old in view.iterdir():
        if old.is_symlink() and old.name not in copies:
            old.unlink()
    for name, path in copies.items():
        link, part = view / name, view / f".{name}.{os.getpid()}"
        if not link.is_symlink() or link.readlink() != path:
            part.unlink(missing_ok=True)
            part.symlink_to(path)
            part.replace(link)
    return view


def _copies(url: str) -> Path:
    return cache_folder() / "read" / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:12]


def _below(url: str) -> Path:
    """The names of the address: equal names of run folders are told apart by those above them."""
    _, path = split_url(url)
    return Path(*(part for part in path.split("/") if part not in ("", ".", "..")))


def _earlier(copies: Path, number: int, url: str) -> list[Path]:
    """Other copies of the same run folder, that of runs on this machine first, then the latest."""
    numbers = sorted((int(one.name) for one in copies.iterdir() if one.name.isdigit()), reverse=True)
    return [mirror_folder(url), *(copies / str(each) / _below(url) for each in numbers if each != number)]


def _fill(store: RunStore, commit: Commit, path: Path, needs: Needs, earlier: list[Path]) -> None:
    write_whole(path / ADDRESS, lambda stream: stream.write(store.url.encode() + b"\n"))
    (path / "entries").mkdir(exist_ok=True)
    wanted = [(name, at) for name, at in commit.folders.items() if _is_wanted(name, needs)]

    def record_of(one: tuple[str, StoredFile]) -> FolderRecord:
        name, at = one
        known = record_in(path / name)
        return known if known is not None else store.read_record(at, name)

    jobs = [(at, path / name, name) for name, at in commit.files.items() if not (path / name).is_file()]
    for (name, _), record in zip(wanted, at_once(wanted, record_of), strict=True):
        (path / name).mkdir(parents=True, exist_ok=True)
        write_record(path / name, encode(record))
        for file, at in record.files.items():
            to = path / name / file
            if not _is_needed(name, file, needs) or to.is_file():
                continue
            if not any(_link(one / name, file, at, to) for one in earlier):
                jobs.append((at, to, f"{file} of {name}"))
    at_once(jobs, lambda one: store.fetch(*one))


def _is_wanted(folder: str, needs: Needs) -> bool:
    return needs >= (Needs.RESULTS if folder.startswith("entries/") else Needs.PICTURES)


def _is_needed(folder: str, file: str, needs: Needs) -> bool:
    if not folder.startswith("entries/"):
        return file == "result.json" or folder == "pictures"
    if file == "result.json" or needs == Needs.ALL:
        return True
    if ("/" not in file and file.startswith(("states", "analysis"))) or file.startswith("gallery/"):
        return needs >= Needs.STATES
    return (file.startswith("drawings/") or file == LOG) and needs >= Needs.PICTURES


def _link(earlier: Path, file: str, at: StoredFile, to: Path) -> bool:
    """Links a file of an earlier copy if it is the same one."""
    record = record_in(earlier)
    if record is None or record.files.get(file) != at or file == LOG:  # a run appends to its log
        return False
    try:
        if (earlier / file).stat().st_size != at.size:
            return False
        to.parent.mkdir(parents=True, exist_ok=True)
        to.hardlink_to(earlier / file)
        if sha256(to) == at.sha256:  # a run may have changed its copy since it listed the files
            return True
        to.unlink()
    except OSError:
        return False
    return False


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One reader fills a copy at a time; the others wait for it."""
    lock = open_private_file(folder / ".lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.utime(folder)
        yield
    finally:
        os.close(lock)


def _remove_old(read: Path) -> None:
    limit = time.time() - KEEP
    with suppress(OSError):
        for copy in read.glob("*/[0-9]*"):
            if copy.stat().st_mtime < limit:
                shutil.rmtree(copy, ignore_errors=True)
