"""Runs a suite: plans, then executes; resumes what is stored, isolates failures, measures costs last."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from hrbench.contracts import Outcome
from hrbench.core import environment, import_path
from hrbench.core.checkout import commit_of
from hrbench.core.remote import mirror, scrubbed
from hrbench.errors import HrbenchError, InputError, LostLeaseError, UsageError, in_words
from hrbench.runner import jobs
from hrbench.runner.ahead import Ahead
from hrbench.runner.assumed import told_anew
from hrbench.runner.cost_keys import is_unstable
from hrbench.runner.data_access import absent_folder, dataset_of, fetch_images, refuse_addresses_offline
from hrbench.runner.device import device_of
from hrbench.runner.evaluate import EventHandler
from hrbench.runner.execution import JobFailed, Processes
from hrbench.runner.executors.interrupts import interruptible
from hrbench.runner.measuring import Measuring
from hrbench.runner.plan import Plan, foreseen, plan_entry, predicts
from hrbench.runner.probes import measured_by
from hrbench.runner.settings import Settings
from hrbench.runner.sharding import Sharding, not_cut
from hrbench.runner.shared_parts import SharedParts
from hrbench.runner.shared_pictures import update_shared_pictures
from hrbench.runner.taken_over import replaced, with_costs_of, witnessed
from hrbench.store.integrity import LOG, digests_of
from hrbench.store.results import from_json
from hrbench.store.run_folder import RunFolder
from hrbench.types import Entry, Event, Measurement, Provenance, Reason, Result, Shard, Suite, WeightsRecord


def run_suite(
    suite: Suite, folder: RunFolder, settings: Settings, on_event: EventHandler = lambda event: None
) -> Iterator[Result]:
    """Every entry's result, stored as it ends; what is stored already and still counts is not run again.

    Accuracy of all entries comes first. Costs are measured after all workers have ended, one entry at a time, alone
    on their device; a result is yielded when its costs are known. Each entry's accuracy, and each cell of its costs,
    runs in a separate process. A failing entry is a result with status "failed".
    """
    with _opened(suite, folder, settings, on_event) as running:
        running.ahead = Ahead.of(suite.entries, settings)
        try:
            results = [running.accuracy(entry) for entry in suite.entries]
            running.ahead.end()
            running.render_shared_pictures(results)
        finally:
            running.ahead.stop()
        yield from running.with_costs(results)
        running.note_environment_of_jobs()
        if not suite.partial and all(result.predicted or result.status == "costs_only" for result in results):
            folder.remove_shards()  # of entries that the suite had when a former run was interrupted


@contextmanager
def opened_suite(
    suite: Suite, folder: RunFolder, settings: Settings, on_event: EventHandler = lambda event: None
) -> Iterator[Callable[[Entry], Result]]:
    """A function that runs one entry of the suite, accuracy and costs, as `run_suite` does, whenever it is asked to.

    The folder is locked and the suite's processes stay open until the context ends.
    """

    def run(entry: Entry) -> Result:
        (result,) = running.with_costs([running.accuracy(entry)])
        running.note_environment_of_jobs()
        return result

    with _opened(suite, folder, settings, on_event) as running:
        yield run


@contextmanager
def _opened(suite: Suite, folder: RunFolder, settings: Settings, on_event: EventHandler) -> Iterator[_SuiteRun]:
    environment.limit_spin_waiting()
    refuse_addresses_offline(settings)
    if folder.elsewhere is not None:
        if settings.offline:
            raise UsageError(
                f"out: {folder.shown} needs the network, which offline forbids; name a folder of this disk"
            )
        folder.elsewhere.tell = lambda text: on_event(Event("note", suite.name, text=text))
    if settings.device != "auto" and settings.cluster is None:
        device_of(settings)  # a device that does not exist is an error of the call, not of every entry
    with (
        interruptible(),
        folder.locked(),
        importable(suite),
        _SuiteRun.open(suite, folder, replace(settings, images=suite.images), on_event) as running,
    ):
        commit = commit_of(Path(beside_of(suite))) if suite.path else ""
        if damage := folder.write_run(suite, commit):
            on_event(Event("note", suite.name, text=damage))
        if not folder.has_environment():
            running.note_environment()
        yield running


def importable(suite: Suite) -> AbstractContextManager[None]:
    """The suite's folder on `sys.path`, so that `use: "ourpkg.nets:pose"` finds modules beside the suite."""
    beside = beside_of(suite)
    return import_path.importable(*([beside] if beside else []))


