"""One assembled entry to its result: predict, score, render. Costs are measured separately (`costs.py`).

torch is imported only when a network is needed: an entry that is stored already, or cannot be run, never loads it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrbench.contracts import DataSet, HasCriteria, HasNotes, HasPersonBoxes, Metric, NotesInput
from hrbench.core import environment
from hrbench.core.files import link
from hrbench.core.limit import RULE, limited
from hrbench.core.packages import unmet
from hrbench.core.remote import mirror
from hrbench.core.streams import fan_out
from hrbench.errors import in_words
from hrbench.models.build import build
from hrbench.models.runtimes.configured import in_force
from hrbench.runner import pipeline, precomputed
from hrbench.runner.analysing import analysed
from hrbench.runner.device import device_of
from hrbench.runner.gallery import render_images
from hrbench.runner.orientation import orientation_note
from hrbench.runner.prepare import Assembled, assemble
from hrbench.runner.prepared_network import made_by, prepared_network
from hrbench.runner.score import verdict
from hrbench.runner.settings import Settings
from hrbench.runner.shard_merge import notes_of, read_all, read_records
from hrbench.runner.stored_scores import main_first
from hrbench.store.analyses import FILE, write_analyses
from hrbench.store.integrity import digests_of
from hrbench.store.states import state_file, write_state
from hrbench.types import (
    Analysis,
    DatasetRecord,
    Event,
    FileRecord,
    Measurement,
    MetricRecord,
    Prediction,
    Provenance,
    Reason,
    Remark,
    Result,
    Sample,
    State,
)

if TYPE_CHECKING:
    pass

__all__ = ["EventHandler", "Settings", "assemble", "build", "device_of", "evaluate", "in_words", "verify_stored"]

EventHandler = Callable[[Event], None]
"""Is called with each event of a run."""


def evaluate(
    parts: Assembled,
    settings: Settings,
    folder: Path,
    on_event: EventHandler,
    stored: Result | None = None,
    shards: Sequence[Path] = (),
) -> Result:
    """Predicts, or takes existing predictions; scores them and renders some images. Its files go to `folder`.

    parts: of the entry, from `prepare.assemble`.
    settings: device, workers, whether to verify.
    on_event: called with the progress.
    stored: a result whose predictions are scored again instead of running the network.
    shards: files of shards that hold the predictions of all images; () to run the network here.

    Raises HrbenchError if it fails; predictions that are complete by then stay in `folder`.
    """
    for metric in parts.metrics if not parts.server else ():
        metric.read_target(parts.dataset.target)  # so that a fault in it is known before the network runs
    started = time.perf_counter()
    with in_force(parts.entry.runtime):
        predicted = _predictions(parts, settings, folder, on_event, stored, shards)
    seconds = {"predict": time.perf_counter() - started + predicted.seconds}
    if stored is not None:
        seconds["predict"] = stored.seconds.get("predict", 0.0)
    return _scored_result(parts, settings, folder, on_event, predicted, seconds)


def _scored_result(
    parts: Assembled,
    settings: Settings,
    folder: Path,
    on_event: EventHandler,
    predicted: _Predicted,
    seconds: dict[str, float],
) -> Result:
    """The result of the predictions in `folder`."""
    entry, started = parts.entry, time.perf_counter()
    samples = limited(predicted.samples, entry.limit)
    on_event(Event("progress", entry.name, "score"))
    images = [sample.id for sample in samples] if entry.limit is not None else None
    scored = _submitted(parts, folder) if parts.server else _score(parts, folder, images, settings.verify)
    seconds["score"] = time.perf_counter() - started

    started = time.perf_counter()
    missing = partial(parts.dataset.missing, precomputed.NO_PROTOCOL)
    drawings, render_notes = render_images(
        parts.task, parts.metrics[0], samples, scored.state, folder, missing, parts.dataset, settings.images
    )
    seconds["draw"] = time.perf_counter() - started

    provenance = _with_scoring_record(parts, predicted.provenance, len(predicted.samples))
    return Result(
        name=entry.name,
        entry=entry,
        status="submitted" if parts.server else "done",
        scores=tuple(scored.scores),
        drawings=tuple(drawings),
        notes=(*parts.notes, *predicted.notes, *scored.notes, *render_notes, *unmet()),
        prediction_key=parts.prediction_key,
        score_key=parts.score_key(digests_of(folder)),
        provenance=replace(provenance, submission=scored.submission, prediction_notes=tuple(predicted.notes)),
        seconds=seconds,
        limited=entry.limit,
    )


def _predictions(
    parts: Assembled,
    settings: Settings,
    folder: Path,
    on_event: EventHandler,
    stored: Result | None,
    shards: Sequence[Path],
) -> _Predicted:
    """Predictions in `folder`: stored ones, those of a file, of shards, or the network's."""
    if stored is not None:
        return _kept(parts, stored, folder)
    if shards:
        return _merged(parts, shards, folder)
    return (_precomputed if parts.entry.predictions else _predicted)(parts, settings, folder, on_event)


