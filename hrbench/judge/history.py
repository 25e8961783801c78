"""The numbers of releases in order of time: what baselines and run folders hold, entry by entry.

Their JSON is the truth. A summary of each folder, with every result held to its own digest, is remembered in an index
beside them, so that only what has changed is read again. A run folder that holds what a baseline was saved from is not
told twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import msgspec

from hrbench.core.text import suggestion
from hrbench.errors import InputError, MissingError, UsageError
from hrbench.judge import baseline
from hrbench.judge.comparability import basis_of_cost, basis_of_score
from hrbench.judge.costs import cell_of
from hrbench.store.index import FILE, Index
from hrbench.store.results import checked
from hrbench.types import Conditions, Measurement, Quantity

OnRead = Callable[[int, int], object]
"""Called with (folders that were read, folders to read)."""


@dataclass(frozen=True, slots=True)
class Release:
    """A baseline or a run folder.

    name: as a table calls it.
    date: when it was measured, in ISO 8601; "" if nothing says so.
    note: of a baseline.
    """

    name: str
    path: Path
    date: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseValue:
    """A number of a release.

    value, interval: in the quantity's unit; the interval is that of the number itself, not of a difference.
    basis: equal for numbers that may be compared.
    """

    release: Release
    value: float
    interval: tuple[float, float] | None
    basis: str


@dataclass(frozen=True, slots=True)
class Series:
    """One number of one entry, in order of time.

    entry: its name.
    metric: "" for a cost.
    cell: under which of several conditions a cost was measured.
    main: whether it is its metric's main number.
    """

    entry: str
    metric: str
    quantity: Quantity
    cell: str
    main: bool
    points: tuple[ReleaseValue, ...]

    @property
    def key(self) -> str:
        """METRIC/NAME, or the name of a cost."""
        return f"{self.metric}/{self.quantity.name}" if self.metric else self.quantity.name


@dataclass(frozen=True, slots=True)
class History:
    """Many series.

    releases: in order of time.
    series: by entry.
    damaged: what could not be read, in a sentence each.
    """

    releases: tuple[Release, ...]
    series: tuple[Series, ...]
    damaged: tuple[str, ...]


# --- what is remembered of a folder ----------------------------------------------------------------------------------


class _Kind(msgspec.Struct, array_like=True, frozen=True):
    """What a number is. main: whether it is the main number of some entry's metric."""

    metric: str
    quantity: Quantity
    cell: str
    main: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """By which it is asked for."""
        name = self.quantity.name
        return (name, f"{self.metric}/{name}") if self.metric else (name,)


class _Number(msgspec.Struct, array_like=True, frozen=True):
    """entry: its place among the folder's. main: whether it is the first score of its metric."""

    entry: int
    main: bool
    value: float
    interval: tuple[float, float] | None
    basis: str


class _Summary(msgspec.Struct, array_like=True, frozen=True):
    """Of one folder.

    entries, digests: name and digest of each result.
    kinds: of numbers, each an encoded `_Kind`.
    numbers: of each kind an encoded list of `_Number`, read only if it is asked for.
    """

    date: str
    note: str
    is_baseline: bool
    damaged: list[str]
    entries: list[str]
    digests: list[str]
    kinds: list[msgspec.Raw]
    numbers: list[msgspec.Raw]


class _Score(msgspec.Struct):
    """A measurement; what it is and how it was measured is the same text in most results, and read once."""

    quantity: msgspec.Raw
    value: float | None = None
    metric: str = ""
    interval: tuple[float, float] | None = None
    conditions: msgspec.Raw = msgspec.Raw(b"{}")


class _Named(msgspec.Struct):
    sha256: str | None = None
    images: int = 0
    version: int | None = None


class _EntryOf(msgspec.Struct):
    protocol: msgspec.Raw = msgspec.Raw(b"{}")


class _ProvenanceOf(msgspec.Struct):
    dataset: _Named | None = None
    metrics: dict[str, _Named] = {}
    limit_rule: str = ""


