"""One assembled entry to its result: predict, judge, draw. Costs are measured apart (`measure.py`).

torch is imported only when a network is needed: an entry that is stored already, or cannot be run, never loads it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrbench.contracts import DataSet, FixedPrecision, HasNotes, HasPersonBoxes, Metric
from hrbench.core import environment
from hrbench.core.files import link
from hrbench.core.limit import RULE, limited
from hrbench.core.packages import unmet
from hrbench.core.plugins import libraries
from hrbench.core.streams import fan_out
from hrbench.errors import in_words
from hrbench.models.build import build
from hrbench.runner import pipeline, precomputed
from hrbench.runner.device import _device_name, device_of, runtime
from hrbench.runner.gallery import drawn
from hrbench.runner.prepare import Assembled, assemble, load_network, weights_record
from hrbench.runner.score import verdict
from hrbench.runner.settings import Settings
from hrbench.runner.stored_scores import main_first, state_file
from hrbench.store.integrity import digests_of
from hrbench.store.states import write_state
from hrbench.types import (
    DatasetRecord,
    Event,
    FileRecord,
    Measurement,
    MetricRecord,
    Prediction,
    Provenance,
    Reason,
    Result,
    Sample,
    State,
)

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Listen", "Settings", "assemble", "build", "device_of", "evaluate", "in_words", "verify_stored"]

Listen = Callable[[Event], None]


def evaluate(parts: Assembled, settings: Settings, place: Path, listen: Listen, stored: Result | None = None) -> Result:
    """Predicts, or takes predictions that are there, judges and draws an entry. Its files go to the folder `place`.

    stored: a result whose predictions are judged again instead of running the network.
    Raises HrbenchError if it fails; predictions that are whole by then stay in `place`.
    """
    for metric in parts.metrics if not parts.server else ():
        metric.read_target(parts.dataset.target)  # a fault in it should be known before the network has run
    started = time.perf_counter()
    predicted = _predictions(parts, settings, place, listen, stored)
    seconds = {"predict": time.perf_counter() - started}
    if stored is not None:
        seconds["predict"] = stored.seconds.get("predict", 0.0)
    return _judged_result(parts, settings, place, listen, predicted, seconds)


def _judged_result(
    parts: Assembled, settings: Settings, place: Path, listen: Listen, predicted: _Predicted, seconds: dict[str, float]
) -> Result:
    """The result of predictions that lie in `place`."""
    entry, started = parts.entry, time.perf_counter()
    samples = limited(predicted.samples, entry.limit)
    listen(Event("progress", entry.name, "score"))
    images = [sample.id for sample in samples] if entry.limit is not None else None
    judged = _submitted(parts, place) if parts.server else _judge(parts, place, images, settings.verify)
    seconds["score"] = time.perf_counter() - started

    started = time.perf_counter()
    drawings, undrawn = drawn(parts.task, parts.metrics[0], samples, judged.state, place)
    seconds["draw"] = time.perf_counter() - started

    provenance = _judged_on(parts, predicted.provenance, len(predicted.samples))
    return Result(
        name=entry.name,
        entry=entry,
        status="submitted" if parts.server else "done",
        scores=tuple(judged.scores),
        drawings=tuple(drawings),
        notes=(*parts.notes, *predicted.notes, *judged.notes, *undrawn, *unmet()),
        prediction_key=parts.prediction_key,
        score_key=parts.score_key(digests_of(place)),
        provenance=replace(provenance, submission=judged.submission, prediction_notes=tuple(predicted.notes)),
        seconds=seconds,
        limited=entry.limit,
    )


def _predictions(
    parts: Assembled, settings: Settings, place: Path, listen: Listen, stored: Result | None
) -> _Predicted:
    """Predictions in `place`: stored ones, those of a file, or the network's."""
    if stored is not None:
        return _kept(parts, stored, place)
    return (_given if parts.entry.predictions else _predicted)(parts, settings, place, listen)