def _kept(parts: Assembled, stored: Result, folder: Path) -> _Predicted:
    """Links the predictions of a stored result, with the notes from when they were made."""
    for name in dict.fromkeys(precomputed.stored_name(metric, stored.files) for metric in parts.metrics):
        if name is not None:
            link(Path(stored.folder) / name, folder / name)
    entry = parts.entry
    samples = (
        precomputed.samples(entry, parts.dataset) if entry.predictions else [*parts.dataset.samples(entry.protocol)]
    )
    return _Predicted(samples, [*stored.provenance.prediction_notes], stored.provenance)


@dataclass(frozen=True, slots=True)
class _Predicted:
    """Predictions in an entry's folder.

    samples: all of the data set, whatever the limit.
    notes: on how the predictions were made.
    provenance: the network, weights and device, or the file.
    seconds: that predicting took elsewhere.
    """

    samples: list[Sample]
    notes: list[Remark]
    provenance: Provenance
    seconds: float = 0.0


def _predicted(parts: Assembled, settings: Settings, folder: Path, on_event: EventHandler) -> _Predicted:
    """Runs the network over the samples of the entry."""
    entry = parts.entry
    warning = _box_warning(parts)
    samples = list(parts.dataset.samples(entry.protocol))
    mirror.present(sample.path for sample in limited(samples, entry.limit))
    turned = orientation_note(limited(samples, entry.limit))  # raises before the network is built
    prepared = prepared_network(parts, settings)
    net, notes = prepared.net, prepared.notes
    predictions = pipeline.predict(
        parts.task,
        net,
        limited(samples, entry.limit),
        batch=entry.batch,
        workers=settings.workers,
        device=device_of(settings),
        progress=lambda done, total: on_event(Event("progress", entry.name, "predict", "images", done, total)),
        note=notes.append,
    )
    _write(parts.metrics, predictions, folder)
    notes += parts.task.notes() if isinstance(parts.task, HasNotes) else []
    notes += prepared.runtime_notes()
    notes += [turned] if turned else []
    return _Predicted(samples, [warning, *notes] if warning else notes, made_by(parts, net, warning))


def _merged(parts: Assembled, shards: Sequence[Path], folder: Path) -> _Predicted:
    """Takes the predictions of shards, which hold those of every image."""
    warning = _box_warning(parts)
    samples = list(parts.dataset.samples(parts.entry.protocol))
    used = limited(samples, parts.entry.limit)
    turned = orientation_note(used)
    found = read_records(shards, len(used))
    _write(parts.metrics, read_all(found, used), folder)
    records = [record for _, record in found]
    notes = [*([warning] if warning else []), *notes_of(records, parts.task), *([turned] if turned else [])]
    provenance = replace(records[0].provenance, not_comparable=warning)
    return _Predicted(samples, notes, provenance, sum(record.seconds for record in records))


def _precomputed(parts: Assembled, settings: Settings, folder: Path, on_event: EventHandler) -> _Predicted:
    """Takes the file of predictions that the entry names."""
    precomputed.take(parts.entry, parts.metrics, parts.dataset.target, folder)
    file = Path(parts.entry.predictions).name
    samples = precomputed.samples(parts.entry, parts.dataset)
    note = f"the predictions come from a file ({file}); no network was run"
    return _Predicted(samples, [note], Provenance(predictions=FileRecord(file, str(parts.predictions_digest))))


