"""What is judged: the stored results and states of a run folder or of a baseline, read and checked.

A side is written RUN, RUN:ENTRY, or as the name of a baseline. A baseline has the files of a run folder that judging
needs, and not the predictions: their digests are in its results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from hrbench.core.collector import paused_collector
from hrbench.core.remote import is_url, redact
from hrbench.core.text import suggestion
from hrbench.errors import InputError, MissingError
from hrbench.store.elsewhere.runs import is_run, read_folder
from hrbench.store.elsewhere.snapshot import Needs, runs_below
from hrbench.store.integrity import changed_files
from hrbench.store.places import below, place_of, shown, split_entry
from hrbench.store.run_folder import RunFolder
from hrbench.store.states import read_state, state_file
from hrbench.types import Result, State


@dataclass(frozen=True)
class Side:
    """The results of one side by entry, in the suite's order.

    name: as it was asked for.
    whole: names of all entries, those too that were not asked for.
    damaged: why results cannot be used, in a sentence each; one that was changed by hand is a failed result besides.
    """

    name: str
    path: Path
    results: Mapping[str, Result]
    damaged: Mapping[str, str]
    whole: tuple[str, ...] = ()


@paused_collector()
def read_side(text: str, baselines: str | Path, needs: Needs = Needs.STATES) -> Side:
    """The side that a person named.

    text: a run folder, the name or path of a baseline, or either with ":ENTRY", which may be one of earlier runs.
    baselines: the folder of baselines that names are looked for in.
    needs: what is fetched if it lies at an address.

    Raises MissingError if there is nothing, InputError if run.json is damaged, or a file at an address is damaged or
    lost, StorageError if a store does not answer.
    """
    path, entry = _found(text, place_of(baselines), needs)
    folder = RunFolder(path)
    damaged: dict[str, str] = {}
    found = folder.results(
        skip=lambda text: damaged.update({text: text}),
        changed=lambda result: damaged.update({result.name: result.reason}),
        every=bool(entry),
    )
    results = {result.name: result for result in found}
    _refuse_links(path, results)
    whole = tuple(results)
    if entry:
        if entry not in results:
            raise MissingError(f"{shown(path)} has no entry {entry!r}; {suggestion(entry, results)}")
        results = {entry: results[entry]}
    return Side(redact(text), path, results, damaged, whole)


def _refuse_links(path: Path, results: Mapping[str, Result]) -> None:
    for name in results:
        folder = path / "entries" / name
        for link in (folder, folder / "result.json"):
            if link.is_symlink():
                raise InputError(f"{link} is a link, which hrbench never makes: copy what it points at, or remove it")


def _found(text: str, baselines: str | Path, needs: Needs) -> tuple[Path, str]:
    """The folder, and the entry that is asked for, or ""."""
    names = {split_entry(text): None} if is_url(text) else {(text, ""): None, split_entry(text): None}
    for name, entry in names:
        for place in (name,) if is_url(name) else (Path(name), below(baselines, name)):
            if is_run(place):
                return read_folder(place, needs), entry
    if is_url(text):
        raise MissingError(f"{redact(text)}: neither a run folder nor a baseline lies there")
    known = baselines_in(baselines)
    where = shown(baselines)
    saved = f"baselines in {where}: {', '.join(known)}" if known else f"there is no baseline in {where}"
    raise MissingError(
        f"{text}: neither a run folder nor a baseline; {saved} (`hrbench baseline save RUN NAME` saves one)"
    )


def baselines_in(folder: str | Path) -> list[str]:
    """Names of the folders with results in a folder, sorted."""
    if isinstance(folder, str):
        return runs_below(folder)
    return sorted(each.name for each in folder.glob("*") if (each / "entries").is_dir())


def selected(side: Side, only: str) -> Side:
    """The side with only the entries whose name matches a pattern; "" for all."""
    if not only:
        return side
    results = {name: result for name, result in side.results.items() if fnmatchcase(name, only)}
    return replace(side, results=results)


def state_of(result: Result, metric: str) -> State:
    """The stored state of one metric. Raises MissingError; InputError if it is not the file that was stored."""
    name = _state_name(result, metric)
    if not (Path(result.folder) / name).is_file():
        raise MissingError(f"{result.folder} holds no state of {metric}: run the suite again")
    _check(result, {name: result.files.get(name, "")})
    return read_state(Path(result.folder) / name)


def state_digest(result: Result, metric: str) -> str:
    """SHA-256 of the stored state of one metric, as the result has it; "" if it has none."""
    return result.files.get(_state_name(result, metric), "")


def check_files(result: Result, metric: str, prediction_file: str) -> None:
    """Raises InputError if the state of a metric, or its predictions where they lie, are not those that were stored."""
    expected = prediction_digests(result, prediction_file)
    there = {file: digest for file, digest in expected.items() if (Path(result.folder) / file).exists()}
    name = _state_name(result, metric)
    _check(result, {name: result.files.get(name, ""), **there})


def _check(result: Result, expected: Mapping[str, str]) -> None:
    if wrong := changed_files(Path(result.folder), expected):
        raise InputError(f"{Path(result.folder) / wrong[0]} is not the file that was stored with the result")


def _state_name(result: Result, metric: str) -> str:
    """States are numbered in the order of an entry's metrics, which is that of its scores."""
    metrics = list(dict.fromkeys(score.metric for score in result.scores))
    return state_file(metrics, metrics.index(metric))


def prediction_digests(result: Result, prediction_file: str) -> dict[str, str]:
    """Name -> SHA-256 of the files of predictions that a metric reads; another ending may have been stored."""
    stem = Path(prediction_file).stem
    return {name: digest for name, digest in result.files.items() if "/" not in name and Path(name).stem == stem}
