"""Reads the rows of the index.

Rows are remembered by names, sizes and times of the files behind them, and each result by those of its own file, so a
run that grows has only its new results read. A result that is damaged is told in its row.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock

import msgspec

from hrbench.core.collector import paused_collector
from hrbench.core.digests import digest
from hrbench.errors import HrbenchError
from hrbench.judge import baseline
from hrbench.serve.places import Roots, RunPlace
from hrbench.serve.rows import EntryRow, RunRow
from hrbench.store.former_words import with_present_label
from hrbench.store.results import checked
from hrbench.store.run_folder import RunFolder, RunRecord
from hrbench.types import Quantity

HEADS = ("run.json", "environment.json", "baseline.json")
REMEMBERED = 1_000_000
"""Results that are remembered at most; then those of runs that are long gone are forgotten with all others."""

Stamp = tuple[int, int, int]
"""Time of the last change in ns, size in bytes and number of a file; of what is no regular file (0, -1, 0)."""

ODD: Stamp = (0, -1, 0)


class _Titled(msgspec.Struct):
    name: str = ""
    title: str = ""


class _EntryInShort(msgspec.Struct):
    variant: _Titled = msgspec.field(default_factory=_Titled)
    dataset: _Titled | None = None
    protocol: msgspec.Raw = msgspec.Raw(b"{}")


class _ScoreInShort(msgspec.Struct):
    """What it is is the same text in most results, and read once."""

    quantity: msgspec.Raw
    value: float | None = None
    metric: str = ""


class _Dated(msgspec.Struct):
    date: str = ""


class _ResultInShort(msgspec.Struct):
    """What is taken of a result."""

    status: str
    entry: _EntryInShort
    reason: str = ""
    scores: list[_ScoreInShort] = []
    limited: int | None = None
    provenance: _Dated = msgspec.field(default_factory=_Dated)


class _StoredInShort(msgspec.Struct):
    result: _ResultInShort


_decode = msgspec.json.Decoder(_StoredInShort).decode
_decode_quantity = msgspec.json.Decoder(Quantity).decode
_decode_environment = msgspec.json.Decoder(_Dated).decode


@dataclass(slots=True)
class Overview:
    """Rows of all runs and baselines, remembered by their files; threads may share it."""

    roots: Roots
    _rows: dict[Path, tuple[dict[str, Stamp], RunRow]] = field(default_factory=dict)
    _results: dict[str, tuple[Stamp, EntryRow]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @paused_collector()
    def rows(self) -> list[RunRow]:
        """A row for each run and baseline, by name."""
        with self._lock:
            found = [self._row(place) for place in self.roots.places()]
            self._rows = {row.place.path: self._rows[row.place.path] for row in found if row.place.path in self._rows}
            return found

    def row(self, place: RunPlace) -> RunRow:
        """The row of one of them."""
        with self._lock:
            return self._row(place)

    def _row(self, place: RunPlace) -> RunRow:
        if place.problem:
            return RunRow(place, damaged=(f"{place.name} {place.problem}",))
        stamps = stamps_of(place.path)
        known = self._rows.get(place.path)
        if known is not None and known[0] == stamps:
            return known[1]
        row = self._read(place, stamps)
        self._rows[place.path] = (stamps, row)
        return row

    def _read(self, place: RunPlace, stamps: Mapping[str, Stamp]) -> RunRow:
        damaged = [f"{place.name}/{file} is no regular file" for file, one in stamps.items() if one == ODD]
        damaged += _unreadable(place.path / "entries")
        stored = {}
        for file, stamp in stamps.items():
            if file not in HEADS and stamp != ODD:
                entry = self._entry(place.path / file, stamp)
                stored[entry.name] = entry
        head = _head(place.path, stamps, damaged)
        listed = [stored[name] for name in head.entries if name in stored] or list(stored.values())
        damaged += [entry.reason for entry in listed if entry.status == "damaged"]
        saved = _baseline(place.path, stamps, damaged)
        return RunRow(
            place,
            head.suite,
            head.title or head.suite,
            _date(place.path, stamps) or (saved.created if saved else "") or _newest(stamps),
            head.commit,
            tuple(head.options),
            saved.note if saved else "",
            "baseline.json" in stamps,
            tuple(listed),
            max(len(head.entries if saved is None else saved.entries), len(listed)),
            tuple(damaged),
            ODD in stamps.values(),
        )

    def _entry(self, path: Path, stamp: Stamp) -> EntryRow:
        known = self._results.get(str(path))
        if known is not None and known[0] == stamp:
            return known[1]
        if len(self._results) >= REMEMBERED:
            self._results.clear()
        entry = _entry(path)
        self._results[str(path)] = (stamp, entry)
        return entry


def stamps_of(folder: Path) -> dict[str, Stamp]:
    """The files behind a row, by their path in the folder: heads and results of entries. No link is followed."""
    found: dict[str, Stamp] = {}
    for name in (*HEADS, *_results(folder)):
        try:
            one = os.lstat(f"{folder}/{name}")
        except OSError:
            continue
        found[name] = (one.st_mtime_ns, one.st_size, one.st_ino) if stat.S_ISREG(one.st_mode) else ODD
    return found


def _results(folder: Path) -> Iterator[str]:
    """Paths of results below the folder; an entry that is a link is told as one that is no regular file."""
    try:
        with os.scandir(folder / "entries") as found:
            entries = sorted((one for one in found if not one.name.startswith(".")), key=lambda one: one.name)
    except OSError:
        return
    for one in entries:
        yield f"entries/{one.name}" if one.is_symlink() else f"entries/{one.name}/result.json"


def _unreadable(folder: Path) -> list[str]:
    """Why a folder cannot be listed, in a sentence, if it cannot."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        return [f"{folder.name} cannot be read: {error.strerror}"]
    return []


