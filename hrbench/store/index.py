"""What was read before, remembered in a SQLite file beside the JSON that holds the truth.

A folder's summary counts as long as the files behind it have the same names, sizes and times; what was derived from
them counts for their digests. Deleting the file loses nothing but time, and a damaged one is made anew.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

FILE = "history.sqlite"
VERSION = 2
"""Raised when what is remembered changes its form or meaning: then everything is read again."""

_OWNER, OWNER = "application_id", 0x68726265
"""By which SQLite files of hrbench are told from those of other programs."""

_HEADS = ("run.json", "environment.json", "baseline.json")
_TABLES = """
create table if not exists folders (path blob primary key, stamp blob, summary blob) without rowid;
create table if not exists derived (key text primary key, data blob) without rowid;
"""


@dataclass(frozen=True)
class Index:
    """A file of what was read and derived. path: None to remember nothing."""

    path: Path | None

    def summaries(
        self,
        folders: Sequence[Path],
        read: Callable[[Path], tuple[bytes, bool]],
        on_read: Callable[[int, int], object] | None = None,
    ) -> dict[Path, bytes]:
        """The summary of each folder, read only where its files have changed.

        folders: run folders and baselines.
        read: makes the summary of one, and says whether it may be remembered.
        on_read: called with (folders that were read, folders to read).
        """
        stamps = {folder: _stamp(folder) for folder in folders}
        known = dict(self._remembered(stamps))
        fresh: dict[Path, bytes] = {}
        lasting: dict[Path, bool] = {}
        to_read = [folder for folder in folders if folder not in known]
        for number, folder in enumerate(to_read):
            if on_read is not None:
                on_read(number, len(to_read))
            fresh[folder], lasting[folder] = read(folder)
        rows = [(_place(folder), stamps[folder], data) for folder, data in fresh.items() if lasting[folder]]
        self._write("insert or replace into folders values (?, ?, ?)", rows)
        return {folder: known[folder] if folder in known else fresh[folder] for folder in folders}

    def derived(self, key: str) -> bytes | None:
        """What was derived, under a key that says all that decides it; None if it is not remembered."""
        found = self._select("select data from derived where key = ?", (key,))
        return found[0][0] if found and isinstance(found[0][0], bytes) else None

    def remember(self, key: str, data: bytes) -> None:
        """Remembers what was derived."""
        self._write("insert or replace into derived values (?, ?)", [(key, data)])

    def forget(self) -> None:
        """Deletes the file: what it holds cannot be read."""
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink()

    def _remembered(self, stamps: Mapping[Path, bytes]) -> Iterator[tuple[Path, bytes]]:
        found = self._select("select path, stamp, summary from folders", ())
        rows = {path: (stamp, summary) for path, stamp, summary in found if isinstance(summary, bytes)}
        for folder, stamp in stamps.items():
            remembered, summary = rows.get(_place(folder), (b"", b""))
            if remembered == stamp:
                yield folder, summary

    def _select(self, query: str, values: tuple[str, ...]) -> list[tuple]:
        if self.path is None or not self.path.is_file():
            return []
        try:
            with closing(self._open()) as database:
                return database.execute(query, values).fetchall()
        except sqlite3.Error:
            return []  # damaged, or being made by another process: the files are read instead

    def _write(self, statement: str, rows: Sequence[tuple]) -> None:
        if self.path is None or not rows:
            return
        for attempt in range(2):
            try:
                with closing(self._open()) as database, database:
                    database.executemany(statement, rows)
                return
            except sqlite3.OperationalError:
                return  # locked by another process, or a folder that cannot be written: nothing is remembered
            except sqlite3.DatabaseError:
                if attempt == 0:  # not a database: it is made anew
                    with suppress(OSError):
                        self.path.unlink()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(str(self.path), timeout=1.0)
        try:
            version, owner = (database.execute(f"pragma {name}").fetchone()[0] for name in ("user_version", _OWNER))
            if owner != OWNER and database.execute("select count(*) from sqlite_master").fetchone()[0]:
                raise sqlite3.OperationalError("a database of another program, which is left alone")
            if version != VERSION or owner != OWNER:
                with database:
                    database.executescript("drop table if exists folders; drop table if exists derived;")
                    database.executescript(f"{_TABLES} pragma user_version = {VERSION}; pragma {_OWNER} = {OWNER};")
        except sqlite3.Error:
            database.close()
            raise
        return database


def _place(folder: Path) -> bytes:
    """The absolute path, links and all: resolving them would take as long as reading what is remembered."""
    return os.fsencode(os.path.abspath(folder))  # noqa: PTH100


def _stamp(folder: Path) -> bytes:
    """Of names, sizes and times of the files that a summary is made of."""
    lines, cut = [], len(str(folder))
    for path in (*(f"{folder}/{name}" for name in _HEADS), *_results(folder)):
        try:
            one = os.stat(path, follow_symlinks=False)  # noqa: PTH116 (a string: half the time)
        except OSError:
            continue
        lines.append(f"{path[cut:]}\0{one.st_mtime_ns}\0{one.st_size}\0{one.st_ino}\n")
    return hashlib.sha256(os.fsencode("".join(lines))).digest()


def _results(folder: Path) -> Iterable[str]:
    try:
        with os.scandir(folder / "entries") as found:
            return sorted(f"{one.path}/result.json" for one in found if not one.name.startswith("."))
    except OSError:
        return ()