def _write(metrics: list[Metric], predictions: Iterator[Prediction], folder: Path) -> None:
    """Streams predictions to each format that the metrics read, in one pass and beside the network."""
    formats = {metric.prediction_file: metric for metric in reversed(metrics)}  # the first that reads it writes it
    fan_out(
        predictions,
        [partial(metric.write_predictions, path=folder / name) for name, metric in formats.items()],
    )


@dataclass(frozen=True, slots=True)
class _Scores:
    """The scores of one entry.

    scores: of every metric.
    state: of the first metric.
    notes: what in their input changes them, and what verifying found.
    submission: the archive for a server.
    """

    scores: list[Measurement]
    state: State | None
    notes: list[Remark] = field(default_factory=list)
    submission: FileRecord | None = None


def _score(parts: Assembled, folder: Path, images: list[int | str] | None, verify: bool) -> _Scores:
    """Scores of the prediction files; the states of the metrics and their error analyses are stored beside them."""
    scores: list[Measurement] = []
    states: list[State] = []
    analyses: list[Analysis] = []
    notes: list[Remark] = []
    for metric in parts.metrics:
        target = metric.read_target(parts.dataset.target)
        predictions = metric.read_predictions(precomputed.prediction_file(metric, folder), target)
        state = metric.measure(predictions, target, images)
        write_state(state, folder / state_file([each.name for each in parts.metrics], len(states)))
        states.append(state)
        notes += metric.input_notes(predictions, target, state) if isinstance(metric, NotesInput) else []
        made, failed = analysed(metric, predictions, target, state)
        analyses += made
        notes += failed
        summary = metric.summarise(state, resamples=parts.entry.resamples, seed=parts.entry.seed)
        scores += main_first(summary, metric)
        if verify:
            reference = metric.verify(parts.dataset.target, precomputed.prediction_file(metric, folder), images)
            notes.append(verdict(summary, reference, metric))
    if analyses:
        write_analyses(analyses, folder / FILE)
    return _Scores(scores, states[0], notes)


def _submitted(parts: Assembled, folder: Path) -> _Scores:
    """For data whose ground truth is not public: the archive for its server, and scores without a value."""
    notes: list[Remark] = []
    remedy, record = "no archive is made of a part of the images", None
    if parts.entry.limit is None:
        files = {metric.name: precomputed.prediction_file(metric, folder) for metric in parts.metrics}
        archive: Path = parts.dataset.submit(files, folder)
        remedy = f"it is {archive.name} in the entry's folder"
        notes = [f"for the server: {archive.name}"]
        record = FileRecord(archive.name, precomputed.content_digest(archive))
    reason = Reason(parts.server, remedy)
    scores = [
        Measurement(quantity, None, metric.name, reason=reason)
        for metric in parts.metrics
        for quantity in metric.quantities
    ]
    return _Scores(scores, None, notes, record)


def _box_warning(parts: Assembled) -> str:
    """A warning if the person boxes do not reach the box AP of the published detections; "" otherwise."""
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
    """A stored result with a note on how its scores compare with the reference implementations. Runs no network."""
    if parts.server:
        return result
    folder = Path(result.folder)
    images = precomputed.limited_images(parts.entry, parts.dataset)
    notes = list(result.notes)
    for metric in parts.metrics:
        reference = metric.verify(parts.dataset.target, precomputed.prediction_file(metric, folder), images)
        note = verdict([score for score in result.scores if score.metric == metric.name], reference, metric)
        notes += [note] if note not in notes else []
    return replace(result, notes=tuple(notes))


def _criteria(metric: Metric) -> dict[str, Any]:
    return dict(metric.own_criteria()) if isinstance(metric, HasCriteria) else {}


def _with_scoring_record(parts: Assembled, made_by: Provenance, images: int) -> Provenance:
    """The provenance of predictions with what they are scored on and by."""
    assert parts.entry.dataset is not None
    return replace(
        made_by,
        dataset=DatasetRecord(parts.entry.dataset.name, parts.dataset_digest, images),
        metrics={metric.name: MetricRecord(metric.version, "hrbench", _criteria(metric)) for metric in parts.metrics},
        limit_rule="" if parts.entry.limit is None else RULE,
        protocol=dict(parts.entry.protocol),
        environment=made_by.environment or environment.environment(),
    )
