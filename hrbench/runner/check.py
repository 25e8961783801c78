"""What `hrbench check` reports of one entry: the plan of a run, and what would fail; runs no network on data.

Ground truth and precomputed predictions are read; of images and label maps, which can be many, the first and the last
(`check_sample.py`). Each network is built on the meta device, an input passes through it,
and its output and the keys of its weights are compared with what they are for (`check_network.py`): in a process of its
own, as in a run, and within the entry's timeout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hrbench.contracts import DataSet, Metric
from hrbench.core.limit import limited
from hrbench.core.plugins import networks
from hrbench.errors import HrbenchError, in_words
from hrbench.models.adapters.snapshots import folder_of
from hrbench.models.weights.sources import part_of, weights_of
from hrbench.runner import jobs
from hrbench.runner.check_sample import check_predictions, evaluated_images, refused_samples
from hrbench.runner.cost_keys import valid_costs
from hrbench.runner.costs import cost_cells
from hrbench.runner.data_access import absent_folder
from hrbench.runner.execution import JobFailed, Processes
from hrbench.runner.orientation import orientation_note, orientation_sentence
from hrbench.runner.plan import Plan, plan_entry
from hrbench.runner.precomputed import refuse_lone_file
from hrbench.runner.prepare import Assembled
from hrbench.runner.probes import options_of, probe_of, requested_probes
from hrbench.runner.settings import Settings
from hrbench.runner.sharding import foreseen_shards
from hrbench.runner.shared_parts import SharedParts, protocol_key, row_key
from hrbench.store.run_folder import RunFolder
from hrbench.types import Entry, Missing, ModelRef, Reason, Result, Sample

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
    cannot_run: whether this machine lacks what the entry's runtime needs.
    """

    entry: str
    images: str = "-"
    passes: str = "-"
    outcome: str = ""
    costs: str = "-"
    reasons: tuple[Reason, ...] = ()
    cannot_run: bool = False


