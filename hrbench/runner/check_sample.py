"""A few images of an entry with what is annotated and predicted of them, read as a run reads them.

Readers of folders only list files until they are evaluated, so that nothing in a folder is read before a network has
run. The first and the last image show what all of them share: colours instead of numbers, labels that no class has,
other sizes, a photograph that cannot be decoded.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hrbench.contracts import DataSet, Inspectable, Metric, NotesInput, Task
from hrbench.core.limit import limited
from hrbench.core.units import amount
from hrbench.errors import HrbenchError, in_words
from hrbench.formats.label_folders import LabelFolder
from hrbench.runner import precomputed
from hrbench.runner.alike import told_once
from hrbench.runner.check_dataset import SAMPLE_SIZE, Finding, spread
from hrbench.runner.prepare import metric_of
from hrbench.types import DatasetRow, Entry, Note, Sample, State

FEW = 2
"""Images that a plain check reads: the first and the last."""

DOUBTS = ("binary_masks", "root_category", "shifted")
"""Kinds of notes that doubt how a file was read, beside those of `misread_...`."""


def refused_samples(row: DatasetRow, dataset: DataSet, task: Task, samples: Sequence[Sample]) -> list[str]:
    """Sentences on what a run would refuse in the first and the last of the images; none if it takes them.

    Of label maps all faults are; of other data what the task cannot prepare.
    """
    found: list[tuple[Sample, str]] = []
    for sample in spread(samples, FEW):
        try:
            if row.task == "segmentation" and isinstance(dataset, Inspectable):
                found += [(sample, fault) for fault in dataset.look(sample)]
            else:
                task.prepare(sample)
        except Exception as error:  # whatever user-defined code raises: it would end a run as well
            found.append((sample, in_words(error)))
    return told_once(found)


def evaluated_images(entry: Entry, dataset: DataSet) -> list[Sample]:
    """The images on which an entry's precomputed predictions are scored; none if they cannot be listed."""
    return limited(precomputed.samples(entry, dataset), entry.limit)


def check_predictions(metric: Metric, predictions: Any, target: Any, samples: Sequence[Sample]) -> None:
    """Scores precomputed predictions on the first and the last image. Raises HrbenchError for what a run refuses.

    Of label maps also all names are compared: where one has no file, no file is read.
    """
    absent = isinstance(predictions, LabelFolder) and any(str(each.id) not in predictions.files for each in samples)
    chosen = samples if absent else spread(samples, FEW)
    if chosen:
        metric.measure(predictions, target, [sample.id for sample in chosen])


def predictions_findings(entry: Entry, dataset: DataSet, told: Container[str] = ()) -> Iterator[Finding]:
    """What scoring an entry's precomputed predictions on a sample of the images refuses, image by image.

    told: faults of the data set that were told before; one of its ground truth is then named in half a sentence.
    """
    try:
        chosen = spread(evaluated_images(entry, dataset), SAMPLE_SIZE)
        for name in entry.metrics:
            try:
                metric = metric_of(name, dataset)
                target = metric.read_target(dataset.target)
            except HrbenchError as error:
                if str(error) not in told and f"{name}: {error}" not in told:
                    raise
                yield Finding("skipped", f"{name}: not scored, since its ground truth has the fault that is told of it")
                continue
            predictions = metric.read_predictions(Path(entry.predictions), target)
            refused, state = _measured(metric, predictions, target, chosen)
            found = [each for each in refused if not (told and _of_truth(each[1], dataset, entry))]
            if len(found) < len(refused):
                without = f"{len(refused) - len(found):,} of {amount(len(chosen), 'image')}"
                text = f"{name}: {without} not scored, since their ground truth has faults, which are told of it"
                yield Finding("note", text)
            yield from (Finding("fault", f"{name}: {fault}") for fault in told_once(found))
            said = f"faults in {len(found):,} of them" if found else "no fault"
            scored = len(chosen) - (len(refused) - len(found))
            yield Finding("looked", f"{name}: predictions of {amount(scored, 'image')} read and scored: {said}")
            if state is not None and isinstance(metric, NotesInput):
                notes = metric.input_notes(predictions, target, state)
                yield from (Finding("doubt", f"{name}: {note}") for note in notes if _misread(note))
    except Exception as error:  # whatever user-defined code raises: other predictions are still looked at
        yield Finding("fault", in_words(error))


def _of_truth(fault: str, dataset: DataSet, entry: Entry) -> bool:
    """Whether a fault is that of a file of the ground truth, and of none of the predictions."""
    return fault.startswith(f"{dataset.target}/") and not fault.startswith(f"{entry.predictions}/")


def _misread(note: Note) -> bool:
    """Whether a note says that a file is read otherwise than it was meant."""
    return note.kind.startswith("misread_") or note.kind in DOUBTS


def _measured(
    metric: Metric, predictions: Any, target: Any, samples: Sequence[Sample]
) -> tuple[list[tuple[Sample, str]], State | None]:
    """Each image that cannot be scored, with the reason; and the state of the others, None if there are none.

    One by one only if they cannot be scored together.
    """
    if not samples:
        return [], None
    with suppress(HrbenchError):
        return [], metric.measure(predictions, target, [sample.id for sample in samples])
    refused: list[tuple[Sample, str]] = []
    for sample in samples:
        try:
            metric.measure(predictions, target, [sample.id])
        except HrbenchError as error:
            refused.append((sample, str(error)))
    without = {sample.id for sample, _ in refused}
    others = [sample.id for sample in samples if sample.id not in without]
    return refused, metric.measure(predictions, target, others) if others else None
