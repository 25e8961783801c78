"""What `hrbench check` finds of one entry: the plan of a run, and what would fail on the way; runs no network.

Ground truth and precomputed predictions are read. A network is built, on the meta device, if that may fail: one of
another source, user-defined code, a row that cannot be built, arguments that are no row's; all others are known to be
built.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from hrbench import catalog
from hrbench.contracts import DataSet
from hrbench.core.limit import limited
from hrbench.core.plugins import networks, resolve
from hrbench.errors import HrbenchError, in_words
from hrbench.models.adapters.snapshots import folder_of
from hrbench.models.build import build
from hrbench.models.weights.sources import weights_of
from hrbench.runner.costs import asked, cost_cells, valid_costs
from hrbench.runner.data_access import absent_folder
from hrbench.runner.plan import Plan, plan_entry
from hrbench.runner.settings import Settings
from hrbench.store.run_folder import RunFolder
from hrbench.types import Entry, Missing, ModelRef, Reason, Result, Variant

FAILS, EMPTY, UNLOADED, COSTS = "would fail", "accuracy left empty", "weights missing", "costs only"
DRAWN = "will be drawn"
LACKING = (EMPTY, UNLOADED)
"""What an entry comes to if its data or weights are not here; the second if only costs are asked for."""

PLANNED = {
    "reuse": "reuse", "restore": "restore", "score": "score", "predict": "predict", "decide": "predict, or reuse",
    "stay": "stays as it is",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of an entry: counts as text, and what it lacks, what is wrong, or what to note.

    costs: what a run does for them: "reuse", "measure N cells", or "-".
    """

    entry: str
    images: str = "-"
    passes: str = "-"
    outcome: str = ""
    costs: str = "-"
    why: tuple[Reason, ...] = ()


@dataclass(slots=True)
class Checker:
    """Looks at the entries of one suite, whose folder is importable; a network of several entries is built once.

    folder: of the run that the same command would resume; it may not exist.
    """

    settings: Settings
    folder: RunFolder | None = None
    built: dict[str, str] = field(default_factory=dict)

    def look(self, entry: Entry) -> Checked:
        """What a run would do with an entry; all that is wrong with it is in what is returned."""
        if why := self._unbuilt(entry.variant):
            return Checked(entry.name, outcome=FAILS, why=(Reason(why),))
        stored, damage = self._stored(entry)
        plan = plan_entry(entry, replace(self.settings, offline=True), stored, self.folder, draw=False)
        try:
            found = self._looked(plan)
        except HrbenchError as error:
            found = Checked(entry.name, outcome=FAILS, why=(Reason(str(error)),))
        try:
            costs = self._costs(entry, stored)
        except HrbenchError as error:
            wrong = () if found.outcome == FAILS else (Reason(f"costs: {error}"),)
            return replace(found, costs=FAILS, outcome=FAILS, why=(*found.why, *damage, *wrong))
        return replace(found, costs=costs, why=(*found.why, *damage))

    def _stored(self, entry: Entry) -> tuple[Result | None, tuple[Reason, ...]]:
        try:
            return (None if self.folder is None else self.folder.read(entry.name)), ()
        except HrbenchError as error:
            return None, (Reason(f"what is stored would be set aside: {error}"),)

    def _looked(self, plan: Plan) -> Checked:
        entry, parts = plan.entry, plan.parts
        if plan.accuracy == "fail" or parts is None:
            return Checked(entry.name, outcome=FAILS, why=plan.reasons)
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
        notes = tuple(map(Reason, parts.notes))
        if entry.predictions or plan.accuracy not in ("predict", "decide"):
            return Checked(entry.name, outcome=PLANNED[plan.accuracy], why=(*plan.reasons, *notes))
        samples = limited(list(parts.dataset.samples(entry.protocol)), entry.limit)
        passes = sum(map(parts.task.work, samples))
        return Checked(entry.name, f"{len(samples):,}", f"{passes:,}", PLANNED[plan.accuracy], why=notes)

    def _costs(self, entry: Entry, stored: Result | None) -> str:
        """What a run does for the costs of an entry."""
        if self.settings.rescore or not entry.variant.use:
            return "-"
        valid = valid_costs(entry, self.settings, stored)
        lacking = [name for name in asked(entry) if name not in valid]
        return f"measure {len(cost_cells(entry, lacking))}" if lacking else "reuse"

    def _weights(self, entry: Entry) -> object:
        return weights_of(entry.variant, entry.weights, self.settings.weights, fetch=False)

    def _unbuilt(self, variant: Variant) -> str:
        """Why a network cannot be built, "" if it can, or if that is not to be doubted."""
        if not _doubtful(variant):
            return ""
        key = repr((variant.use, variant.args, variant.task, variant.input))
        if key not in self.built:
            self.built[key] = _failure(variant)
        return self.built[key]


def _to_draw(entry: Entry, dataset: DataSet | None) -> bool:
    return entry.dataset is not None and dataset is not None and absent_folder(entry.dataset, dataset) is not None


def _doubtful(variant: Variant) -> bool:
    """Whether building a network is worth trying: not if tests have done it, nor if a run would fetch it."""
    if not variant.use or any(map(_is_to_fetch, networks(variant.use, variant.args))):
        return False
    rows = catalog.variants().values()
    return bool(variant.absent) or not any(row.use == variant.use and row.args == variant.args for row in rows)


def _is_to_fetch(ref: ModelRef) -> bool:
    """Whether a repository of the hub is asked for that is not on this disk."""
    return ref.source == "transformers" and "/" in ref.target and ref.path is None and not _cached(ref.target)


def _cached(name: str) -> bool:
    try:
        return isinstance(folder_of(name, fetch=False, weights=False), Path)
    except ImportError:  # without the library nothing is fetched either: building says what to install
        return True


def _failure(variant: Variant) -> str:
    """What building raises, in words, "" if it succeeds."""
    from hrbench.cost.operations.count import on_meta

    try:
        if not variant.absent:  # imported before, since tensors made on import would be on meta too
            resolve("hrbench.models", variant.use)
        on_meta(lambda: build(variant, offline=True))
    except Exception as error:  # whatever a stranger's code raises
        return in_words(error)
    return ""