class _Taken(msgspec.Struct):
    """What is taken of a result."""

    entry: _EntryOf
    scores: list[_Score] = []
    costs: list[_Score] = []
    limited: int | None = None
    provenance: _ProvenanceOf = msgspec.field(default_factory=_ProvenanceOf)


class _StoredNumbers(msgspec.Struct):
    result: _Taken
    digest: str


_decode_stored = msgspec.json.Decoder(_StoredNumbers).decode
_decode_summary = msgspec.msgpack.Decoder(_Summary).decode
_decode_numbers = msgspec.msgpack.Decoder(list[_Number]).decode
_quantity = lru_cache(4096)(msgspec.json.Decoder(Quantity).decode)


@lru_cache(4096)
def _kind(encoded: bytes) -> _Kind:
    return msgspec.msgpack.decode(encoded, type=_Kind)


@dataclass(slots=True)
class _Column:
    """The numbers of one kind in a folder; `_Number` as plain tuples, which are made several times as fast."""

    kind: _Kind
    numbers: list[tuple[int, bool, float, tuple[float, float] | None, str]]
    main: bool = False


def _summarise(folder: Path) -> tuple[bytes, bool]:
    """The summary, and whether it may be remembered: not if a file could not be read, which may pass."""
    lasting = True
    columns: dict[tuple[str, str, str], _Column] = {}
    entries: dict[str, str] = {}
    damaged: list[str] = []
    for name in _entries(folder):
        path = folder / "entries" / name / "result.json"
        try:
            stored = _decode_stored(checked(path.read_bytes(), path))
        except FileNotFoundError:
            continue
        except OSError as error:
            damaged.append(f"{path} cannot be read: {error.strerror}")
            lasting = False
            continue
        except InputError as error:
            damaged.append(str(error))
            continue
        except msgspec.MsgspecError as error:
            damaged.append(f"{path} is not a result of hrbench ({error}): delete its folder and run again")
            continue
        _add_scores(columns, stored.result, len(entries))
        _add_costs(columns, stored.result, len(entries))
        entries[name] = stored.digest
    date, note = _date_and_note(folder, [*entries], damaged)
    encode, kept = msgspec.msgpack.encode, [one for one in columns.values() if one.kind.quantity.better != "neither"]
    kinds = [_Kind(one.kind.metric, one.kind.quantity, one.kind.cell, one.main) for one in kept]
    summary = encode(
        _Summary(
            date,
            note,
            (folder / "baseline.json").is_file(),
            damaged,
            [*entries],
            [*entries.values()],
            [msgspec.Raw(encode(kind)) for kind in kinds],
            [msgspec.Raw(encode(one.numbers)) for one in kept],
        )
    )
    return summary, lasting


def _entries(folder: Path) -> list[str]:
    try:
        with os.scandir(folder / "entries") as found:
            return sorted(one.name for one in found if not one.name.startswith("."))
    except OSError:
        return []


def _add_scores(columns: dict[tuple[str, str, str], _Column], result: _Taken, entry: int) -> None:
    bases: dict[str, str] = {}
    for one in result.scores:
        basis = bases.get(one.metric)
        main = basis is None
        if basis is None:
            basis = bases[one.metric] = _basis(result, one.metric)
        if one.value is None:
            continue
        quantity = _quantity(bytes(one.quantity))
        key = (one.metric, quantity.name, "")
        column = columns.get(key)
        if column is None:
            column = columns[key] = _Column(_Kind(one.metric, quantity, ""), [])
        column.main |= main
        column.numbers.append((entry, main, one.value, one.interval, basis))


def _add_costs(columns: dict[tuple[str, str, str], _Column], result: _Taken, entry: int) -> None:
    for one in result.costs:
        if one.value is None:
            continue
        quantity, (cell, basis) = _quantity(bytes(one.quantity)), _of_cost(bytes(one.quantity), bytes(one.conditions))
        key = ("", quantity.name, cell)
        column = columns.get(key)
        if column is None:
            column = columns[key] = _Column(_Kind("", quantity, cell), [])
        column.numbers.append((entry, False, one.value, one.interval, basis))


