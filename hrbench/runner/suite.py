"""A suite to results: resume what is stored, isolate failures, measure costs last."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hrbench.core import environment, import_path
from hrbench.errors import HrbenchError, InputError, in_words
from hrbench.runner.costs import cost_key, measure_costs
from hrbench.runner.device import device_of
from hrbench.runner.evaluate import Listen, evaluate, verify_stored
from hrbench.runner.prepare import Assembled, assemble, proved
from hrbench.runner.settings import Settings
from hrbench.store.run_folder import RunFolder
from hrbench.types import Cost, Entry, Event, Result, Suite

NO_COSTS = "costs were not measured"
"""How the note begins of a result that has an accuracy and, by an error, no costs."""


def run(suite: Suite, folder: RunFolder, settings: Settings, listen: Listen = lambda event: None) -> Iterator[Result]:
    """Every entry's result, stored as it ends; what is stored already and still counts is not run again.

    Accuracy of all entries comes first. Costs are measured after all workers have ended, one entry at a time, alone
    on their device; a result is yielded when its costs are known. A failing entry is a result with status "failed".
    """
    environment.calm_threads()
    if settings.device != "auto":
        device_of(settings)  # one that there is not is the caller's mistake, not every entry's
    with folder.locked(), importable(suite):
        if damage := folder.write_run(suite):
            listen(Event("note", suite.name, text=damage))
        if not folder.has_environment():
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


def importable(suite: Suite) -> AbstractContextManager[None]:
    """The suite's folder on `sys.path`, so that `use: "ourpkg.nets:pose"` finds what lies beside the suite."""
    beside = str(Path(suite.path).resolve().parent) if suite.path else ""
    return import_path.importable(*([beside] if beside else []))


def _accuracy(entry: Entry, settings: Settings, folder: RunFolder, listen: Listen) -> Result:
    """The entry's result without looking at its costs: stored, measured now, empty, or failed."""
    listen(Event("entry", entry.name))
    stored, notes = _stored(entry, folder)
    try:
        parts = assemble(entry, settings)
        if parts.reason:
            result = _empty(entry, parts, stored, folder)
        elif stored is not None and stored.status == "done" and stored.accuracy_key == parts.key:
            listen(Event("note", entry.name, text="stored already"))
            result = folder.update(_verified(parts, replace(stored, entry=entry), settings))
        elif parts.key and (past := folder.restore(entry.name, parts.key)):
            listen(Event("note", entry.name, text="stored before, and valid again"))
            result = folder.update(_verified(parts, replace(past, entry=entry), settings))
        else:
            result = evaluate(parts, settings, folder, listen)
            if stored is not None:
                result = replace(result, costs=stored.costs, cost_key=stored.cost_key)
    except Exception as error:  # whatever an entry's own code raises, the others go on
        result = _failed(entry, error, stored, folder)
    result = replace(result, notes=(*result.notes, *notes))
    for note in result.notes:
        listen(Event("note", entry.name, text=note))
    if result.status == "empty" and result.provenance.get("costs_only") is True:
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
    made: dict[str, Any] = {"costs_only": True} if parts.costs_only else {}
    notes: list[str] = []
    if parts.weights is not None:
        made["weights"], notes = proved(parts, stored)
    result = Result(entry.name, entry, "empty", parts.reason, notes=tuple(notes), limited=entry.limit, provenance=made)
    return _keep_costs(result, stored, folder)


def _failed(entry: Entry, error: Exception, stored: Result | None, folder: RunFolder) -> Result:
    """A failed result; what nobody foresaw, or a person's own code raised, keeps its traceback in the provenance."""
    foreseen = isinstance(error, HrbenchError) and isinstance(error.__cause__, (HrbenchError, type(None)))
    traces = {} if foreseen else {"traceback": "".join(traceback.format_exception(error))}
    result = Result(entry.name, entry, "failed", in_words(error), limited=entry.limit, provenance=traces)
    return _keep_costs(result, stored, folder)


def _keep_costs(result: Result, stored: Result | None, folder: RunFolder) -> Result:
    """Stores a result without accuracy: in place of another such, or beside a superseded measurement."""
    if stored is None:
        return folder.commit(folder.begin(result.name), result)
    result = replace(result, costs=stored.costs, cost_key=stored.cost_key)
    if stored.status == "done":
        return folder.commit(folder.begin(result.name), result)
    folder.discard(result.name)
    return folder.update(result)


def _with_costs(
    result: Result, settings: Settings, folder: RunFolder, listen: Listen, known: dict[str, tuple[Cost, ...]]
) -> Result:
    """The result with its costs: stored, shared with an entry of the same key, or measured now."""
    entry, before, problem = result.entry, result.reason, ""
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
        notes = tuple(note for note in result.notes if not note.startswith(NO_COSTS))
        result = replace(result, costs=costs, cost_key=key, notes=notes)
    except Exception as error:  # as above: the other entries go on
        problem = f"{NO_COSTS}: {in_words(error)}"
        notes = tuple(dict.fromkeys((*result.notes, problem))) if result.status == "done" else result.notes
        result = replace(result, costs=(), cost_key=None, notes=notes)
        if result.status == "empty":  # neither accuracy nor costs: nothing of the entry is known
            result = replace(result, status="failed", reason=problem)
    result = folder.update(result)
    if not problem:
        listen(Event("result", entry.name, "costs"))
    elif result.status == "done" or result.reason != before:  # what failed alike before was told of once already
        listen(Event("failed", entry.name, "costs", problem))
    return result
