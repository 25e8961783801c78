"""A suite to results: resume what is stored, isolate failures, measure costs last."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hrbench.core import environment
from hrbench.errors import HrbenchError, InputError, in_words
from hrbench.runner.costs import cost_key, measure_costs
from hrbench.runner.device import device_of
from hrbench.runner.evaluate import Listen, evaluate, verify_stored
from hrbench.runner.prepare import Assembled, assemble, proved
from hrbench.runner.settings import Settings
from hrbench.store.run_folder import RunFolder
from hrbench.types import Entry, Event, Measurement, Provenance, Reason, Result, Suite


def run(suite: Suite, folder: RunFolder, settings: Settings, listen: Listen = lambda event: None) -> Iterator[Result]:
    """Every entry's result, stored as it ends; what is stored already and still counts is not run again.

    Accuracy of all entries comes first. Costs are measured after all workers have ended, one entry at a time, alone
    on their device; a result is yielded when its costs are known. A failing entry is a result with status "failed".
    """
    environment.calm_threads()
    if settings.device != "auto":
        device_of(settings)  # one that there is not is the caller's mistake, not every entry's
    with folder.locked(), importable(suite), without_network(settings):
        folder.write_run(suite)
        if not (folder.path / "environment.json").is_file():
            _note_environment(folder)
        results = [_accuracy(entry, settings, folder, listen) for entry in suite.entries]
        known = {result.cost_key: result.costs for result in results if result.cost_key and result.costs}
        for result in results:
            yield _with_costs(result, settings, folder, listen, known)
        if "torch" in sys.modules:  # something was measured, and the flags of torch are known
            _note_environment(folder)


def _note_environment(folder: RunFolder) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    folder.write_environment({"date": now, **environment.environment()})


@contextmanager
def importable(suite: Suite) -> Iterator[None]:
    """The suite's folder on `sys.path`, so that `use: "ourpkg.nets:pose"` finds what lies beside the suite."""
    beside = str(Path(suite.path).resolve().parent) if suite.path else ""
    if not beside or beside in sys.path:
        yield
        return
    sys.path.append(beside)
    try:
        yield
    finally:
        sys.path.remove(beside)


@contextmanager
def without_network(settings: Settings) -> Iterator[None]:
    """Libraries that fetch from the Hugging Face hub told not to, where --offline was given."""
    before = os.environ.get("HF_HUB_OFFLINE")
    if settings.offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        yield
    finally:
        if settings.offline:
            del os.environ["HF_HUB_OFFLINE"]
            os.environ.update({} if before is None else {"HF_HUB_OFFLINE": before})


def _accuracy(entry: Entry, settings: Settings, folder: RunFolder, listen: Listen) -> Result:
    """The entry's result without looking at its costs: stored, measured now, empty, or failed."""
    listen(Event("entry", entry.name))
    stored, notes = _stored(entry, folder)
    try:
        parts = assemble(entry, settings)
        if parts.reasons:
            result = _empty(entry, parts, stored, folder)
        elif stored is not None and stored.predicted and stored.score_key == parts.key:
            listen(Event("note", entry.name, text="stored already"))
            result = folder.update(_verified(parts, replace(stored, entry=entry), settings))
        elif parts.key and (past := folder.restore(entry.name, parts.key)):
            listen(Event("note", entry.name, text="stored before, and valid again"))
            result = folder.update(_verified(parts, replace(past, entry=entry), settings))
        else:
            result = evaluate(parts, settings, folder, listen)
            if stored is not None:
                result = _with_stored_costs(result, stored)
    except Exception as error:  # whatever an entry's own code raises, the others go on
        result = _failed(entry, error, stored, folder)
    result = replace(result, notes=(*result.notes, *notes))
    for note in result.notes:
        listen(Event("note", entry.name, text=note))
    if result.status == "costs_only":
        listen(Event("note", entry.name, text="costs only"))  # nothing was asked for, so nothing is left empty
    else:
        listen(Event("failed" if result.status == "failed" else "result", entry.name, "accuracy", result.reason))
    return result


def _verified(parts: Assembled, result: Result, settings: Settings) -> Result:
    """A stored result, judged by its metrics' oracles where that was asked for."""
    return verify_stored(parts, result) if settings.verify else result


def _stored(entry: Entry, folder: RunFolder) -> tuple[Result | None, list[str]]:
    """What is stored of an entry; a damaged result is set aside with a note rather than overwritten."""
    try:
        return folder.read(entry.name), []
    except InputError as error:
        folder.supersede(entry.name)
        return None, [f"set aside: {error}"]


def _empty(entry: Entry, parts: Assembled, stored: Result | None, folder: RunFolder) -> Result:
    """A result whose accuracy cell says why it is empty; a stored accuracy of the entry is set aside, not lost.

    Weights that an entry for costs alone names are read into its network, and recorded, before.
    """
    weights, notes = (None, []) if parts.weights is None else proved(parts, stored)
    result = Result(
        entry.name,
        entry,
        "costs_only" if parts.costs_only else "empty",
        parts.reasons,
        notes=tuple(notes),
        limited=entry.limit,
        provenance=Provenance(weights=weights),
    )
    return _keep_costs(result, stored, folder)


def _failed(entry: Entry, error: Exception, stored: Result | None, folder: RunFolder) -> Result:
    """A failed result; what nobody foresaw, or a person's own code raised, keeps its traceback in the provenance."""
    foreseen = isinstance(error, HrbenchError) and isinstance(error.__cause__, (HrbenchError, type(None)))
    trace = Provenance(traceback="" if foreseen else "".join(traceback.format_exception(error)))
    result = Result(entry.name, entry, "failed", (Reason(in_words(error)),), limited=entry.limit, provenance=trace)
    return _keep_costs(result, stored, folder)


def _keep_costs(result: Result, stored: Result | None, folder: RunFolder) -> Result:
    """Stores a result without accuracy: in place of another such, or beside a superseded measurement."""
    if stored is None:
        return folder.commit(folder.begin(result.name), result)
    result = _with_stored_costs(result, stored)
    if stored.predicted:
        return folder.commit(folder.begin(result.name), result)
    folder.discard(result.name)
    return folder.update(result)


def _with_stored_costs(result: Result, stored: Result) -> Result:
    """A new result with the costs that are stored; whether they still count is told by their key."""
    return replace(result, costs=stored.costs, cost_key=stored.cost_key, costs_reason=stored.costs_reason)


def _with_costs(
    result: Result, settings: Settings, folder: RunFolder, listen: Listen, known: dict[str, tuple[Measurement, ...]]
) -> Result:
    """The result with its costs: stored, shared with an entry of the same key, or measured now."""
    entry, before = result.entry, result.status
    try:
        key = cost_key(entry, settings)
        if result.cost_key == key and result.costs:
            costs = result.costs
        elif key in known:
            costs = known[key]
        else:
            listen(Event("cost", entry.name, "operations"))
            costs = measure_costs(entry, settings, listen)
        known[key] = costs
        result = replace(result, costs=costs, cost_key=key, costs_reason=None)
    except Exception as error:  # as above: the other entries go on
        problem = Reason(f"costs were not measured: {in_words(error)}")
        result = replace(result, costs=(), cost_key=None, costs_reason=problem)
        if result.status in ("empty", "costs_only"):  # neither accuracy nor costs: nothing of the entry is known
            result = replace(result, status="failed", reasons=(problem,))
    result = folder.update(result)
    if result.costs_reason is None:
        listen(Event("result", entry.name, "costs"))
    elif before != "failed":  # of an entry that failed before it was told already
        listen(Event("failed", entry.name, "costs", str(result.costs_reason)))
    return result