@lru_cache(4096)
def _of_cost(quantity: bytes, conditions: bytes) -> tuple[str, str]:
    """Cell and basis of a cost."""
    under = msgspec.json.decode(conditions, type=Conditions)
    return cell_of(Measurement(_quantity(quantity), None, conditions=under)), basis_of_cost(under)


def _basis(result: _Taken, metric: str) -> str:
    data, record = result.provenance.dataset, result.provenance.metrics.get(metric)
    return _basis_of_score(
        None if data is None else (data.sha256, data.images),
        bytes(result.entry.protocol),
        None if record is None else record.version,
        f"{result.limited} {result.provenance.limit_rule}",
    )


@lru_cache(4096)
def _basis_of_score(data: tuple[str | None, int] | None, protocol: bytes, version: int | None, limit: str) -> str:
    return basis_of_score(data, msgspec.json.decode(protocol), version, limit)


class _Environment(msgspec.Struct):
    date: str = ""


def _date_and_note(folder: Path, entries: Sequence[str], damaged: list[str]) -> tuple[str, str]:
    """When a folder was measured, and a baseline's note; entries that a baseline has lost are damage."""
    date = note = ""
    with suppress(OSError, msgspec.MsgspecError):
        date = msgspec.json.decode((folder / "environment.json").read_bytes(), type=_Environment).date
    if (folder / "baseline.json").is_file():
        try:
            saved = baseline.read(folder.name, folder.parent)
            date, note = date or saved.created, saved.note
            lost = sorted({*saved.entries} - {*entries})
            if lost and not damaged:
                damaged.append(f"{folder} does not hold {', '.join(lost)}, which was saved in it")
        except (InputError, MissingError) as error:
            damaged.append(str(error))
    return date, note


# --- the series ------------------------------------------------------------------------------------------------------


def folders(runs: Path, baselines: Path) -> list[Path]:
    """Baselines and run folders: those directly in each of the two folders, and `runs` itself if it is one."""
    places = [*_below(baselines), *_below(runs), *([runs] if (runs / "entries").is_dir() else [])]
    return list({place.resolve(): place for place in reversed(places)}.values())[::-1]


def _below(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("[!.]*/entries") if path.is_dir())


def index_in(runs: Path, baselines: Path) -> Index:
    """The index beside run folders; if there are none beside baselines, where git is told to leave it alone."""
    if runs.is_dir():
        return Index(runs / FILE)
    if not baselines.is_dir():
        return Index(None)
    with suppress(OSError):
        if not (baselines / ".gitignore").exists():
            (baselines / ".gitignore").write_text(f"{FILE}*\n")
    return Index(baselines / FILE)