def _kept(parts: Assembled, stored: Result, place: Path) -> _Predicted:
    """Takes the predictions of a stored result, with what was noted when they were made."""
    for name in dict.fromkeys(precomputed.stored_name(metric, stored.files) for metric in parts.metrics):
        if name is not None:
            link(Path(stored.folder) / name, place / name)
    entry = parts.entry
    everything = (
        precomputed.samples(entry, parts.dataset) if entry.predictions else [*parts.dataset.samples(entry.protocol)]
    )
    return _Predicted(everything, [*stored.provenance.prediction_notes], stored.provenance)


@dataclass(frozen=True, slots=True)
class _Predicted:
    """Predictions in an entry's folder: all samples of the data, whatever the limit, and what made the predictions."""

    samples: list[Sample]
    notes: list[str]
    provenance: Provenance


def _predicted(parts: Assembled, settings: Settings, place: Path, listen: Listen) -> _Predicted:
    """Runs the network over the samples that the entry asks for."""
    entry = parts.entry
    warning = _box_warning(parts)
    net, notes = _network(parts, settings)
    everything = list(parts.dataset.samples(entry.protocol))
    predictions = pipeline.predict(
        parts.task,
        net,
        limited(everything, entry.limit),
        batch=entry.batch,
        workers=settings.workers,
        progress=lambda done, total: listen(Event("progress", entry.name, "predict", "images", done, total)),
        note=notes.append,
    )
    _write(parts.metrics, predictions, place)
    notes += parts.task.notes() if isinstance(parts.task, HasNotes) else []
    return _Predicted(everything, [warning, *notes] if warning else notes, _made_by(parts, net, warning))


def _given(parts: Assembled, settings: Settings, place: Path, listen: Listen) -> _Predicted:
    """Takes the file of predictions that the entry names."""
    precomputed.take(parts.entry, parts.metrics, parts.dataset.target, place)
    file = Path(parts.entry.predictions).name
    everything = precomputed.samples(parts.entry, parts.dataset)
    note = f"judged are predictions that were given ({file}); no network was run"
    return _Predicted(everything, [note], Provenance(predictions=FileRecord(file, str(parts.predictions_digest))))


def _network(parts: Assembled, settings: Settings) -> tuple[Any, list[str]]:
    """The entry's network as the runtime prepares it, in the entry's dtype on its device, and notes."""
    import torch

    entry = parts.entry
    net: nn.Module
    net, notes = load_network(parts) if parts.network is None else (parts.network, [])
    asked: torch.dtype = getattr(torch, entry.dtype)
    dtype = net.precision if isinstance(net, FixedPrecision) else asked
    if dtype != asked:
        notes.append(f"computed in {str(dtype).removeprefix('torch.')}, as the network's file does")
    example = torch.empty(1, 3, *entry.variant.input, device=device_of(settings), dtype=dtype)
    return runtime().prepare(net, example), notes


