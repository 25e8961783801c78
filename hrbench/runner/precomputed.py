"""Precomputed predictions: a file that an entry names, scored instead of running a network.

If the metric's format is a folder of files, the entry names a folder.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hrbench.contracts import DataSet, Metric, TruthInSeveralFiles
from hrbench.core.digests import sha256
from hrbench.core.files import write_whole
from hrbench.core.limit import limited
from hrbench.errors import HrbenchError, InputError
from hrbench.runner.data_access import server_of
from hrbench.types import Entry, Reason, Sample

NO_NETWORK = Reason("no network: precomputed predictions")

NO_PROTOCOL: Mapping[str, Any] = {}
"""Asks a data set for all samples in their order, with annotated boxes."""


def missing_inputs(entry: Entry, dataset: DataSet) -> list[Reason]:
    """What scoring needs and is not on this disk: predictions and ground truth. Images are not needed."""
    gaps = []
    if not Path(entry.predictions).exists():
        gaps.append(Reason(f"the predictions {entry.predictions} are not there"))
    if server := server_of(dataset):
        gaps.append(Reason(server))
    elif not dataset.target.exists():
        gaps += map(Reason, dataset.missing(NO_PROTOCOL))
    return gaps


def content_digest(path: Path) -> str:
    """SHA-256 (hex) of a file, or of a folder: its files' names with their contents, JPEG images by size only.

    Label maps are PNG files. A folder of photographs (JPEG) may be too large to be read for a digest.
    """
    if not path.is_dir():
        return sha256(path)
    whole = hashlib.sha256()
    for file in sorted(each for each in path.rglob("*") if each.is_file()):
        photograph = file.suffix.lower() in (".jpg", ".jpeg")
        content = str(file.stat().st_size) if photograph else sha256(file)
        whole.update(f"{file.relative_to(path).as_posix()}\0{content}\n".encode())
    return whole.hexdigest()


def target_digest(dataset: DataSet) -> str:
    """SHA-256 (hex) of the ground truth alone."""
    several = isinstance(dataset, TruthInSeveralFiles)
    return dataset.ground_truth_sha256() if several else content_digest(dataset.target)


def dataset_digest(entry: Entry, dataset: DataSet) -> str:
    """Digest of the data as for a run of the same protocol, if all of them are there; else of the ground truth."""
    for protocol in (entry.protocol, NO_PROTOCOL):
        try:
            if not dataset.missing(protocol):
                return dataset.digest(protocol)
        except HrbenchError:  # a protocol that the data set does not know, although the suite states it
            continue
    return target_digest(dataset)


def protocol_of(entry: Entry) -> Mapping[str, Any]:
    """The protocol by which the images of an entry are listed."""
    return NO_PROTOCOL if entry.predictions else entry.protocol


def limited_images(entry: Entry, dataset: DataSet) -> list[int | str] | None:
    """Ids of the images that an entry is limited to; None for all."""
    if entry.limit is None:
        return None
    return [sample.id for sample in limited(list(dataset.samples(protocol_of(entry))), entry.limit)]


def samples(entry: Entry, dataset: DataSet) -> list[Sample]:
    """The images in the data set's order; none if they cannot be listed.

    Raises HrbenchError if they cannot be listed and the entry is limited to some.
    """
    try:
        return list(dataset.samples(NO_PROTOCOL))
    except HrbenchError:
        if entry.limit is not None:
            raise
        return []


def refuse_lone_file(metric: Metric, path: Path) -> None:
    """Raises InputError for a file that a metric reads with others beside it: they would not be copied with it."""
    if not Path(metric.prediction_file).suffix and not path.is_dir():
        raise InputError(
            f"{path}: is one of several files of predictions; a suite names the folder that holds them all"
        )


def take(entry: Entry, metrics: Sequence[Metric], target: Path, folder: Path) -> None:
    """Copies the file into the entry's folder under the names of the metrics' formats, after they have read it.

    Raises InputError naming the first faulty item of a file that a metric cannot read.
    """
    source_path = Path(entry.predictions)
    for metric in metrics:
        metric.read_predictions(source_path, metric.read_target(target))
        refuse_lone_file(metric, source_path)
    for name in dict.fromkeys(_name(metric, source_path) for metric in metrics):
        if source_path.is_dir():
            shutil.copytree(source_path, folder / name)
            continue
        with source_path.open("rb") as source:
            write_whole(folder / name, lambda stream, source=source: shutil.copyfileobj(source, stream))


def prediction_file(metric: Metric, folder: Path) -> Path:
    """The file of a metric's predictions in an entry's folder, under the metric's name or with another ending."""
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


def _name(metric: Metric, path: Path) -> str:
    """The name of a copy: a metric that reads several formats (MPII: .npy and .mat) distinguishes them by ending."""
    if path.is_dir():
        return Path(metric.prediction_file).stem
    return Path(metric.prediction_file).stem + path.suffix if path.suffix else metric.prediction_file
