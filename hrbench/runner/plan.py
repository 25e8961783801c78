"""What a run does with each entry, decided before anything runs: `check` prints it, `run` executes it.

    plan = plan_entry(entry, settings, stored, folder)
    plan.accuracy        # "reuse", "restore", "score", "predict", "decide", "empty", "stay" or "fail"

Whether predictions count is a question of their key alone, and whether scores do is one of theirs: predictions that
still count are scored again, by a new metric or another bootstrap, without running a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from hrbench.errors import HrbenchError, in_words
from hrbench.runner.migration import migrate_result
from hrbench.runner.prepare import NOTHING, Assembled, assemble
from hrbench.runner.settings import Settings
from hrbench.store.integrity import digests_of
from hrbench.store.run_folder import RunFolder
from hrbench.types import Entry, Reason, Result

Action = Literal["reuse", "restore", "score", "predict", "decide", "empty", "stay", "fail"]
"""What is done for an entry's accuracy.

reuse: what is stored still counts.
restore: what an earlier change replaced counts again, and is put back.
score: predictions are there, stored or in a file that the entry names, and are judged; no network runs.
predict: the network is run, and its predictions are judged.
decide: the network brings its own weights, so whether stored predictions count is told once it is built.
empty: accuracy cannot be measured, or was not asked for.
stay: only what is stored was to be scored, and there is nothing to score.
fail: it is known already that the entry fails.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does for the accuracy of one entry.

    reasons: why accuracy is empty, stays as it is, or fails.
    notes: what the entry's result should say beside that, in sentences.
    parts: the entry's parts as far as they were found; None if finding them failed.
    stored: the result that is reused or whose predictions are scored, else what is stored of the entry now.
    past: the superseded folder that `stored` lies in, if it is to be restored.
    error: what failed, with its traceback.
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
    draw: bool = True,
    build_own: bool = False,
    digests: Mapping[str, str | None] = NOTHING,
) -> Plan:
    """The plan for one entry. Runs no network; an error in finding the parts is part of the plan.

    stored: what the run folder holds of the entry.
    folder: searched for superseded results that count again; None to leave that out.
    draw, build_own, digests: as `prepare.assemble` takes them.
    """
    try:
        parts = assemble(entry, settings, draw=draw, build_own=build_own, digests=digests)
        if parts.reasons:
            return Plan(entry, "stay" if settings.rescore else "empty", parts.reasons, parts, stored)
        if settings.rescore and parts.unbuilt and stored is not None:
            parts = _trusting(parts, stored)
        if parts.unbuilt and not settings.rescore:
            return Plan(entry, "decide", (), parts, stored)
        return _plan_with_key(parts, settings, stored, folder)
    except Exception as error:  # whatever the entry's own code raises, the others go on
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
    for past in folder.past(entry.name) if folder is not None else ():
        if past.prediction_key == key and past.predicted and past.score_key == parts.score_key(past.files):
            return Plan(entry, "restore", (), parts, past, Path(past.folder))
    for past in folder.past(entry.name) if folder is not None else ():
        if past.prediction_key == key and parts.score_key(past.files) is not None:
            return Plan(entry, "score", (), parts, past, Path(past.folder))
    return Plan(entry, "predict", (), parts, stored)


def _plan_for_older(parts: Assembled, settings: Settings, stored: Result, key: str, folder: RunFolder | None) -> Plan:
    """The plan for an entry of which a result of format 1 is stored: taken over if it is of this entry."""
    stored = replace(stored, files=digests_of(Path(stored.folder)))
    moved, wrong = migrate_result(stored, parts, key, parts.score_key(stored.files) or "")
    found = stored if moved is None else replace(moved, score_key=moved.score_key or None)
    plan = _plan_with_key(parts, settings, found, folder)
    return plan if wrong is None else replace(plan, notes=(str(wrong),))


def _trusting(parts: Assembled, stored: Result) -> Assembled:
    """The parts with the weights' digest that is stored: to score again, no network is built to ask it."""
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
    """Whether an error needs no traceback: it is one of ours, and not the wrapping of another's."""
    return isinstance(error, HrbenchError) and isinstance(error.__cause__, (HrbenchError, type(None)))
