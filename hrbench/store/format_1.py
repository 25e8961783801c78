"""Format 1 of result.json, as hrbench 0.1.0 wrote it, read into today's types.

Frozen: what format 1 was does not change.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hrbench.types import (
    Conditions,
    DatasetRecord,
    Drawing,
    Entry,
    FileRecord,
    Measurement,
    MetricRecord,
    Provenance,
    Quantity,
    Reason,
    Result,
    Status,
    WeightsRecord,
)


class _Format1Score(msgspec.Struct):
    metric: str
    quantity: Quantity
    value: float | None
    interval: tuple[float, float] | None = None
    n: int = 0
    reason: str = ""


class _Format1Cost(msgspec.Struct):
    quantity: Quantity
    value: float | None
    conditions: dict[str, Any] = {}
    samples: tuple[float, ...] = ()
    reason: str = ""


class _Format1Provenance(msgspec.Struct):
    costs_only: bool = False
    weights: WeightsRecord | None = None
    dataset: DatasetRecord | None = None
    metrics: dict[str, MetricRecord] = {}
    protocol: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    libraries: dict[str, str] = {}
    device: str = ""
    predictions: FileRecord | None = None
    submission: FileRecord | None = None
    not_comparable: str = ""
    traceback: str = ""


class _Format1Result(msgspec.Struct):
    name: str
    entry: Entry
    status: Literal["done", "empty", "failed"]
    reason: str = ""
    scores: tuple[_Format1Score, ...] = ()
    costs: tuple[_Format1Cost, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    notes: tuple[str, ...] = ()
    accuracy_key: str | None = None
    cost_key: str | None = None
    provenance: _Format1Provenance = msgspec.field(default_factory=_Format1Provenance)
    seconds: dict[str, float] = {}
    limited: int | None = None


class _Stored(msgspec.Struct):
    result: _Format1Result


NO_COSTS = "costs were not measured: "
"""The beginning of a note, or of the reason of a failed entry, if costs could not be measured."""
_COSTS_ONLY = ", so only costs are measured"
"""The end of the reason of an entry for costs only."""
_NO_ARCHIVE = "no archive is made of a part of the images"
"""The end of the reason of a score that a server computes, for a limited entry."""
_RENAMED = {"view": "convention", "counted on": "counted_on", "not counted": "not_counted"}
_FIELDS = frozenset(Conditions.__dataclass_fields__) - {"more"}


def result_of(content: Any) -> Result:
    """The result in the decoded JSON of a file of format 1; every field is kept.

    Format 1 had one accuracy key: it becomes prediction key and score key. Raises msgspec.ValidationError for anything
    else.
    """
    old = msgspec.convert(content, _Stored).result
    provenance, archive = old.provenance, old.provenance.submission
    notes = tuple(note for note in old.notes if not note.startswith(NO_COSTS))
    without = [text for text in (*old.notes, old.reason) if text.startswith(NO_COSTS)]
    scores = tuple(
        Measurement(one.quantity, one.value, one.metric, one.interval, one.n, reason=_score_reason(one.reason, archive))
        for one in old.scores
    )
    return Result(
        name=old.name,
        entry=old.entry,
        status=_status(old),
        reasons=(Reason(old.reason.removesuffix(_COSTS_ONLY) if provenance.costs_only else old.reason),)
        if old.reason
        else (),
        scores=scores,
        costs=tuple(map(_cost, old.costs)),
        costs_reason=Reason(without[0]) if without else None,
        drawings=old.drawings,
        notes=notes,
        prediction_key=old.accuracy_key,
        score_key=old.accuracy_key,
        cost_key=old.cost_key,
        provenance=Provenance(
            weights=provenance.weights,
            dataset=provenance.dataset,
            metrics=provenance.metrics,
            protocol=provenance.protocol,
            environment=provenance.environment,
            libraries=provenance.libraries,
            device=provenance.device,
            predictions=provenance.predictions,
            submission=provenance.submission,
            not_comparable=provenance.not_comparable,
            traceback=provenance.traceback,
        ),
        seconds=old.seconds,
        limited=old.limited,
    )


def _status(old: _Format1Result) -> Status:
    """Format 1 had three statuses: an entry for costs only was empty, one that a server scores was done."""
    if old.status == "empty" and old.provenance.costs_only:
        return "costs_only"
    waiting = bool(old.scores) and all(one.reason.endswith(_NO_ARCHIVE) for one in old.scores)
    if old.status == "done" and (old.provenance.submission is not None or waiting):
        return "submitted"
    return old.status


def _score_reason(text: str, archive: FileRecord | None) -> Reason | None:
    """Why there is no score; the remedy, on the archive for a server, was part of the text."""
    remedy = _NO_ARCHIVE if archive is None else f"it is {archive.file} in the entry's folder"
    if text.endswith(f"; {remedy}"):
        return Reason(text.removesuffix(f"; {remedy}"), remedy)
    return Reason(text) if text else None


def _cost(old: _Format1Cost) -> Measurement:
    """A cost. The interval of a latency was among its conditions; conditions without a field go to `more`."""
    conditions = {_RENAMED.get(key, key): value for key, value in old.conditions.items() if key != "interval"}
    known = {key: value for key, value in conditions.items() if key in _FIELDS}
    more = {key: value for key, value in conditions.items() if key not in _FIELDS}
    interval = msgspec.convert(old.conditions.get("interval"), tuple[float, float] | None)
    return Measurement(
        old.quantity,
        old.value,
        interval=interval,
        samples=old.samples,
        conditions=msgspec.convert({**known, "more": more}, Conditions),
        reason=Reason(old.reason) if old.reason else None,
    )
