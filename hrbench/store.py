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
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np

from hrbench.types import InputError, MissingError, Result, State, Suite, UsageError

FORMAT = 1
"""Version of result.json, raised whenever an older hrbench could misread a newer file."""


class _Stored(msgspec.Struct):
    result: Result
    format: int = FORMAT


def _enc_hook(value: Any) -> Any:
    """Numbers of NumPy as Python's; JSON knows no other."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a result holds {type(value).__name__}, which JSON cannot carry")


def to_json(result: Result) -> bytes:
    """The result as indented JSON; `from_json` gives back an equal one, folder aside."""
    encoded = msgspec.json.encode(_Stored(replace(result, folder="")), enc_hook=_enc_hook)
    return msgspec.json.format(encoded, indent=1) + b"\n"


def from_json(data: bytes, path: Path) -> Result:
    """The result in a file's content. Raises InputError naming `path` where it is damaged or of another version."""
    try:
        version = msgspec.json.decode(data, type=_Version).format
        if version > FORMAT:
            raise InputError(f"{path} has format {version}, this hrbench reads {FORMAT}: use a newer hrbench")
        return replace(msgspec.json.decode(data, type=_Stored).result, folder=str(path.parent))
    except msgspec.MsgspecError as error:
        raise InputError(f"{path} is not a result of hrbench ({error}): delete its folder and run again") from None


class _Version(msgspec.Struct):
    format: int


def write_atomic(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Lets `write` fill a file beside `path`, then renames it; a failure leaves `path` as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_state(state: State, path: Path) -> None:
    """states.npz: the arrays as they are, and what identifies them as JSON in an array of bytes."""
    head = msgspec.json.encode({"metric": state.metric, "version": state.version, "params": dict(state.params)})
    arrays: dict[str, Any] = {"__head__": np.frombuffer(head, np.uint8), **state.arrays}
    write_atomic(path, lambda stream: np.savez_compressed(stream, **arrays))


def read_state(path: Path) -> State:
    """Raises InputError where the file is damaged; never unpickles."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            head = msgspec.json.decode(stored["__head__"].tobytes())
            arrays = {name: stored[name] for name in stored.files if name != "__head__"}
        return State(head["metric"], head["version"], head["params"], arrays)
    except FileNotFoundError:
        raise MissingError(f"no file {path}") from None
    except Exception as error:  # zip, header and JSON errors alike mean a damaged file
        raise InputError(f"{path} is not a state of hrbench: {error}") from None


class Run(msgspec.Struct):
    """What run.json holds: the suite's name, title and table, and its entries in order."""

    suite: str = ""
    title: str = ""
    table: str = ""
    entries: list[str] = []


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

    def results(self) -> list[Result]:
        """The stored results of the last run's entries, in the suite's order; without run.json all, by name."""
        stored = {path.parent.name: path for path in sorted((self.path / "entries").glob("[!.]*/result.json"))}
        names = [name for name in self.read_run().entries if name in stored] or list(stored)
        return [from_json(stored[name].read_bytes(), stored[name]) for name in names]

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
        place = self.entry(name)
        if not place.exists():
            return
        past = self.path / "superseded"
        past.mkdir(exist_ok=True)
        number = 1
        while (past / f"{name}.{number}").exists():
            number += 1
        place.rename(past / f"{name}.{number}")

    def restore(self, name: str, key: str) -> Result | None:
        """Brings back a superseded result of the entry that has this accuracy key, if there is one."""
        for path in sorted((self.path / "superseded").glob(f"{name}.*/result.json"), reverse=True):
            try:
                past = from_json(path.read_bytes(), path)
            except InputError:
                continue
            if past.status == "done" and past.accuracy_key == key:
                held = path.parent.rename(self.path / "entries" / f".{name}.{os.getpid()}")
                self.supersede(name)
                held.rename(self.entry(name))
                return replace(past, folder=str(self.entry(name)))
        return None

    def write_run(self, suite: Suite) -> None:
        """suite.yaml as run, and run.json: what a report needs of the suite, and the entries in their order.

        A run of part of the same suite (--only) keeps the entries that other runs of it have stored.
        """
        names = [entry.name for entry in suite.entries]
        if self.read_text("suite.yaml") == suite.text:
            names += [name for name in self.read_run().entries if name not in names]
        run = Run(suite.name, suite.title, suite.table, names)
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
        return path.read_text() if path.is_file() else ""

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        data = msgspec.json.format(msgspec.json.encode(dict(environment)), indent=1)
        write_atomic(self.path / "environment.json", lambda stream: stream.write(data + b"\n"))

    def read_environment(self) -> dict[str, Any]:
        path = self.path / "environment.json"
        return msgspec.json.decode(path.read_bytes()) if path.is_file() else {}
