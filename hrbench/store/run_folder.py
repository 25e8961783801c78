"""Results, predictions and states in a run folder that a person can read.

    runs/pose/
      suite.yaml run.json environment.json report.html report.md report.csv report.tex
      entries/<entry>/result.json predictions.json|predictions.npy states.npz drawings/*.webp
      shards/<key>/<first>-<last>.shard     predictions of a part of an entry's images, until its result is there
      pictures/index.json */*.webp     of the same images for several networks
      superseded/<entry>.<n>/...      results that a changed suite, weights or data replaced

Every file is written under a temporary name and renamed, and an entry's folder appears whole or not at all. So an
interrupted run leaves nothing that looks like a result.

Of a run folder that lies elsewhere (`store.elsewhere`) this is the local copy; `Elsewhere` stores what changes in it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import msgspec

from hrbench.core.files import remove_unfinished_files, write_whole
from hrbench.errors import InputError, UsageError
from hrbench.store.integrity import LOG, changed_files, digests_of
from hrbench.store.results import ChangedResultError, from_json, has_its_bytes, to_json
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
    commit: of the checkout that the suite file lies in, and whether it was changed; "" if it lies in none.
    """

    suite: str = ""
    title: str = ""
    table: str = ""
    entries: list[str] = []
    options: list[str] = []
    commit: str = ""


class Elsewhere(Protocol):
    """Where the content of a run folder is stored, if that is not its path.

    shown: the address, for texts.
    tell: called with what a person should know, a sentence each.
    """

    tell: Callable[[str], object]

    @property
    def shown(self) -> str: ...

    def refusal(self) -> str:
        """Who writes the folder, in a sentence; "" if that is not known."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Keeps runs on other machines out, fetches what they have stored, and at the end uploads what is left."""
        ...

    def check(self) -> None:
        """Raises LostLeaseError if another run has taken the folder."""
        ...

    def fill(self, folder: Path) -> None:
        """Fetches all files of an entry's folder. Raises InputError for one that is damaged or lost."""
        ...

    def publish(self, entry: str = "") -> None:
        """Uploads what has changed. entry: the only one that has; "" for any. Raises LostLeaseError."""
        ...


