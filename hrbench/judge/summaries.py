"""What is remembered of a folder of results: its numbers as columns, each result held to its own digest.

Most results of a history say the same of what they measured and how, so such texts are read once. A column is read only
if it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from hrbench.errors import InputError, MissingError
from hrbench.judge import baseline
from hrbench.judge.comparability import basis_of_cost, basis_of_score, is_compared
from hrbench.judge.costs import cell_of
from hrbench.store.former_criteria import former_criteria
from hrbench.store.former_words import with_present_label
from hrbench.store.results import checked
from hrbench.types import Conditions, Measurement, Quantity


class Kind(msgspec.Struct, array_like=True, frozen=True):
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


class NumberOfEntry(msgspec.Struct, array_like=True, frozen=True):
    """entry: its place among the folder's. main: whether it is the first score of its metric."""

    entry: int
    main: bool
    value: float
    interval: tuple[float, float] | None
    basis: str


class Summary(msgspec.Struct, array_like=True, frozen=True):
    """Of one folder.

    entries, digests: name and digest of each result.
    kinds: of numbers, each an encoded `Kind`.
    numbers: of each kind an encoded list of `NumberOfEntry`, read only if it is asked for.
    unstable: times that the machine disturbed, which are among no numbers.
    """

    date: str
    note: str
    is_baseline: bool
    damaged: list[str]
    entries: list[str]
    digests: list[str]
    kinds: list[msgspec.Raw]
    numbers: list[msgspec.Raw]
    unstable: int = 0


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
    criteria: msgspec.Raw = msgspec.Raw(b"{}")


class _DatasetOf(msgspec.Struct):
    use: str = ""
    args: msgspec.Raw = msgspec.Raw(b"{}")


class _EntryOf(msgspec.Struct):
    protocol: msgspec.Raw = msgspec.Raw(b"{}")
    dataset: _DatasetOf | None = None


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
decode_summary = msgspec.msgpack.Decoder(Summary).decode
decode_numbers = msgspec.msgpack.Decoder(list[NumberOfEntry]).decode
_quantity = lru_cache(4096)(msgspec.json.Decoder(Quantity).decode)


@lru_cache(4096)
def kind_of(encoded: bytes) -> Kind:
    return msgspec.msgpack.decode(encoded, type=Kind)


@dataclass(slots=True)
class _Column:
    """The numbers of one kind in a folder; `NumberOfEntry` as plain tuples, which are made several times as fast."""

    kind: Kind
    numbers: list[tuple[int, bool, float, tuple[float, float] | None, str]]
    main: bool = False


def summarise(folder: Path) -> tuple[bytes, bool]:
    """The summary, and whether it may be remembered: not if a file could not be read, which may pass."""
    lasting = True
    columns: dict[tuple[str, str, str], _Column] = {}
    entries: dict[str, str] = {}
    damaged: list[str] = []
    unstable = 0
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
        unstable += _add_costs(columns, stored.result, len(entries))
        entries[name] = stored.digest
    date, note = _date_and_note(folder, [*entries], damaged)
    encode, kept = msgspec.msgpack.encode, [one for one in columns.values() if one.kind.quantity.better != "neither"]
    kinds = [Kind(one.kind.metric, one.kind.quantity, one.kind.cell, one.main) for one in kept]
    summary = encode(
        Summary(
            date,
            note,
            (folder / "baseline.json").is_file(),
            damaged,
            [*entries],
            [*entries.values()],
            [msgspec.Raw(encode(kind)) for kind in kinds],
            [msgspec.Raw(encode(one.numbers)) for one in kept],
            unstable,
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
        quantity = with_present_label(one.metric, _quantity(bytes(one.quantity)))
        key = (one.metric, quantity.name, "")
        column = columns.get(key)
        if column is None:
            column = columns[key] = _Column(Kind(one.metric, quantity, ""), [])
        column.main |= main
        column.numbers.append((entry, main, one.value, one.interval, basis))


def _add_costs(columns: dict[tuple[str, str, str], _Column], result: _Taken, entry: int) -> int:
    """Adds an entry's costs; how many are left out, since the machine disturbed them."""
    unstable = 0
    for one in result.costs:
        if one.value is None:
            continue
        quantity = _quantity(bytes(one.quantity))
        cell, basis, is_compared = _of_cost(bytes(one.quantity), bytes(one.conditions))
        if not is_compared:
            unstable += 1
            continue
        key = ("", quantity.name, cell)
        column = columns.get(key)
        if column is None:
            column = columns[key] = _Column(Kind("", quantity, cell), [])
        column.numbers.append((entry, False, one.value, one.interval, basis))
    return unstable


@lru_cache(4096)
def _of_cost(quantity: bytes, conditions: bytes) -> tuple[str, str, bool]:
    """Cell and basis of a cost, and whether it may be compared with any other."""
    under = msgspec.json.decode(conditions, type=Conditions)
    cell = cell_of(Measurement(_quantity(quantity), None, conditions=under))
    return cell, basis_of_cost(under), is_compared(under)


def _basis(result: _Taken, metric: str) -> str:
    data, record = result.provenance.dataset, result.provenance.metrics.get(metric)
    return _basis_of_score(
        None if data is None else (data.sha256, data.images),
        bytes(result.entry.protocol),
        None if record is None else record.version,
        f"{result.limited} {result.provenance.limit_rule}",
        b"{}" if record is None else _criteria(metric, bytes(record.criteria), result.entry.dataset),
    )


def _criteria(metric: str, recorded: bytes, dataset: _DatasetOf | None) -> bytes:
    """The criteria of a metric as JSON, those of results from before they were recorded too."""
    if recorded != b"{}" or dataset is None or b"max_detections" not in bytes(dataset.args):
        return recorded
    return msgspec.json.encode(former_criteria(metric, dataset.use, msgspec.json.decode(dataset.args)))


@lru_cache(4096)
def _basis_of_score(
    data: tuple[str | None, int] | None, protocol: bytes, version: int | None, limit: str, criteria: bytes
) -> str:
    return basis_of_score(data, msgspec.json.decode(protocol), version, limit, msgspec.json.decode(criteria))


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
