"""What a run does with each entry, decided before anything runs: `check` prints it, `run` executes it.

    plan = plan_entry(entry, settings, stored, folder)
    plan.accuracy        # "reuse", "restore", "score", "predict", "decide", "empty", "stay" or "fail"

Keys alone decide whether stored predictions and stored scores are still valid; each has a separate key. Valid
predictions are scored again, by a new metric or another bootstrap, without running a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from hrbench.errors import HrbenchError, in_words
from hrbench.runner.migration import migrate_result
from hrbench.runner.prepare import NO_DIGESTS, Assembled, assemble
from hrbench.runner.settings import Settings
from hrbench.runner.shared_parts import SharedParts
from hrbench.store.integrity import digests_of
from hrbench.store.run_folder import RunFolder
from hrbench.types import Entry, Reason, Result

Action = Literal["reuse", "restore", "score", "predict", "decide", "empty", "stay", "fail"]
"""What is done for an entry's accuracy.

reuse: the stored result is still valid.
restore: a superseded result is valid again, and is moved back.
score: there are predictions, stored or in a file that the entry names; they are scored, and no network runs.
predict: the network is run, and its predictions are scored.
decide: the network brings its own weights, so it must be built to know whether stored predictions are valid.
empty: accuracy cannot be measured, or was not requested.
stay: only stored predictions were to be scored, and there are none.
fail: the entry cannot be run.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does for the accuracy of one entry.

    reasons: why accuracy is empty, stays as it is, or fails.
    notes: what the entry's result should say beside that, in sentences.
    parts: the parts of the entry that were found; None if that failed.
    stored: the result that is reused or whose predictions are scored; otherwise the stored result of the entry.
    past: the superseded folder of `stored`, if it is to be restored.
    error: the exception, with its traceback.
    """

    entry: Entry
    accuracy: Action
    reasons: tuple[Reason, ...] = ()
    parts: Assembled | None = None
    stored: Result | None = None
    past: Path | None = None
    error: Exception | None = field(default=None, compare=False)
    notes: tuple[str, ...] = ()


def plan_entry(
    entry: Entry,
    settings: Settings,
    stored: Result | None = None,
    folder: RunFolder | None = None,
    *,
    generate: bool = True,
    build_own: bool = False,
    digests: Mapping[str, str | None] = NO_DIGESTS,
    shared: SharedParts | None = None,
) -> Plan:
    """The plan for one entry. Runs no network; an error in finding the parts is part of the plan.

    stored: the entry's result in the run folder.
    folder: searched for superseded results that are valid again; None for no search.
    generate, build_own, digests, shared: as `prepare.assemble` takes them.
    """
    try:
        parts = assemble(entry, settings, generate=generate, build_own=build_own, digests=digests, shared=shared)
        if parts.reasons:
            return Plan(entry, "stay" if settings.rescore else "empty", parts.reasons, parts, stored)
        if settings.rescore and parts.unbuilt and stored is not None:
            parts = _with_stored_weights(parts, stored)
        if parts.unbuilt and not settings.rescore:
            return Plan(entry, "decide", (), parts, stored)
        return _plan_with_key(parts, settings, stored, folder)
    except Exception as error:  # whatever user-defined code raises, the other entries go on
        return Plan(entry, "fail", (Reason(in_words(error)),), None, stored, error=error)


def _plan_with_key(parts: Assembled, settings: Settings, stored: Result | None, folder: RunFolder | None) -> Plan:
    """The plan for an entry whose predictions have a key."""
    entry, key = parts.entry, parts.prediction_key
    if stored is not None and stored.predicted and not stored.files and key is not None:
        return _plan_for_older(parts, settings, stored, key, folder)
    if stored is not None and stored.prediction_key == key and key is not None:
        score_key = parts.score_key(stored.files)
        if stored.predicted and stored.score_key == score_key and not settings.rescore:
            return Plan(entry, "reuse", (), parts, stored)
        if score_key is not None:
            return Plan(entry, "score", (), parts, stored)
    if entry.predictions:
        return Plan(entry, "score", (), parts, stored)
    if settings.rescore:
        return Plan(entry, "stay", (_nothing_to_score(stored),), parts, stored)
    superseded = [] if folder is None or key is None else folder.past(entry.name, key)
    for past in superseded:
        if past.predicted and past.score_key == parts.score_key(past.files):
            return Plan(entry, "restore", (), parts, past, Path(past.folder))
    for past in superseded:
        if parts.score_key(past.files) is not None:
            return Plan(entry, "score", (), parts, past, Path(past.folder))
    return Plan(entry, "predict", (), parts, stored)


def _plan_for_older(parts: Assembled, settings: Settings, stored: Result, key: str, folder: RunFolder | None) -> Plan:
    """The plan for an entry of which a result of format 1 is stored: migrated if it is of this entry."""
    stored = replace(stored, files=digests_of(Path(stored.folder)))
    migrated, mismatch = migrate_result(stored, parts, key, parts.score_key(stored.files) or "")
    found = stored if migrated is None else replace(migrated, score_key=migrated.score_key or None)
    plan = _plan_with_key(parts, settings, found, folder)
    return plan if mismatch is None else replace(plan, notes=(str(mismatch),))


def _with_stored_weights(parts: Assembled, stored: Result) -> Assembled:
    """The parts with the stored digest of the weights: to score again, no network needs to be built."""
    record = stored.provenance.weights
    return parts if record is None else replace(parts, weights_digest=record.sha256)


def _nothing_to_score(stored: Result | None) -> Reason:
    if stored is None or not stored.prediction_key:
        return Reason("no predictions are stored", "run without --rescore")
    return Reason("the stored predictions are of another network, data set or protocol", "run without --rescore")


def predicts(plan: Plan) -> bool:
    """Whether the plan may run a network."""
    return plan.accuracy in ("predict", "decide")


def foreseen(error: Exception) -> bool:
    """Whether an error needs no traceback: hrbench raised it, and it does not wrap an error of other code."""
    return isinstance(error, HrbenchError) and isinstance(error.__cause__, (HrbenchError, type(None)))
