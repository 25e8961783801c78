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
        """Brings back the latest superseded result of the entry that has this accuracy key, if there is one."""
        for path in reversed(self._superseded(name)):
            try:
                past = from_json((path / "result.json").read_bytes(), path / "result.json")
            except (InputError, FileNotFoundError):
                continue
            if past.status == "done" and past.accuracy_key == key:
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