def beside_of(suite: Suite) -> str:
    """The folder of the suite file; "" for a suite without a file."""
    return str(Path(suite.path).resolve().parent) if suite.path else ""


@dataclass(slots=True)
class _SuiteRun:
    """One run of a suite.

    folder: where results are stored.
    on_event: called with every event.
    processes: run the entries.
    made_in: the environment that the last job reported.
    shared: what was found of data sets and weights since the last job ended.
    ahead: generates data sets of later entries beside the networks; None if entries are run one by one.
    loading: whether it was told that torch is being loaded.
    """

    suite: Suite
    folder: RunFolder
    settings: Settings
    on_event: EventHandler
    processes: Processes
    made_in: Mapping[str, Any] = field(default_factory=dict)
    shared: SharedParts = field(default_factory=SharedParts)
    ahead: Ahead | None = None
    loading: bool = False

    @classmethod
    @contextmanager
    def open(cls, suite: Suite, folder: RunFolder, settings: Settings, on_event: EventHandler) -> Iterator[_SuiteRun]:
        processes = Processes.open(settings, [beside_of(suite)] if suite.path else [], results=folder.path)
        settings = processes.settings
        try:
            yield cls(suite, folder, settings, on_event, processes)
        finally:
            processes.close()

    # --- accuracy

    def accuracy(self, entry: Entry) -> Result:
        """The entry's result without looking at its costs: stored, measured now, empty, or failed."""
        self.on_event(Event("entry", entry.name))
        mirror.release()
        stored, notes = self._stored(entry)
        self._tell_generating(entry)
        with mirror.telling(lambda done, total: self._tell_fetching(entry, done, total)):
            plan = plan_entry(entry, self.settings, stored, self.folder, shared=self.shared)
            result = self._executed(plan, stored)
        result = replace(result, notes=tuple(dict.fromkeys((*result.notes, *notes, *plan.notes))))
        for note in result.notes:
            self.on_event(Event("note", entry.name, text=str(note)))
        if result.status == "costs_only":
            # no accuracy was requested, so none is empty
            self.on_event(Event("note", entry.name, text="costs only"))
        else:
            kind = "failed" if result.status == "failed" else "result"
            self.on_event(Event(kind, entry.name, "accuracy", result.reason))
        return result

    def _tell_generating(self, entry: Entry) -> None:
        """Says that a miniature data set is drawn, which takes seconds, and waits for it where that has begun."""
        if self.ahead is not None:
            self.ahead.wait(entry)
        if entry.dataset is None or not entry.dataset.draw or self.settings.rescore:
            return
        with suppress(HrbenchError):  # planning tells
            if absent_folder(entry.dataset, dataset_of(entry.dataset, self.settings.data)) is not None:
                self.on_event(Event("note", entry.name, text=f"drawing {entry.dataset.name}"))

    def _tell_fetching(self, entry: Entry, done: int, total: int) -> None:
        """Says how much of an entry's files has arrived from an object store."""
        self.on_event(Event("progress", entry.name, "fetch", "bytes", done, total))

    def _tell_loading(self, network: bool) -> None:
        """Says that torch is being loaded, once: the first that is seen of a network comes seconds later."""
        if network and not self.loading:
            self.loading = True
            self.on_event(Event("note", self.suite.name, text="loading torch"))

    def _stored(self, entry: Entry) -> tuple[Result | None, list[str]]:
        """What is stored of an entry; a damaged result is set aside with a note rather than overwritten."""
        try:
            return self.folder.read(entry.name), []
        except InputError as error:
            self.folder.supersede(entry.name)
            return None, [f"set aside: {error}"]

    def _executed(self, plan: Plan, stored: Result | None) -> Result:
        """The result of a plan, stored.

        stored: the entry's result in the folder now.
        """
        entry = plan.entry
        try:
            if plan.accuracy == "fail":
                return self._failed(plan, stored, plan.reasons[0], _trace(plan.error))
            if plan.accuracy == "empty":
                return self._empty(plan, stored)
            if plan.accuracy == "stay":
                return self._stays(plan, stored)
            if plan.accuracy in ("reuse", "restore"):
                assert plan.stored is not None
                if plan.past is not None:
                    entry_folder = self.folder.restore(plan.past, entry.name)
                    plan = replace(plan, stored=replace(plan.stored, folder=str(entry_folder)))
                said = "stored already" if plan.accuracy == "reuse" else "stored before, and valid again"
                return self._reused(plan, said)
            return self._evaluated(plan, stored)
        except LostLeaseError:
            raise
        except Exception as error:  # an error in one entry does not stop the others
            if isinstance(error, JobFailed) and error.unavailable:
                empty = Result(entry.name, entry, "empty", (Reason(str(error)),), limited=entry.limit)
                return self._without_accuracy(empty, stored)
            return self._failed(plan, stored, Reason(in_words(error)), _trace(error))

    def _reused(self, plan: Plan, said: str) -> Result:
        assert plan.stored is not None
        self.on_event(Event("note", plan.entry.name, text=said))
        told = told_anew(plan.stored.notes, plan.entry)
        result = replace(plan.stored, name=plan.entry.name, entry=plan.entry, notes=told)
        if self.settings.verify:
            returned, _ = self._call("verify", plan, stored=jobs.stored_json(result))
            result = replace(result, notes=jobs.notes_of(returned))
        return self.folder.update(result)

    def _evaluated(self, plan: Plan, stored: Result | None) -> Result:
        """Predicts or scores in a separate process; its files become the entry's folder."""
        if predicts(plan) and plan.parts is not None and not self.processes.elsewhere:
            fetch_images(plan.entry, plan.parts.dataset, self.settings.data)
        entry_folder = self.folder.begin(plan.entry.name)
        shards, outcomes = self._shards(plan)
        returned, outcome = self._call(
            "accuracy",
            plan,
            folder=str(entry_folder),
            stored=jobs.stored_json(plan.stored),
            shards=[str(path) for path in shards],
        )
        if returned.get("reuse"):
            self.folder.discard(plan.entry.name)
            return self._reused(plan, "stored already")
        result = from_json(returned["result"].encode(), entry_folder / "result.json")
        self.made_in = result.provenance.environment or self.made_in
        result = replace(
            result,
            provenance=replace(result.provenance, date=_now()),
            notes=(*result.notes, *replaced(stored, result), *witnessed([*outcomes, outcome])),
        )
        committed = self.folder.commit(entry_folder, with_costs_of(result, stored))
        if shards and result.prediction_key:
            self.folder.remove_shards(result.prediction_key)
        return committed

    def _shards(self, plan: Plan) -> tuple[list[Path], list[Outcome]]:
        """The files of an entry's shards, all of them predicted, and the outcomes of what predicted them here.

        Without a file if the entry is predicted as a whole, or not at all.
        """
        entry = plan.entry
        if not predicts(plan):
            return [], []
        if said := not_cut(entry):
            self.on_event(Event("note", entry.name, text=said))
        wanted = self.processes.shards_of(entry, jobs.request(entry, self.settings))
        if not wanted:
            return [], []
        found, _ = self._call("sharding", plan, stored=jobs.stored_json(plan.stored))
        key, outcomes = found["prediction_key"], []
        if key is None or not found["images"]:
            return [], []

        def predict(shards: Sequence[Shard], place: Path, on_event: EventHandler) -> None:
            request = self._request(plan, prediction_key=key)
            self._tell_loading(True)
            outcomes.extend(self.processes.predict_shards(request, shards, place, on_event, entry, self._log(entry)))

        sharding = Sharding(self.folder.shards(key), entry, key, predict, self.on_event)
        return sharding.paths(found["images"], wanted), outcomes

    def _empty(self, plan: Plan, stored: Result | None) -> Result:
        """A result without accuracy, with the reasons; a stored accuracy of the entry is superseded, not lost.

        The weights of an entry for costs only are loaded into its network before, and recorded.
        """
        entry, parts = plan.entry, plan.parts
        assert parts is not None
        weights, notes = None, ()
        if parts.weights is not None:
            returned, _ = self._call("fits", plan, stored=jobs.stored_json(stored))
            weights, notes = msgspec.convert(returned["weights"], WeightsRecord), jobs.notes_of(returned)
        status = "costs_only" if parts.costs_only else "empty"
        provenance = Provenance(weights=weights)
        result = Result(entry.name, entry, status, parts.reasons, notes=notes, provenance=provenance)
        limited = None if parts.costs_only else entry.limit  # costs are of the network, whatever the images
        return self._without_accuracy(replace(result, limited=limited), stored)

    def _stays(self, plan: Plan, stored: Result | None) -> Result:
        """The stored result unchanged, since there is nothing to score again; or an empty result with the reason."""
        if stored is None:
            result = Result(plan.entry.name, plan.entry, "empty", plan.reasons, limited=plan.entry.limit)
            return self._without_accuracy(result, None)
        said = tuple(f"left as it is: {reason}" for reason in plan.reasons)
        return replace(stored, notes=(*stored.notes, *said))

    def _failed(self, plan: Plan, stored: Result | None, reason: Reason, trace: str) -> Result:
        """A failed result. Predictions that were complete are kept with their key: the next run scores them."""
        entry, entry_folder = plan.entry, self.folder.begun(plan.entry.name)
        reason = Reason(scrubbed(mirror.told(reason.what)), reason.remedy)
        result = Result(entry.name, entry, "failed", (reason,), provenance=Provenance(traceback=scrubbed(trace)))
        result = replace(result, limited=entry.limit)
        parts = plan.parts
        if entry_folder is not None and parts is not None and parts.score_key(digests_of(entry_folder)) is not None:
            kept_in = f"{self.folder.shown}/entries/{entry.name}"
            message = reason.what.replace(str(entry_folder), kept_in)  # paths in the message as they will be
            kept = Reason(f"{message}; the predictions are kept in {kept_in}", reason.remedy)
            result = replace(result, reasons=(kept,), prediction_key=parts.prediction_key)
            return self.folder.commit(entry_folder, with_costs_of(result, stored))
        return self._without_accuracy(result, stored)

    def _without_accuracy(self, result: Result, stored: Result | None) -> Result:
        """Stores a result without accuracy: replaces another such one, or supersedes a measured one."""
        result = with_costs_of(result, stored)
        entry_folder = self.folder.begun(result.name)
        if stored is None or stored.prediction_key:
            return self.folder.commit(entry_folder or self.folder.begin(result.name), result)
        if entry_folder is not None:
            return self.folder.commit(entry_folder, result)
        return self.folder.update(result)

    def render_shared_pictures(self, results: list[Result]) -> None:
        """Pictures of the same images for several networks: of all entries of the folder, if some were run now."""
        if self.suite.partial:
            results = self.folder.results(skip=lambda damage: None)
        update_shared_pictures(self.folder.path, results, self.settings, self.processes, self.suite.name, self.on_event)

    # --- costs

    def with_costs(self, results: list[Result]) -> Iterator[Result]:
        """Each result with its costs: of each probe stored, shared with an entry of the same key, or measured now."""
        self._settle_machine(results)
        known: dict[str, tuple[Measurement, ...]] = {}
        for result in results:
            for name, key in result.cost_keys.items():
                with suppress(HrbenchError):  # a probe that is not installed any more shares nothing
                    costs = measured_by(name, result.costs)
                    if not (self.settings.redo_unstable and is_unstable(costs)):
                        known[key] = costs
        for result in results:
            yield result if self.settings.rescore else self._with_costs(result, known)

    def _settle_machine(self, results: list[Result]) -> None:
        """Finds out which machine of a cluster will measure costs, which decides what is known of them already."""
        elsewhere = self.settings.cluster is not None and self.settings.machine is None
        if elsewhere and not self.settings.rescore and any(result.entry.variant.use for result in results):
            self.settings = replace(self.settings, machine=self.processes.machine())

    def _with_costs(self, result: Result, known: dict[str, tuple[Measurement, ...]]) -> Result:
        before = result.status
        try:
            result = self._measuring().with_costs(result, known)
        except LostLeaseError:
            raise
        except Exception as error:  # as above: the other entries go on
            problem = Reason(f"costs were not measured: {in_words(error)}")
            result = replace(result, costs=(), cost_key=None, cost_keys={}, costs_reason=problem)
        measured = any(cost.value is not None for cost in result.costs)
        if result.costs_reason is not None and result.status in ("empty", "costs_only") and not measured:
            # neither accuracy nor costs: nothing of the entry is known
            result = replace(result, status="failed", reasons=(result.costs_reason,))
        result = self.folder.update(result)
        if result.costs_reason is None:
            self.on_event(Event("result", result.name, "costs"))
        elif before != "failed":  # the failure of an entry's accuracy has been reported already
            self.on_event(Event("failed", result.name, "costs", str(result.costs_reason)))
        return result

    def _measuring(self) -> Measuring:
        def call(entry: Entry, cell: Mapping[str, Any]) -> tuple[dict[str, Any], Outcome]:
            returned, outcome = self._call("cost", Plan(entry, "empty"), cell=cell)
            self.made_in = returned["environment"]
            return returned, outcome

        return Measuring(self.settings, call, self.on_event, self.folder.update)

    # --- processes

    def _call(self, function: str, plan: Plan, **more: Any) -> tuple[dict[str, Any], Outcome]:
        """Calls a function of `jobs` in a separate process. Raises JobFailed if it or its process fails."""
        entry = plan.entry
        self.shared.forget()  # a job may take hours, in which files change
        without = function == "verify" or plan.accuracy == "score" or bool(more.get("shards"))
        without = without or (function == "sharding" and plan.accuracy != "decide")
        network = bool(entry.variant.use) and not without
        self._tell_loading(network)
        if self.ahead is not None and function == "accuracy" and not self.settings.in_process:
            self.ahead.begin()
        return self.processes.call(
            function,
            self._request(plan, **more),
            self.on_event,
            entry,
            self._log(entry),
            quiet=function == "cost",
            network=network,
        )

    def _request(self, plan: Plan, **more: Any) -> dict[str, Any]:
        """What a function of `jobs` is asked, with the digests that are known."""
        parts = plan.parts
        digests = {} if parts is None else {"weights": parts.weights_digest, "dataset": parts.dataset_digest}
        return jobs.request(plan.entry, self.settings, digests=digests, **more)

    def _log(self, entry: Entry) -> Path:
        """The file for what an entry's processes print, in its new folder, or else in its stored one."""
        entry_folder = self.folder.begun(entry.name)
        if entry_folder is None:
            entry_folder = self.folder.entry(entry.name)
            entry_folder = entry_folder if entry_folder.is_dir() else self.folder.begin(entry.name)
        return entry_folder / LOG

    def note_environment_of_jobs(self) -> None:
        """The same if anything was measured: a run that only finds what is stored is no new measurement."""
        if self.made_in:
            self.note_environment()

    def note_environment(self) -> None:
        """environment.json: of this process, with the numeric flags of those that measured."""
        self.folder.write_environment({"date": _now(), **environment.environment(), **self.made_in})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _trace(error: Exception | None) -> str:
    """The traceback of an unexpected error, or of one that user-defined code raised; "" for others."""
    if isinstance(error, JobFailed):
        return error.trace
    return "" if error is None or foreseen(error) else "".join(traceback.format_exception(error))
