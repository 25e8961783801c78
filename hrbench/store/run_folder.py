"""Results, predictions and states in a run folder that a person can read.

    runs/pose/
      suite.yaml run.json environment.json report.html report.md report.csv report.tex
      entries/<entry>/result.json predictions.json|predictions.npy states.npz drawings/*.jpg
      superseded/<entry>.<n>/...      what a changed suite, weights or data replaced

Every file is written beside its place and renamed, and an entry's folder appears whole or not at all, so an
interrupted run leaves nothing that could be taken for a result.
"""

from __future__ import annotations

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

from hrbench.core.files import write_atomic
from hrbench.errors import InputError, UsageError
from hrbench.store.results import from_json, to_json
from hrbench.types import Result, Suite


class Run(msgspec.Struct):
    """What run.json holds: the suite's name, title and table, its entries in order, the options of the last run."""

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
            stream = (self.path / ".lock").open("w")
        except OSError as error:
            raise UsageError(f"cannot write to {self.path}: {error.strerror}; choose a folder with --out") from None
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"another hrbench is running in {self.path}: wait for it, or choose --out") from None
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Removes what an interrupted run left half done."""
        for left in (self.path / "entries").glob(".*"):
            shutil.rmtree(left, ignore_errors=True)

    def entry(self, name: str) -> Path:
        return self.path / "entries" / name

    def read(self, name: str) -> Result | None:
        """The stored result of an entry, or None. Raises InputError where it is damaged."""
        path = self.entry(name) / "result.json"
        return from_json(path.read_bytes(), path) if path.is_file() else None

    def results(self, skip: Callable[[str], object] | None = None) -> list[Result]:
        """The stored results of the last run's entries, in the suite's order; without run.json all, by name.

        skip: is told of each damaged result, which is left out; without it the first raises InputError.
        """
        stored = {path.parent.name: path for path in sorted((self.path / "entries").glob("[!.]*/result.json"))}
        results = []
        for name in [name for name in self.read_run().entries if name in stored] or list(stored):
            try:
                results.append(from_json(stored[name].read_bytes(), stored[name]))
            except InputError as error:
                if skip is None:
                    raise
                skip(str(error))
        return results

    def begin(self, name: str) -> Path:
        """An empty folder to fill; `commit` puts it in place."""
        self.discard(name)
        folder = self.path / "entries" / f".{name}.{os.getpid()}"
        folder.mkdir(parents=True)
        return folder

    def discard(self, name: str) -> None:
        """Removes what `begin` made and nothing was committed of."""
        shutil.rmtree(self.path / "entries" / f".{name}.{os.getpid()}", ignore_errors=True)

    def commit(self, folder: Path, result: Result) -> Result:
        """Writes the result into `folder` and puts the folder in the entry's place; what was there is kept."""
        write_atomic(folder / "result.json", lambda stream: stream.write(to_json(result)))
        self.supersede(result.name)
        place = self.entry(result.name)
        folder.rename(place)
        return replace(result, folder=str(place))

    def update(self, result: Result) -> Result:
        """Replaces an entry's result.json alone (costs measured after the accuracy)."""
        place = self.entry(result.name)
        write_atomic(place / "result.json", lambda stream: stream.write(to_json(result)))
        return replace(result, folder=str(place))

    def supersede(self, name: str) -> None:
        """Moves an entry's stored folder, if any, to superseded/<name>.<n>."""
        if self.entry(name).exists():
            self.set_aside(self.entry(name), name)

    def set_aside(self, folder: Path, name: str) -> Path:
        """Moves a folder of an entry to superseded/<name>.<n>, and says where that is."""
        past = self.path / "superseded"
        past.mkdir(exist_ok=True)
        numbers = [int(path.suffix[1:]) for path in self._superseded(name)]
        place = past / f"{name}.{max(numbers, default=0) + 1}"
        folder.rename(place)
        return place

    def restore(self, name: str, key: str) -> Result | None:
        """Brings back the latest superseded result of the entry that has this score key, if there is one."""
        for path in reversed(self._superseded(name)):
            try:
                past = from_json((path / "result.json").read_bytes(), path / "result.json")
            except (InputError, FileNotFoundError):
                continue
            if past.predicted and past.score_key == key:
                self.supersede(name)
                path.rename(self.entry(name))
                return replace(past, name=name, folder=str(self.entry(name)))
        return None

    def _superseded(self, name: str) -> list[Path]:
        """Folders of what this entry's results replaced, oldest first; other entries' names may begin alike."""
        past = self.path / "superseded"
        numbered = {
            path: re.fullmatch(re.escape(name) + r"\.(\d+)", path.name) for path in past.glob(f"{glob.escape(name)}.*")
        }
        return sorted((path for path, match in numbered.items() if match), key=lambda path: int(path.suffix[1:]))

    def write_run(self, suite: Suite) -> None:
        """suite.yaml as run, and run.json: what a report needs of the suite, and the entries in their order.

        A run of part of a suite (--only) keeps what other runs of it have stored of the entries that it still has.
        """
        names = [entry.name for entry in suite.entries]
        earlier = [*self.read_run().entries, *suite.names]
        names += [name for name in dict.fromkeys(earlier) if name in suite.names and name not in names]
        ordered = [name for name in suite.names if name in names] or names
        run = Run(suite.name, suite.title, suite.table, ordered, list(suite.options))
        self.write_text("suite.yaml", suite.text)
        self.write_text("run.json", msgspec.json.format(msgspec.json.encode(run), indent=1).decode() + "\n")

    def read_run(self) -> Run:
        """What run.json says; an empty Run where there is none. Raises InputError where it is damaged."""
        path = self.path / "run.json"
        if not path.is_file():
            return Run()
        try:
            return msgspec.json.decode(path.read_bytes(), type=Run)
        except msgspec.MsgspecError as error:
            raise InputError(f"{path} is damaged ({error}): delete it and run the suite again") from None

    def write_text(self, name: str, text: str) -> None:
        write_atomic(self.path / name, lambda stream: stream.write(text.encode()))

    def read_text(self, name: str) -> str:
        path = self.path / name
        return path.read_text("utf-8", errors="replace") if path.is_file() else ""

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        data = msgspec.json.format(msgspec.json.encode(dict(environment)), indent=1)
        write_atomic(self.path / "environment.json", lambda stream: stream.write(data + b"\n"))

    def read_environment(self) -> dict[str, Any]:
        path = self.path / "environment.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any]) if path.is_file() else {}
        except msgspec.MsgspecError as error:
            raise InputError(f"{path} is damaged ({error}): delete it and run the suite again") from None