def history(
    runs: Path,
    baselines: Path,
    quantity: str = "",
    only: str = "",
    index: Index | None = None,
    on_read: OnRead | None = None,
) -> History:
    """The series of a quantity over all releases.

    runs, baselines: folders that are looked through.
    quantity: NAME or METRIC/NAME, * allowed; "" for the main number of each metric.
    only: pattern of entries; "" for all.
    index: what was read before; None to read all.
    on_read: called while folders are read.

    Raises MissingError if there is no release, UsageError if no number or entry has such a name.
    """
    found = folders(runs, baselines)
    if not found:
        raise MissingError(f"neither a baseline in {baselines} nor a run folder in {runs}: hrbench run SUITE makes one")
    read = _read(found, index or Index(None), on_read)
    ordered = _by_time(_once(read))
    releases = {
        folder: Release(_shown(folder.name if one.is_baseline else str(folder)), folder, one.date, one.note)
        for folder, one in ordered.items()
    }
    made: dict[tuple[str, str, str, str], list[tuple[ReleaseValue, _Kind, bool]]] = {}
    for folder, summary in ordered.items():
        release = releases[folder]
        names = [name if not only or fnmatchcase(name, only) else None for name in summary.entries]
        for encoded, numbers in zip(summary.kinds, summary.numbers, strict=True):
            kind = _kind(bytes(encoded))
            if not (_wanted(kind, quantity) if quantity else kind.main):
                continue
            metric, label, cell = kind.metric, kind.quantity.name, kind.cell
            for one in _decode_numbers(numbers):
                name = names[one.entry]
                if name is not None and (quantity or one.main):
                    point = ReleaseValue(release, one.value, one.interval, one.basis)
                    made.setdefault((name, metric, label, cell), []).append((point, kind, one.main))
    if not made:
        damage = [text for summary in read.values() for text in summary.damaged]
        raise UsageError("\n".join([_nothing(read.values(), quantity, only), *damage[:5]]))
    series = [
        Series(entry, metric, points[-1][1].quantity, cell, points[-1][2], tuple(point for point, _, _ in points))
        for (entry, metric, _, cell), points in made.items()
    ]
    damaged = tuple(text for summary in ordered.values() for text in summary.damaged)
    return History(tuple(releases.values()), tuple(sorted(series, key=lambda one: one.entry)), damaged)


def _read(found: Sequence[Path], index: Index, on_read: OnRead | None) -> dict[Path, _Summary]:
    """The summaries of folders; an index that holds something else is deleted, and all is read."""
    for _ in range(2):
        try:
            summaries = index.summaries(found, _summarise, on_read)
            read = {folder: _decode_summary(data) for folder, data in summaries.items()}
        except msgspec.MsgspecError:
            index.forget()
        else:
            return read
    raise AssertionError("a summary that was just made cannot be read")


def _shown(name: str) -> str:
    """A name in one line that can be printed."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _once(read: Mapping[Path, _Summary]) -> dict[Path, _Summary]:
    """The summaries without run folders whose every result is a baseline's."""
    saved: set[tuple[str, str]] = set()
    for summary in read.values():
        if summary.is_baseline:
            saved.update(zip(summary.entries, summary.digests, strict=True))
    return {
        folder: summary
        for folder, summary in read.items()
        if summary.is_baseline
        or summary.damaged
        or (summary.entries and not saved)
        or not saved.issuperset(zip(summary.entries, summary.digests, strict=True))
    }


def _by_time(read: Mapping[Path, _Summary]) -> dict[Path, _Summary]:
    """In order of when they were measured; what has no date comes first."""
    return dict(sorted(read.items(), key=lambda item: (_moment(item[1].date), item[0].name)))


def _moment(date: str) -> datetime:
    try:
        found = datetime.fromisoformat(date)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _wanted(kind: _Kind, quantity: str) -> bool:
    return any(fnmatchcase(name, quantity) for name in kind.names)


def _nothing(read: Iterable[_Summary], quantity: str, only: str) -> str:
    """Why there is no series, and what there is."""
    read = list(read)
    entries = dict.fromkeys(name for summary in read for name in summary.entries)
    if only and not any(fnmatchcase(name, only) for name in entries):
        return f"--only {only}: no release has such an entry; {suggestion(only, entries)}"
    kinds = [_kind(bytes(encoded)) for summary in read for encoded in summary.kinds]
    if quantity and not any(_wanted(kind, quantity) for kind in kinds):
        return f"no release has a number {quantity!r}; {suggestion(quantity, dict.fromkeys(k.names[0] for k in kinds))}"
    return "no release has a number" + (f" {quantity!r} of {only}" if quantity and only else "")


def stretches(points: Sequence[ReleaseValue]) -> list[tuple[int, int]]:
    """(start, stop) of each run of neighbours that may be compared with one another."""
    starts = [0, *(at for at in range(1, len(points)) if points[at].basis != points[at - 1].basis), len(points)]
    return list(pairwise(starts))