@dataclass(slots=True)
class Checker:
    """Checks the entries of one suite, whose folder is importable; what several entries share is looked at once.

    folder: of the run that `run` would resume; it may not exist.
    values: whether an image may pass through a network on the CPU, where shapes alone tell nothing.
    processes: build the networks; None until the first is built.
    looked: network, data and weights -> why it would fail ("" if it would not), and what else is to be said.
    foreseen: runtime with its settings -> dtype -> why this machine cannot run it.
    shared: what was found of data sets and weights.
    sampled: data and how they are prepared -> what a run would refuse in the first and the last image.
    """

    settings: Settings
    folder: RunFolder | None = None
    values: bool = False
    processes: Processes | None = None
    looked: dict[str, tuple[str, tuple[Reason, ...]]] = field(default_factory=dict)
    foreseen: dict[str, dict[str, str]] = field(default_factory=dict)
    shared: SharedParts = field(default_factory=SharedParts)
    sampled: dict[str, list[str]] = field(default_factory=dict)

    def __enter__(self) -> Checker:
        return self

    def __exit__(self, *error: object) -> None:
        if self.processes is not None:
            self.processes.close()

    def check(self, entry: Entry) -> EntryCheck:
        """What a run would do with an entry. Errors are returned, not raised."""
        failure, seen = self._look(entry)
        if failure:
            return EntryCheck(entry.name, outcome=FAILS, reasons=(Reason(failure),))
        try:
            missing = self._unavailable(entry)
        except HrbenchError as error:
            return EntryCheck(entry.name, outcome=FAILS, reasons=(Reason(in_words(error)),))
        stored, damage = self._stored(entry)
        remarks = (*damage, *seen)
        settings = replace(self.settings, offline=True)
        plan = plan_entry(entry, settings, stored, self.folder, generate=False, shared=self.shared)
        try:
            checked = self._check_accuracy(plan)
        except HrbenchError as error:
            checked = EntryCheck(entry.name, outcome=FAILS, reasons=(Reason(str(error)),))
        try:
            costs = self._costs(entry, stored)
        except HrbenchError as error:
            wrong = () if checked.outcome == FAILS else (Reason(f"costs: {error}"),)
            return replace(checked, costs=FAILS, outcome=FAILS, reasons=(*checked.reasons, *remarks, *wrong))
        checked = replace(checked, costs=costs, reasons=(*checked.reasons, *remarks))
        return _with_missing(checked, entry, missing)

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
        self._read_inputs(entry, parts)
        notes = tuple(Reason(str(note)) for note in parts.notes)
        if entry.predictions or plan.accuracy not in ("predict", "decide"):
            return EntryCheck(entry.name, outcome=PLANNED[plan.accuracy], reasons=(*plan.reasons, *notes))
        samples, turned, passes = self._work(entry, parts)
        notes += (Reason(turned),) if turned else ()
        if refused := self._refused(entry, parts, samples):
            return EntryCheck(entry.name, outcome=FAILS, reasons=(*map(Reason, refused), *notes))
        key = parts.prediction_key
        place = None if self.folder is None or key is None else self.folder.shards(key)
        notes += (Reason(cut),) if (cut := foreseen_shards(entry, len(samples), key, place)) else ()
        return EntryCheck(entry.name, f"{len(samples):,}", f"{passes:,}", PLANNED[plan.accuracy], reasons=notes)

    def _read_inputs(self, entry: Entry, parts: Assembled) -> None:
        """Reads ground truth and precomputed predictions as scoring will. Raises what is wrong with them."""
        assert entry.dataset is not None

        def read(metric: Metric) -> None:
            metric.read_target(parts.dataset.target)

        for metric in parts.metrics:
            if entry.predictions:
                target = metric.read_target(parts.dataset.target)
                predictions = metric.read_predictions(Path(entry.predictions), target)
                refuse_lone_file(metric, Path(entry.predictions))
                check_predictions(metric, predictions, target, evaluated_images(entry, parts.dataset))
            else:
                of_row = row_key(entry.dataset)
                self.shared.of(("target", of_row, metric.name), lambda metric=metric: read(metric))

    def _work(self, entry: Entry, parts: Assembled) -> tuple[list[Sample], str, int]:
        """The images that a network would run on, what is to be told of their orientation, and forward passes."""
        row, variant = entry.dataset, entry.variant
        assert row is not None
        under = (row_key(row), protocol_key(entry.protocol), entry.limit)

        def found() -> tuple[list[Sample], str]:
            samples = limited(list(parts.dataset.samples(entry.protocol)), entry.limit)
            turned = orientation_note(samples)
            return samples, turned or (orientation_sentence(samples) if "orientation" in row.args else "")

        samples, turned = self.shared.of(("samples", *under), found)
        # the variant is kept, so that its identity stays its own
        _, passes = self.shared.of(
            ("passes", *under, id(variant)), lambda: (variant, sum(map(parts.task.work, samples)))
        )
        return samples, turned, passes

    def _refused(self, entry: Entry, parts: Assembled, samples: Sequence[Sample]) -> list[str]:
        """What a run would refuse in the first and the last of an entry's images."""
        row = entry.dataset
        assert row is not None
        key = repr((row.use, row.args, entry.protocol, entry.limit, entry.variant.input))
        if key not in self.sampled:
            self.sampled[key] = refused_samples(row, parts.dataset, parts.task, samples)
        return self.sampled[key]

    def _costs(self, entry: Entry, stored: Result | None) -> str:
        """What a run does for the costs of an entry."""
        if self.settings.rescore or not entry.variant.use:
            return "-"
        valid = valid_costs(entry, self.settings, stored)
        invalid = [name for name in requested_probes(entry) if name not in valid]
        return f"measure {len(cost_cells(entry, invalid))}" if invalid else "reuse"

    def _weights(self, entry: Entry) -> object:
        return weights_of(entry.variant, entry.weights, self.settings.weights, fetch=False, **part_of(entry))

    def _look(self, entry: Entry) -> tuple[str, tuple[Reason, ...]]:
        """Why the network cannot be built, run, or loaded, "" if it can; and what else was seen of it."""
        variant, row = entry.variant, entry.dataset
        if not variant.use or any(map(_would_download, networks(variant.use, variant.args))):
            return "", ()
        data = None if row is None else (row.use, row.args, row.task, entry.protocol, entry.predictions)
        weights = (entry.weights, *part_of(entry).values(), variant.weights)
        key = repr((variant.use, variant.args, variant.task, variant.input, entry.timeout, data, weights))
        if key not in self.looked:
            self.looked[key] = self._looked(entry)
        return self.looked[key]

    def _looked(self, entry: Entry) -> tuple[str, tuple[Reason, ...]]:
        try:
            found = self._call("looks", entry, replace(self.settings, device="cpu"), values=self.values)
        except JobFailed as error:
            return in_words(error), ()
        return "", tuple(map(Reason, found["notes"]))

    def _unavailable(self, entry: Entry) -> dict[str, str]:
        """Each dtype of an entry that its runtime cannot run on this machine -> why.

        Raises JobFailed if one of its settings is wrong. Eager PyTorch runs everywhere, and needs no process.
        """
        if not entry.variant.use or not entry.runtime.stated():
            return {}
        dtypes = _dtypes(entry)
        key = repr((entry.runtime, dtypes, entry.variant.task == "detection"))
        if key not in self.foreseen:
            found = self._call("foresee", entry, self.settings, dtypes=dtypes)["unavailable"]
            self.foreseen[key] = {dtype: why for dtype, why in found.items() if why}
        return self.foreseen[key]

    def _call(self, function: str, entry: Entry, settings: Settings, **more: Any) -> dict[str, Any]:
        """Calls a function of `jobs` in a separate process. Raises JobFailed."""
        if self.processes is None:
            self.processes = Processes.open(settings)
        request = jobs.request(entry, settings, **more)
        processes = replace(self.processes, settings=settings)  # whose device a process sees
        returned, _ = processes.call(function, request, lambda event: None, entry, None)
        return returned


