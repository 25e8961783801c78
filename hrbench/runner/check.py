"""What `hrbench check` finds of one entry: what a run would do with it, found out without running any network.

Ground truth and given predictions are read. A network is built, on the meta device, where that may fail: one of another
source, code of one's own, a row that cannot be built, arguments that are no row's; all others are known to be built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hrbench import catalog
from hrbench.contracts import DataSet
from hrbench.core.nested_args import is_network
from hrbench.core.plugins import resolve, source_path
from hrbench.errors import HrbenchError, in_words
from hrbench.models.adapters.snapshots import folder_of
from hrbench.models.build import build
from hrbench.models.weights.sources import Found, weights_of
from hrbench.runner.data_access import absent_folder
from hrbench.runner.prepare import assemble
from hrbench.runner.settings import Settings
from hrbench.runner.suite import without_network
from hrbench.types import Entry, Missing, Reason, Variant

FAILS, EMPTY, UNLOADED, COSTS = "would fail", "accuracy left empty", "weights missing", "costs only"
DRAWN, GIVEN = "will be drawn", "predictions are given"
LACKING = (EMPTY, UNLOADED)
"""What an entry comes to whose data or weights are not here; the second where only costs are asked for."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of an entry: counts as text, and what it lacks, what is wrong, or what to note."""

    entry: str
    images: str = "-"
    passes: str = "-"
    outcome: str = ""
    why: tuple[Reason, ...] = ()


@dataclass(slots=True)
class Checker:
    """Looks at the entries of one suite, whose folder is importable; a network of several entries is built once."""

    settings: Settings
    built: dict[str, str] = field(default_factory=dict)

    def look(self, entry: Entry) -> Checked:
        """What a run would do with an entry; all that is wrong with it is in what is returned."""
        with without_network(replace(self.settings, offline=True)):
            if why := self._unbuilt(entry.variant):
                return Checked(entry.name, outcome=FAILS, why=(Reason(why),))
            try:
                return self._assembled(entry)
            except HrbenchError as error:
                return Checked(entry.name, outcome=FAILS, why=(Reason(str(error)),))

    def _assembled(self, entry: Entry) -> Checked:
        parts = assemble(entry, self.settings, draw=False)
        if parts.reasons and _to_draw(entry, parts.dataset):
            found = None if entry.predictions else self._weights(entry)
            if isinstance(found, Missing):
                return Checked(entry.name, outcome=EMPTY, why=(found.reason,))
            return Checked(entry.name, outcome=DRAWN, why=parts.reasons)
        if parts.reasons:
            outcome = COSTS if parts.costs_only else UNLOADED if entry.dataset is None else EMPTY
            return Checked(entry.name, outcome=outcome, why=parts.reasons)
        for metric in parts.metrics:
            target = metric.read_target(parts.dataset.target)
            if entry.predictions:
                metric.read_predictions(Path(entry.predictions), target)
        if entry.predictions:
            return Checked(entry.name, outcome=GIVEN)
        samples = list(parts.dataset.samples(entry.protocol))[: entry.limit]
        passes = sum(map(parts.task.work, samples))
        return Checked(entry.name, f"{len(samples):,}", f"{passes:,}", why=tuple(map(Reason, parts.notes)))

    def _weights(self, entry: Entry) -> Found | Missing:
        return weights_of(entry.variant, entry.weights, self.settings.weights, fetch=False)

    def _unbuilt(self, variant: Variant) -> str:
        """Why a network cannot be built, "" where it can, or where that is not to be doubted."""
        if not _doubtful(variant):
            return ""
        key = repr((variant.use, variant.args, variant.task, variant.input))
        if key not in self.built:
            self.built[key] = _failure(variant)
        return self.built[key]


def _to_draw(entry: Entry, dataset: DataSet | None) -> bool:
    return entry.dataset is not None and dataset is not None and absent_folder(entry.dataset, dataset) is not None


def _doubtful(variant: Variant) -> bool:
    """Whether building a network is worth trying: not where tests have done it, nor where a run would fetch it."""
    if not variant.use or any(_is_to_fetch(use) for use in _uses(variant.use, variant.args)):
        return False
    rows = catalog.variants().values()
    return bool(variant.absent) or not any(row.use == variant.use and row.args == variant.args for row in rows)


def _uses(use: str, args: Mapping[str, Any]) -> Iterator[str]:
    """What a network and those among its arguments are made by."""
    yield use
    for value in args.values():
        if is_network(value):
            yield from _uses(str(value["use"]), value.get("args") or {})


def _is_to_fetch(use: str) -> bool:
    """Whether a repository of the hub is asked for that is not on this disk."""
    source, _, name = use.partition(":")
    return source == "transformers" and "/" in name and source_path(use) is None and not _cached(name)


def _cached(name: str) -> bool:
    try:
        return isinstance(folder_of(name, fetch=False, weights=False), Path)
    except ImportError:  # without the library nothing is fetched either: building says what to install
        return True


def _failure(variant: Variant) -> str:
    """What building raises, in words, "" where it succeeds."""
    from hrbench.cost.operations.count import on_meta

    try:
        if not variant.absent:  # imported before, since tensors made on import would be on meta too
            resolve("hrbench.models", variant.use)
        on_meta(lambda: build(variant))
    except Exception as error:  # whatever a stranger's code raises
        return in_words(error)
    return ""