class RunFolder:
    """One run folder; it is created when something is written.

    elsewhere: where it is stored; None for the path itself.
    """

    def __init__(self, path: str | Path, elsewhere: Elsewhere | None = None) -> None:
        self.path = Path(path)
        self.elsewhere = elsewhere
        self._as_stored: dict[str, Result] = {}
        """Results that were read whole and in today's form: writing the same again changes no byte but its date."""

    @property
    def shown(self) -> str:
        """How texts call the folder."""
        return str(self.path) if self.elsewhere is None else self.elsewhere.shown

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second run out of the folder. The lock ends with its process, so a killed run leaves none."""
        try:
            (self.path / "entries").mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:  # a link; its target is not touched
                raise UsageError(
                    f"{self.path / '.lock'} is a link, which hrbench never makes: remove it, or choose another --out"
                ) from None
            advice = "choose a folder with --out" if self.elsewhere is None else "name another by HRBENCH_CACHE"
            raise UsageError(f"cannot write to {self.path}: {error.strerror}; {advice}") from None
        with os.fdopen(lock, "r+b", buffering=0) as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                told = "" if self.elsewhere is None else self.elsewhere.refusal()
                told = told or f"another hrbench is running in {self.shown}"
                raise UsageError(f"{told}: wait for it, or choose --out") from None
            self._sweep()
            with nullcontext() if self.elsewhere is None else self.elsewhere.held():
                yield

    def _publish(self, entry: str = "") -> None:
        if self.elsewhere is not None:
            self.elsewhere.publish(entry)

    def _fill(self, folder: Path) -> None:
        if self.elsewhere is not None:
            self.elsewhere.fill(folder)

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
            remove_unfinished_files(self.path, name)
        for folder in (self.path / "shards").glob("*"):
            remove_unfinished_files(folder)
        for folder in entries.iterdir():
            if folder.is_dir() and not folder.is_symlink():
                remove_unfinished_files(folder)

    def entry(self, name: str) -> Path:
        """The folder of an entry. Raises UsageError for a name that is not a plain folder name."""
        if not name or name.startswith(".") or name != Path(name).name or not name.isprintable():
            raise UsageError(
                f"{name!r} cannot be the name of an entry: it names a folder, and must not begin with a dot"
            )
        return self.path / "entries" / name

    def read(self, name: str) -> Result | None:
        """The stored result of an entry, or None.

        Raises InputError if it is damaged, is a link, or a file of the entry has changed since the result was stored.
        """
        entry_folder = self.entry(name)
        if entry_folder.is_symlink():
            raise InputError(f"{entry_folder} is a link, which hrbench never makes")
        path = entry_folder / "result.json"
        if not path.is_file():
            return None
        data = path.read_bytes()
        result = _named(from_json(data, path), name)
        self._fill(entry_folder)
        if wrong := changed_files(entry_folder, result.files):
            raise InputError(f"{entry_folder / wrong[0]} is not the file that was stored with the result")
        if has_its_bytes(data):
            self._as_stored[name] = result
        return result

    def results(
        self,
        skip: Callable[[str], object] | None = None,
        changed: Callable[[Result], object] = lambda result: None,
        every: bool = False,
    ) -> list[Result]:
        """The stored results of the last run's entries, in the suite's order; without run.json all, by name.

        skip: called with a sentence on each damaged result, which is left out; without it the first raises InputError.
            One that is whole but was changed after it was written is there as a failed entry without numbers.
        changed: called with each of these.
        every: whether entries that are not of the last run come after them.
        """
        stored, listed = self._stored_and_listed()
        results = []
        for name in dict.fromkeys([*listed, *stored]) if every else listed:
            try:
                results.append(_read(stored[name], name))
            except ChangedResultError as error:
                if skip is None:
                    raise
                results.append(_named(error.result, name))
                changed(results[-1])
            except InputError as error:
                if skip is None:
                    raise
                skip(str(error))
        return results

    def unlisted(self) -> list[str]:
        """Names of entries that are stored but not of the last run, by name."""
        stored, listed = self._stored_and_listed()
        return [name for name in stored if name not in listed]

    def _stored_and_listed(self) -> tuple[dict[str, Path], list[str]]:
        """Stored entries by name, each with its result.json, and names of those of the last run in the suite's order.

        Without run.json, or if it has none of them, all are of the last run.
        """
        stored = {path.parent.name: path for path in sorted((self.path / "entries").glob("[!.]*/result.json"))}
        return stored, [name for name in self.read_run().entries if name in stored] or list(stored)

    def begin(self, name: str) -> Path:
        """An empty folder to fill; `commit` makes it the entry's folder."""
        if self.elsewhere is not None:
            self.elsewhere.check()  # before hours of work
        self.discard(name)
        folder = self.entry(name).with_name(f".{name}.{os.getpid()}")
        folder.mkdir(parents=True)
        return folder

    def discard(self, name: str) -> None:
        """Removes a folder that `begin` created and that was not committed."""
        shutil.rmtree(self.path / "entries" / f".{name}.{os.getpid()}", ignore_errors=True)

    def begun(self, name: str) -> Path | None:
        """The folder that `begin` created and that was not committed, or None."""
        folder = self.path / "entries" / f".{name}.{os.getpid()}"
        return folder if folder.is_dir() else None

    def commit(self, folder: Path, result: Result) -> Result:
        """Writes the result into `folder` with the digests of its files, and makes it the entry's folder.

        A result that was stored before is superseded.
        """
        result = replace(result, files=digests_of(folder), log=_log(folder))
        write_whole(folder / "result.json", lambda stream: stream.write(to_json(result)))
        self.supersede(result.name)
        entry_folder = self.entry(result.name)
        folder.rename(entry_folder)
        self._publish(result.name)
        return replace(result, folder=str(entry_folder))

    def update(self, result: Result) -> Result:
        """Replaces an entry's result.json alone (costs measured after the accuracy), unless it is the stored one."""
        entry_folder = self.entry(result.name)
        result = replace(result, log=_log(entry_folder), folder=str(entry_folder))
        if result != self._as_stored.get(result.name):
            self._as_stored.pop(result.name, None)
            write_whole(entry_folder / "result.json", lambda stream: stream.write(to_json(result)))
            self._publish(result.name)
        return result

    def shards(self, prediction_key: str) -> Path:
        """The folder of shards with these predictions; it stays when a run is interrupted."""
        return self.path / "shards" / prediction_key[:16]

    def remove_shards(self, prediction_key: str = "") -> None:
        """Removes the shards of these predictions; without a key those of all."""
        for folder in [self.shards(prediction_key)] if prediction_key else (self.path / "shards").glob("*"):
            if not folder.is_symlink():
                shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # others are in it, or there is none
            (self.path / "shards").rmdir()

    def supersede(self, name: str) -> None:
        """Moves an entry's stored folder, if any, to superseded/<name>.<n>."""
        self._as_stored.pop(name, None)
        if self.entry(name).exists() or self.entry(name).is_symlink():
            self.set_aside(self.entry(name), name)

    def set_aside(self, folder: Path, name: str) -> Path:
        """Moves a folder of an entry to superseded/<name>.<n>; returns the new path."""
        past = self.path / "superseded"
        past.mkdir(exist_ok=True)
        numbers = [int(path.suffix[1:]) for path in self._superseded(name)]
        superseded = past / f"{name}.{max(numbers, default=0) + 1}"
        folder.rename(superseded)
        return superseded

    def past(self, name: str, prediction_key: str) -> list[Result]:
        """Superseded results of the entry with this key, latest first, each with its `folder`.

        Those whose files have changed since they were stored are left out; files of other keys are not read.
        """
        found = []
        for path in reversed(self._superseded(name)):
            if path.is_symlink():
                continue
            try:
                result = _read(path / "result.json", name)
            except (InputError, OSError):
                continue
            if result.prediction_key == prediction_key and self._is_whole(path, result):
                found.append(result)
        return found

    def _is_whole(self, folder: Path, result: Result) -> bool:
        try:
            self._fill(folder)
        except InputError:
            return False
        return not changed_files(folder, result.files)

    def former(self, name: str) -> Result | None:
        """The superseded result of an entry that has an accuracy, the latest that can be read, with its `folder`."""
        for path in reversed(self._superseded(name)):
            if path.is_symlink():
                continue
            try:
                result = _read(path / "result.json", name)
            except (InputError, OSError):
                continue
            if any(score.value is not None for score in result.scores):
                return result
        return None

    def restore(self, past: Path, name: str) -> Path:
        """Makes a superseded folder the entry's folder again; the present one is superseded."""
        self.supersede(name)
        restored = past.rename(self.entry(name))
        self._publish(name)
        return restored

    def _superseded(self, name: str) -> list[Path]:
        """Superseded folders of this entry, oldest first; names of other entries may begin with the same letters."""
        past, begin = self.path / "superseded", f"{name}."
        try:
            with os.scandir(past) as others:
                numbers = [other.name.removeprefix(begin) for other in others if other.name.startswith(begin)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = sorted((int(number), number) for number in numbers if re.fullmatch(r"\d+", number))
        return [past / f"{begin}{number}" for _, number in found]

    def write_run(self, suite: Suite, commit: str = "") -> str:
        """Writes suite.yaml, and run.json with what a report needs: the suite's title and its entries in order.

        A run of part of a suite (--only) keeps other entries that earlier runs have stored: those of the suite, and if
        its text is the same, those that were named under other settings (--set).
        Returns a sentence if the former run.json was damaged, "" otherwise.
        """
        names = [entry.name for entry in suite.entries]
        try:
            before, damage = self.read_run().entries, ""
        except InputError as error:
            before, damage = [], f"run.json is written anew: {error}"
        other = set(before) - set(suite.names) if suite.partial and self.read_text("suite.yaml") == suite.text else ()
        if other:  # entries of this suite under other settings: what is new comes last
            ordered = list(dict.fromkeys([*before, *names]))
        else:
            earlier = [*before, *suite.names]
            names += [name for name in dict.fromkeys(earlier) if name in suite.names and name not in names]
            ordered = [name for name in suite.names if name in names] or names
        run = RunRecord(suite.name, suite.title, suite.table, ordered, list(suite.options), commit)
        self.write_text("suite.yaml", suite.text)
        self.write_text("run.json", msgspec.json.format(msgspec.json.encode(run), indent=1).decode() + "\n")
        self._publish()
        return damage

    def read_run(self) -> RunRecord:
        """The content of run.json; an empty record if there is none. Raises InputError if it is damaged."""
        path = self.path / "run.json"
        if not path.is_file():
            return RunRecord()
        try:
            record = msgspec.json.decode(path.read_bytes().decode(), type=RunRecord)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InputError(f"{path} is damaged ({error}): delete it and run the suite again") from None
        return msgspec.structs.replace(record, entries=list(dict.fromkeys(record.entries)))  # each once

    def write_text(self, name: str, text: str) -> None:
        write_whole(self.path / name, lambda stream: stream.write(text.encode()))

    def read_text(self, name: str) -> str:
        path = self.path / name
        return path.read_text("utf-8", errors="replace") if path.is_file() else ""

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        data = msgspec.json.format(msgspec.json.encode(dict(environment)), indent=1)
        write_whole(self.path / "environment.json", lambda stream: stream.write(data + b"\n"))
        self._publish()

    def has_environment(self) -> bool:
        """Whether environment.json exists and can be read."""
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
    """The result in a file, with the name of its folder: a stored name is never used as a path."""
    return _named(from_json(path.read_bytes(), path), name)


def _named(result: Result, name: str) -> Result:
    return replace(result, name=name, entry=replace(result.entry, name=name))