def _dtypes(entry: Entry) -> list[str]:
    """The entry's dtype, and those of its costs."""
    every = [entry.dtype]
    for name, settings in requested_probes(entry).items():
        every += getattr(options_of(name, probe_of(name), settings, entry), "dtype", ())
    return list(dict.fromkeys(every))


def _with_missing(checked: EntryCheck, entry: Entry, missing: Mapping[str, str]) -> EntryCheck:
    """What a run would do where the runtime of an entry cannot be run, in its dtype or in another of its costs."""
    if not missing or checked.outcome == FAILS:
        return checked
    why = [Reason(f"will be empty at runtime {entry.runtime}: {reason}" if dtype == entry.dtype
                  else f"costs in {dtype} will be empty at runtime {entry.runtime}: {reason}")
           for dtype, reason in missing.items()]  # fmt: skip
    left_empty = entry.dtype in missing and entry.dataset is not None
    outcome = EMPTY if left_empty else checked.outcome
    images = {"images": "-", "passes": "-"} if left_empty else {}
    reasons = (*checked.reasons, *dict.fromkeys(why))
    return replace(checked, outcome=outcome, reasons=reasons, cannot_run=True, **images)


def _to_generate(entry: Entry, dataset: DataSet | None) -> bool:
    return entry.dataset is not None and dataset is not None and absent_folder(entry.dataset, dataset) is not None


def _would_download(ref: ModelRef) -> bool:
    """Whether a network is a repository of the hub that is not on this disk."""
    return ref.source == "transformers" and "/" in ref.target and ref.path is None and not _cached(ref.target)


def _cached(name: str) -> bool:
    try:
        return isinstance(folder_of(name, fetch=False, weights=False), Path)
    except ImportError:  # without the library nothing is downloaded either: building reports what to install
        return True