def _write(metrics: list[Metric], predictions: Iterator[Prediction], place: Path) -> None:
    """Streams predictions to each format that the metrics read, in one pass and beside the network."""
    formats = {metric.prediction_file: metric for metric in metrics}
    fan_out(
        predictions,
        [partial(metric.write_predictions, path=place / name) for name, metric in formats.items()],
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """Scores of every metric, the first metric's state, what verifying found, the archive for a server."""

    scores: list[Measurement]
    state: State | None
    notes: list[str] = field(default_factory=list)
    submission: FileRecord | None = None


def _judge(parts: Assembled, place: Path, images: list[int | str] | None, verify: bool) -> _Judged:
    """Scores of the prediction files, whose states are stored beside them."""
    scores: list[Measurement] = []
    states: list[State] = []
    notes: list[str] = []
    for metric in parts.metrics:
        target = metric.read_target(parts.dataset.target)
        predictions = metric.read_predictions(precomputed.prediction_file(metric, place), target)
        state = metric.measure(predictions, target, images)
        write_state(state, place / state_file(parts.metrics, len(states)))
        states.append(state)
        own = metric.summarise(state, resamples=parts.entry.resamples, seed=parts.entry.seed)
        scores += main_first(own, metric)
        if verify:
            official = metric.verify(parts.dataset.target, precomputed.prediction_file(metric, place), images)
            notes.append(verdict(own, official, metric))
    return _Judged(scores, states[0], notes)


def _submitted(parts: Assembled, place: Path) -> _Judged:
    """Nobody here has the ground truth: the archive that its server takes, and scores that say so."""
    remedy, notes, record = "no archive is made of a part of the images", [], None
    if parts.entry.limit is None:
        files = {metric.name: precomputed.prediction_file(metric, place) for metric in parts.metrics}
        archive: Path = parts.dataset.submit(files, place)
        remedy = f"it is {archive.name} in the entry's folder"
        notes = [f"for the server: {archive.name}"]
        record = FileRecord(archive.name, precomputed.content_digest(archive))
    reason = Reason(parts.server, remedy)
    scores = [
        Measurement(quantity, None, metric.name, reason=reason)
        for metric in parts.metrics
        for quantity in metric.quantities
    ]
    return _Judged(scores, None, notes, record)


def _box_warning(parts: Assembled) -> str:
    """Says where boxes stand in the published file's place and are not as good as it is known to be, else ""."""
    dataset: DataSet = parts.dataset
    if not isinstance(dataset, HasPersonBoxes) or parts.entry.limit is not None:
        return ""
    expected = dataset.published_box_ap(parts.entry.protocol)
    path = None if expected is None else dataset.box_file(parts.entry.protocol["boxes"])
    if expected is None or path is None:
        return ""
    from hrbench.metrics.coco.person_boxes import person_box_ap

    found = person_box_ap(dataset.target, path, dataset.scheme.category)
    if round(found, 3) == expected:
        return ""
    return (
        f"the boxes of {path.name} reach {100 * found:.1f} box AP on people, those behind the published tables "
        f"{100 * expected:.1f}: the scores are not comparable with them"
    )


def verify_stored(parts: Assembled, result: Result) -> Result:
    """A stored result with what its metrics' oracles say of it among its notes. Runs no network."""
    if parts.server:
        return result
    folder = Path(result.folder)
    images = None
    if parts.entry.limit is not None:
        protocol = precomputed.ANY if parts.entry.predictions else parts.entry.protocol
        images = [sample.id for sample in limited(list(parts.dataset.samples(protocol)), parts.entry.limit)]
    notes = list(result.notes)
    for metric in parts.metrics:
        theirs = metric.verify(parts.dataset.target, precomputed.prediction_file(metric, folder), images)
        said = verdict([score for score in result.scores if score.metric == metric.name], theirs, metric)
        notes += [said] if said not in notes else []
    return replace(result, notes=tuple(notes))


def _made_by(parts: Assembled, net: nn.Module, warning: str) -> Provenance:
    """The part of the provenance that is about the network."""
    return Provenance(
        weights=weights_record(parts),
        libraries=libraries(parts.entry.variant.use),
        device=_device_name(next(iter(net.parameters()), None)),
        not_comparable=warning,
    )


def _judged_on(parts: Assembled, made_by: Provenance, images: int) -> Provenance:
    """The provenance of predictions with what they are judged on and by."""
    assert parts.entry.dataset is not None
    return replace(
        made_by,
        dataset=DatasetRecord(parts.entry.dataset.name, parts.dataset_digest, images),
        metrics={metric.name: MetricRecord(metric.version, "hrbench") for metric in parts.metrics},
        limit_rule="" if parts.entry.limit is None else RULE,
        protocol=dict(parts.entry.protocol),
        environment=made_by.environment or environment.environment(),
    )
