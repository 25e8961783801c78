"""Renders images that were judged: what is annotated of them, and what either of two results predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hrbench.contracts import Metric, Renders, ShowsTruth, Task
from hrbench.core.plugins import resolve
from hrbench.errors import MissingError
from hrbench.runner.data_access import absent_folder, dataset_of
from hrbench.runner.evaluate import EventHandler
from hrbench.runner.precomputed import dataset_digest, prediction_file, protocol_of
from hrbench.runner.prepare import metric_of, missing_parts
from hrbench.runner.settings import Settings
from hrbench.types import Entry, Event, Sample

TRUTH = "ground truth"
"""Kind of picture of what is annotated; the others are named after the sides."""


def render_judged(
    entry: Entry,
    settings: Settings,
    metric: str,
    images: Sequence[int | str],
    digest: str | None,
    sides: Mapping[str, str],
    folder: Path,
    on_event: EventHandler,
) -> dict[str, dict[str, str]]:
    """Pictures of some images: image id as text -> {"ground truth", or the name of a side: name of a file}.

    entry: with the data set and the protocol that both sides have.
    settings: its `data` holds the images.
    metric: whose predictions are rendered, one of the entry's.
    images: ids.
    digest: SHA-256 of the data set that was judged.
    sides: name -> the folder of a result of the entry, which holds its predictions. One without, as a baseline's,
        gives no pictures.
    folder: where the pictures are written.
    on_event: called with the progress, in pictures.

    Raises MissingError if the images are not there, or are not those that were judged; what rendering raises.
    """
    dataset, samples = _judged(entry, settings.data, images, digest)
    assert entry.dataset is not None
    task: Task = resolve("hrbench.tasks", entry.dataset.task)(entry.variant, dataset, entry.protocol)
    if not isinstance(task, Renders):
        raise MissingError(f"the task {entry.dataset.task} renders no images")
    judge = metric_of(metric, dataset)
    found: dict[str, dict[str, str]] = {str(sample.id): {} for sample in samples}
    every = _rows(task, judge, dataset, samples, sides)
    total = len(every) * len(samples)
    for done, (kind, rows) in enumerate(every.items()):
        for number, sample in enumerate(samples):
            on_event(Event("progress", entry.name, "images", "pictures", done * len(samples) + number, total))
            file = f"{number}-{kind}.jpg"
            task.draw(sample, rows[sample.id], folder / file)
            found[str(sample.id)][kind] = file
    on_event(Event("progress", entry.name, "images", "pictures", total, total))
    return found


def _judged(entry: Entry, data: Path, images: Sequence[int | str], digest: str | None) -> tuple[Any, list[Sample]]:
    """The data set below the folder `data` and the samples of some images of it, in the order of `images`."""
    row = entry.dataset
    assert row is not None
    dataset = dataset_of(row, data)
    if absent_folder(row, dataset) is not None:
        raise MissingError(f"{row.name} is not in {data}: --data names the folder of data sets")
    protocol = protocol_of(entry)
    if missing := missing_parts(row, dataset, protocol):
        raise MissingError(str(missing[0]))
    found = dataset_digest(entry, dataset) if entry.predictions else dataset.digest(protocol)
    if digest != found:
        raise MissingError(f"{row.name} in {data} is not the data that was judged")
    by_id = {str(sample.id): sample for sample in dataset.samples(protocol)}
    return dataset, [by_id[str(image)] for image in images if str(image) in by_id]


def _rows(
    task: Renders, metric: Metric, dataset: Any, samples: Sequence[Sample], sides: Mapping[str, str]
) -> dict[str, Mapping[int | str, Any]]:
    """Kind of picture -> image id -> what the task draws."""
    found = {TRUTH: dataset.truth(samples)} if isinstance(dataset, ShowsTruth) else {}
    for side, folder in sides.items():
        path = prediction_file(metric, Path(folder))
        if path.exists():
            found[side] = task.rows(path, samples)
    return found
