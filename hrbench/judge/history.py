"""The numbers of releases in order of time: what baselines and run folders hold, entry by entry.

Their JSON is the truth. A summary of each folder, with every result held to its own digest, is remembered in an index
beside them, so that only what has changed is read again. A run folder that holds what a baseline was saved from is not
told twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

import msgspec

from hrbench.core.text import suggestion
from hrbench.core.units import amount
from hrbench.errors import MissingError, UsageError
from hrbench.judge.summaries import Kind, Summary, decode_numbers, decode_summary, kind_of, summarise
from hrbench.store.index import FILE, Index
from hrbench.types import Quantity

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
    unstable: how many times are left out, since the machine disturbed them.
    """

    releases: tuple[Release, ...]
    series: tuple[Series, ...]
    damaged: tuple[str, ...]
    unstable: int = 0


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
    return history_of(found, quantity, only, index, on_read)


def history_of(
    found: Sequence[Path],
    quantity: str = "",
    only: str = "",
    index: Index | None = None,
    on_read: OnRead | None = None,
) -> History:
    """As `history`, over these baselines and run folders."""
    read = _read(found, index or Index(None), on_read)
    ordered = _by_time(_once(read))
    releases = {
        folder: Release(_shown(folder.name if one.is_baseline else str(folder)), folder, one.date, one.note)
        for folder, one in ordered.items()
    }
    made: dict[tuple[str, str, str, str], list[tuple[ReleaseValue, Kind, bool]]] = {}
    for folder, summary in ordered.items():
        release = releases[folder]
        names = [name if not only or fnmatchcase(name, only) else None for name in summary.entries]
        for encoded, numbers in zip(summary.kinds, summary.numbers, strict=True):
            kind = kind_of(bytes(encoded))
            if not (_wanted(kind, quantity) if quantity else kind.main):
                continue
            metric, label, cell = kind.metric, kind.quantity.name, kind.cell
            for one in decode_numbers(numbers):
                name = names[one.entry]
                if name is not None and (quantity or one.main):
                    point = ReleaseValue(release, one.value, one.interval, one.basis)
                    made.setdefault((name, metric, label, cell), []).append((point, kind, one.main))
    if not made:
        damage = [text for summary in read.values() for text in summary.damaged]
        many = sum(summary.unstable for summary in read.values())
        left_out = [left_out_text(many)] if quantity and many else []
        raise UsageError("\n".join([_nothing(read.values(), quantity, only), *left_out, *damage[:5]]))
    series = [
        Series(entry, metric, points[-1][1].quantity, cell, points[-1][2], tuple(point for point, _, _ in points))
        for (entry, metric, _, cell), points in made.items()
    ]
    damaged = tuple(text for summary in ordered.values() for text in summary.damaged)
    unstable = sum(summary.unstable for summary in ordered.values())
    return History(tuple(releases.values()), tuple(sorted(series, key=lambda one: one.entry)), damaged, unstable)


def left_out_text(times: int) -> str:
    """How many times are left out of a history, in words."""
    return f"left out: {amount(times, 'time')}, unstable or of mode smoke, compared with nothing"


def _read(found: Sequence[Path], index: Index, on_read: OnRead | None) -> dict[Path, Summary]:
    """The summaries of folders; an index that holds something else is deleted, and all is read."""
    for _ in range(2):
        try:
            summaries = index.summaries(found, summarise, on_read)
            read = {folder: decode_summary(data) for folder, data in summaries.items()}
        except msgspec.MsgspecError:
            index.forget()
        else:
            return read
    raise AssertionError("a summary that was just made cannot be read")


def _shown(name: str) -> str:
    """A name in one line that can be printed."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _once(read: Mapping[Path, Summary]) -> dict[Path, Summary]:
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


def _by_time(read: Mapping[Path, Summary]) -> dict[Path, Summary]:
    """In order of when they were measured; what has no date comes first."""
    return dict(sorted(read.items(), key=lambda item: (_moment(item[1].date), item[0].name)))


def _moment(date: str) -> datetime:
    try:
        found = datetime.fromisoformat(date)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _wanted(kind: Kind, quantity: str) -> bool:
    return any(fnmatchcase(name, quantity) for name in kind.names)


def _nothing(read: Iterable[Summary], quantity: str, only: str) -> str:
    """Why there is no series, and what there is."""
    read = list(read)
    entries = dict.fromkeys(name for summary in read for name in summary.entries)
    if only and not any(fnmatchcase(name, only) for name in entries):
        return f"--only {only}: no release has such an entry; {suggestion(only, entries)}"
    kinds = [kind_of(bytes(encoded)) for summary in read for encoded in summary.kinds]
    if quantity and not any(_wanted(kind, quantity) for kind in kinds):
        return f"no release has a number {quantity!r}; {suggestion(quantity, dict.fromkeys(k.names[0] for k in kinds))}"
    return "no release has a number" + (f" {quantity!r} of {only}" if quantity and only else "")


def stretches(points: Sequence[ReleaseValue]) -> list[tuple[int, int]]:
    """(start, stop) of each run of neighbours that may be compared with one another."""
    starts = [0, *(at for at in range(1, len(points)) if points[at].basis != points[at - 1].basis), len(points)]
    return list(pairwise(starts))