def _entry(path: Path) -> EntryRow:
    """A stored result in short, or what is wrong with its file."""
    name = path.parent.name
    try:
        result = _decode(checked(path.read_bytes(), path)).result
        first = {one.metric: one for one in reversed(result.scores)}
        scores = tuple((one.metric, _quantity(one.metric, bytes(one.quantity)), one.value) for one in first.values())
        protocol = _digest_of(bytes(result.entry.protocol))
    except OSError as error:
        return EntryRow(name, "damaged", f"{name}/{path.name} cannot be read: {error.strerror}")
    except HrbenchError as error:
        return EntryRow(name, "damaged", told(error, path.parents[2]))
    except (msgspec.MsgspecError, RecursionError) as error:
        return EntryRow(name, "damaged", f"{name}/{path.name} is not a result of hrbench ({error})")
    dataset, variant = result.entry.dataset, result.entry.variant
    return EntryRow(
        name,
        result.status,
        result.reason,
        variant.title or variant.name,
        "" if dataset is None else dataset.title or dataset.name,
        scores[::-1],
        result.limited,
        protocol,
        result.provenance.date,
    )


@lru_cache(4096)
def _quantity(metric: str, encoded: bytes) -> Quantity:
    return with_present_label(metric, _decode_quantity(encoded))


@lru_cache(4096)
def _digest_of(protocol: bytes) -> str:
    return digest(msgspec.json.decode(protocol))


def told(error: HrbenchError, folder: Path) -> str:
    """An error in words, with paths in a run as they are below its folder."""
    return str(error).replace(f"{folder}/", "").replace(str(folder), folder.name)


def _head(folder: Path, stamps: Mapping[str, Stamp], damaged: list[str]) -> RunRecord:
    """run.json; one that is missing or damaged says nothing."""
    if stamps.get("run.json", ODD) == ODD:
        return RunRecord()
    try:
        return RunFolder(folder).read_run()
    except HrbenchError as error:
        damaged.append(told(error, folder))
    except OSError as error:
        damaged.append(f"run.json cannot be read: {error.strerror}")
    return RunRecord()


def _baseline(folder: Path, stamps: Mapping[str, Stamp], damaged: list[str]) -> baseline.Baseline | None:
    """What a baseline says of itself, None if it is none or that is damaged; entries that it has lost are damage."""
    if stamps.get("baseline.json", ODD) == ODD:
        return None
    try:
        saved = baseline.read(folder.name, folder.parent)
    except HrbenchError as error:
        damaged.append(told(error, folder))
        return None
    except OSError as error:
        damaged.append(f"baseline.json cannot be read: {error.strerror}")
        return None
    if lost := sorted(name for name in saved.entries if f"entries/{name}/result.json" not in stamps):
        damaged.append(f"{folder.name} does not hold {', '.join(lost)}, which was saved in it")
    return saved


def _date(folder: Path, stamps: Mapping[str, Stamp]) -> str:
    """When a run was measured, as its environment says; "" if it does not."""
    if stamps.get("environment.json", ODD) != ODD:
        with suppress(OSError, msgspec.MsgspecError, ValueError):
            return _decode_environment((folder / "environment.json").read_bytes()).date
    return ""


def newest_result(folder: Path) -> float:
    """When the last result of a run was written, seconds since 1970; 0 without one."""
    return max((one[0] / 1e9 for file, one in stamps_of(folder).items() if file not in HEADS), default=0.0)


def _newest(stamps: Mapping[str, Stamp]) -> str:
    """When the newest file was written; "" if there is none."""
    newest = max((one[0] for one in stamps.values()), default=0)
    return datetime.fromtimestamp(newest / 1e9, UTC).isoformat(timespec="seconds") if newest else ""
