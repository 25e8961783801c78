"""Results, predictions and states in a run folder that a person can read.

    runs/pose/
      suite.yaml run.json environment.json report.html report.md report.csv report.tex
      entries/<entry>/result.json predictions.json|predictions.npy states.npz drawings/*.jpg
      superseded/<entry>.<n>/...      what a changed suite, weights or data replaced

Every file is written beside its place and renamed, and an entry's folder appears whole or not at all, so an
interrupted run leaves nothing that could be taken for a result.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from hrbench.core.files import remove_leavings, write_whole
from hrbench.errors import InputError, UsageError
from hrbench.store.integrity import LOG, damaged, digests_of
from hrbench.store.results import from_json, to_json
from hrbench.types import Result, Suite

_LOCKED = ("suite.yaml", "run.json", "environment.json")
"""Files of a run folder that are written under its lock."""


def _log(folder: Path) -> str:
    return LOG if (folder / LOG).is_file() else ""


class RunRecord(msgspec.Struct):
    """The content of run.json.

    suite, title, table: of the suite.
    entries: names, in the suite's order.
    options: of the last run, as on the command line.
    """

    suite: str = ""
    title: str = ""
    table: str = ""
    entries: list[str] = []
    options: list[str] = []


class RunFolder:
    """One run folder; made on first writing."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second run out of the folder. The lock dies with its process, so a killed run leaves none."""
        try:
            (self.path / "entries").mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:  # what it leads to is not ours to touch
                raise UsageError(
                    f"{self.path / '.lock'} is a link, which hrbench never makes: remove it, or choose another --out"
                ) from None
            raise UsageError(f"cannot write to {self.path}: {error.strerror}; choose a folder with --out") from None
        with os.fdopen(lock, "r+b", buffering=0) as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"another hrbench is running in {self.path}: wait for it, or choose --out") from None
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Removes what an interrupted run left unfinished: folders of entries, and partly written files.

        Only what is written under the lock: another process may be writing a report.
        """
        entries = self.path / "entries"
        for folder in entries.glob(".*"):
            if folder.is_symlink() or not folder.is_dir():
                folder.unlink(missing_ok=True)
            else:
                shutil.rmtree(folder, ignore_errors=True)
        for name in _LOCKED:
            remove_leavings(self.path, name)
        for folder in entries.iterdir():
            if folder.is_dir() and not folder.is_symlink():
                remove_leavings(folder)

    def entry(self, name: str) -> Path:
        """Where an entry lies. Raises UsageError for a name that is no plain name of a folder."""
        if not name or name.startswith(".") or name != Path(name).name or not name.isprintable():
            raise UsageError(
                f"{name!r} cannot be the name of an entry: it names a folder, and must not begin with a dot"
            )
        return self.path / "entries" / name

    def read(self, name: str) -> Result | None:
        """The stored result of an entry, or None.

        Raises InputError if it is damaged, is not in the run folder, or a file of the entry is not the one that the
        result was stored with.
        """
        place = self.entry(name)
        if place.is_symlink():
            raise InputError(f"{place} is a link, which hrbench never makes")
        path = place / "result.json"
        if not path.is_file():
            return None
        result = _read(path, name)
        if wrong := damaged(place, result.files):
            raise InputError(f"{place / wrong[0]} is not the file that was stored with the result")
        return result

    def results(self, skip: Callable[[str], object] | None = None) -> list[Result]:
        """The stored results of the last run's entries, in the suite's order; without run.json all, by name.

        skip: is told of each damaged result, which is left out; without it the first raises InputError.
        """
        stored = {path.parent.name: path for path in sorted((self.path / "entries").glob("[!.]*/result.json"))}
        results = []
        for name in [name for name in self.read_run().entries if name in stored] or list(stored):
            try:
                results.append(_read(stored[name], name))
            except InputError as error:
                if skip is None:
                    raise
                skip(str(error))
        return results

    def begin(self, name: str) -> Path:
        """An empty folder to fill; `commit` puts it in place."""
        self.discard(name)
        folder = self.entry(name).with_name(f".{name}.{os.getpid()}")
        folder.mkdir(parents=True)
        return folder

    def discard(self, name: str) -> None:
        """Removes what `begin` made and nothing was committed of."""
        shutil.rmtree(self.path / "entries" / f".{name}.{os.getpid()}", ignore_errors=True)

    def begun(self, name: str) -> Path | None:
        """The folder that `begin` made and nothing was committed of, or None."""
        folder = self.path / "entries" / f".{name}.{os.getpid()}"
        return folder if folder.is_dir() else None

    def commit(self, folder: Path, result: Result) -> Result:
        """Writes the result into `folder`, with the digests of what else is there, and puts it in the entry's place.

        What was there is kept among the superseded.
        """
        result = replace(result, files=digests_of(folder), log=_log(folder))
        write_whole(folder / "result.json", lambda stream: stream.write(to_json(result)))
        self.supersede(result.name)
        place = self.entry(result.name)
        folder.rename(place)
        return replace(result, folder=str(place))

    def update(self, result: Result) -> Result:
        """Replaces an entry's result.json alone (costs measured after the accuracy)."""
        place = self.entry(result.name)
        result = replace(result, log=_log(place))
        write_whole(place / "result.json", lambda stream: stream.write(to_json(result)))
        return replace(result, folder=str(place))

    def supersede(self, name: str) -> None:
        """Moves an entry's stored folder, if any, to superseded/<name>.<n>."""
        if self.entry(name).exists() or self.entry(name).is_symlink():
            self.set_aside(self.entry(name), name)

    def set_aside(self, folder: Path, name: str) -> Path:
        """Moves a folder of an entry to superseded/<name>.<n>, and says where that is."""
        past = self.path / "superseded"
        past.mkdir(exist_ok=True)
        numbers = [int(path.suffix[1:]) for path in self._superseded(name)]
        place = past / f"{name}.{max(numbers, default=0) + 1}"
        folder.rename(place)
        return place

    def past(self, name: str) -> list[Result]:
        """Superseded results of the entry that can be read, latest first; `folder` says where each lies."""
        found = []
        for path in reversed(self._superseded(name)):
            if path.is_symlink():
                continue
            try:
                found.append(_read(path / "result.json", name))
            except (InputError, OSError):
                continue
        return found

    def restore(self, past: Path, name: str) -> Path:
        """Puts a superseded folder back in the entry's place; what is there now is superseded in turn."""
        self.supersede(name)
        return past.rename(self.entry(name))

    def _superseded(self, name: str) -> list[Path]:
        """Folders of what this entry's results replaced, oldest first; other entries' names may begin alike."""
        past = self.path / "superseded"
        numbered = {
            path: re.fullmatch(re.escape(name) + r"\.(\d+)", path.name) for path in past.glob(f"{glob.escape(name)}.*")
        }
        return sorted((path for path, match in numbered.items() if match), key=lambda path: int(path.suffix[1:]))

    def write_run(self, suite: Suite) -> str:
        """suite.yaml as run, and run.json: what a report needs of the suite, and the entries in their order.

        A run of part of a suite (--only) keeps what other runs of it have stored of the entries that it still has.
        Returns what is to be said of a run.json that was damaged, "" otherwise.
        """
        names = [entry.name for entry in suite.entries]
        try:
            before, damage = self.read_run().entries, ""
        except InputError as error:
            before, damage = [], f"run.json is written anew: {error}"
        earlier = [*before, *suite.names]
        names += [name for name in dict.fromkeys(earlier) if name in suite.names and name not in names]
        ordered = [name for name in suite.names if name in names] or names
        run = RunRecord(suite.name, suite.title, suite.table, ordered, list(suite.options))
        self.write_text("suite.yaml", suite.text)
        self.write_text("run.json", msgspec.json.format(msgspec.json.encode(run), indent=1).decode() + "\n")
        return damage

    def read_run(self) -> RunRecord:
        """What run.json says; an empty record if there is none. Raises InputError if it is damaged."""
        path = self.path / "run.json"
        if not path.is_file():
            return RunRecord()
        try:
            return msgspec.json.decode(path.read_bytes().decode(), type=RunRecord)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InputError(f"{path} is damaged ({error}): delete it and run the suite again") from None

    def write_text(self, name: str, text: str) -> None:
        write_whole(self.path / name, lambda stream: stream.write(text.encode()))

    def read_text(self, name: str) -> str:
        path = self.path / name
        return path.read_text("utf-8", errors="replace") if path.is_file() else ""

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        data = msgspec.json.format(msgspec.json.encode(dict(environment)), indent=1)
        write_whole(self.path / "environment.json", lambda stream: stream.write(data + b"\n"))

    def has_environment(self) -> bool:
        """Whether environment.json is there and whole."""
        try:
            return bool(self.read_environment())
        except InputError:
            return False

    def read_environment(self) -> dict[str, Any]:
        path = self.path / "environment.json"
        try:
            return msgspec.json.decode(path.read_bytes().decode(), type=dict[str, Any]) if path.is_file() else {}
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InputError(f"{path} is damaged ({error}): delete it and run the suite again") from None


def _read(path: Path, name: str) -> Result:
    """The result in a file, under the name of the folder that it lies in: what is stored as its name is no path."""
    result = from_json(path.read_bytes(), path)
    return replace(result, name=name, entry=replace(result.entry, name=name))
