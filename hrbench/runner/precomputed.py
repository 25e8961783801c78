"""Predictions that were made elsewhere: an entry's file, judged in place of running a network.

Where the metric's format is a folder of files, so is what is given.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hrbench.contracts import DataSet, Metric
from hrbench.core.digests import sha256
from hrbench.core.files import write_whole
from hrbench.errors import HrbenchError
from hrbench.runner.data_access import server_of
from hrbench.types import Entry, Reason, Sample

NO_NETWORK = Reason("no network: predictions were given")

# What the data set is asked for where no protocol is needed: all samples in their order, with annotated boxes.
ANY: Mapping[str, Any] = {}


def lacking(entry: Entry, dataset: DataSet) -> list[Reason]:
    """What judging needs and is not on this disk, in sentences: the predictions, the ground truth. Images are not."""
    gaps = []
    if not Path(entry.predictions).exists():
        gaps.append(Reason(f"the predictions {entry.predictions} are not there"))
    if server := server_of(dataset):
        gaps.append(Reason(server))
    elif not dataset.target.exists():
        gaps += map(Reason, dataset.missing(ANY))
    return gaps


def content_digest(path: Path) -> str:
    """SHA-256 (hex) of a file, or of a folder: its files' names with their contents, images but labels by size alone.

    Labels are PNG; a folder of photographs (JPEG) may hold more than one would read to name a result.
    """
    if not path.is_dir():
        return sha256(path)
    whole = hashlib.sha256()
    for file in sorted(each for each in path.rglob("*") if each.is_file()):
        photograph = file.suffix.lower() in (".jpg", ".jpeg")
        said = str(file.stat().st_size) if photograph else sha256(file)
        whole.update(f"{file.relative_to(path).as_posix()}\0{said}\n".encode())
    return whole.hexdigest()


def dataset_digest(entry: Entry, dataset: DataSet) -> str:
    """Digest of the data as a run of the same protocol has it, where all of them are here; else of the ground truth."""
    for protocol in (entry.protocol, ANY):
        try:
            if not dataset.missing(protocol):
                return dataset.digest(protocol)
        except HrbenchError:  # a protocol that the data set does not know, stated by the suite all the same
            continue
    return content_digest(dataset.target)


def samples(entry: Entry, dataset: DataSet) -> list[Sample]:
    """The images in the data set's order. Where they cannot be told none, unless the entry is limited to some."""
    try:
        return list(dataset.samples(ANY))
    except HrbenchError:
        if entry.limit is not None:
            raise
        return []


def take(entry: Entry, metrics: Sequence[Metric], target: Path, place: Path) -> None:
    """Copies the file into the entry's folder under the names of the metrics' formats, once they have read it.

    Raises InputError naming the first offender of a file that a metric cannot read.
    """
    given = Path(entry.predictions)
    for metric in metrics:
        metric.read_predictions(given, metric.read_target(target))
    for name in dict.fromkeys(_name(metric, given) for metric in metrics):
        if given.is_dir():
            shutil.copytree(given, place / name)
            continue
        with given.open("rb") as source:
            write_whole(place / name, lambda stream, source=source: shutil.copyfileobj(source, stream))


def prediction_file(metric: Metric, folder: Path) -> Path:
    """The file of a metric's predictions in an entry's folder: of the metric's format, or as it was given."""
    path = folder / metric.prediction_file
    if path.exists():
        return path
    return next(iter(sorted(folder.glob(f"{path.stem}.*"))), path)


def stored_name(metric: Metric, files: Iterable[str]) -> str | None:
    """Which of the files in an entry's folder holds a metric's predictions, as `prediction_file` finds it; or None."""
    if metric.prediction_file in files:
        return metric.prediction_file
    stem = Path(metric.prediction_file).stem
    return next((name for name in sorted(files) if name == stem or name.startswith(f"{stem}.")), None)


def _name(metric: Metric, given: Path) -> str:
    """A metric that reads several formats (MPII: .npy and .mat) tells them by their endings."""
    if given.is_dir():
        return Path(metric.prediction_file).stem
    return Path(metric.prediction_file).stem + given.suffix if given.suffix else metric.prediction_file
