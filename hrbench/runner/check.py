"""What `hrbench check` reports of one entry: the plan of a run, and what would fail; runs no network.

Ground truth and precomputed predictions are read. A network is built, on the meta device, if that may fail: one of
another source, user-defined code, a row that cannot be built, or arguments that no row of the catalog has. The tests
build all others. It is built in a process of its own, as in a run, and within the entry's timeout.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from hrbench import catalog
from hrbench.contracts import DataSet
from hrbench.core.limit import limited
from hrbench.core.plugins import networks
from hrbench.errors import HrbenchError, in_words
from hrbench.models.adapters.snapshots import folder_of
from hrbench.models.weights.sources import weights_of
from hrbench.runner import jobs
from hrbench.runner.costs import cost_cells, requested_probes, valid_costs
from hrbench.runner.data_access import absent_folder
from hrbench.runner.execution import JobFailed, Processes
from hrbench.runner.plan import Plan, plan_entry
from hrbench.runner.settings import Settings
from hrbench.store.run_folder import RunFolder
from hrbench.types import Entry, Missing, ModelRef, Reason, Result, Variant

FAILS, EMPTY, UNLOADED, COSTS = "would fail", "accuracy left empty", "weights missing", "costs only"
GENERATED = "data will be generated"
INCOMPLETE = (EMPTY, UNLOADED)
"""The outcome of an entry whose data or weights are not on this disk; the second if only costs are asked for."""

PLANNED = {
    "reuse": "reuse", "restore": "restore", "score": "score", "predict": "predict", "decide": "predict, or reuse",
    "stay": "stays as it is",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class EntryCheck:
    """What a run would do with one entry.

    images, passes: images and forward passes as text, "-" if no network would run.
    outcome: for the accuracy, such as "predict" or "would fail".
    costs: what a run does for them: "reuse", "measure N" (cells), or "-".
    reasons: what is missing, what is wrong, or what to note.
    """

    entry: str
    images: str = "-"
    passes: str = "-"
    outcome: str = ""
    costs: str = "-"
    reasons: tuple[Reason, ...] = ()


@dataclass(slots=True)
class Checker:
    """Checks the entries of one suite, whose folder is importable; a network of several entries is built once.

    folder: of the run that `run` would resume; it may not exist.
    processes: build the networks; None until the first is built.
    built: network -> why it cannot be built, "" if it can.
    """

    settings: Settings
    folder: RunFolder | None = None
    processes: Processes | None = None
    built: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Checker:
        return self

    def __exit__(self, *error: object) -> None:
        if self.processes is not None:
            self.processes.close()

    def check(self, entry: Entry) -> EntryCheck:
        """What a run would do with an entry. Errors are returned, not raised."""
        if failure := self._build_failure(entry):
            return EntryCheck(entry.name, outcome=FAILS, reasons=(Reason(failure),))
        stored, damage = self._stored(entry)
        plan = plan_entry(entry, replace(self.settings, offline=True), stored, self.folder, generate=False)
        try:
            checked = self._check_accuracy(plan)
        except HrbenchError as error:
            checked = EntryCheck(entry.name, outcome=FAILS, reasons=(Reason(str(error)),))
        try:
            costs = self._costs(entry, stored)
        except HrbenchError as error:
            wrong = () if checked.outcome == FAILS else (Reason(f"costs: {error}"),)
            return replace(checked, costs=FAILS, outcome=FAILS, reasons=(*checked.reasons, *damage, *wrong))
        return replace(checked, costs=costs, reasons=(*checked.reasons, *damage))

    def _stored(self, entry: Entry) -> tuple[Result | None, tuple[Reason, ...]]:
        try:
            return (None if self.folder is None else self.folder.read(entry.name)), ()
        except HrbenchError as error:
            return None, (Reason(f"the stored result would be set aside: {error}"),)

    def _check_accuracy(self, plan: Plan) -> EntryCheck:
        entry, parts = plan.entry, plan.parts
        if plan.accuracy == "fail" or parts is None:
            return EntryCheck(entry.name, outcome=FAILS, reasons=plan.reasons)
        if parts.reasons and _to_generate(entry, parts.dataset):
            found = None if entry.predictions else self._weights(entry)
            if isinstance(found, Missing):
                return EntryCheck(entry.name, outcome=EMPTY, reasons=(found.reason,))
            return EntryCheck(entry.name, outcome=GENERATED, reasons=parts.reasons)
        if parts.reasons:
            outcome = COSTS if parts.costs_only else UNLOADED if entry.dataset is None else EMPTY
            return EntryCheck(entry.name, outcome=outcome, reasons=parts.reasons)
        for metric in parts.metrics:
            target = metric.read_target(parts.dataset.target)
            if entry.predictions:
                metric.read_predictions(Path(entry.predictions), target)
        notes = tuple(Reason(str(note)) for note in parts.notes)
        if entry.predictions or plan.accuracy not in ("predict", "decide"):
            return EntryCheck(entry.name, outcome=PLANNED[plan.accuracy], reasons=(*plan.reasons, *notes))
        samples = limited(list(parts.dataset.samples(entry.protocol)), entry.limit)
        passes = sum(map(parts.task.work, samples))
        return EntryCheck(entry.name, f"{len(samples):,}", f"{passes:,}", PLANNED[plan.accuracy], reasons=notes)

    def _costs(self, entry: Entry, stored: Result | None) -> str:
        """What a run does for the costs of an entry."""
        if self.settings.rescore or not entry.variant.use:
            return "-"
        valid = valid_costs(entry, self.settings, stored)
        invalid = [name for name in requested_probes(entry) if name not in valid]
        return f"measure {len(cost_cells(entry, invalid))}" if invalid else "reuse"

    def _weights(self, entry: Entry) -> object:
        return weights_of(entry.variant, entry.weights, self.settings.weights, fetch=False)

    def _build_failure(self, entry: Entry) -> str:
        """Why a network cannot be built; "" if it can, or if it need not be tried."""
        variant = entry.variant
        if not _must_be_tried(variant):
            return ""
        key = repr((variant.use, variant.args, variant.task, variant.input, entry.timeout))
        if key not in self.built:
            self.built[key] = self._built(entry)
        return self.built[key]

    def _built(self, entry: Entry) -> str:
        settings = replace(self.settings, device="cpu")
        if self.processes is None:
            self.processes = Processes.open(settings)
        try:
            self.processes.call("builds", jobs.request(entry, settings), lambda event: None, entry, None)
        except JobFailed as error:
            return in_words(error)
        return ""


def _to_generate(entry: Entry, dataset: DataSet | None) -> bool:
    return entry.dataset is not None and dataset is not None and absent_folder(entry.dataset, dataset) is not None


def _must_be_tried(variant: Variant) -> bool:
    """Whether to try building a network: not if the tests build it, nor if it would be downloaded."""
    if not variant.use or any(map(_would_download, networks(variant.use, variant.args))):
        return False
    rows = catalog.variants().values()
    return bool(variant.absent) or not any(row.use == variant.use and row.args == variant.args for row in rows)


def _would_download(ref: ModelRef) -> bool:
    """Whether a network is a repository of the hub that is not on this disk."""
    return ref.source == "transformers" and "/" in ref.target and ref.path is None and not _cached(ref.target)


def _cached(name: str) -> bool:
    try:
        return isinstance(folder_of(name, fetch=False, weights=False), Path)
    except ImportError:  # without the library nothing is downloaded either: building reports what to install
        return True
